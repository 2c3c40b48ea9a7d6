/**
 * What must have come about when a run has ended healed and idle: Membership Accuracy and Termination of Delivery of
 * Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001, as predicates over a finished run.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { Group, History, Process, Stay } from '../history.js';
import { domainGroup } from '../history.js';

/**
 * LIVE-VIEW: all correct processes are in one view of the domain, which is exactly those, and in one view of each of
 * their groups. With `liveBy`, nanoseconds on a clock that all traces share, they were in it by then.
 */
export function liveView(history: History, liveBy: number | undefined): Finding {
  const found = finding('LIVE-VIEW');
  if (!history.quiesced) return found;
  for (const group of history.groups.values()) {
    const living = group.name === domainGroup ? correctOnes(history) : membersAtEnd(history, group);
    if (living.length > 0) checkGroup(found, group, living, liveBy);
  }
  for (const id of history.alive) {
    if (!history.processes.has(id)) violate(found, `${id} is alive and has no trace`);
  }
  return found;
}

function correctOnes(history: History): Process[] {
  return [...history.processes.values()].filter((process) => process.correct);
}

function membersAtEnd(history: History, group: Group): Process[] {
  return correctOnes(history).filter((process) => (process.tracks.get(group.name)?.life ?? null) !== null);
}

function checkGroup(found: Finding, group: Group, living: readonly Process[], liveBy: number | undefined): void {
  if (group.lineages.size === 0) return;
  found.held += 1;
  const names = new Set(living.map((process) => process.id));
  const lasts: Stay[] = [];
  for (const process of living) {
    const last = process.tracks.get(group.name)?.life?.stays.at(-1);
    if (last === undefined) violate(found, `${process.id} is alive and in no view of ${group.name}`);
    else lasts.push(last);
  }
  const first = lasts[0];
  if (first === undefined) return;
  for (const last of lasts) {
    if (last.view !== first.view) {
      const two = `${first.record.p} and ${last.record.p} end in different views of ${group.name}`;
      violate(found, two, first.record, last.record);
    }
    if (liveBy !== undefined && last.record.t > liveBy) {
      violate(found, `${last.record.p} installs its last view of ${group.name} after ${liveBy} ns`, last.record);
    }
  }
  const dead = first.view.members.filter((member) => !names.has(member));
  const lost = living.filter((process) => !first.view.ranks.has(process.id)).map((process) => process.id);
  if (dead.length > 0)
    violate(found, `the last view of ${group.name} names ${dead.join(', ')}, not there`, first.record);
  if (lost.length > 0) violate(found, `the last view of ${group.name} lacks ${lost.join(', ')}`, first.record);
}

/** LIVE-DEL: every accepted multicast of a correct member is delivered by it. */
export function liveDelivery(history: History): Finding {
  const found = finding('LIVE-DEL');
  for (const process of history.processes.values()) {
    if (!process.correct) continue;
    for (const track of process.tracks.values()) {
      if (track.life === null) continue;
      for (const multicast of track.sends.slice(track.sendsOfOldLives)) {
        // what a joiner multicasts while it waits for its state may be a part of that state
        const { stay, ahead } = multicast;
        const inState = stay === null ? ahead && track.group.replicated : stay.covered || stay.patched;
        if (multicast.failed || inState) continue;
        found.held += 1;
        if (multicast.own !== null) continue;
        violate(found, `${process.id} never delivers its own ${multicast.id}`, multicast.send, multicast.transmission);
      }
    }
  }
  return found;
}
