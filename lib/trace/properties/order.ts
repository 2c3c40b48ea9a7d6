/**
 * The orders that senders give: FIFO and Reliable FIFO (no gap), Causal and Reliable Causal of Chockler, Keidar,
 * Vitenberg, ACM CSUR 33(4), 2001, and Isis' GBCAST.
 *
 * Causality is checked with vector clocks that are computed from the traces, not taken from the protocol: the past of
 * a multicast is a number for each member of its view, how many of that member's causal and total multicasts of the
 * view its sender had delivered when it sent. Views need no clock: each multicast is delivered in the one of its
 * sending, and that is another property. So the cost is the deliveries times the members.
 */
import type { Finding } from '../finding.js';
import { finding, omits, violate } from '../finding.js';
import type { History, Multicast, Of, Stay, View } from '../history.js';
import { classesMax, classOf, isCausal, processOf } from '../history.js';

/** FIFO: a sender's multicasts of one class in one view are delivered in the order of sending, without a gap. */
export function fifo(history: History): Finding {
  const found = finding('FIFO');
  for (const process of history.processes.values()) {
    for (const track of process.tracks.values()) checkOrderOfTransmission(found, track.transmitted);
  }
  const next = new Int32Array(history.stays.length * classesMax);
  const owner = new Int32Array(history.stays.length * classesMax).fill(-1);
  for (const stay of history.stays) {
    for (let i = 0; i < stay.delivered.length; i++) {
      const multicast = stay.delivered[i]!;
      if (multicast.stay?.view !== stay.view) continue;
      const stream = multicast.stay.index * classesMax + classOf(multicast);
      if (owner[stream] !== stay.index) {
        owner[stream] = stay.index;
        next[stream] = 0;
      }
      const expected = next[stream]!;
      if (multicast.place > 0) found.held += 1;
      if (multicast.place !== expected && !(stay.patched && multicast.place > expected)) {
        tellDisorder(found, stay, stay.deliveries[i]!, multicast, expected);
      }
      if (multicast.place >= expected) next[stream] = multicast.place + 1;
    }
  }
  return found;
}

function checkOrderOfTransmission(found: Finding, transmitted: readonly Multicast[]): void {
  const last = new Array<Multicast | undefined>(classesMax);
  for (const multicast of transmitted) {
    const before = last[classOf(multicast)];
    if (before !== undefined && before.sendAt > multicast.sendAt) {
      const sentence = `${multicast.sender} transmits ${multicast.id} after ${before.id}, which it sent later`;
      violate(found, sentence, before.transmission, multicast.transmission);
    }
    last[classOf(multicast)] = multicast;
  }
}

function tellDisorder(found: Finding, stay: Stay, delivery: Of<'deliver'>, late: Multicast, expected: number): void {
  if (omits(found)) return;
  if (late.place < expected) {
    violate(found, `${delivery.p} delivers ${late.id} after a later one of its sender and class`, delivery);
    return;
  }
  const kind = classOf(late);
  const gap = late.stay?.transmitted.find((other) => other.place === expected && classOf(other) === kind);
  const sentence = `${delivery.p} delivers ${late.id} in view ${stay.view.id} without ${gap?.id ?? 'the one'} before it`;
  violate(found, sentence, gap?.transmission, late.transmission, delivery);
}

/**
 * CAUSAL: what its sender had sent or delivered (causal and total) before sending m is delivered before m. A hole in
 * the past is as wrong as a past that comes later: what depends on a lost multicast must be lost with it.
 */
export function causal(history: History): Finding {
  const found = finding('CAUSAL');
  const pasts = new Array<Int32Array | undefined>(history.multicasts.length);
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      for (const stay of view.stays) recordPasts(stay, pasts);
      for (const stay of view.stays) {
        if (!stay.covered && !stay.patched) checkPasts(found, stay, pasts);
      }
    }
  }
  return found;
}

/** The multicast's place in its sender's causal stream of this view, 0 if it has none. */
function causeIn(view: View, multicast: Multicast): number {
  return multicast.cause > 0 && multicast.stay?.view === view ? multicast.cause : 0;
}

/** Walks through what a member sent and delivered in a view and keeps its clock as of each multicast sent. */
function recordPasts(stay: Stay, pasts: (Int32Array | undefined)[]): void {
  if (stay.sends.length === 0) return;
  const clock = new Int32Array(stay.view.members.length);
  let copy: Int32Array | null = null;
  let i = 0;
  for (const multicast of stay.sends) {
    for (; i < multicast.seen; i++) {
      const delivered = stay.delivered[i]!;
      const cause = causeIn(stay.view, delivered);
      const rank = delivered.stay?.rank ?? 0;
      if (cause > clock[rank]!) {
        clock[rank] = cause;
        copy = null;
      }
    }
    if (multicast.stay === stay && isCausal(multicast.order)) pasts[multicast.index] = copy ??= clock.slice();
  }
}

