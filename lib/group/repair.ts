/**
 * Acknowledging and repairing: rows for those who have nothing to send, requests for what is missing, answers from
 * whoever has it, and, while anything is unstable and nothing moves, a reminder to all.
 *
 * Timers here only repeat, they never decide. When all is stable and known to be so, nothing is sent.
 */
import type { NodeId, Rank, Seqno, ViewId } from '../ids.js';
import { must } from '../assert.js';
import {
  ackDelay,
  ackWindowShare,
  nakAnswerBytesMax,
  nakDelay,
  nakDelayMax,
  nakRangesMax,
  nakTriesOverDatagrams,
  repeatDelay,
  repeatDelayMax,
  resendWindow,
  safeDatagramBytes,
} from '../limits.js';
import { type Packer, overStream, room, shrinkDatagrams, toNode } from '../outbox.js';
import { incarnationOf } from '../ids.js';
import { Malformed, type Reader } from '../wire/bytes.js';
import { Section, beginSection, endSection, sectionHeaderBytes } from '../wire/packet.js';
import { lastOf } from '../wire/record.js';
import { isPaused, pausedFlag } from './rows.js';
import type { Group, Host, ViewState } from './state.js';
import { missing } from './stream.js';
import { resend } from './transmit.js';

/** Tells everybody one's whole row, and who is seen to lack something, so that they answer with theirs. */
function sendRow(host: Host, group: Group, state: ViewState, lagging: readonly Rank[]): void {
  const w = room(host.out, host.out.all, sectionHeaderBytes + 24 + state.size * 10);
  const section = beginSection(w, Section.row);
  w.varint(group.id);
  w.varint(state.view.id);
  state.pausedSent = isPaused(host, group);
  w.u8(state.pausedSent ? pausedFlag : 0);
  for (let rank = 0; rank < state.size; rank++) {
    const seqno = state.stability.received(state.rank, rank);
    state.rowSent[rank] = seqno;
    w.varint(seqno);
  }
  w.varint(lagging.length);
  for (const rank of lagging) w.varint(rank);
  endSection(w, section);
  state.bytesSinceRow = 0;
  state.ackAt = Infinity;
  state.ackNow = false;
}

/** Acknowledges what was received, if it is time to; called at the end of a batch, when nothing else carried it. */
export function acknowledge(host: Host, group: Group, state: ViewState): void {
  let owed = isPaused(host, group) !== state.pausedSent;
  for (let rank = 0; rank < state.size && !owed; rank++) {
    owed = state.stability.received(state.rank, rank) !== state.rowSent[rank];
  }
  if (!owed && !state.ackNow) return;
  const due = state.ackNow || state.bytesSinceRow >= host.window() * ackWindowShare || host.now >= state.ackAt;
  if (due) sendRow(host, group, state, []);
  else if (state.ackAt === Infinity) state.ackAt = host.now + ackDelay;
}

/** While something is unstable, or multicasts wait for a slow member: who is behind, as far as is known here. */
function lagging(group: Group, state: ViewState): Rank[] {
  const behind: Rank[] = [];
  const blocked = group.queue.length > 0 && !group.wedged;
  for (let observer = 0; observer < state.size; observer++) {
    if (observer === state.rank) continue;
    let lacks = blocked && state.paused[observer] === 1;
    for (let sender = 0; sender < state.size && !lacks; sender++) {
      lacks = state.stability.received(observer, sender) < state.stability.received(state.rank, sender);
    }
    if (lacks) behind.push(observer);
  }

  return behind;
}

/** Shows what is unstable to all if nothing has moved for a while, with backoff. */
export function remind(host: Host, group: Group, state: ViewState): void {
  const behind = lagging(group, state);
  if (behind.length === 0) {
    state.repeatAt = Infinity;
    state.repeatDelay = repeatDelay;
  } else if (state.repeatAt === Infinity) state.repeatAt = host.now + state.repeatDelay;
  else if (host.now >= state.repeatAt) {
    sendRow(host, group, state, behind);
    state.repeatDelay = Math.min(state.repeatDelay * 2, repeatDelayMax);
    state.repeatAt = host.now + state.repeatDelay;
  }
}

/** Asks for what is missing of streams that are not frozen, each in its time. */
export function askForGaps(host: Host, group: Group, state: ViewState): void {
  for (let rank = 0; rank < state.size; rank++) {
    const stream = must(state.streams[rank], 'stream');
    if (rank === state.rank || stream.frozen || stream.received >= stream.known) continue;
    if (stream.nakAt === Infinity) {
      stream.nakDelay = nakDelay;
      stream.nakAt = host.now + nakDelay;
    } else if (host.now >= stream.nakAt) {
      const from = whoHas(host, state, rank, stream.received + 1, stream.nakTries);
      if (from !== undefined) requestFrom(host, group, state, from, rank, stream.known, 0);
      stream.nakTries++;
      stream.nakDelay = Math.min(stream.nakDelay * 2, nakDelayMax);
      stream.nakAt = host.now + stream.nakDelay;
    }
  }
}

