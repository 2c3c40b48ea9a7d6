/**
 * What one node hears of its domain's groups, put together from packets: how much of each stream every member has received,
 * how many multicasts are sent, and what becomes of those that are shown one by one.
 *
 * It begins in the middle of things and misses what is lost on the way, as any listener does. So its matrix is a lower bound.
 */
import type { GroupId, NodeId, Rank, Seqno, ViewId } from '../../lib/ids.js';
import { eachMulticast, overhear, type Overheard, type OverheardRecords } from '../../lib/overhear.js';
import type { DomainState, GroupState } from '../../lib/membership/state.js';
import type { Seen } from './format.js';
import { isSampled, maybeShow, type Sampling } from './sampling.js';

/** Multicasts that are followed until all have them; the oldest is let go for more. */
export const followedMax = 512;
/** Times at which multicasts were heard that are shown; the oldest is forgotten for more. */
const sentAtMax = 1024;
/** Members of a view up to which a matrix is kept: a larger one would be no picture. */
const matrixMembersMax = 64;

/** One view of a group, as far as it was heard. */
export interface HeardView {
  readonly id: ViewId;
  readonly members: readonly NodeId[];
  /** Row: observer, column: sender; entry: seqno. Empty if the view is too large. */
  readonly received: Float64Array;
  /** By sender: the last record that was heard. */
  readonly heard: Float64Array;
  readonly paused: Uint8Array;
}

/** A group of the domain. */
interface HeardGroup {
  readonly name: string;
  view: HeardView;
  multicasts: number;
  bytes: number;
}

/** A multicast that is shown. */
interface Followed {
  readonly id: string;
  readonly group: string;
  readonly view: ViewId;
  readonly sender: Rank;
  readonly seqno: Seqno;
  /** In milliseconds. */
  readonly at: number;
  /** By rank: whether it was told that this member has it. */
  readonly has: Uint8Array;
}

/** See above. */
export interface Ear {
  self: NodeId;
  readonly sampling: Sampling;
  readonly groups: Map<GroupId, HeardGroup>;
  sources: Map<number, NodeId>;
  /** By id. */
  readonly followed: Map<string, Followed>;
  /** When those that are shown were heard first, by id, in milliseconds. */
  readonly sentAt: Map<string, number>;
  /** Packets heard and sent. */
  packets: number;
  /** From when a multicast that is shown was heard until all were known to have it, in milliseconds. */
  stabilities: number[];
}

/** An ear that has heard nothing yet. */
export function createEar(self: NodeId, sampling: Sampling): Ear {
  return {
    self,
    sampling,
    groups: new Map(),
    sources: new Map(),
    followed: new Map(),
    sentAt: new Map(),
    packets: 0,
    stabilities: [],
  };
}

/** Follows the domain: views begin and groups end with decrees. */
export function followDomain(ear: Ear, state: DomainState): void {
  ear.sources = new Map(state.nodes.map(({ incarnation, id }) => [incarnation, id]));
  const living = new Set<GroupId>();
  for (const group of state.groups.values()) {
    living.add(group.id);
    const before = ear.groups.get(group.id);
    if (before?.view.id === group.view) continue;
    const view = createView(group);
    // what is left of the view before comes to its end with it
    for (const { id, group: name } of ear.followed.values()) if (name === group.name) ear.followed.delete(id);
    if (before) before.view = view;
    else ear.groups.set(group.id, { name: group.name, view, multicasts: 0, bytes: 0 });
  }
  for (const id of ear.groups.keys()) if (!living.has(id)) ear.groups.delete(id);
}

function createView(group: GroupState): HeardView {
  const members = group.members.map(({ node }) => node);
  const size = members.length;
  return {
    id: group.view,
    members,
    received: new Float64Array(size <= matrixMembersMax ? size * size : 0),
    heard: new Float64Array(size),
    paused: new Uint8Array(size),
  };
}

