/**
 * Receiving frames: acks and credit first, then the records, in order and once.
 *
 * Only frames of the installed view are taken in, so only they are ever acknowledged; frames of a view to come wait.
 * Nothing is taken from a frozen stream but what a flush fetched for the current target, up to its cut.
 */
import type { NodeId, Rank, ViewId } from '../ids.js';
import { must } from '../assert.js';
import { frameOverheadBytes, futureBytesMax, nakDelay } from '../limits.js';
import { Malformed, Reader, owned } from '../wire/bytes.js';
import { type Chunk, checkRecords, slice } from '../wire/record.js';
import { deliverReady, scan } from './delivery.js';
import { inVainFlag, mustBeSent, notePaused, noteWindow, raise } from './rows.js';
import type { Group, Host, ViewState } from './state.js';
import { takeIn } from './stream.js';

/** No record has this number or a higher one. */
const seqnoMax = Number.MAX_SAFE_INTEGER;

/** Takes in a data frame from `source`. */
export function receiveData(host: Host, group: Group, source: NodeId, view: ViewId, r: Reader): void {
  const state = group.current;
  if (!state || view !== state.view.id) {
    if (!state || view > state.view.id) keepForLater(group, source, view, r);
    return;
  }
  const observer = state.view.ranks.get(source);
  if (observer === undefined) return;
  const tag = r.varint();
  const rank = r.varint();
  const first = r.varint();
  const firstMessage = r.varint();
  const flags = r.u8();
  const entries = r.u8();
  const entriesAt = r.at;
  for (let i = 0; i < entries; i++) {
    const column = r.varint();
    if (column >= state.size) throw new Malformed(`rank ${column} in a view of ${state.size}`);
    mustBeSent(state, column, r.varint());
  }
  const count = r.u8() | (r.u8() << 8);
  if (rank >= state.size || first < 1 || first + count > seqnoMax) {
    throw new Malformed(`frame of rank ${rank}, seqno ${first}`);
  }
  const bytes = r.raw(r.left);
  checkRecords(bytes, count, state.size);
  // all of it is well formed
  notePaused(state, observer, flags);
  noteWindow(state, observer, flags);
  r.at = entriesAt;
  for (let i = 0; i < entries; i++) raise(host, group, state, observer, r.varint(), r.varint());
  if (count === 0 || rank === state.rank) return;
  takeChunk(host, group, state, rank, tag, { first, count, firstMessage, bytes });
}

function takeChunk(host: Host, group: Group, state: ViewState, rank: Rank, tag: ViewId, whole: Chunk): void {
  const stream = must(state.streams[rank], 'stream');
  const chunk = stream.frozen ? upToCut(group, rank, tag, whole) : whole;
  if (!chunk) return;
  const fresh = takeIn(stream, chunk);
  for (const each of fresh) {
    state.bytesSinceRow[rank] = (state.bytesSinceRow[rank] as number) + each.bytes.length + frameOverheadBytes;
    scan(host, group, state, rank, each);
  }
  if (fresh.length > 0) {
    state.receivedAt = host.now;
    host.window.heardAt.set(must(state.view.members[rank], 'sender').node, host.now);
    raise(host, group, state, state.rank, rank, stream.received);
    deliverReady(host, group, state);
    stream.nakTries = 0;
    stream.nakDelay = nakDelay;
    stream.nakAt = Infinity;
  }
  raise(host, group, state, rank, rank, chunk.first + chunk.count - 1);
  host.touch(group);
}

/** Of a chunk of a frozen stream, what the current target's cut has of it; a late answer to an older fetch has nothing. */
function upToCut(group: Group, rank: Rank, tag: ViewId, chunk: Chunk): Chunk | null {
  const { flush } = group;
  if (!flush?.cut || tag !== flush.target.id) return null;
  const to = must(flush.cut.cut[rank], 'cut');
  return chunk.first > to ? null : slice(chunk, chunk.first, to);
}

function keepForLater(group: Group, source: NodeId, view: ViewId, r: Reader): void {
  const body = owned(r.raw(r.left));
  group.future.push({ view, source, body });
  group.futureBytes += body.length + frameOverheadBytes;
  while (group.futureBytes > futureBytesMax) {
    group.futureBytes -= must(group.future.shift(), 'oldest frame').body.length + frameOverheadBytes;
  }
}

/** A view was installed: takes in the frames that came before it, and forgets those of views that it has overtaken. */
export function replayFuture(host: Host, group: Group, view: ViewId): void {
  const { future } = group;
  group.future = [];
  group.futureBytes = 0;
  for (const frame of future) {
    if (frame.view < view) continue;
    host.unlessMalformed(() => {
      receiveData(host, group, frame.source, frame.view, new Reader(frame.body));
    });
  }
}

/** Takes in a row: one member's acknowledgements for all streams, and whom it waits for. */
export function receiveRow(host: Host, group: Group, source: NodeId, view: ViewId, r: Reader): void {
  const state = group.current;
  if (!state || view !== state.view.id) return;
  const observer = state.view.ranks.get(source);
  if (observer === undefined || observer === state.rank) return;
  const flags = r.u8();
  const rowAt = r.at;
  for (let rank = 0; rank < state.size; rank++) mustBeSent(state, rank, r.varint());
  const lagging = r.varint();
  if (lagging > state.size) throw new Malformed(`${lagging} lag in a view of ${state.size}`);
  let isAsked = false;
  for (let i = 0; i < lagging; i++) isAsked = r.varint() === state.rank || isAsked;
  r.mustEnd();
  // all of it is well formed
  notePaused(state, observer, flags);
  r.at = rowAt;
  for (let rank = 0; rank < state.size; rank++) raise(host, group, state, observer, rank, r.varint());
  state.rowAsked ||= isAsked;
  if (isAsked && (flags & inVainFlag) !== 0) state.askedInVain.add(observer);
  host.touch(group);
}
