/**
 * FIFO and Reliable FIFO (no gap) of Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001, and Isis' GBCAST. Causality has a
 * file of its own.
 */
import type { Finding } from '../finding.js';
import { finding, omits, violate } from '../finding.js';
import type { History, Multicast, Of, Stay } from '../history.js';
import { classesMax, classOf, processOf } from '../history.js';

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
