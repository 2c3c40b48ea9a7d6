/**
 * From received records to deliveries.
 *
 * FIFO multicasts are delivered as they are received; causal ones when their past is delivered; total ones in the order
 * of the sequencer's stream, where its own multicasts stand in place and assignments order everybody else's. Causal and
 * total multicasts of one sender are delivered in sending order, so one number per sender says what was delivered.
 * Barriers wait for the end of the view and are the last that is delivered in it.
 *
 * A uniform multicast waits until it, its assignment and everything delivered before it are stable, that is, received
 * by all members of the view: if anybody delivers it, everyone who goes on will.
 *
 * Time goes with the total order: that of a multicast is its sender's clock, read off its stream, but never before that of
 * the position before. So it is the same wherever the order is.
 */
import type { Rank, Seqno } from '../ids.js';
import { assert, must } from '../assert.js';
import type { Queue } from '../queue.js';
import {
  type Chunk,
  type RankCount,
  RecordKind,
  endsMulticast,
  kindOf,
  locate,
  orderOfKind,
  readPairs,
  readTime,
  requestFlag,
  uniformFlag,
} from '../wire/record.js';
import { addFragment, beginAssembly, endAssembly } from './assembly.js';
import { emit } from './replica.js';
import { readHead } from './serving.js';
import { type Pending, split } from './pending.js';
import { type Group, type Host, type ViewState, selfIn } from './state.js';
import type { Stream } from './stream.js';
import { type View, rankIn } from './view.js';

const place = { start: 0, end: 0 };

/** Goes through records that were just received in order, once. */
export function scan(host: Host, group: Group, state: ViewState, rank: Rank, chunk: Chunk): void {
  const stream = must(state.streams[rank], 'stream');
  const { bytes } = chunk;
  let seqno = chunk.first;
  let message = chunk.firstMessage;
  /** Those that were gone through last, which the next may join; and the first byte of each. */
  let open: Pending | null = null;
  let alike = 0;
  for (let at = 0; at < bytes.length; at = place.end, seqno++) {
    const first = bytes[at] as number;
    locate(bytes, at, place);
    if (open !== null) {
      if (first === alike) {
        open.count++;
        open.payloadBytes += place.end - place.start;
        message++;
        continue;
      }
      takeMulticasts(host, group, state, open);
      open = null;
    }
    const kind = kindOf(first);
    if (endsMulticast(first)) {
      const pending = createPending(host, state, rank, seqno, message, first, bytes);
      message++;
      if (isAlone(first) || pending.bytes !== bytes) takeMulticasts(host, group, state, pending);
      else {
        open = pending;
        alike = first;
      }
      continue;
    }
    const payload = bytes.subarray(place.start, place.end);
    if (kind === RecordKind.assignment) {
      if (rank === state.sequencer) assign(state, readPairs(payload, state.size), seqno);
    } else if (kind === RecordKind.dependencies) state.dependenciesRead[rank] = readPairs(payload, state.size);
    else if (kind === RecordKind.time) stream.time = readTime(payload);
    else if (rank !== state.rank) takeFragment(host, stream, payload);
  }
  if (open !== null) takeMulticasts(host, group, state, open);
}

function takeFragment({ options: { allocate, messageBytesMax } }: Host, stream: Stream, fragment: Uint8Array): void {
  if (stream.partial !== null) addFragment(stream.partial, fragment, allocate);
  else stream.partial = beginAssembly(fragment, messageBytesMax, allocate);
}

/** Whether a multicast is never one of several that are taken together. */
function isAlone(first: number): boolean {
  return (first & requestFlag) !== 0 || kindOf(first) === RecordKind.barrier;
}

function assign(state: ViewState, pairs: readonly RankCount[], by: Seqno): void {
  for (const pair of pairs) {
    state.runs.push({ rank: pair.rank, count: pair.count, by });
    // a uniform one waits for its assignment to be stable, too
    const { lastUniform } = must(state.streams[pair.rank], 'stream');
    if (state.rank !== state.sequencer && lastUniform > (state.delivered[pair.rank] as number)) state.ackNow = true;
  }
}

