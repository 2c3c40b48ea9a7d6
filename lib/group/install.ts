/**
 * Installing a view: what is left of the old one is delivered, the same at every member, and the new one begins.
 *
 * Invariant: every member that goes from the base to the target has received exactly the cut, delivers the same
 * multicasts in the same order and ends at the same position. A member that does not has met a bug and stops.
 */
import type { MemberInfo, ViewInfo } from '../events.js';
import type { Position } from '../ids.js';
import { assert, must } from '../assert.js';
import { nameOf } from '../ids.js';
import type { GroupMember, LeaveCause } from '../membership/state.js';
import { deliverRest } from './delivery.js';
import type { InstallRecord } from './messages.js';
import { replayFuture } from './receive.js';
import { emit, updateStatus } from './replica.js';
import { forgetGone } from './serving.js';
import { type Group, type Host, type ViewState, selfIn } from './state.js';
import { beginTransfers, replayEarly } from './transfer.js';
import { createViewState } from './view-state.js';
import { openWindow } from './window.js';
import { type View, rankIn } from './view.js';

/**
 * Installs a target as its install record says; `position` is what the cut must end at, null where nobody knows yet.
 *
 * A joiner whose donor is replaced forgets the views that it held back: the actor's first view is then this one.
 */
export function install(
  host: Host,
  group: Group,
  target: View,
  record: InstallRecord,
  position: Position | null,
): void {
  const before = group.current;
  const rank = must(rankIn(target, selfIn(host, group)), 'own rank in the target');
  if (before) closeView(host, group, before, target, record);
  else {
    group.position = record.position;
    group.time = record.time;
  }
  const isSame = group.position === position && group.time === record.time;
  assert(position === null || isSame, 'members that go on together have delivered the same');
  const { nodes } = target;
  // a joiner has not yet served what it holds: it forgets in the same place as the others
  if (group.replica.kind === 'transferring') group.replica.held.push({ kind: 'nodes', nodes });
  else forgetGone(group, nodes);
  const waited = group.replica;
  const snapshots = beginTransfers(host, group, target, record, rank);
  const isSequel = waited.kind === 'present' || waited === group.replica;
  const view = describe(host, group, target, record, rank, isSequel ? before : null);
  group.lastInstall = { ...record, position: group.position, time: group.time };
  group.current = createViewState(target, view, rank, host.arena);
  group.targets = group.targets.filter(({ id }) => id > target.id);
  forgetDepartures(group, target);
  group.flush = null;
  group.wedged = false;
  emit(host, group, { kind: 'view', view, snapshots });
  host.log('info', 'view', {
    group: group.name,
    view: target.id,
    members: target.members.map(({ node }) => node).join(' '),
  });
  replayFuture(host, group, target.id);
  replayEarly(host, group);
  host.reviewAsks();
  updateStatus(host, group);
  host.touch(group);
}

/** The old view ends with the cut: all of it is received here, so all of it is delivered, and one's own is stable. */
function closeView(host: Host, group: Group, state: ViewState, target: View, record: InstallRecord): void {
  state.streams.forEach((stream, rank) => {
    assert(stream.received === record.cut[rank], `stream ${rank} is received up to the cut`);
  });
  deliverRest(host, group, state, target);
  openWindow(host, must(state.streams[state.rank], 'own stream').unstableBytes);
  noteStable(host, group, group.acceptedMessage);
}

/** One's own multicasts up to here are stable. */
export function noteStable(host: Host, group: Group, message: number): void {
  if (host.options.trace) {
    for (let n = group.stableMessage + 1; n <= message; n++) {
      host.trace({ e: 'stable', g: group.name, id: `${host.self}:${n}` });
    }
  }
  group.stableMessage = Math.max(group.stableMessage, message);
}

function describe(
  host: Host,
  group: Group,
  target: View,
  record: InstallRecord,
  rank: number,
  before: ViewState | null,
): ViewInfo {
  const members = target.members.map(infoOf);
  return {
    id: target.id,
    group: group.name,
    groupId: group.id,
    domain: host.domainId(),
    members,
    rank,
    joined: members.filter(({ joined }) => joined > record.base),
    left: (before?.view.members ?? [])
      .filter((member) => rankIn(target, member) === undefined)
      .map((member) => ({ member: infoOf(member), cause: group.departed.get(memberKey(member)) ?? 'failed' })),
    primary: true,
    previous: before ? before.view.id : null,
    position: group.position,
    time: group.time,
  };
}

function infoOf(member: GroupMember): MemberInfo {
  return { id: member.node, name: nameOf(member.node), joined: member.joined };
}

/** Names a member among all that a group ever had. */
export function memberKey(member: GroupMember): string {
  return `${member.node} ${member.joined}`;
}

/** Notes why a member will be missing from the next view. */
export function noteDeparture(group: Group, member: GroupMember, cause: LeaveCause): void {
  group.departed.set(memberKey(member), cause);
}

/** Who left before this view is told; who leaves after it is not yet. */
function forgetDepartures(group: Group, target: View): void {
  const present = new Set(target.members.map(memberKey));
  for (const key of group.departed.keys()) if (!present.has(key)) group.departed.delete(key);
}
