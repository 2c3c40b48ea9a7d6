/**
 * What each process can be in, and what each event makes of it: found once, then looked up.
 *
 * A process' next state depends on its state and on what happens to it, not on the others. So states of processes have
 * numbers, packets have numbers, and a state of the world is a few numbers: the core runs once for each (state, event) of a
 * process, however many states of the world it stands in.
 *
 * A state is kept as the event that led to it from another; few are kept whole, the others are made again from those.
 */
import { createHash } from 'node:crypto';
import { type FlushMessage, flushMessage } from '../../lib/group/messages.js';
import { describePacket, gauge } from '../../lib/inspect.js';
import type { NodeId } from '../../lib/ids.js';
import type { Order } from '../../lib/membership/state.js';
import { type ControlMessage, controlMessage } from '../../lib/membership/messages.js';
import type { Traced, TraceRecord } from '../../lib/trace/format.js';
import { Reader } from '../../lib/wire/bytes.js';
import { Section, readHeader, readSection } from '../../lib/wire/packet.js';
import { canonical } from './canonical.js';
import { copyProcess } from './copy.js';
import { type LocalEvent, type Outcome, type Process, type Sent, type Setting, act } from './process.js';

/** A kind of multicast. */
export interface MulticastKind {
  readonly order: Order;
  readonly uniform: boolean;
}

/** A packet. The same bytes from the same process on the same channel are the same packet. */
export interface Packet {
  readonly from: number;
  readonly channel: 'datagram' | 'stream';
  readonly bytes: Uint8Array;
  /** A heartbeat that suspects nobody, and nothing else. */
  readonly isIdle: boolean;
  /** Nothing but what leads to a decree: requests, ballots, votes, reports of suspicion. */
  readonly isVote: boolean;
  readonly subjects: Subjects;
}

/** One state of one process. */
export interface LocalState {
  readonly who: number;
  readonly parent: number;
  /** The event that led here from `parent`. */
  readonly event: number;
  /** Kept whole, or not any more. */
  process: Process | null;
  /** What it has traced. */
  readonly history: number;
  readonly over: boolean;
  readonly isMember: boolean;
  /** Nodes that it does not suspect and could, as bits by process. */
  readonly suspectable: number;
  /** Nodes of which it has not been told that they are dead, so that it counts. */
  readonly confirmable: number;
  /** What is about a decree or a view up to these is about the past. */
  readonly past: Subjects;
  readonly standing: Standing;
}

/** Where a process stands, to see whether it has come to a good end. */
export interface Standing {
  /** Its domain's state: number, nodes as bits, and the oldest. */
  readonly number: number;
  readonly nodes: number;
  readonly oldest: number;
  /** Its view of the group: id and members as bits. */
  readonly view: number;
  readonly members: number;
  /** Nothing is buffered, and nothing that it has sent is without an end. */
  readonly calm: boolean;
}

/** What an event makes of a state. */
export interface Move {
  readonly next: number;
  /** Flat triples: to whom, over which link, which packet; in the order of sending. */
  readonly sends: readonly number[];
  readonly failure: Outcome['failure'];
  /** A packet that changes nothing, and never will: whoever gets it is past what it is about. */
  readonly isMoot: boolean;
}

/** All that is known. */
export interface Locals {
  readonly setting: Setting;
  readonly ids: readonly NodeId[];
  readonly addresses: readonly string[];
  readonly multicasts: readonly MulticastKind[];
  readonly states: LocalState[];
  readonly byKey: Map<string, number>;
  readonly packets: Packet[];
  readonly packetsByKey: Map<string, number>;
  readonly moves: Map<number, Move>;
  /** Histories are chains: the history before, and one record. */
  readonly records: { readonly before: number; readonly record: TraceRecord }[];
  readonly recordsByKey: Map<string, number>;
  /** States that are kept whole, oldest first. */
  readonly whole: number[];
}

/** Codes of events; those above are packets, those between suspicions and multicasts by number. */
const timeCode = 0;
const joinCode = 1;
const suspectCode = 2;
const deathCode = 8;
const sleptCode = 15;
const sendCode = 16;
const packetCode = 32;
const codesMax = 2 ** 24;

export const eventCode = {
  time: timeCode,
  join: joinCode,
  suspect: (who: number): number => suspectCode + who,
  death: (who: number): number => deathCode + who,
  slept: sleptCode,
  send: (nth: number): number => sendCode + nth,
  packet: (packet: number): number => packetCode + packet,
} as const;

/** States that are kept whole beside the first ones. */
const wholeMax = 4000;

export function createLocals(
  setting: Setting,
  multicasts: readonly MulticastKind[],
  ids: readonly NodeId[],
  addresses: readonly string[],
): Locals {
  return {
    setting,
    ids,
    addresses,
    multicasts,
    states: [],
    byKey: new Map(),
    packets: [],
    packetsByKey: new Map(),
    moves: new Map(),
    records: [],
    recordsByKey: new Map(),
    whole: [],
  };
}

