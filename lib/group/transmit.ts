/**
 * Sending: multicasts are packed into frames as long as the window has room; acks, order and dependencies ride along.
 *
 * A frame is: group, view, tag, rank of the stream, first seqno, first message number, flags, what changed in the
 * sender's row of the stability matrix, count, records. The tag is 0, or names the target for which a flush fetched it.
 * Nothing is sent while the group is wedged: the row reported to a flush stays true.
 */
import type { Rank, Seqno, WallTime } from '../ids.js';
import { assert, must } from '../assert.js';
import { frameOverheadBytes, safeDatagramBytes } from '../limits.js';
import { type Packer, addSection, finish, room } from '../outbox.js';
import { digest } from '../trace/digest.js';
import { Writer } from '../wire/bytes.js';
import { Section, beginSection, endSection, headerBytesMax, sectionHeaderBytes } from '../wire/packet.js';
import {
  type Chunk,
  type RankCount,
  RecordKind,
  kindOfOrder,
  lastOf,
  requestFlag,
  recordHeaderBytesMax,
  timeBytesMax,
  uniformFlag,
  fragmentHeadBytesMax,
  writeFragment,
  writePairs,
  writeRecord,
  writeTime,
} from '../wire/record.js';
import { deliverReady, scan } from './delivery.js';
import { isPaused, noteRowSent, pausedFlag, raise, windowFlags } from './rows.js';
import { makeVoid } from './serving.js';
import type { Group, Host, Outgoing, ViewState } from './state.js';
import { append } from './stream.js';
import { fillWindow, hasRest, hasWindow, ownWindow, updateWindow } from './window.js';

const countBytes = 2;
const countMax = 0xffff;
/** A frame's header without its row entries; each varint may have 8 bytes. */
const frameHeaderBytesMax = 6 * 8 + 1 + countBytes;
/** A rank and a seqno, the latter below 2^42. */
const pairBytesMax = 2 + 6;
/** Row entries in one frame; the rest rides on the next. */
const rowEntriesMax = 32;
/** Spreads seqnos, however far apart those of frames are, over the ranks (Knuth's multiplicative hashing). */
const turnFactor = 0x9e3779b1;
const scratch = new Writer();

/** Bytes of a frame before its records, at most. */
function overheadMax(state: ViewState): number {
  return sectionHeaderBytes + frameHeaderBytesMax + 1 + Math.min(state.size, rowEntriesMax) * pairBytesMax;
}

/** Sends what may be sent now: assignments always, multicasts as the window and the slowest member allow. */
export function transmit(host: Host, group: Group, state: ViewState): void {
  if (group.queue.length > 0) updateWindow(host);
  while (!group.wedged && (state.unassigned.length > 0 || maySend(host, group, state))) sendFrame(host, group, state);
}

function maySend(host: Host, group: Group, state: ViewState): boolean {
  return mayMulticast(host, group, state) && hasWindow(host, group);
}

/** Whether something waits, and nothing but perhaps the window holds it up. */
function mayMulticast(host: Host, group: Group, state: ViewState): boolean {
  if (group.queue.length === 0 || group.replica.kind !== 'present' || !host.quorate) return false;
  if (state.barrier !== 'none') return false;
  return !state.paused.includes(1) && !isPaused(host, group);
}

/**
 * An acknowledgement is due: it goes with a frame of multicasts if some wait that are small. False if there are none.
 */
export function acknowledgeWithData(host: Host, group: Group, state: ViewState): boolean {
  const next = group.queue.first;
  if (group.wedged || !next || next.offset > 0 || !mayMulticast(host, group, state) || !hasRest(host, group))
    return false;
  const bytes = recordBytesMax(state, next);
  if (bytes > safeDatagramBytes || headerBytesMax + overheadMax(state) + bytes > host.out.datagramBytesMax)
    return false;
  sendFrame(host, group, state);
  return true;
}

/** Bytes that go before those of a multicast, at most. */
function leastBytesMax(state: ViewState): number {
  return timeBytesMax + recordHeaderBytesMax + state.size * pairBytesMax + fragmentHeadBytesMax;
}

/** Bytes that a multicast takes in a frame, with what has to go before it, at most. */
function recordBytesMax(state: ViewState, next: Outgoing): number {
  return leastBytesMax(state) + next.payload.length - next.offset;
}

