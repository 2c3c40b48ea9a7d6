/**
 * What a node wants of the domain: to be in these groups, to leave, or that a view ends in which it has sent a barrier.
 *
 * A node holds its wants itself and sends what is missing to the proposer it believes in, again and again, until the
 * state shows it. So no request can get lost with a proposer, and none has to be taken back: a membership that is not
 * wanted (any more) is a wish to leave.
 */
import type { DecreeNumber, Millis, NodeId, ViewId } from '../ids.js';
import { end, lastResort, log, unicast, wake } from './control.js';
import type { Membership, Outputs, Sender } from './control.js';
import { believedProposer } from './judging.js';
import { changesPerDecreeMax, datagramsInVain, decreeBytesMax, groupNameBytesMax } from '../limits.js';
import { changeBytes } from './messages.js';
import type { ControlMessageOf } from './messages.js';
import { isHeavy } from './quorum.js';
import { membershipIn, nodeByIncarnation, sameSettings } from './state.js';
import type { Change, DomainState, GroupSettings, NodeInfo } from './state.js';
import { reasonOf } from './authorizing.js';
import { encodeUtf8 } from '../wire/utf8.js';

/**
 * Wants to be in a group. If this node is still in it from a previous life, that life ends first; so does one that it has not
 * heard of, by a decree up to `after`.
 */
export function joinGroup(
  m: Membership,
  group: string,
  settings: GroupSettings,
  now: Millis,
  out: Outputs,
  after: DecreeNumber = 0,
): void {
  if (encodeUtf8(group).length > groupNameBytesMax || encodeUtf8(settings.codec).length > groupNameBytesMax) {
    out.push({
      kind: 'group-refused',
      group,
      why: `a group's name and its codec's have at most ${groupNameBytesMax} bytes`,
    });
    return;
  }
  if (m.wanted.has(group)) return;
  const held = membershipIn(m.state?.groups.get(group), m.id);
  m.wanted.set(group, { settings, after: Math.max(after, held?.joined ?? 0) });
  reconsider(m, now, out);
}

/** Does not want to be in a group any more. */
export function leaveGroup(m: Membership, group: string, now: Millis, out: Outputs): void {
  if (m.wanted.delete(group)) reconsider(m, now, out);
}

/** Wants this view of a group to be followed by another: it has sent a barrier in it. */
export function endView(m: Membership, group: string, view: ViewId, now: Millis, out: Outputs): void {
  m.barriers.set(group, view);
  reconsider(m, now, out);
}

/** This node is going to leave, and is about to leave its groups first. */
export function prepareToLeave(m: Membership): void {
  m.isLeaving = true;
}

/** Wants to leave the domain, groups and all. */
export function leaveDomain(m: Membership, now: Millis, out: Outputs): void {
  if (m.leavingSince !== null || m.phase.kind === 'over') return;
  m.leavingSince = now;
  if (m.phase.kind === 'seeking' || m.phase.kind === 'joining') end(m, { kind: 'left' }, out);
  else reconsider(m, now, out);
}

/** Works out what is missing, after a new state or a new want. */
export function reconsider(m: Membership, now: Millis, out: Outputs): void {
  if (m.state === null || m.phase.kind !== 'member') return;
  const isComplete = m.state.nodes.length >= m.options.minimumNodes && isHeavy(m.state, m.state.nodes);
  m.complete ||= isComplete || m.state.groups.size > 0;
  refuseDifferentSettings(m, m.state, out);
  forgetBarriers(m, m.state);
  m.wishes = m.leavingSince !== null ? [{ kind: 'leave', node: m.id }] : groupWishes(m, m.state);
  if (m.wishes.length > 0) {
    m.requestAt = now;
    wake(m, now);
  }
}

function refuseDifferentSettings(m: Membership, state: DomainState, out: Outputs): void {
  for (const [group, { settings }] of m.wanted) {
    const agreed = state.groups.get(group)?.settings;
    if (agreed === undefined || sameSettings(agreed, settings)) continue;
    m.wanted.delete(group);
    out.push({
      kind: 'group-refused',
      group,
      why: `the group is ${spell(agreed)}, this member wants ${spell(settings)}`,
    });
  }
}

function spell({ kind, order, codec }: GroupSettings): string {
  return `${kind}, ${order}, codec ${codec}`;
}

/** A view that has ended, whatever ended it, has delivered its barriers. */
function forgetBarriers(m: Membership, state: DomainState): void {
  for (const [name, view] of m.barriers) {
    const group = state.groups.get(name);
    if (group?.view !== view || membershipIn(group, m.id) === undefined) m.barriers.delete(name);
  }
}

