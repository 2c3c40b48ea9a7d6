/**
 * Actors of other nodes: a ref that leads to one, and what nact's `dispatch`, `query` and `stop` do with it.
 *
 * A remote ref names a life of a node and an actor there. To nact it is a ref of this node's own system, whose `find`
 * gives an object with the functions that nact calls; each call becomes a message of the actor layers to each other,
 * which the core carries reliably, first in first out and after all that its sender had seen. At the other node it is a
 * call of nact's own functions.
 *
 * A call that gets to nobody is a dead letter: logged where that is noticed, and not sent anywhere else. A `query` is told,
 * so that nobody waits for what cannot come: by the node that does not have the actor, or here when the domain goes on
 * without that node. Two calls of one node to another arrive in their order, or, if that node goes, none after one that
 * did not.
 */
import { Nobody, type ActorPath } from 'nact';
import { assertNever } from '../lib/assert.js';
import type { NodeId } from '../lib/ids.js';
import { heldBytes } from '../lib/inspect.js';
import {
  deadLetterTargetsMax,
  departedMax,
  lettersHeldBytesMax,
  strangerCallsMax,
  strangerMillis,
} from '../lib/limits.js';
import type { DomainState } from '../lib/membership/state.js';
import { MessageTooLarge, NotDecodable, NotEncodable, NotLocal, Unreachable } from './errors.js';
import { remoteType, tell, type Host, type RemoteEvent } from './host.js';
import { pathOf, refWith, type NactActor, type NactRef } from './nact-internals.js';
import { decodeValue, encodeValue } from './values.js';

/** What a remote ref leads to on its node. */
export type Place =
  | { readonly kind: 'actor'; readonly parts: readonly string[] }
  | { readonly kind: 'temp'; readonly id: number }
  | { readonly kind: 'system' };

/** A ref to an actor of another node. Hides that nact takes it for one of this node's. */
export class RemoteRef {
  readonly type = remoteType;
  readonly system: { readonly name: string };
  readonly path: ActorPath;
  readonly name: string;

  constructor(
    host: Host,
    readonly node: NodeId,
    readonly place: Place,
  ) {
    const parts = place.kind === 'actor' ? place.parts : place.kind === 'temp' ? [`query-${place.id}`] : [];
    this.system = { name: host.system.name };
    this.path = pathOf(host.system, node, parts);
    this.name = parts.at(-1) ?? node;
  }
}

/** What the actor layers say to each other. The first field of its encoded form is the version. */
type Call =
  /** `query`: the number of the temporary ref that waits for an answer; 0: none does. */
  | {
      readonly kind: 'dispatch';
      readonly target: unknown;
      readonly message: Uint8Array;
      readonly sender: unknown;
      readonly query: number;
    }
  | { readonly kind: 'stop'; readonly target: unknown }
  /** The query's target is not there. */
  | { readonly kind: 'dead'; readonly query: number; readonly why: string };

const version = 1;
/** nact's own limit of a timeout. */
const timeoutMax = 2 ** 31 - 1;
/** Numbers that nact does not give its own temporary refs: those have 32 bits. */
let lastQuery = 2 ** 32;

function encodeCall(host: Host, call: Call): Uint8Array {
  const fields =
    call.kind === 'dispatch'
      ? [call.target, call.message, call.sender, call.query]
      : call.kind === 'stop'
        ? [call.target]
        : [call.query, call.why];
  return encodeValue([version, call.kind, ...fields], host.refs);
}

/** Throws {@link NotDecodable}. */
function decodeCall(host: Host, payload: Uint8Array): Call {
  const value = decodeValue(payload, host.refs);
  if (!Array.isArray(value)) throw new NotDecodable('no list');
  const [spoken, kind, ...fields] = value as unknown[];
  if (spoken !== version) throw new NotDecodable(`version ${String(spoken)}, not ${version}`);
  const [first, second, sender, query] = fields;
  if (kind === 'dead' && typeof first === 'number' && typeof second === 'string') {
    return { kind, query: first, why: second };
  }
  const target = first;
  if (typeof target !== 'object' || target === null || !host.refs.isRef(target)) throw new NotDecodable('no target');
  if (kind === 'stop') return { kind, target };
  if (kind !== 'dispatch' || !(second instanceof Uint8Array) || typeof query !== 'number')
    throw new NotDecodable('no call');
  return { kind, target, message: second, sender, query };
}

