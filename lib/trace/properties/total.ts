/**
 * The total order: Strong Total Order among those who go on, uniform agreement on positions for uniform multicasts
 * (Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001).
 *
 * A plain total multicast that a process delivers and then dies may stand elsewhere in the survivors' order, or
 * nowhere: virtual synchrony allows it. That is told as a contamination and is no violation.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History, Lineage, Multicast, Of, Stay, View } from '../history.js';
import { isTotal, processOf } from '../history.js';

/** A plain total multicast that a process that did not go on delivered in another place than the others. */
export interface Contamination {
  readonly process: string;
  readonly group: string;
  readonly view: string;
  readonly id: string;
  readonly position: number;
  /** What the others have in this position, null if they have this multicast in another one. */
  readonly instead: string | null;
  readonly events: readonly Of<'deliver'>[];
}

/** What an unknown position is counted as. */
const unknown = -1;

/**
 * TOTAL: those who go on together have the same sequence of total multicasts; positions are consecutive at each
 * process, carried on across views and from the members to a joiner, and time does not go back from one to the next.
 */
export function total(history: History): Finding {
  const found = finding('TOTAL');
  const ends = new Int32Array(history.stays.length).fill(unknown);
  const times = new Float64Array(history.stays.length);
  for (const lineage of history.lineages) {
    for (const epoch of lineage.epochs) {
      for (const view of epoch) {
        const base = baseOf(found, lineage, view, ends);
        for (const stay of view.stays) {
          ends[stay.index] = stay.covered ? unknown : countOn(found, stay, base, ends);
          checkTimes(found, stay, times);
        }
        for (const [first, ...others] of view.together) {
          for (const other of others) compareSequences(found, first!, other);
        }
      }
    }
  }
  return found;
}

/** The position that the group has reached when it installs a view. */
function baseOf(found: Finding, lineage: Lineage, view: View, ends: Int32Array): number {
  let first: Stay | null = null;
  for (const stay of view.stays) {
    const { previous } = stay;
    if (previous === null || !isComplete(previous) || ends[previous.index] === unknown) continue;
    first ??= stay;
    if (ends[first.previous!.index] !== ends[previous.index]) {
      const [one, other] = [ends[first.previous!.index]!, ends[previous.index]!];
      const sentence = `view ${view.id} of ${lineage.group.name} begins after position ${one} and after ${other}`;
      violate(found, sentence, first.record, stay.record);
    }
  }
  if (first !== null) return ends[first.previous!.index]!;
  const founders = view.stays.every((stay) => stay.previous === null && stay.record.prev === null);
  const isFirst = lineage.epochs[0]?.[0] === view && founders && view.stays.length === view.members.length;
  return isFirst ? 0 : unknown;
}

/** Whether the traces show all that the member delivered before it went on. */
function isComplete(stay: Stay): boolean {
  return stay.until !== null && !stay.covered && !stay.patched;
}

/** Checks that a stay's positions go on from where the group is; the last of them. */
function countOn(found: Finding, stay: Stay, base: number, ends: Int32Array): number {
  const inherited = stay.previous === null ? unknown : ends[stay.previous.index]!;
  let last = inherited === unknown ? base : inherited;
  let before: Of<'deliver'> | Of<'view'> = stay.record;
  for (let i = 0; i < stay.delivered.length; i++) {
    const delivery = stay.deliveries[i]!;
    if (!isTotal(stay.delivered[i]!.order)) continue;
    if (delivery.pos === undefined) {
      violate(found, `${delivery.p} delivers ${delivery.id} without a position`, delivery);
      continue;
    }
    found.held += 1;
    const follows = last === unknown || delivery.pos === last + 1 || (stay.patched && delivery.pos > last);
    if (!follows) {
      const sentence = `${delivery.p} delivers ${delivery.id} at position ${delivery.pos} after position ${last}`;
      violate(found, sentence, before, delivery);
    }
    last = delivery.pos;
    before = delivery;
  }
  return last;
}

/** Checks that a stay's times do not go back, from wherever the member was before. */
function checkTimes(found: Finding, stay: Stay, times: Float64Array): void {
  let last = stay.previous === null ? 0 : times[stay.previous.index]!;
  for (const delivery of stay.deliveries) {
    if (delivery.pos === undefined || delivery.time === undefined) continue;
    if (delivery.time < last) {
      violate(found, `${delivery.p} delivers ${delivery.id} at time ${delivery.time} after ${last}`, delivery);
    }
    last = delivery.time;
  }
  times[stay.index] = last;
}

function compareSequences(found: Finding, first: Stay, other: Stay): void {
  let i = nextTotal(first, 0);
  let j = nextTotal(other, 0);
  while (i < first.delivered.length && j < other.delivered.length) {
    found.held += 1;
    if (first.delivered[i] !== other.delivered[j]) break;
    i = nextTotal(first, i + 1);
    j = nextTotal(other, j + 1);
  }
  const [one, two] = [first.deliveries[i], other.deliveries[j]];
  if (one === undefined && two === undefined) return;
  const [p, q] = [processOf(first).id, processOf(other).id];
  const where = `in view ${first.view.id} of ${first.record.g}`;
  const sentence = `${p} delivers ${one?.id ?? 'no more'} where ${q} delivers ${two?.id ?? 'no more'} ${where}`;
  violate(found, sentence, one, two);
}

function nextTotal(stay: Stay, from: number): number {
  let i = from;
  while (i < stay.delivered.length && !isTotal(stay.delivered[i]!.order)) i++;
  return i;
}