/** The multicast that ends with the payload at `place`. */
function createPending(
  { options: { allocate } }: Host,
  state: ViewState,
  rank: Rank,
  seqno: Seqno,
  message: number,
  first: number,
  bytes: Uint8Array,
): Pending {
  const stream = must(state.streams[rank], 'stream');
  const kind = kindOf(first);
  let whole = bytes;
  let { start, end } = place;
  if (stream.partial !== null) whole = endAssembly(stream.partial, bytes.subarray(start, end), allocate);
  else if (stream.whole !== null) whole = stream.whole;
  if (whole !== bytes) {
    stream.partial = null;
    stream.whole = null;
    [start, end] = [0, whole.length];
  }
  const asked = (first & requestFlag) === 0 ? null : readHead(whole.subarray(start, end));
  if (asked) {
    whole = asked.payload;
    [start, end] = [0, whole.length];
  }
  let dependencies: readonly RankCount[] | null = null;
  if (kind !== RecordKind.fifo) {
    dependencies = state.dependenciesRead[rank] ?? null;
    state.dependenciesRead[rank] = null;
  }
  return {
    kind: 'deliveries',
    from: must(state.info.members[rank], 'member'),
    fromRank: rank,
    order: orderOfKind(kind),
    uniform: (first & uniformFlag) !== 0,
    time: stream.time,
    mine: rank === state.rank,
    view: state.info,
    request: asked ? { ...asked.head, repeated: false } : null,
    count: 1,
    payloadBytes: end - start,
    message,
    position: 0,
    bytes: whole,
    start,
    end,
    seqno,
    dependencies,
  };
}

function takeMulticasts(host: Host, group: Group, state: ViewState, pending: Pending): void {
  const { fromRank: rank, order, count } = pending;
  const stream = must(state.streams[rank], 'stream');
  const last = lastSeqno(pending);
  if (pending.uniform) {
    stream.lastUniform = last;
    if (rank !== state.rank) state.ackNow = true;
  }
  if (order === 'fifo') {
    if (pending.uniform || stream.heldFifo.length > 0) stream.heldFifo.push(pending);
    else deliver(host, group, pending);
    return;
  }
  if (rank === state.rank) state.lastOrdered = last;
  stream.pending.push(pending);
  if (order === 'causal') state.causalPending++;
  else if (order === 'barrier') return;
  else if (rank === state.sequencer) orderInPlace(state, count);
  else if (state.rank === state.sequencer) {
    const newest = state.unassigned[state.unassigned.length - 1];
    if (newest?.rank === rank) newest.count += count;
    else state.unassigned.push({ rank, count });
  }
}

function lastSeqno({ seqno, count }: Pending): Seqno {
  return seqno + count - 1;
}

/** The sequencer's own multicasts, ordered in place: they are their own assignment. */
function orderInPlace(state: ViewState, count: number): void {
  const newest = state.runs.last;
  if (newest?.rank === state.sequencer) newest.count += count;
  else state.runs.push({ rank: state.sequencer, count, by: 0 });
}

/** Delivers whatever may be delivered by now. */
export function deliverReady(host: Host, group: Group, state: ViewState): void {
  for (const stream of state.streams) {
    for (let head = stream.heldFifo.first; head; head = stream.heldFifo.first) {
      const count = head.uniform ? stableOf(group, state, head) : head.count;
      if (count <= 0) break;
      deliver(host, group, takeOut(stream.heldFifo, head, count));
    }
  }
  while (deliverOnce(host, group, state, false));
}

/** One pass over the causal heads and the assigned ones; true if anything was delivered. */
function deliverOnce(host: Host, group: Group, state: ViewState, flushing: boolean): boolean {
  let any = false;
  if (state.causalPending > 0) {
    for (const stream of state.streams) {
      for (let head = stream.pending.first; head?.order === 'causal'; head = stream.pending.first) {
        const count = deliverable(group, state, head, 0, flushing);
        if (count <= 0) break;
        if (count >= head.count) state.causalPending--;
        deliverOrdered(host, group, state, takeOut(stream.pending, head, count));
        any = true;
      }
    }
  }
  for (let run = state.runs.first; run; run = state.runs.first) {
    const { pending } = must(state.streams[run.rank], 'stream');
    const head = pending.first;
    if (head?.order !== 'total') break;
    const count = Math.min(run.count, deliverable(group, state, head, run.by, flushing));
    if (count <= 0) break;
    const next = takeOut(pending, head, count);
    run.count -= next.count;
    if (run.count === 0) state.runs.shift();
    deliverNext(host, group, state, next);
    any = true;
  }
  return any;
}

/** Takes the first `count` out of a queue, or all of its head's. */
function takeOut(queue: Queue<Pending>, head: Pending, count: number): Pending {
  if (count >= head.count) queue.shift();
  return split(head, count);
}

/** Delivers total multicasts, or a barrier, at the next positions. */
function deliverNext(host: Host, group: Group, state: ViewState, head: Pending): void {
  head.position = group.position + 1;
  group.position += head.count;
  if (head.time > group.time) group.time = head.time;
  else head.time = group.time;
  deliverOrdered(host, group, state, head);
}

