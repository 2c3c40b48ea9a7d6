/**
 * Which multicasts are delivered, and in which view. No Duplication, Delivery Integrity (NO-CREATE), Sending View
 * Delivery, Virtual Synchrony and Self Delivery of Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001.
 */
import type { Finding } from '../finding.js';
import { finding, omits, violate } from '../finding.js';
import type { History, Multicast, Of, Stay } from '../history.js';
import { processOf } from '../history.js';

/** NO-DUP: an id is delivered at most once per incarnation, sent once and transmitted once. */
export function noDuplication(history: History): Finding {
  const found = finding('NO-DUP');
  for (const { record, other } of history.repeatedSends) violate(found, 'a multicast is sent twice', other, record);
  const seen = new Int32Array(history.multicasts.length);
  let turn = 0;
  for (const process of history.processes.values()) {
    for (const track of process.tracks.values()) {
      turn += 1;
      for (const life of track.lives) for (const stay of life.stays) markDelivered(found, stay, seen, turn);
    }
  }
  return found;
}

function markDelivered(found: Finding, stay: Stay, seen: Int32Array, turn: number): void {
  const { delivered } = stay;
  found.held += delivered.length;
  for (let i = 0; i < delivered.length; i++) {
    const multicast = delivered[i]!;
    if (seen[multicast.index] === turn && !omits(found)) {
      const earlier = earlierDelivery(stay, multicast, i);
      violate(found, `${processOf(stay).id} delivers ${multicast.id} twice`, earlier, stay.deliveries[i]);
    }
    seen[multicast.index] = turn;
  }
}

function earlierDelivery(stay: Stay, multicast: Multicast, before: number): Of<'deliver'> | undefined {
  const here = stay.delivered.lastIndexOf(multicast, before - 1);
  if (here >= 0 && before > 0) return stay.deliveries[here];
  const { lives } = stay.life.track;
  for (const other of lives.flatMap((life) => life.stays)) {
    const there = other === stay ? -1 : other.delivered.indexOf(multicast);
    if (there >= 0) return other.deliveries[there];
  }
  return undefined;
}

/** NO-CREATE: only what was sent is delivered, as it was sent, after it was sent, and if its sender is in the view. */
export function noCreation(history: History): Finding {
  const found = finding('NO-CREATE');
  for (const { record, other } of history.unfounded) {
    violate(found, `${record.p} transmits what it has not sent`, other, record);
  }
  for (const stay of history.stays) {
    found.held += stay.deliveries.length;
    for (let i = 0; i < stay.deliveries.length; i++) {
      const multicast = stay.delivered[i]!;
      const delivery = stay.deliveries[i]!;
      const wrong = whatIsWrong(history, stay, multicast, delivery);
      if (wrong !== null) violate(found, `${delivery.p} delivers ${delivery.id}, ${wrong}`, multicast.send, delivery);
    }
  }
  return found;
}

function whatIsWrong(history: History, stay: Stay, multicast: Multicast, delivery: Of<'deliver'>): string | null {
  const { send } = multicast;
  if (!stay.view.ranks.has(multicast.sender)) return `whose sender is not in view ${stay.view.id}`;
  if (send === null) return history.processes.has(multicast.sender) ? 'which nobody has sent' : null;
  if (send.h !== delivery.h) return 'but something else was sent';
  if (send.r !== delivery.r) return 'but it was sent as another request, or as none';
  if (send.o !== delivery.o || send.u !== delivery.u) return 'but it was sent in another class';
  if (multicast.own === stay && multicast.sender === delivery.p && multicast.ownAt < multicast.sendAt) {
    return 'which it had not sent yet';
  }
  return null;
}

/**
 * SENDING-VIEW: a multicast is delivered in the view it was transmitted in, while the process is in it; nothing is
 * transmitted in another view than the current one, and nothing between `blocked` and the next view.
 */
export function sendingView(history: History): Finding {
  const found = finding('SENDING-VIEW');
  for (const record of history.strays) {
    violate(found, `${record.p} delivers ${record.id} in view ${record.v}, which it never installed`, record);
  }
  for (const stay of history.stays) {
    for (const record of stay.late) {
      violate(found, `${record.p} delivers ${record.id} after it has gone on from view ${record.v}`, record);
    }
    checkDeliveredWhereSent(found, stay);
  }
  for (const multicast of history.multicasts) {
    if (multicast.transmission !== null) checkTransmission(found, multicast);
  }
  return found;
}

