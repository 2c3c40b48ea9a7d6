/**
 * Faults of the applications: members that are slow for a while, whose functions throw, whose snapshots fail, or that send as
 * much as there is room for.
 */
import { type Faults, living, victim } from './fault-state.js';
import type { Replica } from './application.js';
import { between, chance, integer, pick } from '../../transport/simulation/random.js';
import { sendOne } from './traffic.js';
import { type Process, after, multicast, resetMember } from './world.js';

function members(faults: Faults): { readonly process: Process; readonly replica: Replica }[] {
  return living(faults.world).flatMap((process) =>
    [...process.replicas.values()]
      .filter(({ ended, group }) => !ended && !process.leaving.has(group))
      .map((replica) => ({ process, replica })),
  );
}

/** A member takes long for each delivery: the others run out of credit, and it takes its snapshots late. */
export function slowDown(faults: Faults): boolean {
  const slow = members(faults);
  if (slow.length === 0) return false;
  const { replica } = pick(faults.random, slow);
  replica.pace = pick(faults.random, [4, 15, 50]);
  const undo = (): void => {
    if (faults.undo.delete(undo)) replica.pace = replica.habits.pace;
  };
  faults.undo.add(undo);
  after(faults.world, between(faults.random, 1, 5) * faults.plan.world.node.timeout, undo);
  return true;
}

/** A member's function throws: it leaves at once and comes back for the state. */
export function throwOnce(faults: Faults): boolean {
  const candidates = members(faults);
  if (candidates.length === 0) return false;
  const { process, replica } = pick(faults.random, candidates);
  resetMember(faults.world, process, replica.group);
  return true;
}

/** The next snapshot of some fails, at its beginning or on its way. */
export function failSnapshots(faults: Faults): boolean {
  const candidates = members(faults).filter(({ replica }) => replica.settings.kind === 'replicated');
  for (const { replica } of candidates) {
    if (chance(faults.random, 0.4)) replica.snapshotFailsAfter = integer(faults.random, 0, 2);
  }
  return candidates.length > 0;
}

/** A member sends until its group refuses, and goes on. */
export function fillQueue(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const process = victim(faults);
  const group = pick(random, plan.groups);
  if (process === undefined || !process.replicas.has(group.name)) return false;
  const small = { ...group, traffic: { ...group.traffic, large: 0 } };
  for (let i = plan.world.node.queueLengthMax + 10; i > 0; i -= 1) sendOne(world, random, process, small);
  return true;
}

/** A member sends the largest that goes, and what is larger. */
export function sendLarge(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const process = victim(faults);
  const group = pick(random, plan.groups);
  if (process === undefined || !process.replicas.has(group.name)) return false;
  const { messageBytesMax } = plan.world.node;
  for (const bytes of [messageBytesMax, messageBytesMax + 1, messageBytesMax - integer(random, 1, 5000)]) {
    multicast(world, process, group.name, pick(random, group.orders), chance(random, group.uniform), bytes);
  }
  return true;
}