/** What nact's functions call on what a remote ref leads to. */
export function reach(host: Host, ref: RemoteRef): object {
  const refuse = (): never => {
    throw new NotLocal(String(ref.path));
  };
  return {
    dispatch: (message: unknown, sender?: unknown) =>
      send(host, ref, 'dispatch', dispatchTo(host, ref, message, sender, 0)),
    query: (message: unknown, timeout: number) => query(host, ref, message, timeout),
    stop: () => send(host, ref, 'stop', encodeCall(host, { kind: 'stop', target: ref })),
    // what spawning below a parent looks at
    assertNotStopped: refuse,
    get system() {
      return refuse();
    },
  };
}

/** Throws {@link NotEncodable}, {@link MessageTooLarge}. */
function dispatchTo(host: Host, target: unknown, message: unknown, sender: unknown, query: number): Uint8Array {
  const encoded = encodeValue(message, host.refs);
  const from = sender instanceof Nobody ? undefined : sender;
  let payload: Uint8Array;
  try {
    payload = encodeCall(host, { kind: 'dispatch', target, message: encoded, sender: from, query });
  } catch (error) {
    if (!(error instanceof NotEncodable)) throw error;
    throw new NotEncodable(error.path.replace(/^message\[\d+\]/, 'sender'), error.why);
  }
  const { messageBytesMax } = host.options;
  if (payload.length > messageBytesMax) throw new MessageTooLarge(payload.length, messageBytesMax);
  return payload;
}

function send(host: Host, ref: RemoteRef, what: string, payload: Uint8Array): void {
  const why = post(host, { kind: 'remote', to: ref.node, payload });
  if (why !== undefined) deadLetter(host, what, String(ref.path), why);
}

/**
 * Asks an actor of another node as nact asks one of its own.
 *
 * Throws what the message's factory throws, {@link NotEncodable} and {@link MessageTooLarge}; rejects with nact's error for
 * the timeout and {@link Unreachable}.
 */
function query(host: Host, ref: RemoteRef, message: unknown, timeout: number): Promise<unknown> {
  lastQuery += 1;
  const id = lastQuery;
  const temporary = temporaryRef(host, id);
  const asked: unknown = typeof message === 'function' ? (message as (ref: NactRef) => unknown)(temporary) : message;
  const payload = dispatchTo(host, ref, asked, temporary, id);
  const target = String(ref.path);
  const why = post(host, { kind: 'remote', to: ref.node, payload });
  if (why !== undefined) return Promise.reject(new Unreachable(target, why, false));
  return new Promise((resolve, reject) => {
    const end = () => {
      host.runtime.cancel(timer);
      host.queries.delete(id);
      host.system.removeTempReference({ id });
    };
    const fail = (error: Error) => {
      end();
      reject(error);
    };
    const timer = host.runtime.after(Math.min(timeout, timeoutMax), () => fail(new Error('Query Timeout')));
    host.queries.set(id, { node: ref.node, target, reject: fail });
    host.system.addTempReference(temporary as { id: number }, {
      resolve: (answer) => {
        end();
        resolve(answer);
      },
    });
  });
}

/** A ref that nact takes for the one of a query. */
export function temporaryRef(host: Host, id: number): NactRef {
  return refWith(host.system, { type: 'temp', id });
}

/**
 * Hands a call to the core, or keeps it until the domain is known to have the node. Returns why it gets to nobody, if that
 * is known already.
 */
function post(host: Host, event: RemoteEvent): string | undefined {
  const { life } = host;
  const { core, domain, departed, strangers } = life;
  const { to } = event;
  if (!core || !domain) return 'this node is not in its domain';
  if (departed.has(to)) return `${to} is not in the domain any more`;
  const stranger = strangers.get(to);
  if (!stranger && domain.nodes.some(({ id }) => id === to)) {
    if (heldBytes(core, to) + life.posted > lettersHeldBytesMax) return 'too much waits to be sent to its node already';
    life.posted += event.payload.length;
    tell(host, event);
    return undefined;
  }
  if (!stranger) {
    const timer = host.runtime.after(strangerMillis, () => giveUp(host, life, to));
    strangers.set(to, { calls: [event], timer });
  } else if (stranger.calls.length < strangerCallsMax) stranger.calls.push(event);
  else return 'its node is not in the domain, and too much waits for it already';
  return undefined;
}

function giveUp(host: Host, life: Host['life'], node: NodeId): void {
  const count = life.strangers.get(node)?.calls.length ?? 0;
  life.strangers.delete(node);
  if (host.life !== life || count === 0) return;
  const why = 'it is not in the domain';
  deadLetter(host, `${count} calls`, node, why);
  rejectQueries(host, node, why, false);
}