function checkDeliveredWhereSent(found: Finding, stay: Stay): void {
  found.held += stay.delivered.length;
  for (let i = 0; i < stay.delivered.length; i++) {
    const { transmission, stay: sentIn, send } = stay.delivered[i]!;
    const delivery = stay.deliveries[i]!;
    if (transmission === null) {
      if (send !== null) violate(found, `${delivery.p} delivers ${delivery.id}, never transmitted`, send, delivery);
    } else if (transmission.v !== delivery.v || (sentIn !== null && sentIn.view !== stay.view)) {
      const views = `in view ${delivery.v}, transmitted in view ${transmission.v ?? 'none'}`;
      violate(found, `${delivery.p} delivers ${delivery.id} ${views}`, transmission, delivery);
    }
  }
}

function checkTransmission(found: Finding, multicast: Multicast): void {
  const { transmission, current, blocked, id, sender } = multicast;
  found.held += 1;
  if (blocked !== null) violate(found, `${sender} transmits ${id} while blocked`, blocked, transmission);
  // a joiner multicasts while it waits for its state, and its views are told after that
  const waited = multicast.ahead && multicast.group.replicated;
  if (!waited && (current === null || current !== multicast.stay)) {
    violate(found, `${sender} transmits ${id} in a view that is not its current one`, current?.record, transmission);
  }
}

/** VSYNC: if p and q both go from v to v', they have delivered the same set in v. The quiet end counts as a next view. */
export function virtualSynchrony(history: History): Finding {
  const found = finding('VSYNC');
  const inFirst = new Int32Array(history.multicasts.length);
  const inOther = new Int32Array(history.multicasts.length);
  let turn = 0;
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      for (const [first, ...others] of view.together) {
        const base = ++turn;
        const size = mark(first!, inFirst, base);
        for (const other of others) {
          found.held += 1;
          compareSets(found, first!, other, { inFirst, base, inOther, turn: ++turn, size });
        }
      }
    }
  }
  return found;
}

interface Marks {
  readonly inFirst: Int32Array;
  readonly base: number;
  readonly inOther: Int32Array;
  readonly turn: number;
  readonly size: number;
}

/** Marks what a stay delivered; how many multicasts that is. */
function mark(stay: Stay, marks: Int32Array, turn: number): number {
  let size = 0;
  for (const { index } of stay.delivered) {
    if (marks[index] !== turn) size += 1;
    marks[index] = turn;
  }
  return size;
}

function compareSets(found: Finding, first: Stay, other: Stay, marks: Marks): void {
  const extra = other.delivered.findIndex(({ index }) => marks.inFirst[index] !== marks.base);
  if (extra >= 0) return tellDifference(found, other, extra, first);
  if (mark(other, marks.inOther, marks.turn) === marks.size) return;
  const missing = first.delivered.findIndex(({ index }) => marks.inOther[index] !== marks.turn);
  tellDifference(found, first, missing, other);
}

function tellDifference(found: Finding, has: Stay, i: number, lacks: Stay): void {
  const to = has.next === null ? 'and stay to the end' : `and go on to view ${has.next.view.id}`;
  const both = `${processOf(has).id} and ${processOf(lacks).id} are in view ${has.view.id} of ${has.record.g} ${to}`;
  const sentence = `${both}, but only ${processOf(has).id} delivers ${has.delivered[i]!.id}`;
  violate(found, sentence, has.deliveries[i], has.next?.record, lacks.next?.record);
}

/** SELF-DEL: who goes on from v has delivered all it transmitted in v. */
export function selfDelivery(history: History): Finding {
  const found = finding('SELF-DEL');
  for (const stay of history.stays) {
    if (stay.next === null || stay.until === null || stay.covered || stay.patched) continue;
    found.held += stay.transmitted.length;
    for (const multicast of stay.transmitted) {
      if (multicast.own === stay) continue;
      const sentence = `${multicast.sender} goes on from view ${stay.view.id} without having delivered its own`;
      violate(found, `${sentence} ${multicast.id}`, multicast.transmission, stay.next.record);
    }
  }
  return found;
}
