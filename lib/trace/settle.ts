/**
 * What only the end of a history can tell: who is correct, who goes on from which view, for which deliveries a state
 * stands, where positions start anew, and the places of multicasts in their senders' streams.
 */
import type { Comeback, History, Life, Lineage, Stay, View } from './history.js';
import { classesMax, classOf, domainGroup, isCausal } from './history.js';

/** Completes a gathered history. */
export function settle(history: History): void {
  for (const process of history.processes.values()) {
    process.correct = history.quiesced && process.ended === null && history.alive.has(process.id);
    for (const track of process.tracks.values()) {
      const replicated = track.group.replicated && track.group.name !== domainGroup;
      for (const life of track.lives) {
        placeAhead(life);
        if (replicated) coverByState(life);
        for (const stay of life.stays) stay.until = untilOf(stay);
      }
    }
  }
  for (const comeback of history.comebacks) {
    if (!isBack(comeback)) history.afterEnd.push({ record: comeback.record, other: comeback.over.ended });
  }
  for (const stay of history.stays) numberTransmitted(stay);
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) view.together = togetherIn(view);
    lineage.epochs = epochsOf(lineage);
  }
}

/** What was transmitted before the views were traced belongs to the stays that are known now. */
function placeAhead(life: Life): void {
  for (const multicast of life.ahead) {
    multicast.stay = life.byView.get(multicast.transmission?.v ?? '') ?? null;
    multicast.stay?.transmitted.push(multicast);
  }
}

/** Whether the view of a transmission names the process as a member after the end of its former membership. */
function isBack({ record, over }: Comeback): boolean {
  const { group } = over.track;
  const last = over.stays.at(-1)?.view;
  for (const lineage of group.replicated ? group.lineages.values() : []) {
    const view = lineage.views.get(record.v ?? '');
    if (view?.ranks.has(record.p) !== true) continue;
    if (last?.lineage !== lineage || last.k < view.k) return true;
  }
  return false;
}

/** Marks the stays whose deliveries are, all or in part, in a state that the member received or still waits for. */
function coverByState(life: Life): void {
  if (life.statesIn.length === 0) return coverWhileWaiting(life);
  const joins = life.stays[0] !== undefined && joinsOthers(life.stays[0]);
  for (const [i, state] of life.statesIn.entries()) {
    const to = life.stays.findIndex((stay) => stay.view.id === state.record.v);
    if (to < 0) continue;
    const from = state.after === null ? -1 : life.stays.indexOf(state.after);
    // a joiner's first state comes before its deliveries, though the actor may trace it after them
    if (from < 0 || (i === 0 && joins)) {
      for (const stay of life.stays.slice(0, to)) stay.covered = true;
    } else {
      for (const stay of life.stays.slice(from, Math.max(to, from + 1))) stay.patched = true;
    }
  }
}

/** A joiner without state delivers nothing, unless everybody who had the state is gone and it founds the group anew. */
function coverWhileWaiting(life: Life): void {
  const first = life.stays[0];
  if (first === undefined || !joinsOthers(first)) return;
  for (const stay of life.stays) {
    if (stay.delivered.length > 0 || stay.hashes.length > 0 || stay.view.members[0] === life.track.process.id) return;
    stay.covered = true;
  }
}

/** Whether others in a member's first view were there before. */
function joinsOthers(first: Stay): boolean {
  return first.view.stays.some((stay) => stay.previous !== null);
}

function untilOf(stay: Stay): Stay['until'] {
  const { life, next } = stay;
  const stays = life.track.process.correct && life.ended === null && life.track.life === life;
  if (next === null) return stays ? 'end' : null;
  // while a member waits for its state, deliveries follow views at a distance, and may not have come to an end here
  const state = life.statesIn.at(-1);
  const waited = state !== undefined && state.at > next.at;
  const done = !waited || stays || (life.deliveredLast !== null && life.deliveredLast.at >= next.at);
  return done ? next.view : null;
}

/** Puts what a stay transmitted into the order of sending and numbers it by class and by causality. */
function numberTransmitted(stay: Stay): void {
  const { transmitted } = stay;
  if (transmitted.length === 0) return;
  if (transmitted.some((multicast, i) => i > 0 && multicast.sendAt < transmitted[i - 1]!.sendAt)) {
    transmitted.sort((a, b) => a.sendAt - b.sendAt);
  }
  const places = new Array<number>(classesMax).fill(0);
  let cause = 0;
  for (const multicast of transmitted) {
    const kind = classOf(multicast);
    multicast.place = places[kind]!++;
    if (isCausal(multicast.order)) multicast.cause = ++cause;
  }
}

function togetherIn(view: View): Stay[][] {
  if (view.lineage.group.name === domainGroup) return [];
  const byNext = new Map<View | 'end', Stay[]>();
  for (const stay of view.stays) {
    if (stay.until === null || stay.covered || stay.patched) continue;
    const others = byNext.get(stay.until);
    if (others === undefined) byNext.set(stay.until, [stay]);
    else others.push(stay);
  }
  return [...byNext.values()].filter((stays) => stays.length > 1);
}

/** Cuts a lineage where no member that had the group's state came over from the view before. */
function epochsOf(lineage: Lineage): View[][] {
  const views = [...lineage.views.values()].sort((a, b) => a.k - b.k);
  const epochs: View[][] = [];
  let before: View | null = null;
  for (const view of views) {
    if (before !== null && isCarried(before, view)) epochs.at(-1)!.push(view);
    else epochs.push([view]);
    before = view;
  }
  return epochs;
}

function isCarried(before: View, view: View): boolean {
  if (view.stays.some((stay) => stay.previous !== null && !stay.previous.covered)) return true;
  // a member whose install is not in the traces may have carried the group on, unless it is known to be new
  const fresh = new Set(view.stays.flatMap((stay) => [stay.life.track.process.id, ...stay.record.joined]));
  return view.members.some((member) => before.ranks.has(member) && !fresh.has(member));
}