/** The domain has a new state: queries to whoever is gone are over, and what waited for whoever came goes out. */
export function followDomain(host: Host, state: DomainState): void {
  const { life } = host;
  const { departed, strangers } = life;
  const nodes = new Set(state.nodes.map(({ id }) => id));
  for (const { id } of life.domain?.nodes ?? []) {
    if (nodes.has(id)) continue;
    departed.add(id);
    rejectQueries(host, id, `${id} is not in the domain any more`, true);
  }
  for (const oldest of departed) {
    if (departed.size <= departedMax) break;
    departed.delete(oldest);
  }
  life.domain = state;
  for (const [id, { calls, timer }] of strangers) {
    if (!nodes.has(id)) continue;
    host.runtime.cancel(timer);
    strangers.delete(id);
    for (const call of calls) tell(host, call);
  }
}

/** This life of the node is over: nothing is heard from others any more. */
export function endRemote(host: Host, why: string): void {
  for (const { timer } of host.life.strangers.values()) host.runtime.cancel(timer);
  host.life.strangers.clear();
  for (const { target, reject } of [...host.queries.values()]) reject(new Unreachable(target, why, true));
}

function rejectQueries(host: Host, node: NodeId, why: string, maybeDone: boolean): void {
  for (const query of [...host.queries.values()]) {
    if (query.node === node) query.reject(new Unreachable(query.target, why, maybeDone));
  }
}

/** Takes in what the actor layer of another node says. */
export function receiveRemote(host: Host, from: NodeId, payload: Uint8Array): void {
  let call: Call;
  try {
    call = decodeCall(host, payload);
  } catch (error) {
    deadLetter(host, 'call', from, `from there, and cannot be read: ${String(error)}`);
    return;
  }
  switch (call.kind) {
    case 'dead': {
      const query = host.queries.get(call.query);
      if (query?.node === from) query.reject(new Unreachable(query.target, call.why, false));
      return;
    }
    case 'stop':
    case 'dispatch': {
      const target = call.target as NactRef;
      const why = call.kind === 'stop' ? stopHere(host, target) : dispatchHere(host, target, call);
      if (why === undefined) return;
      deadLetter(
        host,
        `${call.kind} from ${from}`,
        spelled(host, target),
        why,
        target.type === 'temp' ? 'debug' : 'warn',
      );
      if (call.kind === 'dispatch' && call.query > 0) {
        post(host, { kind: 'remote', to: from, payload: encodeCall(host, { kind: 'dead', query: call.query, why }) });
      }
      return;
    }
    default:
      assertNever(call);
  }
}

/** As the others spell it. */
function spelled(host: Host, ref: NactRef): string {
  return `${host.life.id}://${ref.type === 'temp' ? `query-${String(ref.id)}` : (ref.path?.parts.join('/') ?? '')}`;
}

/** The actor of this node, or something like one, that a ref leads to. */
function here(host: Host, ref: NactRef): Partial<NactActor> & { query?: unknown } {
  const local = ref.system.name === host.system.name && ['actor', 'temp', 'system'].includes(ref.type);
  return (local ? (host.system.find(ref) as Partial<NactActor> | undefined) : undefined) ?? {};
}

/** Returns why the message got to nobody. */
function dispatchHere(host: Host, ref: NactRef, call: Call & { kind: 'dispatch' }): string | undefined {
  const target = here(host, ref);
  if (!target.dispatch || (call.query > 0 && !target.query)) return 'no such actor here (any more)';
  try {
    target.dispatch(decodeValue(call.message, host.refs), call.sender);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function stopHere(host: Host, ref: NactRef): string | undefined {
  const target = here(host, ref);
  if (!target.stop) return 'no such actor here (any more)';
  host.log.info(`${String(ref.path)} is stopped by another node`);
  target.stop();
  return undefined;
}

/** Counts what got to nobody, and logs one for each doubling: whoever sends a lot to the dead must not flood the log. */
function deadLetter(host: Host, what: string, target: string, why: string, level: 'warn' | 'debug' = 'warn'): void {
  const { deadLettersTo } = host;
  host.deadLetters += 1;
  const count = (deadLettersTo.get(target) ?? 0) + 1;
  if (count === 1 && deadLettersTo.size >= deadLetterTargetsMax) deadLettersTo.clear();
  deadLettersTo.set(target, count);
  if ((count & (count - 1)) !== 0) return;
  const times = count === 1 ? '' : ` (${count} so far)`;
  host.log.log(level, `dead letter: ${what} to ${target}${times}: ${why}`);
}
