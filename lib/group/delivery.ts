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
import { concat } from '../wire/bytes.js';
import {
  type Chunk,
  type RankCount,
  RecordKind,
  endsMulticast,
  kindOf,
  orderOfKind,
  readPairs,
  readTime,
  requestFlag,
  uniformFlag,
} from '../wire/record.js';
import { emit } from './replica.js';
import { readHead } from './serving.js';
import type { Pending } from './pending.js';
import { type Group, type Host, type ViewState, selfIn } from './state.js';
import { type View, rankIn } from './view.js';

/** Goes through records that were just received in order, once. */
export function scan(host: Host, group: Group, state: ViewState, rank: Rank, chunk: Chunk): void {
  const stream = must(state.streams[rank], 'stream');
  const { bytes } = chunk;
  let seqno = chunk.first;
  let message = chunk.firstMessage;
  for (let at = 0; at < bytes.length; seqno++) {
    const first = bytes[at++] as number;
    let length = bytes[at++] as number;
    if (length >= 0x80) {
      length &= 0x7f;
      for (let scale = 0x80, more = true; more; scale *= 0x80) {
        const byte = bytes[at++] as number;
        length += (byte & 0x7f) * scale;
        more = byte >= 0x80;
      }
    }
    const payload = bytes.subarray(at, at + length);
    at += length;
    const kind = kindOf(first);
    if (kind === RecordKind.assignment) {
      if (rank === state.sequencer) assign(state, readPairs(payload, state.size), seqno);
    } else if (kind === RecordKind.dependencies) state.dependenciesRead[rank] = readPairs(payload, state.size);
    else if (kind === RecordKind.time) stream.time = readTime(payload);
    else if (!endsMulticast(first)) {
      stream.partial.push(payload);
    } else {
      takeMulticast(host, group, state, rank, seqno, message, first, payload);
      message++;
    }
  }
}

function assign(state: ViewState, pairs: readonly RankCount[], by: Seqno): void {
  for (const pair of pairs) {
    state.runs.push({ rank: pair.rank, count: pair.count, by });
    // a uniform one waits for its assignment to be stable, too
    const { lastUniform } = must(state.streams[pair.rank], 'stream');
    if (state.rank !== state.sequencer && lastUniform > (state.delivered[pair.rank] as number)) state.ackNow = true;
  }
}

function takeMulticast(
  host: Host,
  group: Group,
  state: ViewState,
  rank: Rank,
  seqno: Seqno,
  message: number,
  first: number,
  last: Uint8Array,
): void {
  const stream = must(state.streams[rank], 'stream');
  const kind = kindOf(first);
  const uniform = (first & uniformFlag) !== 0;
  const whole = stream.partial.length > 0 ? concat(stream.partial, last) : last;
  const asked = (first & requestFlag) === 0 ? null : readHead(whole);
  const pending: Pending = {
    kind: 'delivery',
    from: must(state.info.members[rank], 'member'),
    fromRank: rank,
    message,
    order: orderOfKind(kind),
    uniform,
    position: 0,
    time: stream.time,
    mine: rank === state.rank,
    view: state.info,
    request: asked ? { ...asked.head, repeated: false } : null,
    payload: asked ? asked.payload : whole,
    seqno,
    dependencies: kind === RecordKind.fifo ? null : (state.dependenciesRead[rank] ?? null),
  };
  if (stream.partial.length > 0) {
    stream.partial = [];
  }
  if (uniform) {
    stream.lastUniform = seqno;
    if (rank !== state.rank) state.ackNow = true;
  }
  if (kind === RecordKind.fifo) {
    if (uniform || stream.heldFifo.length > 0) stream.heldFifo.push(pending);
    else deliver(host, group, pending);
    return;
  }
  if (rank === state.rank) state.lastOrdered = seqno;
  state.dependenciesRead[rank] = null;
  stream.pending.push(pending);
  if (kind === RecordKind.causal) state.causalPending++;
  else if (kind === RecordKind.barrier) return;
  else if (rank === state.sequencer) orderInPlace(state);
  else if (state.rank === state.sequencer) {
    const newest = state.unassigned[state.unassigned.length - 1];
    if (newest?.rank === rank) newest.count++;
    else state.unassigned.push({ rank, count: 1 });
  }
}

/** The sequencer's own multicast, ordered in place: it is its own assignment. */
function orderInPlace(state: ViewState): void {
  const newest = state.runs.last;
  if (newest?.rank === state.sequencer) newest.count++;
  else state.runs.push({ rank: state.sequencer, count: 1, by: 0 });
}

/** Delivers whatever may be delivered by now. */
export function deliverReady(host: Host, group: Group, state: ViewState): void {
  for (const stream of state.streams) {
    for (let head = stream.heldFifo.first; head; head = stream.heldFifo.first) {
      if (head.uniform && (group.wedged || state.stability.stable(head.fromRank) < head.seqno)) break;
      stream.heldFifo.shift();
      deliver(host, group, head);
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
        if (!mayDeliver(group, state, head, 0, flushing)) break;
        stream.pending.shift();
        state.causalPending--;
        state.delivered[head.fromRank] = head.seqno;
        deliver(host, group, head);
        any = true;
      }
    }
  }
  for (let run = state.runs.first; run; run = state.runs.first) {
    const { pending } = must(state.streams[run.rank], 'stream');
    const head = pending.first;
    if (head?.order !== 'total' || !mayDeliver(group, state, head, run.by, flushing)) break;
    pending.shift();
    if (--run.count === 0) state.runs.shift();
    deliverNext(host, group, state, head);
    any = true;
  }
  return any;
}

/** Delivers a total multicast, or a barrier, at the next position. */
function deliverNext(host: Host, group: Group, state: ViewState, head: Pending): void {
  head.position = ++group.position;
  if (head.time > group.time) group.time = head.time;
  else head.time = group.time;
  state.delivered[head.fromRank] = head.seqno;
  deliver(host, group, head);
}

function mayDeliver(group: Group, state: ViewState, head: Pending, by: Seqno, flushing: boolean): boolean {
  if (!hasPast(state, head)) return false;
  if (!head.uniform || flushing) return true;
  if (group.wedged) return false;
  const { stability, sequencer } = state;
  if (stability.stable(head.fromRank) < head.seqno || stability.stable(sequencer) < by) return false;
  for (let rank = 0; rank < state.size; rank++) {
    if (stability.stable(rank) < (state.delivered[rank] as number)) return false;
  }
  return true;
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
    group.undelivered--;
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
      state.delivered[rank] = head.seqno;
      deliver(host, group, head);
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
  const count = pending.length;
  if (count === 0) return;
  assert(rank !== state.rank, 'a survivor has the whole past of what it sent');
  for (let head = pending.shift(); head; head = pending.shift()) if (head.order === 'causal') state.causalPending--;
  host.log('warn', 'multicasts dropped, what they depend on died with its senders', {
    group: group.name,
    from: must(state.info.members[rank], 'member').id,
    count,
  });
}
