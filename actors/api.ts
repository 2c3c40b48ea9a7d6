/**
 * The functions users call on systems and groups' refs.
 */
import type { Ref } from 'nact';
import { map, filter, type Observable } from 'rxjs';
import type { GroupStatus } from '../lib/events.js';
import { explain as explainCore } from '../lib/explain.js';
import { statistics, wedgedFor } from '../lib/inspect.js';
import type { DomainState } from '../lib/membership/state.js';
import { guard } from './context.js';
import { domainKeys, type DomainKeys } from './domain-keys.js';
import { NotAMember } from './errors.js';
import { forceOn } from './forcing.js';
import { deferred, hostOf, memberOf, tell, type Host, type Member } from './host.js';
import { answerReads } from './group-actor.js';
import { beginLeave, beginLeaveDomain } from './leave.js';
import { deliveriesOf, eventsOf, statusOf, viewsOf } from './observables.js';
import { markSent, OwnReceipt, queuedBytes } from './receipts.js';
import { claimsFrom } from './claims.js';
import { outsideOf } from './references.js';
import { multicastFromOutside } from './requesting.js';
import { send, sendMarker } from './sending.js';
import type {
  DeliveryEvent,
  DomainGroup,
  DomainView,
  Explanation,
  GroupEvent,
  GroupRef,
  MulticastOptions,
  ReadContext,
  ReadOptions,
  Receipt,
  View,
} from './types.js';

/**
 * Resolves when the system is in its domain. Rejects if it cannot be: the transport's error, or {@link DomainRefused}.
 *
 * @example
 * ```ts
 * await ready(system); // its domain has let it in
 * ```
 */
export function ready(system: Ref<never>): Promise<void> {
  return hostOf(system).ready.promise;
}

/**
 * Leaves the domain gracefully: groups flushed, what was delivered applied, streams closed. Resolves when that is done, after 10 s at
 * most: a node that cannot get the others' consent goes without, and a member whose function has not returned or has messages
 * before it is ended then, with a warning. nact's `stop` does it too.
 *
 * @example
 * ```ts
 * process.once('SIGTERM', () => void leaveDomain(system));
 * ```
 */
export function leaveDomain(system: Ref<never>): Promise<void> {
  const host = hostOf(system);
  beginLeaveDomain(host);
  return host.left.promise;
}

/**
 * Sends a message to the whole group, this node's member included. Through {@link groupRef} it goes to the group as a
 * request, in total order and uniform.
 *
 * Throws {@link GroupFull} at the queue's limit, {@link GroupWedged}, {@link NotEncodable}, {@link MessageTooLarge}, {@link NotAMember},
 * {@link OrderTooWeak}: then nothing was sent.
 *
 * @example
 * ```ts
 * await multicast(stock, { sku: 'tea', n: 5 }, { uniform: true }).delivered; // whoever dies now, it is not lost
 * for (const change of changes) await multicast(stock, change).accepted; // as fast as the group takes them
 * ```
 */
export function multicast<Msg>(ref: GroupRef<Msg>, message: NoInfer<Msg>, options?: MulticastOptions): Receipt {
  const outside = outsideOf(ref);
  if (outside) return multicastFromOutside(outside, message, options ?? {});
  const member = memberOf(ref);
  const number = send(member, message, options?.order ?? member.order, options?.uniform ?? false);
  const receipt = new OwnReceipt(member.outbox, number);
  member.outbox.receipts.add(number, receipt);
  return receipt;
}

/**
 * `f` of the state at this replica, after everything delivered here so far and this node's own earlier multicasts. Waits
 * for the state, if there is none yet. No message is sent.
 *
 * A wedged replica, cut off from most of its domain, can be read as well, at once: `f` is told by its second argument that
 * others may have gone on, and that this node's own last multicasts may be missing.
 *
 * With `linearizable` it runs after everything in total order that anybody had completed when it was called: that takes one uniform
 * multicast, of no bytes, so it waits for every member's acknowledgement.
 *
 * Rejects with {@link NotAMember} if the member leaves or is excluded first, {@link WouldDeadlock} inside the group's own
 * function, with what `f` throws, and, if `linearizable`, with {@link GroupWedged}.
 *
 * @example
 * ```ts
 * const tea = await read(stock, (state) => state.tea);
 * const surely = await read(stock, (state) => state.tea, { linearizable: true });
 * ```
 */
