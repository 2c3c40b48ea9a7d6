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
  ackDelayMax,
  frameOverheadBytes,
  nakAnswerBytesMax,
  nakDelay,
  nakDelayMax,
  nakRangesMax,
  nakTriesOverDatagrams,
  piecesAnswerBytesMax,
  repeatDelay,
  repeatDelayMax,
  repeatEveryWay,
  resendWindow,
  safeDatagramBytes,
} from '../limits.js';
import {
  type Packer,
  addBesides,
  addSection,
  byMulticast,
  overStream,
  room,
  shrinkDatagrams,
  toNode,
} from '../outbox.js';
import { incarnationOf } from '../ids.js';
import { Malformed, type Reader, Writer } from '../wire/bytes.js';
import { Section, beginSection, endSection, sectionHeaderBytes } from '../wire/packet.js';
import { lastOf } from '../wire/record.js';
import { inVainFlag, isPaused, noteRowSent, pausedFlag } from './rows.js';
import type { Group, Host, ViewState } from './state.js';
import { missing } from './stream.js';
import { acknowledgeWithData, resend } from './transmit.js';
import { acknowledgedAfter } from './window.js';

const scratch = new Writer();

/** Tells everybody one's whole row, and who is seen to lack something, so that they answer with theirs. */
function sendRow(host: Host, group: Group, state: ViewState, lagging: readonly Rank[]): void {
  state.pausedSent = isPaused(host, group);
  addSection(host.out, host.out.all, Section.row, rowOf(host, group, state, lagging, 0));
  for (let rank = 0; rank < state.size; rank++) state.rowSent[rank] = state.stability.received(state.rank, rank);
  state.rowAsked = false;
  noteRowSent(state);
}

/** Tells one member by the ways that multicasts do not go: these may be lost in its path, or in one's own. */
function sendRowTo(host: Host, group: Group, state: ViewState, to: Rank, flags: number): void {
  const { node } = must(state.view.members[to], 'member');
  const address = host.address(node);
  if (address === undefined) return;
  const row = rowOf(host, group, state, [to], flags);
  addBesides(host.out, incarnationOf(node), address, Section.row, row);
}

function rowOf(host: Host, group: Group, state: ViewState, lagging: readonly Rank[], flags: number): Uint8Array {
  scratch.clear();
  scratch.varint(group.id);
  scratch.varint(state.view.id);
  scratch.u8((isPaused(host, group) ? pausedFlag : 0) | flags);
  for (let rank = 0; rank < state.size; rank++) scratch.varint(state.stability.received(state.rank, rank));
  scratch.varint(lagging.length);
  for (const rank of lagging) scratch.varint(rank);
  return scratch.bytes.subarray(0, scratch.length);
}