/** Puts in a state to begin with; it stays whole. */
export function addFirst(locals: Locals, who: number, process: Process, records: readonly TraceRecord[]): number {
  let history = -1;
  for (const record of records) if (isTold(record)) history = extend(locals, history, record);
  return intern(locals, who, process, -1, -1, history);
}

/** What an event makes of a state. */
export function moveOf(locals: Locals, state: number, code: number): Move {
  const key = state * codesMax + code;
  let move = locals.moves.get(key);
  if (move === undefined) {
    move = makeMove(locals, state, code);
    locals.moves.set(key, move);
  }
  return move;
}

function makeMove(locals: Locals, state: number, code: number): Move {
  const { who, history: before } = locals.states[state]!;
  const process = processOf(locals, state);
  const { sent, records, failure } = act(locals.setting, process, eventOf(locals, code));
  let history = before;
  for (const record of records) if (isTold(record)) history = extend(locals, history, record);
  const sends = sent.flatMap((effect) => sendsOf(locals, who, effect));
  const next = intern(locals, who, process, state, code, history);
  return { next, sends, failure, isMoot: next === state && sends.length === 0 && isPast(locals, state, code) };
}

function isPast(locals: Locals, state: number, code: number): boolean {
  if (code < packetCode) return false;
  const { decree, frame, flush } = locals.packets[code - packetCode]!.subjects;
  const { past } = locals.states[state]!;
  return decree <= past.decree && frame <= past.frame && flush <= past.flush;
}

/** Who suspects whom and what is known to be stable is for nobody to check. */
function isTold({ e }: TraceRecord): boolean {
  return e !== 'suspect' && e !== 'start' && e !== 'stable' && e !== 'gauge';
}

function eventOf(locals: Locals, code: number): LocalEvent {
  if (code >= packetCode) {
    const { channel, bytes, from } = locals.packets[code - packetCode]!;
    return { kind: 'packet', channel, bytes, from: locals.addresses[from]! };
  }
  if (code >= sendCode) return { kind: 'send', ...locals.multicasts[code - sendCode]! };
  if (code === sleptCode) return { kind: 'slept' };
  if (code >= deathCode) return { kind: 'death', who: locals.ids[code - deathCode]! };
  if (code >= suspectCode) return { kind: 'suspect', who: locals.ids[code - suspectCode]! };
  return { kind: code === timeCode ? 'time' : 'join' };
}

/** A process in this state, to be stepped: a copy of the nearest one that is whole, brought to here. */
export function processOf(locals: Locals, state: number): Process {
  const codes: number[] = [];
  let at = state;
  while (locals.states[at]!.process === null) {
    codes.push(locals.states[at]!.event);
    at = locals.states[at]!.parent;
  }
  const process = copyProcess(locals.setting.core, locals.states[at]!.process!);
  for (const code of codes.reverse()) act(locals.setting, process, eventOf(locals, code));
  // other events of the same state are likely to be next
  if (codes.length > 1) {
    locals.states[state]!.process = copyProcess(locals.setting.core, process);
    keepWhole(locals, state);
  }
  return process;
}

function intern(locals: Locals, who: number, process: Process, parent: number, event: number, history: number): number {
  const key = `${who} ${history} ${createHash('md5').update(canonical(process)).digest('base64')}`;
  const known = locals.byKey.get(key);
  if (known !== undefined) return known;
  const number = locals.states.length;
  locals.byKey.set(key, number);
  locals.states.push({
    who,
    parent,
    event,
    process,
    history,
    over: process.over,
    isMember: process.replica !== null,
    suspectable: suspectableBy(locals, process),
    confirmable: confirmableBy(locals, process),
    past: pastOf(locals, process),
    standing: standingOf(locals, process),
  });
  if (parent >= 0) keepWhole(locals, number);
  return number;
}

function keepWhole(locals: Locals, state: number): void {
  locals.whole.push(state);
  if (locals.whole.length < 2 * wholeMax) return;
  for (const old of locals.whole.splice(0, wholeMax)) locals.states[old]!.process = null;
}

function bits(locals: Locals, ids: Iterable<NodeId>): number {
  let mask = 0;
  for (const id of ids) mask |= 1 << locals.ids.indexOf(id);
  return mask;
}

function suspectableBy(locals: Locals, { node, over }: Process): number {
  const { state, suspects, phase } = node.membership;
  if (over || state === null || phase.kind !== 'member') return 0;
  return bits(
    locals,
    state.nodes.map(({ id }) => id).filter((id) => id !== node.self && !suspects.has(id)),
  );
}

function confirmableBy(locals: Locals, { node, over }: Process): number {
  const { state, confirmed, phase } = node.membership;
  if (over || state === null || phase.kind !== 'member') return 0;
  return bits(
    locals,
    state.nodes.map(({ id }) => id).filter((id) => id !== node.self && !confirmed.has(id)),
  );
}

