/**
 * How a member leaves its group, whatever made it: `leave`, nact's `stop` of it, of anything above it or of the system,
 * or a supervisor.
 *
 * nact marks an actor as stopped at once. Here it is taken out of nact's tree at once, so that its name is free and
 * dispatches to it end, as nact's users expect; but it goes on with what the group still delivers until it has left. Then
 * comes nact's own stop, with `afterStop`. nact never stops descendants (its `stop` looks children up in a way that finds
 * none), so everything above a member is wrapped: else a dead member would acknowledge for ever.
 */
import { CannotForce, NotAMember } from './errors.js';
import { endForcing } from './forcing.js';
import { hosts, tell, wake, type Host, type Member } from './host.js';
import type { NactParent } from './nact-internals.js';
import { emitStatus } from './observables.js';
import { failRest } from './receipts.js';
import { endRemote } from './remote.js';
import { endRequests } from './requests.js';
import { clearTable } from './structures.js';
import { endTransfers, forgoState } from './restore.js';

/**
 * The others may be gone, or too few to agree, or a member's function may never return: then a leave has no end, and the
 * node goes without, in milliseconds.
 */
export const leaveMillisMax = 10_000;

/**
 * Starts to leave. `discard`: what is still delivered is thrown away, the state is not one to go on with, and no joiner
 * waits for it.
 */
export function beginLeave(member: Member, discard: boolean): void {
  const { host, group } = member;
  if (discard && !member.discarding) {
    member.discarding = true;
    if (member.phase === 'leaving') tell(host, { kind: 'leave-group', group, abort: true });
  }
  if (member.phase === 'leaving' || member.phase === 'gone') return;
  const { phase } = member;
  member.phase = 'leaving';
  forgoState(member);
  detach(member);
  if (phase === 'waiting') finish(member, new NotAMember(member.group, 'it was stopped before it joined'));
  else if (phase === 'member') tell(host, { kind: 'leave-group', group, abort: discard });
}

/** Takes the actor out of nact's tree; it keeps what its context says of its parent. */
function detach(member: Member): void {
  const { actor } = member;
  const { parent } = actor;
  if (!parent || parent.children.get(actor.name) !== actor) return;
  parent.childStopped(actor);
  actor.parent = Object.assign(Object.create(parent) as NactParent, { childStopped: () => undefined });
}

/** Flushes that will not be answered any more. */
export function endFlushes(member: Member, why: Error): void {
  for (const flush of member.flushes.values()) flush.reject(why);
  member.flushes.clear();
}

/** The member has left or will never be one: nact's own stop, and whoever waits is told. */
export function finish(member: Member, why: Error, status: 'left' | 'excluded' = 'left'): void {
  if (member.phase === 'gone') return;
  detach(member);
  member.phase = 'gone';
  member.gone = why;
  const { actor, host, stream, group } = member;
  if (stream.status !== status) emitStatus(stream, status, why.message);
  for (const waiter of member.waiters) waiter.reject(why);
  member.waiters = [];
  endFlushes(member, why);
  member.mailbox.clear();
  endTransfers(member, why.message);
  // nact sets the state to what a token's handler returns, also after the stop
  const { state } = member;
  Object.defineProperty(actor, 'state', { get: () => state, set: () => undefined });
  (Object.getPrototypeOf(actor) as NactParent).stop.call(actor);
  stream.subject.complete();
  member.left.resolve();
  if (host.members.get(group) !== member) {
    if (host.successors.get(group) === member) host.successors.delete(group);
    return;
  }
  host.members.delete(group);
  const next = host.successors.get(group);
  if (next) {
    host.successors.delete(group);
    join(next);
  }
}

/** Joins the group, now that no other member of this node is in it, and sends what was held back. */
export function join(member: Member): void {
  const { host, group, settings } = member;
  host.members.set(group, member);
  member.phase = 'member';
  member.discarding = false;
  member.divergence.checks.clear();
  if (member.structures) clearTable(member.structures);
  tell(host, { kind: 'join-group', group, settings });
  for (const event of member.held) tell(host, event);
  member.held = [];
}

/** Leaves and joins again, to get the group's state anew. Multicasts wait meanwhile. */
export function beginRejoin(member: Member): void {
  if (member.phase !== 'member') return;
  member.phase = 'rejoining';
  member.discarding = true;
  member.hasState = false;
  tell(member.host, { kind: 'leave-group', group: member.group, abort: true });
}

const wrapped = new WeakSet<NactParent>();

/** Has everything above a member see to it that the member leaves when it stops. */
export function wrapAncestors(member: Member): void {
  for (const ancestor of member.ancestors) {
    if (wrapped.has(ancestor) || ancestor === member.host.system) continue;
    wrapped.add(ancestor);
    const stop = ancestor.stop.bind(ancestor);
    ancestor.stop = () => {
      for (const below of [...member.host.members.values(), ...member.host.successors.values()]) {
        if (below.ancestors.includes(ancestor)) beginLeave(below, false);
      }
      stop();
    };
  }
}

/** Has `stop(system)` leave the domain. nact's own stop comes at once: the system takes no more messages. */
export function wrapSystem(host: Host): void {
  const { system } = host;
  const stop = system.stop.bind(system);
  system.stop = () => {
    if (system.stopped) return;
    beginLeaveDomain(host);
    // only this: a later system of the same name may live by the time this one has left
    if (hosts.get(system.name) === host) hosts.delete(system.name);
    stop();
  };
}

/** Leaves every group and then the domain. */
export function beginLeaveDomain(host: Host): void {
  if (host.phase === 'leaving' || host.phase === 'left' || host.phase === 'refused') return;
  const opening = host.phase === 'opening';
  host.phase = 'leaving';
  for (const member of [...host.successors.values()]) beginLeave(member, false);
  for (const member of [...host.members.values()]) {
    if (opening) finish(member, new NotAMember(member.group, 'the system left before it was in its domain'));
    else {
      // the core leaves all groups at once; what is left to do here is what `leave-group` would have come after
      if (member.phase === 'member') {
        member.phase = 'leaving';
        forgoState(member);
        detach(member);
      } else if (member.phase === 'rejoining') member.phase = 'leaving';
    }
  }
  if (opening) endHost(host, undefined);
  else {
    host.leaveBy = host.runtime.now() + leaveMillisMax;
    host.inbox.push({ kind: 'leave-domain' });
    wake(host);
  }
}

/** The host is out of its domain, gracefully or with an error. Nothing of it goes on. */
export function endHost(host: Host, error: Error | undefined): void {
  if (host.phase === 'left' || host.phase === 'refused') return;
  host.phase = error ? 'refused' : 'left';
  host.runtime.cancel(host.timer);
  const why = error?.message ?? 'the node left its domain';
  for (const outbox of host.life.outboxes.values()) failRest(outbox, why);
  for (const member of [...host.successors.values(), ...host.members.values()]) {
    finish(member, error ?? new NotAMember(member.group, why));
  }
  endRemote(host, why);
  endRequests(host.life.requests, why);
  host.life.core = undefined;
  host.life.rekeying?.close();
  host.inbox = [];
  host.life.trace?.close();
  endForcing(host, new CannotForce(why));
  host.ready.reject(error ?? new NotAMember(host.options.domain, why));
  host.domain.complete();
  host.notes.close();
  const closed = Promise.all([host.transport?.close(), host.next?.close()]);
  host.transport = undefined;
  host.keys?.close();
  closed.then(
    () => host.left.resolve(),
    (failure: unknown) => {
      host.log.warn('the transport did not close', { why: String(failure) });
      host.left.resolve();
    },
  );
}