/** Acknowledges what was received, if it is time to; called at the end of a batch, when nothing else carried it. */
export function acknowledge(host: Host, group: Group, state: ViewState): void {
  let owed = isPaused(host, group) !== state.pausedSent;
  let isMuch = false;
  for (let rank = 0; rank < state.size; rank++) {
    owed ||= state.stability.received(state.rank, rank) !== state.rowSent[rank];
    const bytes = state.bytesSinceRow[rank] as number;
    isMuch ||= bytes > 0 && bytes >= acknowledgedAfter(host, state.windows[rank] as number);
  }
  if (!owed && !state.ackNow && !state.rowAsked) return;
  const due = state.ackNow || state.rowAsked || isMuch || host.now >= state.ackAt;
  if (due) {
    const { rowAsked } = state;
    if (rowAsked) sendRow(host, group, state, []);
    // what waits and is small goes with the whole row as well
    if (!acknowledgeWithData(host, group, state) && !rowAsked) sendRow(host, group, state, []);
    for (const rank of state.askedInVain) sendRowTo(host, group, state, rank, 0);
    state.askedInVain.clear();
  } else {
    if (state.ackAt === Infinity) state.owesSince = host.now;
    const last = Math.max(state.receivedAt, state.owesSince);
    state.ackAt = Math.min(last + ackDelay, state.owesSince + ackDelayMax);
  }
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
    acknowledgeWithData(host, group, state);
    if (state.repeatDelay >= repeatEveryWay) {
      for (const rank of behind) sendRowTo(host, group, state, rank, inVainFlag);
    }
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

/** How a request says that its answer is to come; the last three after others were in vain, in pieces if by datagram. */
const AnswerBy = { anyDatagram: 0, stream: 1, multicast: 2, datagram: 3 } as const;
const ways = [AnswerBy.stream, AnswerBy.multicast, AnswerBy.datagram] as const;
type Way = (typeof AnswerBy)[keyof typeof AnswerBy];

/** How to ask the next time, and to be answered. After so many times in vain every pair of ways is tried in turn. */
function waysOf(tries: number): { readonly ask: Way; readonly answer: Way } {
  const turn = tries - nakTriesOverDatagrams;
  if (turn < 0) return { ask: AnswerBy.anyDatagram, answer: AnswerBy.anyDatagram };
  const { length } = ways;
  return { ask: wayAt(turn), answer: wayAt(turn + Math.floor(turn / length)) };
}

function wayAt(turn: number): Way {
  return must(ways[turn % ways.length], 'way');
}

/**
 * Asks one member for what is missing of a stream up to `to`; the answer carries the tag. What has been asked for often may
 * be on a path that carries no datagrams of its kind or size: then request and answer go by other ways.
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
  const { ask, answer } = waysOf(nakTries);
  const packer = packerOf(host, must(state.view.members[from], 'member').node, ask);
  if (!packer) return;
  const ranges = missing(must(state.streams[stream], 'stream'), to, nakRangesMax);
  const w = room(host.out, packer, sectionHeaderBytes + 1 + 5 * 8 + ranges.length * 16);
  const section = beginSection(w, Section.nak);
  w.varint(group.id);
  w.varint(state.view.id);
  w.varint(tag);
  w.u8(answer);
  w.varint(stream);
  w.varint(ranges.length);
  for (const range of ranges) {
    w.varint(range.from);
    w.varint(range.to);
  }
  endSection(w, section);
}

function packerOf(host: Host, node: NodeId, way: Way): Packer | undefined {
  const address = host.address(node);
  if (address === undefined) return undefined;
  if (way === AnswerBy.multicast) return byMulticast(host.out, incarnationOf(node));
  return (way === AnswerBy.stream ? overStream : toNode)(host.out, incarnationOf(node), address);
}

/** Answers a request with what is held of it, from any stream. */
export function receiveNak(host: Host, group: Group, source: NodeId, view: ViewId, r: Reader): void {
  const state = group.current;
  if (!state || view !== state.view.id || !state.view.ranks.has(source)) return;
  const tag = r.varint();
  const way = readWay(r);
  const rank = r.varint();
  const count = r.varint();
  if (rank >= state.size || count > nakRangesMax) throw new Malformed(`request for rank ${rank}, ${count} ranges`);
  const ranges = Array.from({ length: count }, () => ({ from: r.varint(), to: r.varint() }));
  r.mustEnd();
  const packer = packerOf(host, source, way);
  if (!packer) return;
  if (host.now > state.resentAt + resendWindow) {
    state.resent.clear();
    state.answered.clear();
    state.resentAt = host.now;
  }
  const before = state.answered.get(source) ?? 0;
  const most = way === AnswerBy.multicast || way === AnswerBy.datagram ? piecesAnswerBytesMax : nakAnswerBytesMax;
  const whole = Math.min(most, nakAnswerBytesMax - before);
  let budget = whole;
  for (const { from, to } of ranges) {
    budget = answer(host, group, state, source, packer, { rank, from, to, tag, way }, budget);
  }
  state.answered.set(source, before + whole - budget);
}

function readWay(r: Reader): Way {
  const way = r.u8();
  if (way > AnswerBy.datagram) throw new Malformed(`a way of answering ${way}`);
  return way as Way;
}

interface Asked {
  readonly way: Way;
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
  for (const chunk of must(state.streams[asked.rank], 'stream').chunks) {
    if (lastOf(chunk) < asked.from) continue;
    if (chunk.first > asked.to || budget <= 0) break;
    const isAgain = asked.way !== AnswerBy.anyDatagram;
    const key = isAgain ? `${asked.rank} ${chunk.first} ${asked.way} ${source}` : `${asked.rank} ${chunk.first}`;
    const before = state.resent.get(key);
    if (asked.tag === 0 && (before === 'all' || (isAgain && before !== undefined))) continue;
    if (isAgain && chunk.bytes.length > safeDatagramBytes && shrinkDatagrams(host.out, host.now)) {
      host.log('warn', 'large datagrams are lost on the way: for a while only small ones are sent', { to: source });
    }
    const toAll = !isAgain && asked.tag === 0 && before !== undefined && before !== source;
    state.resent.set(key, toAll ? 'all' : source);
    const to = toAll ? host.out.all : packer;
    const bytesMax = isAgain ? safeDatagramBytes : to.bytesMax;
    resend(host, group, state, to, asked.rank, chunk, asked.tag, bytesMax);
    budget -= chunk.bytes.length + frameOverheadBytes;
  }
  return budget;
}

/** The earliest time at which one of these has something to do. */
export function repairDue(state: ViewState): number {
  let due = Math.min(state.ackAt, state.repeatAt);
  for (const stream of state.streams) due = Math.min(due, stream.nakAt);
  return due;
}