/** TOTAL-POS and the contaminations that it excuses. */
export interface Positions {
  readonly found: Finding;
  readonly contaminated: Contamination[];
}

/** Who stands where, within one epoch of a group. */
interface Table {
  readonly byPosition: Map<number, Of<'deliver'>>;
  readonly byMulticast: Map<Multicast, Of<'deliver'>>;
}

/**
 * TOTAL-POS: position -> multicast is a function, one to one, over those who go on; for uniform multicasts over
 * everybody, the dead included. And so is position -> time, over those who go on.
 */
export function totalPositions(history: History): Positions {
  const positions: Positions = { found: finding('TOTAL-POS'), contaminated: [] };
  for (const lineage of history.lineages) {
    for (const epoch of lineage.epochs) {
      const agreed = emptyTable();
      const others = emptyTable();
      const stays = epoch.flatMap((view) => view.stays.filter((stay) => !stay.covered && stay.deliveries.length > 0));
      for (const stay of stays) if (stay.until !== null) eachTotal(stay, (m, d) => agree(positions, agreed, m, d));
      const rest = stays.filter((stay) => stay.until === null);
      for (const stay of rest) eachTotal(stay, (m, d) => compareUniform(positions, agreed, others, m, d));
      for (const stay of rest) eachTotal(stay, (m, d) => comparePlain(positions, agreed, others, m, d));
    }
  }
  return positions;
}

function emptyTable(): Table {
  return { byPosition: new Map(), byMulticast: new Map() };
}

function eachTotal(stay: Stay, visit: (multicast: Multicast, delivery: Of<'deliver'>) => void): void {
  for (let i = 0; i < stay.delivered.length; i++) {
    const multicast = stay.delivered[i]!;
    const delivery = stay.deliveries[i]!;
    if (delivery.pos !== undefined && isTotal(multicast.order)) visit(multicast, delivery);
  }
}

/** The delivery that says otherwise: another multicast in this position, or this multicast in another one. */
function clash(table: Table, multicast: Multicast, delivery: Of<'deliver'>): Of<'deliver'> | null {
  const there = table.byPosition.get(delivery.pos ?? 0);
  if (there !== undefined && there.id !== delivery.id) return there;
  const elsewhere = table.byMulticast.get(multicast);
  return elsewhere !== undefined && elsewhere.pos !== delivery.pos ? elsewhere : null;
}

/** The delivery in the same position that tells another time. */
function disagree(table: Table, { pos, time }: Of<'deliver'>): Of<'deliver'> | null {
  const there = table.byPosition.get(pos ?? 0);
  return time === undefined || there?.time === undefined || there.time === time ? null : there;
}

function enter(table: Table, multicast: Multicast, delivery: Of<'deliver'>): void {
  if (!table.byMulticast.has(multicast)) table.byMulticast.set(multicast, delivery);
  if (!table.byPosition.has(delivery.pos ?? 0)) table.byPosition.set(delivery.pos ?? 0, delivery);
}

function agree({ found }: Positions, agreed: Table, multicast: Multicast, delivery: Of<'deliver'>): void {
  found.held += 1;
  const other = clash(agreed, multicast, delivery);
  if (other === null) enter(agreed, multicast, delivery);
  else violate(found, tell(delivery, other), other, delivery);
  tellTimes(found, delivery, disagree(agreed, delivery));
}

function tellTimes(found: Finding, delivery: Of<'deliver'>, other: Of<'deliver'> | null): void {
  if (other === null) return;
  const where = `position ${delivery.pos ?? 0} of ${delivery.g}`;
  const sentence = `${delivery.p} has time ${delivery.time ?? 0} at ${where}, ${other.p} has ${other.time ?? 0}`;
  violate(found, sentence, other, delivery);
}

/** A uniform delivery by somebody who did not go on: it binds those who did and all others of its kind. */
function compareUniform(
  { found }: Positions,
  agreed: Table,
  others: Table,
  multicast: Multicast,
  delivery: Of<'deliver'>,
): void {
  if (!multicast.uniform) return;
  found.held += 1;
  const other = clash(agreed, multicast, delivery) ?? clash(others, multicast, delivery);
  if (other === null) enter(others, multicast, delivery);
  else violate(found, tell(delivery, other), other, delivery);
}

/** A plain delivery by somebody who did not go on: it may differ, and is told if it does. */
function comparePlain(
  positions: Positions,
  agreed: Table,
  others: Table,
  multicast: Multicast,
  delivery: Of<'deliver'>,
): void {
  if (multicast.uniform) return;
  const other = clash(agreed, multicast, delivery) ?? clash(others, multicast, delivery);
  if (other === null) enter(others, multicast, delivery);
  else contaminate(positions, delivery, other);
}

function contaminate({ contaminated }: Positions, delivery: Of<'deliver'>, other: Of<'deliver'>): void {
  contaminated.push({
    process: delivery.p,
    group: delivery.g,
    view: delivery.v,
    id: delivery.id,
    position: delivery.pos ?? 0,
    instead: other.pos === delivery.pos ? other.id : null,
    events: [delivery, other],
  });
}

function tell(delivery: Of<'deliver'>, other: Of<'deliver'>): string {
  const here = `${delivery.p} has ${delivery.id} at position ${delivery.pos ?? 0} of ${delivery.g}`;
  return `${here}, ${other.p} has ${other.id} at ${other.pos ?? 0}`;
}
