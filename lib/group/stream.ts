/**
 * One sender's stream in one view: records numbered from 1, received in order, buffered until stable.
 *
 * Invariants: `received` is contiguous: everything up to it was taken in once and in order; `chunks` covers exactly the
 * seqnos above what is stable up to `received`; `ahead` lies above `received + 1`, sorted, without overlap. A frozen
 * stream belongs to a member that the next view lacks: only what the flush asks for still enters it.
 */
import { type Arena, type Slab, keep, letGo } from '../arena.js';
import type { Seqno, WallTime } from '../ids.js';
import { aheadBytesMax, frameOverheadBytes, nakDelay } from '../limits.js';
import { Queue } from '../queue.js';
import { owned } from '../wire/bytes.js';
import { type Chunk, lastOf, slice } from '../wire/record.js';
import type { Assembly } from './assembly.js';
import type { Pending } from './pending.js';

/** A chunk that is kept for retransmission. */
export interface KeptChunk extends Chunk {
  readonly slab: Slab | null;
}

/** A stream; one for each rank of the view, one's own included. */
export interface Stream {
  readonly arena: Arena;
  received: Seqno;
  /** The highest seqno that is known to exist. */
  known: Seqno;
  /** Unstable chunks, oldest first. */
  readonly chunks: Queue<KeptChunk>;
  /** Bytes in `chunks`, the kernel's overhead per frame included. */
  unstableBytes: number;
  ahead: Chunk[];
  aheadBytes: number;
  frozen: boolean;
  /** The sender's wall clock, as the stream last told it. */
  time: WallTime;
  /** Causal and total multicasts received and not yet delivered, in sending order; a barrier is the last. */
  readonly pending: Queue<Pending>;
  /** FIFO multicasts that wait for stability, and those behind them. */
  readonly heldFifo: Queue<Pending>;
  /** Seqno of the last uniform one among those ever received. */
  lastUniform: Seqno;
  /** A multicast that is not complete; null if there is none, or it is one's own. */
  partial: Assembly | null;
  /** One's own, whole, when its last fragment has been written. */
  whole: Uint8Array | null;
  /** When to ask for a gap (Infinity: there is none), how long to wait after that, how often it was asked for. */
  nakAt: number;
  nakDelay: number;
  nakTries: number;
}

/** A stream from which nothing was received. */
export function createStream(arena: Arena): Stream {
  return {
    arena,
    received: 0,
    known: 0,
    chunks: new Queue(),
    unstableBytes: 0,
    ahead: [],
    aheadBytes: 0,
    frozen: false,
    time: 0,
    pending: new Queue(),
    heldFifo: new Queue(),
    lastUniform: 0,
    partial: null,
    whole: null,
    nakAt: Infinity,
    nakDelay,
    nakTries: 0,
  };
}

/**
 * Takes in a chunk that may overlap what is there. Returns what now follows in order, to be scanned, oldest first; every
 * record is returned once.
 */
export function takeIn(stream: Stream, chunk: Chunk): readonly Chunk[] {
  const last = lastOf(chunk);
  if (last > stream.known) stream.known = last;
  if (last <= stream.received) return [];
  if (chunk.first > stream.received + 1) {
    putAhead(stream, chunk);
    return [];
  }
  const fresh = [append(stream, slice(chunk, stream.received + 1, last))];
  while (stream.ahead.length > 0 && (stream.ahead[0] as Chunk).first <= stream.received + 1) {
    const next = stream.ahead.shift() as Chunk;
    stream.aheadBytes -= aheadBytesOf(next);
    if (lastOf(next) > stream.received) fresh.push(append(stream, slice(next, stream.received + 1, lastOf(next))));
  }
  return fresh;
}

/** Appends a chunk that follows directly; also used for one's own records as they are sent. A copy is kept. */
export function append(stream: Stream, chunk: Chunk): Chunk {
  const { first, count, firstMessage } = chunk;
  stream.received = lastOf(chunk);
  if (stream.received > stream.known) stream.known = stream.received;
  const { bytes, slab } = keep(stream.arena, chunk.bytes);
  stream.chunks.push({ first, count, firstMessage, bytes, slab });
  stream.unstableBytes += chunk.bytes.length + frameOverheadBytes;
  return chunk;
}

/** Keeps what lies behind a gap: the parts of the chunk that are not there yet, each in its place. */
function putAhead(stream: Stream, chunk: Chunk): void {
  const last = lastOf(chunk);
  let from = chunk.first;
  let at = stream.ahead.length;
  while (at > 0 && lastOf(stream.ahead[at - 1] as Chunk) >= from) at--;
  for (; from <= last; at++) {
    const next = stream.ahead[at];
    const to = next ? Math.min(last, next.first - 1) : last;
    if (from <= to) {
      const cut = slice(chunk, from, to);
      const piece = { ...cut, bytes: owned(cut.bytes) };
      if (stream.aheadBytes + aheadBytesOf(piece) > aheadBytesMax) return;
      stream.ahead.splice(at++, 0, piece);
      stream.aheadBytes += aheadBytesOf(piece);
    }
    from = next ? lastOf(next) + 1 : last + 1;
  }
}

function aheadBytesOf({ bytes }: Chunk): number {
  return bytes.length + frameOverheadBytes;
}

/** Lets go of what is stable. */
export function release(stream: Stream, stable: Seqno): void {
  for (let oldest = stream.chunks.first; oldest && lastOf(oldest) <= stable; oldest = stream.chunks.first) {
    stream.unstableBytes -= oldest.bytes.length + frameOverheadBytes;
    letGo(stream.arena, oldest.slab);
    stream.chunks.shift();
  }
}

/** From now on only what a flush fetches enters: what lies behind a gap is forgotten, it may be above the cut. */
export function freeze(stream: Stream): void {
  stream.frozen = true;
  stream.ahead = [];
  stream.aheadBytes = 0;
  stream.known = stream.received;
  stream.nakAt = Infinity;
}

/** What is missing of the stream up to `to`: ranges of seqnos, both ends included, at most `max`. */
export function missing(stream: Stream, to: Seqno, max: number): { from: Seqno; to: Seqno }[] {
  const ranges: { from: Seqno; to: Seqno }[] = [];
  let from = stream.received + 1;
  for (const chunk of stream.ahead) {
    if (ranges.length >= max || chunk.first > to) break;
    if (chunk.first > from) ranges.push({ from, to: chunk.first - 1 });
    from = lastOf(chunk) + 1;
  }
  if (from <= to && ranges.length < max) ranges.push({ from, to });
  return ranges;
}
