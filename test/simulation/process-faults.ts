/**
 * Faults of processes: they die, alone or two together, come back, or stop for a while. Who dies may have last words that
 * reach only some, or come when the others are at the next view change: what one survivor has and others have not is what a
 * flush is for.
 */
import type { NodeId } from '../../lib/ids.js';
import type { Traced } from '../../lib/trace/format.js';
import { type Faults, coordinator, living, mayDie, ruleFor } from './fault-state.js';
import { silence } from './network-faults.js';
import type { Packet, Rule } from '../../transport/simulation/network.js';
import { between, chance, integer, pick, shuffled, some } from '../../transport/simulation/random.js';
import { sendOne } from './traffic.js';
import { deliverHeld } from '../../transport/simulation/medium.js';
import { type Process, after, crash, pause, restart, resume, setClock, start } from './world.js';

/** Last words that are kept for later, at most. */
export const heldMax = 200;

/** Nothing is repaired until the next flush begins: what reached some only is then for the flush to fetch. */
export function stopRepairs(faults: Faults): void {
  const { world, plan } = faults;
  let isOver = false;
  const listener = (_process: Process, record: Traced): void => {
    if (record.e !== 'blocked') return;
    isOver = true;
    world.onTrace.delete(listener);
  };
  world.onTrace.add(listener);
  ruleFor(
    faults,
    (packet) => {
      if (isOver || packet.kind !== 'unicast' || !world.core.describePacket(packet.bytes).includes('nak'))
        return undefined;
      return { kind: 'drop' };
    },
    2 * plan.world.node.timeout,
  );
}

/** A burst in every group that it is in: what is unstable when it dies is what a flush has to settle. */
export function burst(faults: Faults, process: Process, uniform?: boolean): void {
  for (const group of faults.plan.groups) {
    const count = integer(faults.random, 0, 4);
    for (let i = 0; i < count; i += 1) sendOne(faults.world, faults.random, process, group, uniform);
  }
}

/**
 * From now on what this process sends to some, or its packets of one kind, come late: when the receivers have learned that
 * somebody is gone, or just the next decree, and are in the middle of the next view change.
 */
export function holdLastWords(faults: Faults, process: Process, until: NodeId | 'next decree', kind?: string): Rule {
  const { world, random } = faults;
  const { id } = process;
  const late = new Set(some(random, world.processes, 0.7).map(({ address }) => address));
  const held: Packet[] = [];
  const listener = (receiver: Process, record: Traced): void => {
    if (faults.healed) world.onTrace.delete(listener);
    if (record.e !== 'view' || record.g !== '$domain' || record.m.includes(until)) return;
    for (const packet of held.filter((candidate) => candidate.to === receiver.address)) {
      held.splice(held.indexOf(packet), 1);
      after(world, between(random, 0, 3 * world.options.delayMax), () => {
        if (!faults.healed) deliverHeld(world, packet);
      });
    }
  };
  world.onTrace.add(listener);
  const rule: Rule = (packet) => {
    if (packet.from !== process.address || packet.kind === 'stream' || !late.has(packet.to)) return undefined;
    if (process.id !== id || held.length >= heldMax) return undefined;
    if (kind !== undefined && !world.core.describePacket(packet.bytes).includes(kind)) return undefined;
    held.push(packet);
    return { kind: 'hold' };
  };
  ruleFor(faults, rule, 8 * faults.plan.world.node.timeout);
  return rule;
}

/** Dies, perhaps after last words that reach only some, or come late, perhaps silently, perhaps to come back at once. */
export function kill(faults: Faults, process: Process, back: 'never' | 'at once' | 'perhaps'): void {
  const { world, random } = faults;
  if (!mayDie(faults, process)) return;
  const silent = chance(random, 0.4);
  const die = (): void => {
    if (faults.healed || !mayDie(faults, process)) return;
    if (back === 'at once') restart(world, process, between(random, 0, 8));
    else crash(world, process, silent);
    if (back === 'perhaps' && chance(random, 0.5)) {
      const { life } = process;
      after(world, between(random, 1, 900), () => {
        if (process.life === life && !faults.healed) start(world, process);
      });
    }
  };
  if (chance(random, 0.4)) return die();
  if (chance(random, 0.4)) holdLastWords(faults, process, process.id);
  else silence(faults, process, some(random, world.processes, 0.6), between(random, 8, 60));
  burst(faults, process);
  if (chance(random, 0.6)) stopRepairs(faults);
  after(world, between(random, 0.5, 8), die);
}