function checkPasts(found: Finding, stay: Stay, pasts: readonly (Int32Array | undefined)[]): void {
  if (stay.delivered.length === 0) return;
  const got = new Int32Array(stay.view.members.length);
  for (let i = 0; i < stay.delivered.length; i++) {
    const multicast = stay.delivered[i]!;
    const cause = causeIn(stay.view, multicast);
    if (cause === 0) continue;
    const own = multicast.stay?.rank ?? 0;
    const past = pasts[multicast.index];
    let has = cause > 1;
    let hole = got[own]! < cause - 1 ? own : -1;
    for (let rank = 0; past !== undefined && rank < past.length; rank++) {
      if (past[rank] === 0 || rank === own) continue;
      has = true;
      if (got[rank]! < past[rank]!) hole = rank;
    }
    if (has) found.held += 1;
    if (hole >= 0) tellHole(found, stay, i, hole, got[hole]! + 1);
    if (cause > got[own]!) got[own] = cause;
  }
}

function tellHole(found: Finding, stay: Stay, i: number, rank: number, cause: number): void {
  if (omits(found)) return;
  const delivery = stay.deliveries[i]!;
  const sender = stay.view.stays.find((other) => other.rank === rank);
  const missing = sender?.transmitted.find((multicast) => multicast.cause === cause);
  const later = missing === undefined ? -1 : stay.delivered.indexOf(missing);
  const what = missing?.id ?? `a multicast of ${stay.view.members[rank] ?? 'another'}`;
  const sentence = `${processOf(stay).id} delivers ${delivery.id} ${later < 0 ? 'without' : 'before'} ${what}`;
  const { send } = stay.delivered[i]!;
  violate(found, `${sentence}, which its sender had before it`, missing?.send, send, delivery, stay.deliveries[later]);
}

/**
 * BARRIER: those who go on together have delivered the same set before each barrier multicast, and after it; at everybody
 * barriers are the last of their view.
 */
export function barrier(history: History): Finding {
  const found = finding('BARRIER');
  const segments = new Int32Array(history.multicasts.length);
  const marks = new Int32Array(history.multicasts.length);
  let turn = 0;
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      for (const stay of view.stays) checkEnd(found, stay);
      for (const [first, ...others] of view.together) {
        turn += 1;
        const barriers = markSegments(first!, segments, marks, turn);
        for (const other of others) {
          found.held += barriers;
          const i = wrongSegment(other, segments, marks, turn);
          if (i < 0) continue;
          const here = other.deliveries[i]!;
          const there = first!.deliveries[first!.delivered.indexOf(other.delivered[i]!)];
          violate(
            found,
            `${here.p} and ${processOf(first!).id} deliver ${here.id} on two sides of a barrier`,
            here,
            there,
          );
        }
      }
    }
  }
  return found;
}

/** After a barrier nothing but barriers. */
function checkEnd(found: Finding, stay: Stay): void {
  const first = stay.delivered.findIndex(({ order }) => order === 'barrier');
  if (first < 0) return;
  found.held += 1;
  const late = stay.delivered.findIndex(({ order }, i) => i > first && order !== 'barrier');
  if (late < 0) return;
  const [one, other] = [stay.deliveries[first]!, stay.deliveries[late]!];
  violate(
    found,
    `${other.p} delivers ${other.id} after the barrier ${one.id} that ends view ${stay.view.id}`,
    one,
    other,
  );
}

/** Numbers the stretches between barriers; how many barriers there are. */
function markSegments(stay: Stay, segments: Int32Array, marks: Int32Array, turn: number): number {
  let segment = 0;
  for (const multicast of stay.delivered) {
    if (multicast.order === 'barrier') segment += 1;
    segments[multicast.index] = segment;
    marks[multicast.index] = turn;
  }
  return segment;
}

/** The first delivery that is in another stretch than marked, -1 if there is none. */
function wrongSegment(stay: Stay, segments: Int32Array, marks: Int32Array, turn: number): number {
  let segment = 0;
  for (let i = 0; i < stay.delivered.length; i++) {
    const multicast = stay.delivered[i]!;
    if (multicast.order === 'barrier') segment += 1;
    if (marks[multicast.index] === turn && segments[multicast.index] !== segment) return i;
  }
  return -1;
}
