/**
 * What all faults have in common: what has happened so far, what is to be undone when the world heals, and who may die.
 *
 * A fault never takes so many lives that no quorum of the domain's last state is left: a domain that has lost its majority
 * at once waits by design.
 */
import { canLeave, lastStates } from './chains.js';
import { type Packet, type Rule, cut, mend } from '../../transport/simulation/network.js';
import type { Plan } from './plan.js';
import { type Random, between, chance, pick, shuffled } from '../../transport/simulation/random.js';
import { resumeStreams } from '../../transport/simulation/medium.js';
import { type Process, type ViewRecord, type World, after } from './world.js';

/** The faults of one run. */
export interface Faults {
  readonly world: World;
  readonly plan: Plan;
  readonly random: Random;
  /** What is to be undone when the world heals; each undoes itself once. */
  readonly undo: Set<() => void>;
  /** Datagrams of the past. */
  readonly recorded: Packet[];
  healed: boolean;
  count: number;
  inside: number;
  readonly byKind: Map<string, number>;
}

export function createFaults(world: World, plan: Plan, random: Random): Faults {
  return { world, plan, random, undo: new Set(), recorded: [], healed: false, count: 0, inside: 0, byKind: new Map() };
}

/** Whether some living member is between `blocked` and its next view. */
export function isChanging(world: World): boolean {
  return world.processes.some((process) => process.node !== null && process.blocked.size > 0);
}

/** Counts a fault; `inside` says whether it came inside a view change. */
export function note(faults: Faults, kind: string, inside: boolean): void {
  faults.count += 1;
  faults.byKind.set(kind, (faults.byKind.get(kind) ?? 0) + 1);
  if (inside) faults.inside += 1;
}

export function living(world: World): Process[] {
  return world.processes.filter((process) => process.node !== null);
}

/** The node ids of these. */
export function idsOf(processes: readonly Process[]): Set<string> {
  return new Set(processes.map((process) => process.id));
}

/** Whether every state that is the last of its domain, or that somebody is in, keeps a quorum of the living without this one. */
export function mayDie(faults: Faults, process: Process): boolean {
  const alive = living(faults.world).filter((other) => other !== process);
  if (process.node === null || alive.length === 0) return false;
  if (faults.plan.world.node.quorum === 'verified-deaths') return true;
  const ids = idsOf(alive);
  const everIds = new Set([...ids, process.id]);
  const known = alive.flatMap(({ views }) => views.get('$domain') ?? []);
  const last = lastStates(faults.world.chains).filter((state) => state.m.some((id) => everIds.has(id)));
  return [...known, ...last].every((state) => canLeave(faults.world.chains, state, ids));
}

export function victim(faults: Faults): Process | undefined {
  const candidates = living(faults.world).filter((process) => mayDie(faults, process));
  return candidates.length === 0 ? undefined : pick(faults.random, candidates);
}

/** Rank 0 of a group, or the oldest node of the domain: whoever leads the next change. */
export function coordinator(faults: Faults): Process | undefined {
  const { world, random } = faults;
  const names = shuffled(random, ['$domain', ...faults.plan.groups.map((group) => group.name)]);
  for (const name of names) {
    for (const process of living(world)) {
      const first = process.views.get(name)?.m[0];
      const found = living(world).find((candidate) => candidate.id === first);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The oldest node of the newest state that somebody living is in. */
export function oldestNode(faults: Faults): Process | undefined {
  const alive = living(faults.world);
  const states = alive.flatMap(({ views }) => views.get('$domain') ?? []);
  const newest = states.reduce<ViewRecord | undefined>(
    (best, view) => (best && best.k >= view.k ? best : view),
    undefined,
  );
  return alive.find((process) => process.id === newest?.m[0]);
}

/** Cuts links for a while; undone at the latest when the world heals. */
export function cutFor(faults: Faults, pairs: readonly (readonly [string, string])[], millis: number): void {
  const { world } = faults;
  for (const [from, to] of pairs) cut(world.network, from, to);
  const undo = (): void => {
    if (!faults.undo.delete(undo)) return;
    for (const [from, to] of pairs) mend(world.network, from, to);
    resumeStreams(world);
  };
  faults.undo.add(undo);
  after(world, millis, undo);
}

export function ruleFor(faults: Faults, rule: Rule, millis: number, atEnd?: () => void): void {
  faults.world.network.rules.add(rule);
  const undo = (): void => {
    if (!faults.undo.delete(undo)) return;
    faults.world.network.rules.delete(rule);
    atEnd?.();
  };
  faults.undo.add(undo);
  after(faults.world, millis, undo);
}

/** Either shorter than the detector's timeout, so that nobody is excluded, or longer. */
export function spell(faults: Faults): number {
  const { timeout } = faults.plan.world.node;
  return chance(faults.random, 0.4) ? between(faults.random, 5, timeout) : between(faults.random, timeout, 5 * timeout);
}