/** Leaves first: who wants a new life in a group ends the old one. */
function groupWishes(m: Membership, state: DomainState): readonly Change[] {
  const leaves: Change[] = [];
  const joins: Change[] = [];
  for (const [name, group] of state.groups) {
    const held = membershipIn(group, m.id);
    if (held === undefined) continue;
    const want = m.wanted.get(name);
    if (want === undefined || held.joined <= want.after) leaves.push({ kind: 'group-leave', group: name, node: m.id });
  }
  for (const [name, { settings }] of m.complete ? m.wanted : []) {
    if (membershipIn(state.groups.get(name), m.id) !== undefined) continue;
    joins.push({ kind: 'group-join', group: name, node: m.id, settings });
  }
  const barriers = [...m.barriers].map(
    ([group, view]) => ({ kind: 'group-barrier', group, node: m.id, view }) as const,
  );
  return [...leaves, ...joins, ...barriers];
}

/** Says what is missing to whoever can propose it. */
export function request(m: Membership, now: Millis, out: Outputs): void {
  if (m.state === null || m.phase.kind !== 'member') return;
  if (m.leavingSince !== null && leaveAlone(m, m.state, m.leavingSince, now, out)) return;
  const proposer = believedProposer(m, m.state);
  if (m.wishes.length === 0 || proposer.id === m.id) {
    m.requestTries = 0;
    return;
  }
  if (now >= m.requestAt) {
    const changes = fitting(m.wishes);
    m.requestTries += 1;
    const isAgain = m.requestTries > datagramsInVain;
    unicast(proposer, { kind: 'request', domain: m.state.id, at: m.state.number, changes }, out, isAgain);
    m.requestAt = now + m.options.heartbeat;
  }
  wake(m, m.requestAt);
}

/** The last node has nobody to ask; one whom nobody answers does not wait for ever. True if it is gone. */
function leaveAlone(m: Membership, state: DomainState, since: Millis, now: Millis, out: Outputs): boolean {
  const last = state.nodes.length === 1 && m.offers.size === 0;
  const rest = state.nodes.filter(({ id }) => id !== m.id);
  // such a decree does not come
  const light = isHeavy(state, state.nodes) && !isHeavy(state, rest) && now - since >= 2 * m.options.timeout;
  const inVain = light || now - since >= lastResort(m);
  if (!last && !inVain) return false;
  if (!last) {
    const why = light ? 'the others weigh too little to go on' : 'no quorum answered';
    log(out, 'warn', `left without a decree: ${why}`, { number: state.number });
  }
  end(m, { kind: 'left' }, out);
  return true;
}

/** As many as one decree takes; the others follow when these are done. */
function fitting(changes: readonly Change[]): readonly Change[] {
  const chosen: Change[] = [];
  let bytes = 0;
  for (const change of changes.slice(0, changesPerDecreeMax)) {
    bytes += changeBytes(change);
    if (bytes > decreeBytesMax) break;
    chosen.push(change);
  }
  return chosen;
}

/** Keeps the latest request of each node. A node asks for itself alone. */
export function takeRequest(m: Membership, from: Sender, message: ControlMessageOf<'request'>, out: Outputs): void {
  const node = m.state === null ? undefined : nodeByIncarnation(m.state, from.incarnation);
  if (node === undefined || !message.changes.every((change) => concernsOnly(change, node.id))) return;
  // more than one decree takes nobody asks for at a time
  if (fitting(message.changes).length < message.changes.length) return;
  if ((m.requests.get(node.id)?.at ?? 0) > message.at) return;
  const changes = message.changes.filter((change) => isAllowed(m, node, change, out));
  m.requests.set(node.id, { ...message, changes });
}

/** Whether a node may have what it asks for; it is told if it may not. */
function isAllowed(m: Membership, node: NodeInfo, change: Change, out: Outputs): boolean {
  if (change.kind !== 'group-join' || m.state === null) return true;
  const { id, name, address, metadata } = node;
  const denial = m.options.authorize({ kind: 'group', id, name, address, metadata, group: change.group });
  if (denial === null) return true;
  const refusal = { kind: 'group-refusal', domain: m.state.id, group: change.group, why: reasonOf(denial) } as const;
  unicast(node, refusal, out);
  return false;
}

/** The domain does not let this node into a group. */
export function onGroupRefusal(
  m: Membership,
  { group, why }: ControlMessageOf<'group-refusal'>,
  now: Millis,
  out: Outputs,
): void {
  if (!m.wanted.has(group) || membershipIn(m.state?.groups.get(group), m.id) !== undefined) return;
  m.wanted.delete(group);
  out.push({ kind: 'group-refused', group, why });
  reconsider(m, now, out);
}

function concernsOnly(change: Change, id: NodeId): boolean {
  return change.kind !== 'join' && change.kind !== 'exclude' && change.node === id;
}
