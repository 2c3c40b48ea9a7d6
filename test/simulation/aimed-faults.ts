/**
 * Aimed faults: armed to go off at a moment of a view change, between two effects of one turn, because that is where a
 * virtual-synchrony protocol breaks and where chance alone rarely strikes.
 */
import type { Traced } from '../../lib/trace/format.js';
import { type Faults, isChanging, living, mayDie, note, ruleFor, spell } from './fault-state.js';
import { cutLink, isolate, partition } from './network-faults.js';
import type { Rule } from '../../transport/simulation/network.js';
import { holdLastWords, kill, pauseFor } from './process-faults.js';
import { between, chance, integer, pick } from '../../transport/simulation/random.js';
import { type Process, after, crash, leaveGroup } from './world.js';

type Moment = 'blocked' | 'report' | 'install' | 'later install' | 'decree';

/** Whether this record is the moment, as a function that remembers what it has seen. */
function recognizer(faults: Faults, moment: Moment): (record: Traced) => boolean {
  const seen = new Map<string, number>();
  const nth = moment === 'report' || moment === 'later install' ? integer(faults.random, 2, 3) : 1;
  return (record) => {
    const wanted = moment === 'blocked' || moment === 'report' ? 'blocked' : 'view';
    if (record.e !== wanted || (record.e !== 'blocked' && record.e !== 'view')) return false;
    if ((record.g === '$domain') !== (moment === 'decree')) return false;
    const key = `${record.g} ${record.v}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count === nth;
  };
}

function aimedVictim(faults: Faults, self: Process, group: string): Process | undefined {
  const members = self.views.get(group)?.m ?? [];
  const alive = living(faults.world);
  const byRank = members.flatMap((id) => alive.filter((process) => process.id === id));
  const draw = integer(faults.random, 0, 9);
  if (draw < 4) return byRank[0];
  if (draw < 6) return byRank[1];
  if (draw < 9) return self;
  return pick(faults.random, alive);
}

/** Arms a process to die, or to leave a group, when it sends a packet of this kind, which comes late. */
function armLateWords(faults: Faults): void {
  const { world, random } = faults;
  const kind = pick<string>(random, ['data', 'cut', 'fetched', 'fetched', 'have-all', 'install', 'install', 'decided']);
  let found: Rule | undefined;
  const rule: Rule = (packet) => {
    if (found !== undefined) return undefined;
    if (packet.kind === 'stream' || !world.core.describePacket(packet.bytes).includes(kind)) return undefined;
    const process = world.processes.find((candidate) => candidate.address === packet.from);
    if (process === undefined || !mayDie(faults, process)) return undefined;
    world.network.rules.delete(rule);
    note(faults, `aimed: late ${kind}`, isChanging(world));
    const leaves = chance(random, 0.5);
    found = leaves ? holdLastWords(faults, process, 'next decree', kind) : holdLastWords(faults, process, process.id);
    after(world, between(random, 0, 2), () => {
      if (faults.healed) return;
      if (!leaves && mayDie(faults, process)) crash(world, process, true);
      if (leaves) for (const group of process.replicas.keys()) leaveGroup(world, process, group);
    });
    return found(packet);
  };
  ruleFor(faults, rule, 5 * faults.plan.world.node.timeout);
}

/** Arms a fault to go off right after somebody sends a packet of this kind. */
function armAtPacket(faults: Faults): void {
  const { world, random } = faults;
  const kind = pick<string>(random, ['report', 'cut', 'fetch', 'fetched', 'have-all', 'install', 'accept', 'decided']);
  const listener = (process: Process, bytes: Uint8Array): void => {
    if (faults.healed) world.onSend.delete(listener);
    else if (world.core.describePacket(bytes).includes(kind)) {
      world.onSend.delete(listener);
      strike(faults, process, '$domain', `sent ${kind}`);
    }
  };
  world.onSend.add(listener);
}

/** Arms a fault to go off at a moment of the next view change. */
export function arm(faults: Faults, follow: boolean): void {
  const { world, random } = faults;
  if (chance(random, 0.25)) return armLateWords(faults);
  if (chance(random, 0.3)) return armAtPacket(faults);
  const moment = pick<Moment>(random, ['blocked', 'report', 'report', 'install', 'install', 'later install', 'decree']);
  const isMoment = recognizer(faults, moment);
  const listener = (process: Process, record: Traced): void => {
    if (faults.healed) world.onTrace.delete(listener);
    else if (isMoment(record)) {
      world.onTrace.delete(listener);
      strike(faults, process, 'g' in record && record.g !== undefined ? record.g : '$domain', moment);
      if (follow) arm(faults, chance(random, 0.3));
    }
  };
  world.onTrace.add(listener);
}

function strike(faults: Faults, self: Process, group: string, moment: string): void {
  const { random } = faults;
  const target = aimedVictim(faults, self, group);
  if (target === undefined) return;
  const { timeout } = faults.plan.world.node;
  note(faults, `aimed: ${moment}`, isChanging(faults.world));
  const draw = integer(random, 0, 11);
  if (draw < 6) kill(faults, target, 'perhaps');
  else if (draw < 7) kill(faults, target, 'at once');
  else if (draw < 8) pauseFor(faults, target, between(random, 1, 3 * timeout));
  else if (draw < 10) isolate(faults, target, spell(faults));
  else if (draw < 11) cutLink(faults);
  else partition(faults, chance(random, 0.5));
}