function deliverOrdered(host: Host, group: Group, state: ViewState, head: Pending): void {
  state.delivered[head.fromRank] = lastSeqno(head);
  deliver(host, group, head);
}

/** How many of a head's multicasts, assigned by record `by`, may be delivered; not above zero: none. */
function deliverable(group: Group, state: ViewState, head: Pending, by: Seqno, flushing: boolean): number {
  if (!hasPast(state, head)) return 0;
  if (!head.uniform || flushing) return head.count;
  const { stability, sequencer } = state;
  if (stability.stable(sequencer) < by) return 0;
  for (let rank = 0; rank < state.size; rank++) {
    if (stability.stable(rank) < (state.delivered[rank] as number)) return 0;
  }
  return stableOf(group, state, head);
}

/** How many of a head's uniform multicasts are stable, and may be taken for it; not above zero: none. */
function stableOf(group: Group, state: ViewState, head: Pending): number {
  if (group.wedged) return 0;
  return Math.min(head.count, state.stability.stable(head.fromRank) - head.seqno + 1);
}

/** Whether all that its sender had sent or delivered before is delivered here. */
function hasPast(state: ViewState, head: Pending): boolean {
  if (!head.dependencies) return true;
  for (const { rank, count } of head.dependencies) {
    if ((state.delivered[rank] as number) < count) return false;
  }
  return true;
}

function deliver(host: Host, group: Group, pending: Pending): void {
  if (pending.fromRank === pending.view.rank) {
    group.undelivered -= pending.count;
    if (pending.request?.client === host.self) host.questionDelivered(pending.request.number, pending.view);
  }
  if (pending.position === 0) {
    pending.time = Math.max(pending.time, group.unorderedTime, group.time);
    group.unorderedTime = pending.time;
  }
  emit(host, group, pending);
}

/**
 * The view ends: delivers what is left, the same at every member, since all hold the same records up to the cut.
 *
 * First what is assigned, then the rest by causality and, where that leaves a choice, by rank and seqno, then the barriers
 * by rank. A multicast whose past is lost with the dead is dropped by everybody, with what depends on it; positions close
 * up. It never comes from a survivor, whose past is in the cut.
 */
export function deliverRest(host: Host, group: Group, state: ViewState, target: View): void {
  bequeath(host, group, state, target);
  for (const stream of state.streams) {
    for (let head = stream.heldFifo.shift(); head; head = stream.heldFifo.shift()) deliver(host, group, head);
  }
  for (;;) {
    while (deliverOnce(host, group, state, true));
    const run = state.runs.first;
    if (!run) break;
    const lost = must(state.streams[run.rank], 'stream');
    if (lost.pending.length > 0) dropOrphans(host, group, state, run.rank);
    state.runs.shift();
  }
  for (let rank = 0; rank < state.size;) {
    const { pending } = must(state.streams[rank], 'stream');
    const head = pending.first;
    if (!head || head.order === 'barrier' || !hasPast(state, head)) {
      rank++;
      continue;
    }
    pending.shift();
    if (head.order === 'total') deliverNext(host, group, state, head);
    else {
      state.causalPending--;
      deliverOrdered(host, group, state, head);
    }
    rank = 0;
  }
  for (let rank = 0; rank < state.size; rank++) {
    const { pending } = must(state.streams[rank], 'stream');
    const head = pending.first;
    if (head?.order === 'barrier' && hasPast(state, head)) {
      pending.shift();
      deliverNext(host, group, state, head);
    }
    dropOrphans(host, group, state, rank);
  }
}

/** What the departed have sent and is delivered only now is the next view's rank 0's to act upon. */
function bequeath(host: Host, group: Group, state: ViewState, target: View): void {
  if (rankIn(target, selfIn(host, group)) !== 0) return;
  state.streams.forEach((stream, rank) => {
    if (rankIn(target, must(state.view.members[rank], 'member')) !== undefined) return;
    for (const queue of [stream.pending, stream.heldFifo]) for (const pending of queue) pending.mine = true;
  });
}

function dropOrphans(host: Host, group: Group, state: ViewState, rank: Rank): void {
  const { pending } = must(state.streams[rank], 'stream');
  if (pending.length === 0) return;
  assert(rank !== state.rank, 'a survivor has the whole past of what it sent');
  let count = 0;
  for (let head = pending.shift(); head; head = pending.shift()) {
    count += head.count;
    if (head.order === 'causal') state.causalPending--;
  }
  host.log('warn', 'multicasts dropped, what they depend on died with its senders', {
    group: group.name,
    from: must(state.info.members[rank], 'member').id,
    count,
  });
}
