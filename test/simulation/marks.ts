/**
 * Rare moments of the protocol, by name: a run counts those that it has been through. Each has to come about in a number of
 * seeds, or the simulator does not try what it is there to try.
 *
 * They are seen from outside: in what a node sends, traces, logs and hands out, and in its state before it takes something in.
 */
import type { Effect, NodeEvent } from '../../lib/events.js';
import { flushMessage } from '../../lib/group/messages.js';
import type { Group } from '../../lib/group/state.js';
import type { Ballot } from '../../lib/membership/consensus.js';
import { type ControlMessage, controlMessage } from '../../lib/membership/membership.js';
import { isHeavy, isQuorum } from '../../lib/membership/quorum.js';
import type { Node } from '../../lib/node.js';
import type { Traced } from '../../lib/trace/format.js';
import { Malformed, Reader } from '../../lib/wire/bytes.js';
import { Section, readHeader, readSection } from '../../lib/wire/packet.js';
import { isRight } from './operator-faults.js';
import type { Process, World } from './world.js';

/** All marks. */
export const markNames = [
  'a view is installed by the shortcut',
  'a view is installed after a cut round',
  'a view is skipped',
  'two coordinators at once',
  'an earlier target is finished first',
  'a joiner of an earlier target reports',
  'a fetch for an older target is answered late',
  'the order outlives its sequencer',
  'an assignment outlives its multicast',
  'orphans are dropped',
  'a group is founded',
  'a group is founded anew, loudly',
  'a donor is replaced',
  'a stream breaks with something under way',
  'a takeover carries a ballot on',
  'a ballot is rejected',
  'two domains of one name',
  'a domain dissolves',
  'an excluded node hears of it',
  'one who departs waits for the others to know',
  'a quorum is out of touch, and in touch again',
  'senders wait for a slow member',
  'a sender waits for its window',
  'a half-sent multicast is sent anew',
  'a barrier ends a view with a crash in it',
  'a request comes again and was served',
  'an ask is answered',
  'an ask runs out of time',
  'an ask is refused',
  'an ask fails',
  'a letter waits for what it follows',
  'a malformed packet is dropped',
  'an operator forces a domain on',
  'a domain is forced on while one that is missed lives',
  'a domain is forced on although others can go on',
  'an operator is refused',
  'a quorum weighs too little',
  'a section comes in pieces',
  'a link goes without streams',
  'a node is suspected whose multicasts do not come',
] as const;

/** One of them. */
export type Mark = (typeof markNames)[number];

/** What one run has been through. */
export interface Marks {
  readonly counts: Map<Mark, number>;
  /** What was seen so far, as far as later marks need it. */
  readonly seen: Seen;
}

interface Seen {
  /** By process and group: the targets that it reported for. */
  readonly targets: Map<string, Set<number>>;
  /** By process, group and target. */
  readonly cuts: Set<string>;
  /** By domain and number: the first ballots with each decree. */
  readonly ballots: Map<string, { readonly ballot: Ballot; readonly decree: string }[]>;
  /** By process and group: who gives it the state. */
  readonly donors: Map<string, string>;
  /** Since when a node has been departing. */
  readonly departing: Map<string, number>;
  /** Multicasts of which a part was sent. */
  readonly begun: Set<string>;
  /** By process and group: the order of the last delivery. */
  readonly orders: Map<string, string>;
  readonly domains: Set<string>;
}

/** Watches a world from its beginning. */
export function watch(world: World): Marks {
  const marks: Marks = {
    counts: new Map(),
    seen: {
      targets: new Map(),
      cuts: new Set(),
      ballots: new Map(),
      donors: new Map(),
      departing: new Map(),
      begun: new Set(),
      orders: new Map(),
      domains: new Set(),
    },
  };
  world.onTrace.add((process, record) => onRecord(marks, process, record));
  world.onSend.add((process, bytes) => onPacket(marks, world, process, bytes));
  world.onEffect.add((process, effect) => onEffect(marks, world, process, effect));
  world.onStep.add((process, event) => onStep(marks, world, process, event));
  return marks;
}

function hit({ counts }: Marks, mark: Mark): void {
  counts.set(mark, (counts.get(mark) ?? 0) + 1);
}

/** The sections of a packet, as far as it can be read. */
function sectionsOf(bytes: Uint8Array): { readonly kind: number; readonly r: Reader }[] {
  const sections: { readonly kind: number; readonly r: Reader }[] = [];
  readSafely(() => {
    const r = new Reader(bytes);
    readHeader(r);
    while (r.left > 0) {
      const { kind, end } = readSection(r);
      sections.push({ kind, r: new Reader(bytes, r.at, end) });
      r.at = end;
    }
  });
  return sections;
}

function readSafely(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
}

// What is sent ----------------------------------------------------------------------------------------------------