function sendFrame(host: Host, group: Group, state: ViewState): void {
  const { out } = host;
  const stream = must(state.streams[state.rank], 'own stream');
  const overhead = overheadMax(state);
  const next = group.queue.first;
  const wanted = Math.min(
    out.datagramBytesMax - headerBytesMax,
    overhead + (next ? recordBytesMax(state, next) : recordHeaderBytesMax + state.size * pairBytesMax),
  );
  const w = room(out, out.all, wanted);
  const section = beginSection(w, Section.data);
  const first = stream.received + 1;
  const firstMessage = group.acceptedMessage + 1;
  writeFrameHeader(w, host, group, state, 0, state.rank, first, firstMessage, windowFlags(ownWindow(host)));
  writeChangedRow(w, state);
  const countAt = w.length;
  w.u8(0);
  w.u8(0);
  const start = w.length;
  // what a frame has to have at least, it may have: in a large view that can be more than a small datagram
  const least = headerBytesMax + overhead + leastBytesMax(state);
  const count = writeRecords(host, group, state, w, Math.max(out.all.bytesMax, least + 1));
  w.bytes[countAt] = count & 0xff;
  w.bytes[countAt + 1] = count >>> 8;
  endSection(w, section);
  assert(count > 0, 'a frame has records');
  const chunk: Chunk = { first, count, firstMessage, bytes: w.bytes.subarray(start, w.length) };
  append(stream, chunk);
  fillWindow(host, chunk.bytes.length + frameOverheadBytes);
  raise(host, group, state, state.rank, state.rank, stream.received);
  state.rowSent[state.rank] = stream.received;
  if (group.acceptedMessage >= firstMessage) {
    state.sent.push({ seqno: lastOf(chunk), message: group.acceptedMessage, past: pastOf(state) });
  }
  if (w.length > out.all.bytesMax - overhead) finish(out, out.all);
  scan(host, group, state, state.rank, chunk);
  deliverReady(host, group, state);
  host.touch(group);
}

/** What has been delivered of each sender; the same array while that does not change. */
function pastOf(state: ViewState): Float64Array {
  for (let rank = 0; rank < state.size; rank++) {
    if (rank !== state.rank && state.past[rank] !== state.delivered[rank]) {
      state.past = state.delivered.slice();
      state.past[state.rank] = 0;
      break;
    }
  }
  return state.past;
}

/**
 * Writes what there is to be sent. A frame that has to be sent takes along what waits and is small, also if the window is full: whoever
 * assigns what others send would else never come to its own.
 */
function writeRecords(host: Host, group: Group, state: ViewState, w: Writer, packetBytesMax: number): number {
  let count = 0;
  const isOpen = maySend(host, group, state);
  const restBytes = hasRest(host, group) ? safeDatagramBytes : 0;
  const bytesMax = isOpen ? packetBytesMax : Math.min(packetBytesMax, w.length + restBytes);
  if (state.unassigned.length > 0) {
    writePairs(w, RecordKind.assignment, takeUnassigned(state, packetBytesMax - w.length), scratch);
    count++;
  }
  const time = wallTime(host);
  if (time !== state.timeSent && mayMulticast(host, group, state)) {
    writeTime(w, time, scratch);
    state.timeSent = time;
    count++;
  }
  while (count < countMax - 1 && mayMulticast(host, group, state)) {
    const next = must(group.queue.first, 'queued multicast');
    const dependencies = next.order === 'fifo' || next.offset > 0 ? [] : newDependencies(state);
    const left = next.payload.length - next.offset;
    const space =
      bytesMax - w.length - recordHeaderBytesMax - dependencies.length * pairBytesMax - fragmentHeadBytesMax;
    if (!isOpen && (space < left || next.offset > 0)) break;
    if (space < left && (count > 0 || space <= 0) && space < bytesMax / 4) break;
    if (dependencies.length > 0) {
      writePairs(w, RecordKind.dependencies, dependencies, scratch);
      for (const { rank, count: seqno } of dependencies) state.dependenciesSent[rank] = seqno;
      count++;
    }
    const end = left > space ? next.offset + space : next.payload.length;
    writeMulticast(host, group, state, w, next, end);
    count++;
    if (end < next.payload.length) break;
  }
  return count;
}

function wallTime({ wall, now }: Host): WallTime {
  return Math.max(0, Math.floor(wall + now));
}

function writeMulticast(host: Host, group: Group, state: ViewState, w: Writer, next: Outgoing, end: number): void {
  const more = end < next.payload.length;
  const first = kindOfOrder(next.order) | (next.uniform ? uniformFlag : 0) | (next.request ? requestFlag : 0);
  const whole = next.offset === 0 && !more;
  // what its client had served is forgotten at a view that comes after it is gone
  if (next.offset === 0 && next.request && host.address(next.request.client) === undefined) makeVoid(next.payload);
  host.out.all.payloadBytes += end - next.offset;
  if (more) {
    writeFragment(w, first, next.payload, next.offset, end, scratch);
    next.offset = end;
    traceQueuedOne(host, group, next);
    return;
  }
  writeRecord(w, first, whole ? next.payload : next.payload.subarray(next.offset));
  if (!whole) must(state.streams[state.rank], 'own stream').whole = next.payload;
  group.queue.shift();
  group.acceptedMessage = next.message;
  group.undelivered++;
  if (next.order === 'barrier') state.barrier = 'sent';
  const v = String(state.view.id);
  if (next.traced) host.trace({ e: 'xmit', g: group.name, id: `${host.self}:${next.message}`, v });
  else traceSend(host, group, next, v);
}

