/**
 * STATE: a replicated state is the same at all members wherever it can be compared, and a joiner's is exactly the
 * group's at its first view.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History, Life, Of, Stay, View } from '../history.js';
import { domainGroup, processOf } from '../history.js';

/**
 * STATE: digests at a view's install are equal at all members; a joiner's `state-in` equals the donor's `state-out`;
 * in one view equal positions have equal digests, at those who go on. What a state stands for is not delivered, and at
 * a quiet end no joiner waits for a state, or has gone on without.
 */
export function state(history: History): Finding {
  const found = finding('STATE');
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      checkInstall(found, view);
      if (!lineage.group.mixed) checkPositions(found, view);
    }
  }
  checkTransfers(found, history);
  for (const process of history.processes.values()) {
    for (const track of process.tracks.values()) {
      if (!track.group.replicated || track.group.name === domainGroup) continue;
      for (const life of track.lives) checkLife(found, life);
    }
  }
  return found;
}

function checkInstall(found: Finding, view: View): void {
  const digests = view.stays.filter((stay) => stay.record.h !== undefined).map((stay) => stay.record);
  const first = digests[0];
  for (const record of digests.slice(1)) {
    found.held += 1;
    if (record.h === first?.h) continue;
    violate(found, `${first?.p ?? ''} and ${record.p} install view ${view.id} with different states`, first, record);
  }
}

function checkPositions(found: Finding, view: View): void {
  const byPosition = new Map<number, Of<'hash'>>();
  for (const stay of view.stays) {
    if (stay.until === null) continue;
    for (const record of stay.hashes) {
      const first = byPosition.get(record.pos);
      if (first === undefined) {
        byPosition.set(record.pos, record);
        continue;
      }
      found.held += 1;
      if (first.h === record.h) continue;
      violate(found, `${first.p} and ${record.p} have different states at position ${record.pos}`, first, record);
    }
  }
}

/** A transfer is named by its group, its view, who gave and who got the state. */
function transferOf(record: Of<'state-in'> | Of<'state-out'>): string {
  const [from, to] = record.e === 'state-out' ? [record.p, record.for] : [record.from, record.p];
  return JSON.stringify([record.g, record.v, from, to]);
}

function checkTransfers(found: Finding, history: History): void {
  const given = new Map<string, Of<'state-out'>[]>();
  for (const record of history.statesOut) {
    const others = given.get(transferOf(record));
    if (others === undefined) given.set(transferOf(record), [record]);
    else others.push(record);
  }
  for (const process of history.processes.values()) {
    for (const track of process.tracks.values()) {
      const states = [...track.lives.flatMap((life) => life.statesIn), ...track.statesAhead];
      for (const { record } of states) {
        if (!history.processes.has(record.from)) continue;
        found.held += 1;
        const candidates = given.get(transferOf(record)) ?? [];
        if (candidates.some((out) => out.h === record.h)) continue;
        const sentence = `${record.p} gets a state from ${record.from} that it has not given`;
        violate(found, sentence, ...candidates, record);
      }
    }
  }
}

function checkLife(found: Finding, life: Life): void {
  const { process } = life.track;
  for (const stay of life.stays) {
    for (const delivery of stay.covered ? stay.deliveries : []) {
      const sentence = `${process.id} delivers ${delivery.id} of view ${stay.view.id}, which its state stands for`;
      violate(found, sentence, ...life.statesIn.map(({ record }) => record), delivery);
    }
  }
  for (const { record } of life.statesIn) {
    if (!life.stays.some((stay) => stay.view.id === record.v)) {
      violate(found, `${process.id} gets a state of view ${record.v}, in which it never was`, record);
    }
  }
  const first = life.stays[0];
  if (first === undefined || life.statesIn.length > 0 || !joinsOthers(first)) return;
  // the actor of one who is killed may not have come to trace its state
  if (!life.track.group.transfers || life.stays.at(-1)?.until !== 'end') return;
  const active = life.stays.find((stay) => stay.delivered.length > 0);
  if (active !== undefined && !foundsAnew(life, active)) {
    violate(found, `${process.id} delivers without having got a state`, first.record, active.deliveries[0]);
  }
  if (life.stays.at(-1)?.covered === true) {
    violate(found, `${process.id} still waits for its state when all is quiet`, first.record);
  }
}

/** Whether the others in a member's first view were there before, at least one of them with the state. */
function joinsOthers(first: Stay): boolean {
  return first.view.stays.some((stay) => stay.previous !== null && !stay.previous.covered);
}

/** Whether a member was the first of its view before it delivered: then those with the state were gone. */
function foundsAnew(life: Life, active: Stay): boolean {
  return life.stays.some((stay) => stay.at <= active.at && stay.view.members[0] === processOf(stay).id);
}