/**
 * Two that die together, after a while in which the others hear one of them not at all, and the other in part or in full:
 * they go on with each other, and what they agree on is lost with them, or half of it: the order or the bodies.
 */
export function killTwo(faults: Faults): boolean {
  const { world, random } = faults;
  const leader = coordinator(faults);
  const rest = shuffled(random, living(world));
  const first = leader !== undefined && chance(random, 0.7) ? leader : rest[0];
  const second = rest.find((process) => process !== first);
  if (first === undefined || second === undefined || !mayDie(faults, first) || !mayDie(faults, second)) return false;
  // the one whose bodies are lost with it, while the other orders uniform multicasts behind them
  const prefix = chance(random, 0.35);
  const [unheard, heard] = !prefix && chance(random, 0.5) ? [first, second] : [second, first];
  const others = world.processes.filter((process) => process !== first && process !== second);
  const longest = pick(random, [15, 40, 0.8 * faults.plan.world.node.timeout]);
  const delay = prefix ? between(random, 20, 60) : between(random, 4, longest);
  if (prefix || chance(random, 0.8)) stopRepairs(faults);
  silence(faults, unheard, prefix || chance(random, 0.6) ? others : some(random, others, 0.7), 2 * delay + 10);
  silence(faults, heard, prefix || chance(random, 0.5) ? [] : some(random, others, 0.5), 2 * delay + 10);
  after(world, between(random, 0, delay / 4), () => burst(faults, unheard, false));
  const uniform = prefix || chance(random, 0.3) ? true : undefined;
  for (const process of others) {
    after(world, between(random, 0, delay / 2), () => burst(faults, process, uniform));
  }
  after(world, between(random, delay / 3, delay), () => burst(faults, heard));
  for (const process of [first, second]) {
    after(world, delay + between(random, 0, 3), () => {
      if (!faults.healed && mayDie(faults, process)) crash(world, process, chance(random, 0.5));
    });
  }
  return true;
}

/** All but one die within a few milliseconds; most of them come back sooner or later. */
export function killAllButOne(faults: Faults): boolean {
  const { world, random } = faults;
  const [, ...rest] = shuffled(random, living(world));
  for (const process of rest) {
    after(world, between(random, 0, 4), () => {
      if (!faults.healed) crash(world, process, chance(random, 0.5));
    });
    after(world, between(random, 50, 1200), () => {
      if (!faults.healed && chance(random, 0.8)) start(world, process);
    });
  }
  return rest.length > 0;
}

export function pauseFor(faults: Faults, process: Process, millis: number): void {
  const { world } = faults;
  if (process.paused || process.node === null) return;
  pause(world, process);
  const { life } = process;
  const undo = (): void => {
    if (faults.undo.delete(undo) && process.life === life) resume(world, process);
  };
  faults.undo.add(undo);
  after(world, millis, undo);
}

/** The event loop stands still for a while. What was queued is read afterwards; the process has noticed. */
export function stall(faults: Faults, process: Process): void {
  const { world, random } = faults;
  if (process.paused || process.node === null) return;
  pause(world, process);
  const { life } = process;
  const undo = (): void => {
    if (faults.undo.delete(undo) && process.life === life) resume(world, process, true);
  };
  faults.undo.add(undo);
  after(world, between(random, 50, 900), undo);
}

/** Somebody sets a machine's wall clock: a little, or by an hour. */
export function jumpClock(faults: Faults, process: Process): void {
  const { world, random } = faults;
  const skew = pick(random, [10, 1000, 3_600_000]);
  setClock(world, process, Math.round(between(random, -skew, skew)));
}