function standingOf(locals: Locals, { node, replica, sent }: Process): Standing {
  const { state } = node.membership;
  const group = node.groups.get(locals.setting.group);
  const { unstable, queued, reorder, reassembly } = gauge(node);
  const isSettled = replica === null || replica.stable + replica.failed >= sent;
  const hasState = replica === null || replica.settings.kind === 'plain' || replica.state !== null;
  return {
    number: state?.number ?? 0,
    nodes: bits(locals, state?.nodes.map(({ id }) => id) ?? []),
    oldest: state?.nodes[0] ? bits(locals, [state.nodes[0].id]) : 0,
    view: group?.current?.view.id ?? 0,
    members: bits(locals, group?.current?.view.members.map((member) => member.node) ?? []),
    calm: unstable + queued + reorder + reassembly === 0 && !group?.wedged && isSettled && hasState,
  };
}

// Packets -----------------------------------------------------------------------------------------------------------

/** A link is one direction between two processes on one channel. */
export function linkOf(locals: Locals, from: number, to: number, channel: Packet['channel']): number {
  return (from * locals.ids.length + to) * 2 + (channel === 'stream' ? 1 : 0);
}

function sendsOf(locals: Locals, from: number, effect: Sent): number[] {
  const channel = effect.kind === 'stream' ? 'stream' : 'datagram';
  const packet = packetOf(locals, from, channel, effect.bytes);
  const sends: number[] = [];
  locals.addresses.forEach((address, to) => {
    if (to === from || (effect.kind !== 'multicast' && effect.to !== address)) return;
    sends.push(to, linkOf(locals, from, to, channel), packet);
  });
  return sends;
}

function packetOf(locals: Locals, from: number, channel: Packet['channel'], bytes: Uint8Array): number {
  const key = `${from} ${channel} ${Buffer.from(bytes).toString('latin1')}`;
  let packet = locals.packetsByKey.get(key);
  if (packet === undefined) {
    packet = locals.packets.length;
    locals.packets.push({
      from,
      channel,
      bytes: bytes.slice(),
      isIdle: isIdle(bytes),
      isVote: isVote(bytes),
      subjects: subjectsOf(bytes),
    });
    locals.packetsByKey.set(key, packet);
  }
  return packet;
}

function isIdle(bytes: Uint8Array): boolean {
  const r = new Reader(bytes);
  readHeader(r);
  const { kind, end } = readSection(r);
  if (kind !== Section.control || end < bytes.length) return false;
  const message = controlMessage.read(r);
  return message.kind === 'heartbeat' && message.suspected.length === 0;
}

/** What a packet is about, at most, by section: the number of a decree, the view of a frame or row, the target of a flush. */
export interface Subjects {
  readonly decree: number;
  readonly frame: number;
  readonly flush: number;
}

function subjectsOf(bytes: Uint8Array): Subjects {
  const subjects = { decree: 0, frame: 0, flush: 0 };
  const r = new Reader(bytes);
  readHeader(r);
  while (r.left > 0) {
    const { kind, end } = readSection(r);
    const body = new Reader(bytes, r.at, end);
    r.at = end;
    if (kind === Section.control) subjects.decree = Math.max(subjects.decree, decreeIn(controlMessage.read(body)));
    else {
      body.varint();
      const isFrame = kind === Section.data || kind === Section.row || kind === Section.nak;
      if (isFrame) subjects.frame = Math.max(subjects.frame, body.varint());
      else if (kind === Section.flush) subjects.flush = Math.max(subjects.flush, targetIn(flushMessage.read(body)));
      else subjects.flush = Infinity;
    }
  }
  return subjects;
}

/** The decree that a message is about, alone; infinity if it is about something else, too. */
function decreeIn(message: ControlMessage): number {
  if (message.kind === 'decided') return message.decree.number;
  const isBallot = 'ballot' in message;
  return isBallot ? message.number : Infinity;
}

function targetIn(message: FlushMessage): number {
  return message.kind === 'install' ? message.record.target : message.target;
}

function pastOf({ setting }: Locals, { node }: Process): Subjects {
  const number = node.membership.state?.number ?? 0;
  const group = node.groups.get(setting.group);
  // who joins later, does so by a later decree
  if (group === undefined || group.id === 0) return { decree: number, frame: number, flush: number };
  const view = group.current?.view.id ?? 0;
  return { decree: number, frame: view - 1, flush: view };
}

const votes: ReadonlySet<string> = new Set([
  ...['request', 'prepare', 'promise', 'accept', 'accepted', 'rejected', 'heartbeat', 'link-ack'],
]);

function isVote(bytes: Uint8Array): boolean {
  return describePacket(bytes).every((kind) => votes.has(kind));
}

// Histories ---------------------------------------------------------------------------------------------------------

function extend(locals: Locals, before: number, record: TraceRecord): number {
  const key = `${before} ${JSON.stringify(record)}`;
  let history = locals.recordsByKey.get(key);
  if (history === undefined) {
    history = locals.records.length;
    locals.records.push({ before, record });
    locals.recordsByKey.set(key, history);
  }
  return history;
}

/** All that a process has traced, oldest first. */
export function traceOf(locals: Locals, who: number, history: number): Traced[] {
  const trace: Traced[] = [];
  for (let at = history; at >= 0; at = locals.records[at]!.before) {
    trace.push({ t: 0, p: locals.ids[who]!, ...locals.records[at]!.record });
  }
  trace.reverse();
  return trace.map((record, t) => ({ ...record, t }));
}
