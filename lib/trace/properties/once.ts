/**
 * ONCE: a request takes effect once, however often it is sent. A delivery that is marked as repeated has none.
 *
 * Once along every line of states: a member that joins is given a state, and what its donor had applied before counts as
 * applied by it. If all who had a state are gone the group is founded anew, and so is the line.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { Group, History, Life, Of, Serving } from '../history.js';
import { domainGroup } from '../history.js';
import type { Origins } from '../origins.js';
import { createOrigins, isInState, originsOf } from '../origins.js';

/**
 * ONCE: a request is applied at most once by a member and those from whom it has its state; all agree which delivery is a
 * repetition; one that ended well was applied, and if it was uniform, as all are that come through a contact, it is in the
 * state of every correct member.
 */
export function once(history: History): Finding {
  const found = finding('ONCE');
  const origins = createOrigins(history);
  // a member's own question is a multicast with an id of its own
  const foreign = new Set(history.asks.filter(({ id }) => id === null).map(({ g, r }) => `${g} ${r}`));
  for (const group of history.groups.values()) {
    for (const [request, servings] of group.requests) {
      found.held += servings.length;
      checkAgreement(found, servings);
      checkApplications(found, origins, request, servings);
    }
  }
  for (const { record } of history.asked) {
    const group = history.groups.get(record.g);
    if (group === undefined || record.outcome !== 'ok') continue;
    checkOutcome(found, origins, group, record, foreign.has(`${record.g} ${record.r}`));
  }
  return found;
}

function checkAgreement(found: Finding, servings: readonly Serving[]): void {
  const first = new Map<string, Serving>();
  for (const serving of servings) {
    const { record } = serving;
    const other = first.get(record.id);
    if (other === undefined) first.set(record.id, serving);
    else if (isApplied(other) !== isApplied(serving)) {
      const sentence = `${other.record.p} and ${record.p} do not agree whether ${record.id} repeats request ${record.r ?? ''}`;
      violate(found, sentence, other.record, record);
    }
  }
}

function isApplied({ record }: Serving): boolean {
  return record.repeated !== true;
}

function checkApplications(found: Finding, origins: Origins, request: string, servings: readonly Serving[]): void {
  const applied = new Map<Life, Serving>();
  for (const serving of servings) {
    const { life } = serving.stay;
    if (!isApplied(serving)) continue;
    const before = applied.get(life);
    if (before === undefined) applied.set(life, serving);
    else violate(found, `${serving.record.p} applies request ${request} twice`, before.record, serving.record);
  }
  for (const [life, { record }] of applied) {
    for (const origin of originsOf(origins, life)) {
      const before = applied.get(origin.life);
      if (before === undefined || before.stay.view.k >= origin.before) continue;
      violate(found, `${record.p} applies request ${request}, which its state contains`, before.record, record);
      break;
    }
  }
}

function checkOutcome(found: Finding, origins: Origins, group: Group, asked: Of<'asked'>, isForeign: boolean): void {
  const applied = (group.requests.get(asked.r) ?? []).filter(isApplied);
  found.held += 1;
  if (applied.length === 0) {
    if (isTraced(origins.history, group)) violate(found, `request ${asked.r} ended well and was not applied`, asked);
    return;
  }
  if (!isForeign && !applied.some(({ record }) => record.u)) return;
  for (const process of origins.history.processes.values()) {
    const life = process.tracks.get(group.name)?.life ?? null;
    if (life?.stays.at(-1)?.until !== 'end' || has(origins, life, applied)) continue;
    const sentence = `request ${asked.r} ended well, and the state of ${process.id} lacks it`;
    violate(found, sentence, applied[0]!.record, asked, life.stays.at(-1)?.record);
  }
}

/** Whether a member has applied it, or has a state that contains it; or may have, for all that is known. */
function has(origins: Origins, life: Life, applied: readonly Serving[]): boolean {
  if (applied.some((serving) => serving.stay.life === life || isInState(origins, life, serving))) return true;
  const oldest = originsOf(origins, life).at(-1)?.life ?? life;
  const donorsAreKnown = oldest.statesIn.length === 0;
  const start = oldest.stays.find(({ covered }) => !covered)?.view;
  if (!donorsAreKnown || start === undefined) return true;
  // the group was founded after that, by somebody without a state or in another domain
  return applied.every(({ stay: { view } }) => view.lineage !== start.lineage || view.k < start.k);
}

/** Whether there are traces of all members that a group had. */
function isTraced(history: History, group: Group): boolean {
  if (group.name === domainGroup) return false;
  for (const lineage of group.lineages.values()) {
    for (const { members } of lineage.views.values()) {
      if (members.some((member) => !history.processes.has(member))) return false;
    }
  }
  return true;
}