/** A member that has the seqno: its sender first, then the others in turn; nobody who is suspected if it can be helped. */
function whoHas(host: Host, state: ViewState, sender: Rank, seqno: Seqno, tries: number): Rank | undefined {
  const holders: Rank[] = [];
  const add = (rank: Rank): void => {
    if (rank !== state.rank && state.stability.received(rank, sender) >= seqno) holders.push(rank);
  };
  add(sender);
  for (let rank = 0; rank < state.size; rank++) if (rank !== sender) add(rank);
  const heard = holders.filter((rank) => !host.isSuspected(must(state.view.members[rank], 'member').node));
  const candidates = heard.length > 0 ? heard : holders;
  return candidates[tries % Math.max(1, candidates.length)];
}

/** In a request: the answer is to come over the stream, as the request did. */
const overStreamFlag = 1;

/**
 * Asks one member for what is missing of a stream up to `to`; the answer carries the tag. What has been asked for often may
 * be on a way that carries no datagrams of its kind or size: then every other time over the stream.
 */
export function requestFrom(
  host: Host,
  group: Group,
  state: ViewState,
  from: Rank,
  stream: Rank,
  to: Seqno,
  tag: ViewId,
): void {
  const { nakTries } = must(state.streams[stream], 'stream');
  const isOverStream = nakTries >= nakTriesOverDatagrams && nakTries % 2 === 0;
  const packer = packerOf(host, must(state.view.members[from], 'member').node, isOverStream);
  if (!packer) return;
  const ranges = missing(must(state.streams[stream], 'stream'), to, nakRangesMax);
  const w = room(host.out, packer, sectionHeaderBytes + 1 + 5 * 8 + ranges.length * 16);
  const section = beginSection(w, Section.nak);
  w.varint(group.id);
  w.varint(state.view.id);
  w.varint(tag);
  w.u8(isOverStream ? overStreamFlag : 0);
  w.varint(stream);
  w.varint(ranges.length);
  for (const range of ranges) {
    w.varint(range.from);
    w.varint(range.to);
  }
  endSection(w, section);
}

function packerOf(host: Host, node: NodeId, isOverStream: boolean): Packer | undefined {
  const address = host.address(node);
  return address === undefined
    ? undefined
    : (isOverStream ? overStream : toNode)(host.out, incarnationOf(node), address);
}

/** Answers a request with what is held of it, from any stream. */
export function receiveNak(host: Host, group: Group, source: NodeId, view: ViewId, r: Reader): void {
  const state = group.current;
  if (!state || view !== state.view.id || !state.view.ranks.has(source)) return;
  const tag = r.varint();
  const isOverStream = (r.u8() & overStreamFlag) !== 0;
  const rank = r.varint();
  const count = r.varint();
  if (rank >= state.size || count > nakRangesMax) throw new Malformed(`request for rank ${rank}, ${count} ranges`);
  const packer = packerOf(host, source, isOverStream);
  if (!packer) return;
  let budget = nakAnswerBytesMax;
  for (let i = 0; i < count; i++) {
    const from = r.varint();
    const to = r.varint();
    budget = answer(host, group, state, source, packer, { rank, from, to, tag }, budget);
  }
}

interface Asked {
  readonly rank: Rank;
  readonly from: Seqno;
  readonly to: Seqno;
  readonly tag: ViewId;
}

function answer(
  host: Host,
  group: Group,
  state: ViewState,
  source: NodeId,
  packer: Packer,
  asked: Asked,
  budget: number,
): number {
  if (host.now > state.resentAt + resendWindow) {
    state.resent.clear();
    state.resentAt = host.now;
  }
  for (const chunk of must(state.streams[asked.rank], 'stream').chunks) {
    if (lastOf(chunk) < asked.from) continue;
    if (chunk.first > asked.to || budget <= 0) break;
    const key = `${asked.rank} ${chunk.first}`;
    const before = state.resent.get(key);
    if (asked.tag === 0 && before === 'all' && packer.by !== 'stream') continue;
    const isOverStream = packer.by === 'stream';
    if (isOverStream && chunk.bytes.length > safeDatagramBytes && shrinkDatagrams(host.out, host.now)) {
      host.log('warn', 'large datagrams are lost on the way: for a while only small ones are sent', { to: source });
    }
    const toAll = !isOverStream && asked.tag === 0 && before !== undefined && before !== source;
    state.resent.set(key, toAll ? 'all' : source);
    resend(host, group, state, toAll ? host.out.all : packer, asked.rank, chunk, asked.tag);
    budget -= chunk.bytes.length;
  }
  return budget;
}

/** The earliest time at which one of these has something to do. */
export function repairDue(state: ViewState): number {
  let due = Math.min(state.ackAt, state.repeatAt);
  for (const stream of state.streams) due = Math.min(due, stream.nakAt);
  return due;
}