/** Takes in a packet. `now`: milliseconds; `t`: the same as it stands in records. */
export function hear(ear: Ear, packet: Uint8Array, now: number, t: number, tell: (record: Seen) => void): void {
  ear.packets += 1;
  const sizeOf = (id: GroupId, view: ViewId): number | undefined => {
    const group = ear.groups.get(id);
    return group?.view.id === view ? group.view.members.length : undefined;
  };
  overhear(packet, sizeOf, (heard) => {
    const group = ear.groups.get(heard.group);
    // frames of the view before go on to be heard for a moment; nothing is shown of them
    if (group?.view.id !== heard.view) return;
    const source = ear.sources.get(heard.source);
    if (source === undefined) return;
    hearSection(ear, group, source, heard, now, t, tell);
  });
}

function hearSection(
  ear: Ear,
  group: HeardGroup,
  source: NodeId,
  { records, received, paused }: Overheard,
  now: number,
  t: number,
  tell: (record: Seen) => void,
): void {
  const { view } = group;
  const observer = view.members.indexOf(source);
  if (observer < 0) return;
  view.paused[observer] = paused ? 1 : 0;
  if (records !== null && records.rank < view.members.length) {
    hearRecords(ear, group, records, now, t, tell);
    if (records.rank === observer) note(ear, group, observer, records.rank, records.first + records.count - 1, t, tell);
  }
  for (const { rank, count } of received) {
    if (rank < view.members.length) note(ear, group, observer, rank, count, t, tell);
  }
  settle(ear, now, t, tell);
}

/** Records that were not heard before. What is sent again, or behind a gap, was counted or is counted when it is heard. */
function hearRecords(
  ear: Ear,
  group: HeardGroup,
  records: OverheardRecords,
  now: number,
  t: number,
  tell: (record: Seen) => void,
): void {
  const { view } = group;
  const { rank, first, count } = records;
  const heard = view.heard[rank] as number;
  const last = first + count - 1;
  if (last <= heard) return;
  view.heard[rank] = last;
  const sender = view.members[rank] as NodeId;
  eachMulticast(records, ({ message, seqno, order, uniform, bytes }) => {
    if (seqno <= heard) return;
    group.multicasts += 1;
    group.bytes += bytes;
    if (!isSampled(ear.sampling, message)) return;
    const id = `${sender}:${message}`;
    if (ear.followed.has(id) || !maybeShow(ear.sampling)) return;
    tell({ t, p: sender, e: 'send', g: group.name, id, o: order, u: uniform, v: String(view.id), h: '' });
    const has = new Uint8Array(view.members.length);
    has[rank] = 1;
    put(ear.followed, id, { id, group: group.name, view: view.id, sender: rank, seqno, at: now, has }, followedMax);
    put(ear.sentAt, id, now, sentAtMax);
  });
  const own = view.members.indexOf(ear.self);
  // what has come without a gap the node itself has as well
  if (own >= 0 && first <= heard + 1) note(ear, group, own, rank, last, t, tell);
}

/** Adds to a map that holds no more than the last `max`. */
function put<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.set(key, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** `observer` has received `sender`'s stream up to `seqno`. */
function note(
  ear: Ear,
  group: HeardGroup,
  observer: Rank,
  sender: Rank,
  seqno: Seqno,
  t: number,
  tell: (record: Seen) => void,
): void {
  const { view } = group;
  const at = observer * view.members.length + sender;
  if (view.received.length === 0 || seqno <= (view.received[at] as number)) return;
  view.received[at] = seqno;
  for (const each of ear.followed.values()) {
    if (each.group !== group.name || each.view !== view.id || each.sender !== sender) continue;
    if (each.seqno > seqno || each.has[observer] === 1) continue;
    each.has[observer] = 1;
    tell({ t, p: view.members[observer] as NodeId, e: 'received', g: group.name, id: each.id });
  }
}

/** Lets go of what all have. */
function settle(ear: Ear, now: number, t: number, tell: (record: Seen) => void): void {
  for (const { id, group, has, at } of ear.followed.values()) {
    if (has.includes(0)) continue;
    ear.followed.delete(id);
    ear.stabilities.push(now - at);
    tell({ t, p: ear.self, e: 'stable', g: group, id });
  }
}

/** What was heard of a group by name; undefined if it is not in the domain. */
export function heardView(ear: Ear, name: string): HeardView | undefined {
  for (const group of ear.groups.values()) if (group.name === name) return group.view;
  return undefined;
}