function onPacket(marks: Marks, world: World, process: Process, bytes: Uint8Array): void {
  for (const { kind, r } of sectionsOf(bytes)) {
    if (kind === Section.control) onControl(marks, controlMessage.read(r));
    if (kind === Section.flush) onFlush(marks, world, process, r.varint(), r);
  }
}

function onControl(marks: Marks, message: ControlMessage): void {
  const { ballots } = marks.seen;
  if (message.kind === 'rejected') hit(marks, 'a ballot is rejected');
  if (message.kind !== 'accept') return;
  const key = `${message.domain} ${message.number}`;
  const decree = JSON.stringify(message.decree);
  const before = ballots.get(key) ?? [];
  ballots.set(key, before);
  const { ballot } = message;
  if (before.some((one) => one.ballot.round === ballot.round && one.ballot.rank === ballot.rank)) return;
  if (before.some((one) => one.decree === decree && one.ballot.rank !== ballot.rank)) {
    hit(marks, 'a takeover carries a ballot on');
  }
  before.push({ ballot, decree });
}

function onFlush(marks: Marks, world: World, process: Process, groupId: number, r: Reader): void {
  const { seen } = marks;
  const message = flushMessage.read(r);
  const key = `${process.id} ${groupId}`;
  switch (message.kind) {
    case 'report': {
      const targets = seen.targets.get(key) ?? new Set();
      seen.targets.set(key, targets.add(message.target));
      const joined = process.node?.groupsById.get(groupId)?.joined ?? Infinity;
      if (message.installed === 0 && joined < message.target) hit(marks, 'a joiner of an earlier target reports');
      const leaders = world.processes.filter(({ node }) => node?.groupsById.get(groupId)?.flush?.coordination);
      if (leaders.length > 1) hit(marks, 'two coordinators at once');
      return;
    }
    case 'cut':
      seen.cuts.add(`${key} ${message.target}`);
      return;
    case 'finish':
      return hit(marks, 'an earlier target is finished first');
    case 'install': {
      const isCut = seen.cuts.has(`${key} ${message.record.target}`);
      return hit(marks, isCut ? 'a view is installed after a cut round' : 'a view is installed by the shortcut');
    }
    case 'have-all':
      return;
  }
}

// What is traced --------------------------------------------------------------------------------------------------

function onRecord(marks: Marks, process: Process, record: Traced): void {
  const { seen } = marks;
  if (record.e === 'view') onView(marks, process, record);
  else if (record.e === 'excluded') hit(marks, whyOut(record.why));
  else if (record.e === 'suspect' && record.why?.startsWith('none of its multicasts')) {
    hit(marks, 'a node is suspected whose multicasts do not come');
  } else if (record.e === 'send' && record.v !== null) seen.begun.add(record.id);
  else if (record.e === 'xmit') {
    if (seen.begun.has(record.id)) hit(marks, 'a half-sent multicast is sent anew');
    seen.begun.add(record.id);
  } else if (record.e === 'deliver') {
    seen.orders.set(`${record.p} ${record.g}`, record.o);
    if (record.repeated) hit(marks, 'a request comes again and was served');
  }
}

function whyOut(why: string): Mark {
  return why.includes('of the same name') ? 'a domain dissolves' : 'an excluded node hears of it';
}

function onView(marks: Marks, process: Process, record: Traced & { readonly e: 'view' }): void {
  const { seen } = marks;
  if (record.g === '$domain') {
    if (!seen.domains.has(record.dom) && seen.domains.size > 0) hit(marks, 'two domains of one name');
    seen.domains.add(record.dom);
    return;
  }
  const groupId = process.node?.groups.get(record.g)?.id ?? 0;
  const key = `${record.p} ${groupId}`;
  for (const target of seen.targets.get(key) ?? []) {
    if (record.prev !== null && target > Number(record.prev) && target < record.k) hit(marks, 'a view is skipped');
  }
  const order = `${record.p} ${record.g}`;
  const hasCrash = record.left.some(([, cause]) => cause === 'failed');
  if (hasCrash && seen.orders.get(order) === 'barrier') hit(marks, 'a barrier ends a view with a crash in it');
  seen.orders.delete(order);
}

// What is logged and handed out -----------------------------------------------------------------------------------

const logged: ReadonlyMap<string, Mark> = new Map([
  ['multicasts dropped, what they depend on died with its senders', 'orphans are dropped'],
  ['in touch with a quorum again', 'a quorum is out of touch, and in touch again'],
]);

const ends = {
  ok: 'an ask is answered',
  timeout: 'an ask runs out of time',
  refused: 'an ask is refused',
  failed: 'an ask fails',
} as const;