export function read<State, Result>(
  ref: GroupRef<never, State>,
  f: (state: State, at: ReadContext) => Result,
  options?: ReadOptions,
): Promise<Awaited<Result>> {
  const member = memberOf(ref);
  const { host, group, outbox } = member;
  return new Promise<Awaited<Result>>((resolve, reject) => {
    const refused = guard(host, group, 'a read', reject) ?? member.gone;
    if (refused) {
      reject(refused);
      return;
    }
    const marker = options?.linearizable ? sendMarker(member) : 0;
    const run = () => {
      if (marker > 0 && marker <= outbox.failed) {
        reject(new NotAMember(group, 'its node was excluded before the read had its place in the order'));
        return;
      }
      try {
        resolve(f(member.state as State, readContext(member)) as Awaited<Result>);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    member.waiters.push({
      mark: markSent(outbox),
      outbox,
      enqueued: member.mailbox.enqueued,
      isLocal: marker === 0,
      run,
      reject,
    });
    if (!member.draining) answerReads(member);
  });
}

function readContext({ host, group, stream, position }: Member): ReadContext {
  const { core } = host.life;
  const wedged = core !== undefined && wedgedFor(core, group) !== null;
  return { wedged, status: stream.status, position, view: stream.view ?? null };
}

/**
 * Resolves when all that this member has sent and delivered so far is stable: whoever goes on has it, whatever dies. To be
 * awaited before acting on the world outside the group.
 *
 * Rejects with {@link NotAMember} if the member leaves or is excluded first, {@link WouldDeadlock} inside the group's own
 * function.
 *
 * @example
 * ```ts
 * dispatch(orders, order);
 * await flush(orders); // the group does not forget it any more
 * await ship(order);
 * ```
 */
export function flush(ref: GroupRef<never>): Promise<void> {
  const member = memberOf(ref);
  const { host, group, flushes } = member;
  const done = deferred();
  const refused = guard(host, group, 'a flush', done.reject) ?? member.gone;
  if (refused) return Promise.reject(refused);
  flushesBegun += 1;
  flushes.set(flushesBegun, done);
  tell(host, { kind: 'flush', group, token: flushesBegun });
  return done.promise;
}

/** Tokens of flushes are unique in the process. */
let flushesBegun = 0;

/**
 * Leaves the group gracefully. Resolves when this member is out and its actor has stopped; nact's `stop` does it too.
 *
 * @example
 * ```ts
 * await leave(stock); // the node stays in its domain
 * ```
 */
export function leave(ref: GroupRef<never>): Promise<void> {
  const member = memberOf(ref);
  beginLeave(member, false);
  return member.left.promise;
}

/**
 * Everything that happens in the group at this member, in order. Completes when it has left.
 *
 * @example
 * ```ts
 * events(stock).subscribe((event) => {
 *   if (event.kind === 'view') console.log(event.view.cause);
 *   if (event.kind === 'delivery') console.log(event.position, event.message);
 * });
 * ```
 */
export function events<Msg>(ref: GroupRef<Msg>): Observable<GroupEvent<Msg>> {
  return eventsOf<Msg>(memberOf(ref).stream);
}

/**
 * The group's views, starting with the current one.
 *
 * @example
 * ```ts
 * views(stock).subscribe(({ members, cause }) => console.log(members.map(({ name }) => name), cause));
 * ```
 */
export function views(ref: GroupRef<never>): Observable<View> {
  return viewsOf(memberOf(ref).stream);
}

/**
 * Where the member stands, starting with now.
 *
 * @example
 * ```ts
 * status(stock).subscribe((now) => (isReady = now === 'active' || now === 'changing'));
 * ```
 */
export function status(ref: GroupRef<never>): Observable<GroupStatus> {
  return statusOf(memberOf(ref).stream);
}

/**
 * The group's deliveries at this member, each after the actor's function has run.
 *
 * @example
 * ```ts
 * deliveries(stock).subscribe(({ from, message }) => console.log(from.name, message));
 * ```
 */
export function deliveries<Msg>(ref: GroupRef<Msg>): Observable<DeliveryEvent<Msg>> {
  return deliveriesOf<Msg>(memberOf(ref).stream);
}

/** A system's domain. */
export interface Domain {
  /** The domain's name. */
  readonly name: string;
  /** This node's id: its name and incarnation. */
  readonly self: string;
  /** The agreed states of the domain, starting with the current one. */
  readonly views: Observable<DomainView>;
  /** The groups in it, as of now. */
  readonly groups: readonly DomainGroup[];
  /**
   * An operator's word, for when most of the domain is lost at once and the rest is `wedged`: these nodes, by name, go on
   * without the others. To be given at one node, with exactly those who can be heard there, itself included, when it is
   * certain that the others are gone. The oldest of them founds the domain anew with the states that it has, the others
   * join it as new incarnations. What that gives up is in docs/guarantees.md. Loudly logged.
   *
   * Resolves when this node is in the domain that goes on. Rejects with {@link CannotForce}, which says what to name, and if nothing
   * has come of it after 20 times `detector.timeout`.
   */
  forceOn(nodes: readonly string[]): Promise<void>;
  /** The keys under which this node encrypts and is encrypted for, to be changed while it runs. */
  readonly keys: DomainKeys;
  /**
   * Counters of this node, by name. Buffers (`unstable`, `queued`, `reorder`, ...) are empty when nothing is under way.
   *
   * What it has sent: `packetsOut` and their `bytesOut`; of them `packetsWithoutDataOut`, which hold nothing of a message or a
   * state, and of these `acksOut`, which acknowledge; `payloadBytesOut` are the bytes of encoded messages and states in all;
   * `framesResent` were sent again. `creditBytes` may be sent before something of its own is stable. It suspects `suspected` nodes now, and
   * has begun to suspect one `suspicions` times. For monitoring see `nact-groups/telemetry` and `nact-groups/prometheus`.
   *
   * With the option `rekey`: `groupKeyEpoch`, the number of the domain's view with which the use of the present group key began;
   * `groupKeysTaken`; and of packets with messages or states `payloadsHeld` until there was a key, `payloadsRefused` because they were under
   * no key of this node's, and `payloadsDropped` above a limit.
   */
  statistics(): Readonly<Record<string, number>>;
}

/**
 * The domain that the system is in.
 *
 * @example
 * ```ts
 * const { views } = domain(system);
 * views.subscribe(({ number, nodes }) => console.log(number, nodes.map(({ name }) => name)));
 * ```
 */
export function domain(system: Ref<never>): Domain {
  const host = hostOf(system);
  return {
    name: host.options.domain,
    get self() {
      return host.life.id;
    },
    views: host.domain.pipe(
      filter((state) => state !== undefined),
      map(domainView),
    ),
    get groups() {
      return groupsOf(host);
    },
    forceOn: (nodes) => forceOn(host, nodes),
    keys: domainKeys(host),
    statistics: () => statisticsOf(host),
  };
}

function domainView(state: DomainState): DomainView {
  return {
    number: state.number,
    version: state.version,
    nodes: state.nodes.map(({ name, id, address, metadata }) => ({
      ...{ name, id, address },
      metadata: claimsFrom(metadata)?.metadata ?? {},
    })),
  };
}

function groupsOf(host: Host): DomainGroup[] {
  return [...(host.domain.value?.groups.values() ?? [])].map((group) => ({
    name: group.name,
    kind: group.settings.kind,
    order: group.settings.order,
    members: group.members.map(({ node }) => node),
  }));
}

/** Counters of a node, see {@link Domain.statistics}. */
export function statisticsOf(host: Host): Record<string, number> {
  const { core } = host.life;
  const { deadLetters } = host;
  const queries = host.queries.size;
  let mailbox = 0;
  let dropped = 0;
  for (const member of host.members.values()) {
    mailbox += member.mailbox.length;
    dropped += member.dropped;
  }
  return {
    ...(core ? statistics(core) : {}),
    ...host.transport?.statistics(),
    ...host.life.rekeying?.statistics(),
    mailbox,
    dropped,
    queries,
    deadLetters,
    lagMs: host.lag,
    rss: process.memoryUsage.rss(),
  };
}

/**
 * Why nothing moves in a group, as far as this node knows.
 *
 * @example
 * ```ts
 * const { status, waiting } = explain(stock);
 * console.log(status, waiting); // wedged [ 'a quorum: these cannot be heard: b#1, c#1' ]
 * ```
 */
export function explain(ref: GroupRef<never>): Explanation {
  const member = memberOf(ref);
  const { outbox, stream, host } = member;
  const queued = outbox.last - outbox.accepted;
  const unstable = outbox.accepted - outbox.stable;
  const mailbox = member.mailbox.length;
  const waiting: string[] = [];
  if (host.phase === 'opening') waiting.push('the transport is not open yet');
  const obstacle = host.life.rekeying?.obstacle ?? null;
  if (obstacle !== null) waiting.push(obstacle);
  if (stream.status !== 'active') waiting.push(`${stream.status}: ${stream.why}`);
  if (!member.hasState) waiting.push('the state is not here yet');
  for (const { what, who } of host.life.core ? explainCore(host.life.core, member.group) : []) {
    waiting.push(`${what}: ${who.join(', ')}`);
  }
  if (queued > 0) waiting.push(`${queued} multicasts (${queuedBytes(outbox)} bytes) wait to be let in`);
  if (unstable > 0) waiting.push(`${unstable} multicasts wait for all members to receive them`);
  if (mailbox > 0) waiting.push(`${mailbox} items wait for this member's own function`);
  return {
    group: member.group,
    status: stream.status,
    why: stream.why,
    since: stream.since,
    view: stream.view?.id ?? null,
    queued,
    unstable,
    mailbox,
    waiting,
  };
}
