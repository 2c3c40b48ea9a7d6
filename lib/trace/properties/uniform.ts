/**
 * UNIFORM (Safe Indication of Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001): what anybody has delivered as
 * uniform in v, even if it then died, everybody has who goes on to a primary view or is correct.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History, Multicast, Of, Stay, View } from '../history.js';
import { processOf } from '../history.js';

/** Marks over all multicasts of a history, cleared by counting up a turn. */
interface Marks {
  readonly wanted: Int32Array;
  readonly seen: Int32Array;
  turn: number;
}

/** UNIFORM, see the head of this file. */
export function uniform(history: History): Finding {
  const found = finding('UNIFORM');
  const size = history.multicasts.length;
  const marks: Marks = { wanted: new Int32Array(size), seen: new Int32Array(size), turn: 0 };
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) checkView(found, history, view, marks);
  }
  return found;
}

function checkView(found: Finding, history: History, view: View, marks: Marks): void {
  const base = ++marks.turn;
  const wanted = deliveredUniform(view, marks.wanted, base);
  if (wanted.length === 0) return;
  const bound = view.stays.filter(mustHaveAll);
  if (bound.length > 0) found.held += wanted.length;
  for (const stay of bound) {
    const turn = ++marks.turn;
    let had = 0;
    for (const { index } of stay.delivered) {
      if (marks.wanted[index] === base && marks.seen[index] !== turn) had += 1;
      marks.seen[index] = turn;
    }
    if (had === wanted.length) continue;
    const missing = wanted.find(({ multicast }) => marks.seen[multicast.index] !== turn)!;
    tell(found, processOf(stay).id, missing.delivery, stay.next?.record ?? stay.record);
  }
  for (const member of view.members) {
    const past = stayAcross(history, view, member);
    if (past !== null) tell(found, member, wanted[0]!.delivery, past.next?.record ?? past.record);
  }
}

/** A uniform multicast and one delivery of it. */
interface Wanted {
  readonly multicast: Multicast;
  readonly delivery: Of<'deliver'>;
}

/** The uniform multicasts that anybody delivered in the view. */
function deliveredUniform(view: View, marks: Int32Array, turn: number): Wanted[] {
  const wanted: Wanted[] = [];
  for (const stay of view.stays) {
    for (let i = 0; i < stay.delivered.length; i++) {
      const multicast = stay.delivered[i]!;
      if (!multicast.uniform || marks[multicast.index] === turn) continue;
      marks[multicast.index] = turn;
      wanted.push({ multicast, delivery: stay.deliveries[i]! });
    }
  }
  return wanted;
}

function mustHaveAll(stay: Stay): boolean {
  if (stay.until === null || stay.covered || stay.patched) return false;
  return stay.until === 'end' || stay.next?.record.primary === true;
}

/** The stay from which a member went past a view that it should have installed and did not, null if it did not. */
function stayAcross(history: History, view: View, member: string): Stay | null {
  const track = history.processes.get(member)?.tracks.get(view.lineage.group.name);
  if (track === undefined || view.stays.some((stay) => processOf(stay) === track.process)) return null;
  for (const { stays } of track.lives) {
    for (const stay of stays) {
      if (stay.view.lineage !== view.lineage || stay.view.k >= view.k || stay.covered) continue;
      if (stay.until === 'end') return stay;
      if (stay.next !== null && stay.next.view.k > view.k && stay.next.record.primary) return stay;
    }
  }
  return null;
}

function tell(found: Finding, lacks: string, delivery: Of<'deliver'>, end: Of<'view'>): void {
  const sentence = `${delivery.p} has delivered uniform ${delivery.id} in view ${delivery.v}, and ${lacks} goes on without`;
  violate(found, sentence, delivery, end);
}
