/**
 * The context of one call of a user's function. A fresh object each time; what is costly to make is made when asked for.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Nobody, type ActorPath, type Logger, type Ref } from 'nact';
import { WouldDeadlock } from './errors.js';
import type { Host, Member } from './host.js';
import { outside, type NactActor, type NactRef } from './nact-internals.js';
import type { Context, Member as ViewMember, View } from './types.js';

const nobody = new Nobody();

/** A context. A class for its shape, and because nact's copy of the children is made only when it is looked at. */
class CallContext implements Context {
  readonly parent: Ref<unknown>;
  readonly path: ActorPath;
  readonly self: Ref<unknown>;
  readonly name: string;
  readonly log: Logger;
  readonly rank: number;
  readonly me: ViewMember;
  readonly #actor: NactActor;

  constructor(
    member: Member,
    readonly view: View,
    readonly from: ViewMember,
    readonly position: number,
    readonly mine: boolean,
    readonly sender: Ref<unknown>,
  ) {
    const { actor } = member;
    this.#actor = actor;
    this.parent = outside(actor.parent?.reference ?? (member.ref.parent as NactRef));
    this.path = actor.path;
    this.self = outside(member.ref);
    this.name = actor.name;
    this.log = member.log;
    this.rank = view.rank;
    this.me = member.me as ViewMember;
  }

  get children(): Map<string, Ref<unknown>> {
    return new Map(this.#actor.childReferences) as Map<string, Ref<unknown>>;
  }
}

/** The context of a message. */
export function contextOf(member: Member, from: ViewMember, position: number, mine: boolean, sender: unknown): Context {
  return new CallContext(member, member.view as View, from, position, mine, (sender as Ref<unknown>) ?? nobody);
}

/** A call of a function, which may turn out to be asynchronous. */
interface Call {
  readonly host: Host;
  readonly group: string;
  open: boolean;
}

const calls = new AsyncLocalStorage<Call>();
let callsOpen = 0;

/**
 * A function that has returned at once so many times is taken for a synchronous one. `(state, message) =>
 * handle(state, message)` does not look asynchronous, and its first message may be the one that awaits.
 */
const trialCalls = 64;

/** A call of a function that is taken for a synchronous one, and what would be refused if it is not. */
interface Trusted {
  readonly host: Host;
  readonly group: string;
  suspects: (() => void)[] | undefined;
}

let trusted: Trusted | undefined;

/**
 * Runs a member's function. What an asynchronous one awaits can be told from what others await: see {@link guard}. That
 * costs, so a function that has proved synchronous goes without: it cannot await. If one returns a promise all the same,
 * what it had asked for until then is refused after the fact.
 */
export function call<A, B, C>(member: Member, f: (a: A, b: B, ctx: C) => unknown, a: A, b: B, ctx: C): unknown {
  if (!member.asynchronous && member.returned >= trialCalls) return callTrusted(member, f, a, b, ctx);
  const open: Call = { host: member.host, group: member.group, open: true };
  callsOpen += 1;
  const close = () => {
    open.open = false;
    callsOpen -= 1;
    // a storage that was used once makes every await of the process about three times as dear (measured, Node.js 20)
    if (!member.asynchronous && callsOpen === 0) calls.disable();
  };
  let result: unknown;
  try {
    result = calls.run(open, () => f.call(ctx, a, b, ctx));
  } catch (error) {
    close();
    throw error;
  }
  if (isPromise(result)) {
    member.asynchronous = true;
    result.then(close, close);
  } else {
    close();
    member.returned += 1;
  }
  return result;
}

function callTrusted<A, B, C>(member: Member, f: (a: A, b: B, ctx: C) => unknown, a: A, b: B, ctx: C): unknown {
  const { group, host } = member;
  const outer = trusted;
  const call: Trusted = { host, group, suspects: undefined };
  trusted = call;
  try {
    const result = f.call(ctx, a, b, ctx);
    if (isPromise(result)) {
      member.asynchronous = true;
      for (const refuse of call.suspects ?? []) refuse();
    }
    return result;
  } finally {
    trusted = outer;
  }
}

/** Whether a function returned a promise. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * The error for awaiting, inside a group's own function, what cannot come before it returns. `refuse` is called if it
 * shows only later that it was inside.
 */
export function guard(
  host: Host,
  group: string,
  what: string,
  refuse: (error: Error) => void,
): WouldDeadlock | undefined {
  if (trusted?.host === host && trusted.group === group) {
    (trusted.suspects ??= []).push(() => refuse(new WouldDeadlock(group, what)));
  }
  const open = calls.getStore();
  return open?.open && open.host === host && open.group === group ? new WouldDeadlock(group, what) : undefined;
}