function traceSend(host: Host, group: Group, next: Outgoing, v: string | null): void {
  if (!host.options.trace) return;
  const { message, order, uniform, payload, request, headBytes } = next;
  host.trace({
    e: 'send',
    g: group.name,
    id: `${host.self}:${message}`,
    o: order,
    u: uniform,
    v,
    h: digest(headBytes === 0 ? payload : payload.subarray(headBytes)),
    ...(request ? { r: `${request.client}:${request.number}` } : {}),
  });
}

/** A multicast is sent in the view of its last fragment; before that it was only taken in. */
function traceQueuedOne(host: Host, group: Group, next: Outgoing): void {
  if (!next.traced) traceSend(host, group, next, null);
  next.traced = true;
}

/** Puts into the trace that what stays in the queue was taken in. */
export function traceQueued(host: Host, group: Group): void {
  let from = group.queue.length;
  while (from > 0 && !must(group.queue.at(from - 1), 'queued multicast').traced) from--;
  for (; from < group.queue.length; from++) traceQueuedOne(host, group, must(group.queue.at(from), 'queued multicast'));
}

/** What was delivered since one's own last causal or total multicast: its new past. */
function newDependencies(state: ViewState): RankCount[] {
  const changed: RankCount[] = [];
  for (let rank = 0; rank < state.size; rank++) {
    const seqno = state.delivered[rank] as number;
    if (rank !== state.rank && seqno !== state.dependenciesSent[rank]) changed.push({ rank, count: seqno });
  }
  return changed;
}

function takeUnassigned(state: ViewState, space: number): RankCount[] {
  const fitting = Math.max(1, Math.floor((space - recordHeaderBytesMax) / pairBytesMax));
  return state.unassigned.splice(0, fitting);
}

function writeFrameHeader(
  w: Writer,
  host: Host,
  group: Group,
  state: ViewState,
  tag: number,
  rank: Rank,
  first: Seqno,
  firstMessage: number,
  flags: number,
): void {
  w.varint(group.id);
  w.varint(state.view.id);
  w.varint(tag);
  w.varint(rank);
  w.varint(first);
  w.varint(firstMessage);
  w.u8((isPaused(host, group) ? pausedFlag : 0) | flags);
}

/** Entries of one's row that changed since all were last told: the piggybacked acknowledgement. */
function writeChangedRow(w: Writer, state: ViewState): void {
  const at = w.length;
  w.u8(0);
  let entries = 0;
  const from = state.rowFrom;
  for (let i = 0; i < state.size; i++) {
    const rank = (from + i) % state.size;
    const seqno = state.stability.received(state.rank, rank);
    if (rank === state.rank || seqno === state.rowSent[rank]) continue;
    if (entries === rowEntriesMax) {
      // the next frame goes on here, or those behind would never be told of
      state.rowFrom = rank;
      break;
    }
    state.rowSent[rank] = seqno;
    w.varint(rank);
    w.varint(seqno);
    entries++;
  }
  // and one in turn: what was told may be lost, and is not told again while there is nothing new
  const again = (Math.imul(state.stability.received(state.rank, state.rank), turnFactor) >>> 16) % state.size;
  if (again !== state.rank && entries < rowEntriesMax) {
    w.varint(again);
    w.varint(state.stability.received(state.rank, again));
    entries++;
  }
  w.bytes[at] = entries;
  noteRowSent(state);
}

/** Sends a chunk of any stream again, to one or to all; in pieces if it is larger than that. */
export function resend(
  host: Host,
  group: Group,
  state: ViewState,
  packer: Packer,
  rank: Rank,
  chunk: Chunk,
  tag: number,
  bytesMax: number,
): void {
  scratch.clear();
  writeFrameHeader(scratch, host, group, state, tag, rank, chunk.first, chunk.firstMessage, 0);
  scratch.u8(0);
  scratch.u8(chunk.count & 0xff);
  scratch.u8(chunk.count >>> 8);
  scratch.raw(chunk.bytes);
  addSection(host.out, packer, Section.data, scratch.bytes.subarray(0, scratch.length), bytesMax);
  host.out.counts.resent++;
}