function onEffect(marks: Marks, world: World, process: Process, effect: Effect): void {
  if (effect.kind === 'log') {
    const mark = logged.get(effect.message);
    if (mark !== undefined) hit(marks, mark);
  } else if (effect.kind === 'answered') hit(marks, ends[effect.outcome]);
  else if (effect.kind === 'force-refused') hit(marks, 'an operator is refused');
  else if (effect.kind === 'restart' && effect.forced === 'found') onForced(marks, world, process);
  else if (effect.kind === 'deliver') {
    for (const item of effect.items) {
      if (item.kind === 'found') hit(marks, item.loud ? 'a group is founded anew, loudly' : 'a group is founded');
    }
  }
}

/** Whoever founds its domain anew has just said so. */
function onForced(marks: Marks, world: World, process: Process): void {
  const state = process.node?.membership.state;
  if (!state) return;
  const suspected = process.node?.membership.suspects;
  const isHidden = world.processes.some(({ id, node }) => node !== null && suspected?.has(id));
  if (!isRight(world, state.id, process)) hit(marks, 'a domain is forced on although others can go on');
  else hit(marks, isHidden ? 'a domain is forced on while one that is missed lives' : 'an operator forces a domain on');
}

// What is taken in ------------------------------------------------------------------------------------------------

function onStep(marks: Marks, world: World, process: Process, event: NodeEvent): void {
  const { node } = process;
  if (node === null) return;
  if (event.kind === 'tick') onTick(marks, world, process, node);
  else if (event.kind === 'stream-down') {
    const links = [...node.links.values()].filter(({ address }) => address === event.to);
    if (links.some((link) => link.unacknowledged.length > 0)) hit(marks, 'a stream breaks with something under way');
  } else if (event.kind === 'datagram') {
    for (const { kind, r } of sectionsOf(event.bytes)) readSafely(() => onSection(marks, node, kind, r));
  }
}

function onSection(marks: Marks, node: Node, kind: number, r: Reader): void {
  if (kind === Section.piece) hit(marks, 'a section comes in pieces');
  if (kind !== Section.data && kind !== Section.flush) return;
  const group = node.groupsById.get(r.varint());
  if (!group?.flush) return;
  if (kind === Section.data) {
    r.varint();
    const tag = r.varint();
    if (tag !== 0 && tag < group.flush.target.id) hit(marks, 'a fetch for an older target is answered late');
  } else {
    const message = flushMessage.read(r);
    if (message.kind === 'install' || message.kind === 'have-all') onLastWords(marks, group);
  }
}

/** The view is about to end: what order has been set and is not delivered. */
function onLastWords(marks: Marks, group: Group): void {
  const state = group.current;
  if (state === null || state.runs.length === 0) return;
  if (state.streams[state.sequencer]?.frozen) hit(marks, 'the order outlives its sequencer');
  const assigned = new Map<number, number>();
  for (const { rank, count } of state.runs) assigned.set(rank, (assigned.get(rank) ?? 0) + count);
  for (const [rank, count] of assigned) {
    const stream = state.streams[rank];
    if (stream?.frozen && stream.pending.length < count) hit(marks, 'an assignment outlives its multicast');
  }
}

function onTick(marks: Marks, world: World, process: Process, node: Node): void {
  const { seen } = marks;
  if (node.membership.phase.kind === 'departing') {
    const since = seen.departing.get(process.id) ?? world.now;
    seen.departing.set(process.id, since);
    if (world.now - since > node.options.heartbeat) hit(marks, 'one who departs waits for the others to know');
  }
  const { state, suspects } = node.membership;
  if (state && state.rules.minimumWeight > 0 && !node.host.quorate) {
    const heard = state.nodes.filter(({ id }) => !suspects.has(id));
    if (isQuorum(state.nodes, (id) => !suspects.has(id)) && !isHeavy(state, heard))
      hit(marks, 'a quorum weighs too little');
  }
  if (node.dropped.malformed > 0) hit(marks, 'a malformed packet is dropped');
  for (const { letters, way } of node.links.values()) {
    if (way !== 'stream') hit(marks, 'a link goes without streams');
    if (letters.early.length > 0) hit(marks, 'a letter waits for what it follows');
  }
  for (const group of node.groups.values()) onGroup(marks, process, node, group);
}

function onGroup(marks: Marks, process: Process, node: Node, group: Group): void {
  const { current, replica, queue, wedged } = group;
  const key = `${process.id} ${group.id}`;
  const { donors } = marks.seen;
  if (replica.kind === 'transferring') {
    const before = donors.get(key);
    if (before !== undefined && before !== replica.token.donor) hit(marks, 'a donor is replaced');
    donors.set(key, replica.token.donor);
  } else donors.delete(key);
  if (current === null || wedged || queue.length === 0) return;
  if (current.paused.includes(1)) hit(marks, 'senders wait for a slow member');
  if (node.host.window.unstable >= node.host.window.limit) hit(marks, 'a sender waits for its window');
}
