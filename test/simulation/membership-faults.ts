/** Changes of membership that somebody wants: nodes and groups are joined and left, at any time. */
import { type Faults, living, victim } from './fault-state.js';
import { kill } from './process-faults.js';
import { nameList } from './plan.js';
import { between, chance, integer, pick } from '../../transport/simulation/random.js';
import { type Process, addProcess, after, joinGroup, leaveDomain, leaveGroup, start } from './world.js';

/** Adds the next process of the run. */
export function nextProcess(faults: Faults): Process | undefined {
  const name = nameList[faults.world.processes.length];
  if (name === undefined || faults.world.processes.length >= faults.plan.names) return undefined;
  const process = addProcess(faults.world, name);
  for (const group of faults.plan.groups) {
    if (chance(faults.random, group.share)) process.wanted.set(group.name, group.settings);
  }
  return process;
}

export function joinNode(faults: Faults): boolean {
  const down = faults.world.processes.filter((process) => process.node === null);
  const process = down.length > 0 && chance(faults.random, 0.6) ? pick(faults.random, down) : nextProcess(faults);
  if (process === undefined || process.node !== null) return false;
  if (process.hasLeft) {
    for (const group of faults.plan.groups) process.wanted.set(group.name, group.settings);
  }
  start(faults.world, process);
  return true;
}

export function joinSomeGroup(faults: Faults): boolean {
  const choices = living(faults.world).flatMap((process) =>
    faults.plan.groups
      .filter((group) => !process.wanted.has(group.name) && !process.hasLeft)
      .map((group) => ({ process, group })),
  );
  if (choices.length === 0) return false;
  const { process, group } = pick(faults.random, choices);
  joinGroup(faults.world, process, group.name, group.settings);
  return true;
}

export function leaveSomeGroup(faults: Faults): boolean {
  const choices = living(faults.world).flatMap((process) =>
    [...process.wanted.keys()].map((group) => ({ process, group })),
  );
  if (choices.length === 0) return false;
  const { process, group } = pick(faults.random, choices);
  leaveGroup(faults.world, process, group);
  // back again, sometimes before the leave is through
  if (chance(faults.random, 0.5)) {
    const { life } = process;
    const settings = faults.plan.groups.find((candidate) => candidate.name === group)?.settings;
    after(faults.world, between(faults.random, 0, 300), () => {
      if (process.life === life && settings !== undefined) joinGroup(faults.world, process, group, settings);
    });
  }
  return true;
}

export function leaveWholly(faults: Faults): boolean {
  const process = victim(faults);
  if (process === undefined || living(faults.world).length < 2) return false;
  leaveDomain(faults.world, process);
  return true;
}

/** Starts a view change for an armed fault to strike. */
export function causeChange(faults: Faults): boolean {
  const draw = integer(faults.random, 0, 9);
  if (draw < 4 && joinNode(faults)) return true;
  if (draw < 6 && joinSomeGroup(faults)) return true;
  if (draw < 8 && leaveSomeGroup(faults)) return true;
  const process = victim(faults);
  if (process === undefined) return joinNode(faults);
  kill(faults, process, 'perhaps');
  return true;
}
