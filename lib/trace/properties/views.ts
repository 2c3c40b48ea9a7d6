/**
 * Views: who is in them, that they are agreed, and that at most one chain of them is primary. The first three are
 * Self Inclusion, Local Monotonicity and the agreement on membership of Chockler, Keidar, Vitenberg, ACM CSUR 33(4),
 * 2001; the primary ones are their Primary Component Membership, for the states of the domain.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History, Lineage, View } from '../history.js';
import { domainGroup, nodeName, processOf } from '../history.js';

/** SELF-INCL: a view names its holder; no member twice; never two incarnations of one node. */
export function selfInclusion(history: History): Finding {
  const found = finding('SELF-INCL');
  for (const { record } of history.stays) {
    found.held += 1;
    if (!record.m.includes(record.p)) violate(found, `${record.p} is in a view that does not name it`, record);
    const names = new Set<string>();
    for (const member of record.m) {
      const name = nodeName(member);
      if (names.has(name)) violate(found, `${name} is twice in view ${record.v} of ${record.g}`, record);
      names.add(name);
    }
  }
  return found;
}

/** VIEW-MONO: view ids rise at each process, within one founding of the domain. */
export function viewMonotonicity(history: History): Finding {
  const found = finding('VIEW-MONO');
  for (const { record, other } of history.repeatedViews) {
    violate(found, `${record.p} installs a view that it has`, other, record);
  }
  for (const process of history.processes.values()) {
    for (const track of process.tracks.values()) {
      let before = null;
      for (const stay of track.lives.flatMap((life) => life.stays)) {
        if (before !== null && before.view.lineage === stay.view.lineage) {
          found.held += 1;
          if (!rises(before.record, stay.record)) {
            const step = `from view ${before.record.v} to ${stay.record.v} of ${stay.record.g}`;
            violate(found, `${process.id} goes ${step}, and ids do not rise`, before.record, stay.record);
          }
        }
        before = stay;
      }
    }
  }
  return found;
}

/** Numbers rise, and so do ids where they are spelled as numbers. */
function rises(before: { k: number; v: string }, after: { k: number; v: string }): boolean {
  return after.k > before.k && !(Number(after.v) <= Number(before.v));
}

/** VIEW-AGREE: same group and id: same members in the same order, same number, same primary flag, everywhere and for ever. */
export function viewAgreement(history: History): Finding {
  const found = finding('VIEW-AGREE');
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      const first = view.stays[0]?.record;
      if (first === undefined) continue;
      for (const { record } of view.stays.slice(1)) {
        found.held += 1;
        const agreed = record.k === first.k && record.primary === first.primary && sameMembers(record.m, first.m);
        if (!agreed) violate(found, `view ${view.id} of ${lineage.group.name} is two different views`, first, record);
      }
    }
  }
  return found;
}

function sameMembers(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((member, rank) => member === other[rank]));
}

/** PRIMARY-UNIQ: at most one primary state of the domain for each number, over all processes ever. */
export function primaryUniqueness(history: History): Finding {
  const found = finding('PRIMARY-UNIQ');
  for (const lineage of domains(history)) {
    const byNumber = new Map<number, View['stays'][number]['record']>();
    for (const { record } of staysOf(lineage)) {
      if (!record.primary) continue;
      found.held += 1;
      const first = byNumber.get(record.k);
      if (first === undefined) byNumber.set(record.k, record);
      else if (!sameMembers(first.m, record.m) || first.v !== record.v) {
        violate(found, `the domain has two primary states of number ${record.k}`, first, record);
      }
    }
  }
  return found;
}

/**
 * PRIMARY-CHAIN: each primary state of the domain keeps a quorum of its predecessor, graceful leavers and those whose deaths
 * are confirmed not counted, and the minimum weight, if it had it.
 */
export function primaryChain(history: History): Finding {
  const found = finding('PRIMARY-CHAIN');
  for (const lineage of domains(history)) {
    const primary = [...lineage.views.values()].filter((view) => view.stays[0]?.record.primary === true);
    const byNumber = new Map(primary.map((view) => [view.k, view]));
    for (const view of primary) {
      const before = byNumber.get(view.k - 1);
      if (before === undefined) continue;
      found.held += 1;
      if (!keepsQuorum(before, view)) {
        const sentence = `state ${view.k} of the domain keeps no quorum of state ${before.k}`;
        violate(found, sentence, before.stays[0]?.record, view.stays[0]?.record);
      }
      if (isHeavy(before) && !isHeavy(view)) {
        const sentence = `state ${view.k} of the domain weighs no more than the minimum, state ${before.k} did`;
        violate(found, sentence, before.stays[0]?.record, view.stays[0]?.record);
      }
    }
  }
  return found;
}

/** Of a domain without weights every state is. */
function isHeavy({ stays }: View): boolean {
  const { w, wmin } = stays[0]?.record ?? {};
  return w === undefined || wmin === undefined || w > wmin;
}

/** More than half of those who neither left gracefully nor are certainly dead, or half of them with the oldest (dynamic linear voting). */
function keepsQuorum(before: View, view: View): boolean {
  // who comes from an older state sums up what happened since
  const fromBefore = view.stays.filter(({ record }) => record.prev === before.id);
  const leavers = new Set<string>();
  for (const { record } of fromBefore.length > 0 ? fromBefore : view.stays) {
    for (const [member, cause] of record.left) {
      if (cause === 'left' && !view.ranks.has(member)) leavers.add(member);
    }
    // nor can the dead go on by themselves
    for (const member of record.dead ?? []) leavers.add(member);
  }
  const counted = before.members.filter((member) => !leavers.has(member));
  const stay = counted.filter((member) => view.ranks.has(member));
  if (2 * stay.length === counted.length) return counted[0] !== undefined && stay[0] === counted[0];
  return 2 * stay.length > counted.length;
}

/** PRIMARY-ONLY: no delivery in a view that is not primary. */
export function primaryOnly(history: History): Finding {
  const found = finding('PRIMARY-ONLY');
  for (const stay of history.stays) {
    found.held += stay.deliveries.length;
    if (stay.record.primary) continue;
    for (const delivery of stay.deliveries) {
      const sentence = `${processOf(stay).id} delivers ${delivery.id} in view ${delivery.v}, which is not primary`;
      violate(found, sentence, stay.record, delivery);
    }
  }
  return found;
}

function domains(history: History): Lineage[] {
  return history.lineages.filter((lineage) => lineage.group.name === domainGroup);
}

function staysOf(lineage: Lineage): View['stays'] {
  return [...lineage.views.values()].flatMap((view) => view.stays);
}
