/**
 * Staged faults: several things that have to go wrong together, each of which chance alone would bring about too rarely. Each
 * is aimed at one idea of the protocol.
 */
import type { Traced } from '../../lib/trace/format.js';
import { type Faults, cutFor, living, mayDie, oldestNode, ruleFor } from './fault-state.js';
import { causeChange } from './membership-faults.js';
import { silence } from './network-faults.js';
import type { Packet, Rule } from '../../transport/simulation/network.js';
import { burst, heldMax, holdLastWords, stopRepairs } from './process-faults.js';
import { type Random, between, chance, pick, shuffled } from '../../transport/simulation/random.js';
import { deliverHeld } from '../../transport/simulation/medium.js';
import { type Process, after, crash, leaveDomain, leaveGroup, multicast } from './world.js';

/**
 * One dies after a burst that one other alone has heard, who wants to leave its groups: it is let go while the others ask it
 * for what they lack, in a flush or before, and its answers come when they are at the next change.
 */
export function leaveMidFlush(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const [sender, holder] = shuffled(random, living(world));
  if (sender === undefined || holder === undefined || !mayDie(faults, sender)) return false;
  const { timeout } = plan.world.node;
  const others = world.processes.filter((process) => process !== holder);
  silence(faults, sender, others, 2 * timeout);
  burst(faults, sender);
  if (chance(random, 0.5)) {
    stopRepairs(faults);
    stayUntilAnswered(faults, holder);
    holdLastWords(faults, holder, 'next decree', 'fetched');
  } else holdLastWords(faults, holder, sender.id, 'data');
  after(world, between(random, 4, 20), () => {
    if (faults.healed) return;
    for (const group of holder.replicas.keys()) leaveGroup(world, holder, group);
    if (mayDie(faults, sender)) crash(world, sender, true);
  });
  return true;
}

/** What it asks of the domain is lost until it has answered somebody who fetches from it. */
function stayUntilAnswered(faults: Faults, holder: Process): void {
  const { describePacket } = faults.world.core;
  let hasAnswered = false;
  const rule: Rule = (packet) => {
    if (packet.from !== holder.address || packet.kind === 'stream' || hasAnswered) return undefined;
    const kinds = describePacket(packet.bytes);
    hasAnswered = kinds.includes('fetched');
    return kinds.includes('request') && !hasAnswered ? { kind: 'drop' } : undefined;
  };
  ruleFor(faults, rule, 6 * faults.plan.world.node.timeout);
}

/**
 * The oldest node decides something, tells one node only, and dies, or is not heard for a while if it is itself to go: to leave,
 * or to exclude somebody that it does not hear. Whoever is told may be the one that is to go.
 */
export function tellHalf(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const { timeout } = plan.world.node;
  const oldest = oldestNode(faults);
  if (oldest === undefined || world.processes.length < 2) return false;
  const gone = pick(random, living(world));
  const leaves = gone === oldest || chance(random, 0.5);
  if (leaves && living(world).length > 1) leaveDomain(world, gone);
  else cutFor(faults, [[gone.address, oldest.address]], 3 * timeout);
  const told = gone !== oldest && chance(random, 0.7) ? gone : pick(random, [...world.processes, undefined]);
  let decided = false;
  const listener = (process: Process, record: Traced): void => {
    if (process !== oldest || record.e !== 'view' || record.g !== '$domain' || record.m.includes(gone.id)) return;
    world.onTrace.delete(listener);
    decided = true;
    after(world, 0, () => {
      if (!faults.healed && mayDie(faults, oldest)) crash(world, oldest, true);
    });
  };
  if (gone !== oldest) world.onTrace.add(listener);
  // who leaves is in no group any more when it asks for its decree, and traces no state that it is not in
  const isDecided = (): boolean => (gone === oldest ? oldest.replicas.size === 0 : decided);
  ruleFor(
    faults,
    (packet) => {
      if (packet.from !== oldest.address || packet.kind === 'stream' || packet.to === told?.address) return undefined;
      return isDecided() ? { kind: 'drop' } : undefined;
    },
    between(random, 2, 5) * timeout,
  );
  return true;
}

/**
 * A proposal of the oldest node, which nobody hears for a while, reaches the others only after they have promised a higher
 * ballot; their answers reach it, the news of the higher ballot do not.
 */
export function delayBallot(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const oldest = oldestNode(faults);
  if (oldest === undefined || living(world).length < 3) return false;
  const { describePacket } = world.core;
  const held: Packet[] = [];
  const rule: Rule = (packet) => {
    if (packet.kind === 'stream') return undefined;
    if (packet.to === oldest.address) {
      const kinds = describePacket(packet.bytes);
      return kinds.includes('accepted') || kinds.includes('request') ? undefined : { kind: 'drop' };
    }
    if (packet.from !== oldest.address) return undefined;
    if (held.length < heldMax && describePacket(packet.bytes).includes('accept')) held.push(packet);
    return { kind: 'hold' };
  };
  const listener = (process: Process, bytes: Uint8Array): void => {
    if (faults.healed) world.onSend.delete(listener);
    if (!describePacket(bytes).includes('promise')) return;
    for (const packet of held.filter(({ to }) => to === process.address)) {
      held.splice(held.indexOf(packet), 1);
      if (!faults.healed) deliverHeld(world, packet);
    }
  };
  world.onSend.add(listener);
  const undo = (): void => {
    if (faults.undo.delete(undo)) world.onSend.delete(listener);
  };
  faults.undo.add(undo);
  const millis = between(random, 1.5, 4) * plan.world.node.timeout;
  after(world, millis, undo);
  ruleFor(faults, rule, millis);
  return causeChange(faults);
}

/**
 * One member alone hears what another multicasts, raises a barrier behind it, and both are lost: those who go on have the
 * barrier and not what comes before it.
 */
export function losePastOfBarrier(faults: Faults, random: Random): boolean {
  const { world, plan } = faults;
  const { timeout } = plan.world.node;
  const { name, settings } = pick(random, plan.groups);
  const members = living(world).filter(({ replicas }) => replicas.has(name));
  // in total order nothing is delivered without the sequencer
  const first = members.filter(({ id, views }) => settings.kind === 'replicated' && views.get(name)?.m[0] === id);
  const pair = [
    ...first,
    ...shuffled(
      random,
      members.filter((each) => !first.includes(each)),
    ),
  ].slice(0, 2);
  const [sender, hearer] = shuffled(random, pair);
  if (sender === undefined || hearer === undefined || members.length < 4) return false;
  const millis = 2 * timeout;
  silence(
    faults,
    sender,
    world.processes.filter((process) => process !== hearer),
    millis,
  );
  // nor does anybody hear of it from the one who has it
  ruleFor(
    faults,
    ({ kind, from, bytes }) =>
      kind !== 'stream' && from === hearer.address && world.core.describePacket(bytes).includes('fetched')
        ? { kind: 'drop' }
        : undefined,
    millis,
  );
  const listener = (process: Process, record: Traced): void => {
    if (faults.healed) world.onTrace.delete(listener);
    if (process !== hearer || record.e !== 'deliver' || record.g !== name || !record.id.startsWith(`${sender.id}:`))
      return;
    world.onTrace.delete(listener);
    after(world, 0, () => {
      if (faults.healed) return;
      multicast(world, hearer, name, 'barrier', false, 16);
      after(world, between(random, 1, 6), () => {
        if (faults.healed) return;
        for (const each of [sender, hearer]) {
          if (mayDie(faults, each)) crash(world, each, true);
          else silence(faults, each, world.processes, between(random, 2, 4) * timeout);
        }
      });
    });
  };
  world.onTrace.add(listener);
  after(world, millis, () => world.onTrace.delete(listener));
  multicast(world, sender, name, settings.kind === 'replicated' ? 'total' : 'causal', false, 16);
  return true;
}

/**
 * The coordinator of a view change leaves its groups as it installs the view; of its installs one alone arrives, when its
 * receiver has reported for the next target.
 */
export function holdInstall(faults: Faults, random: Random): boolean {
  const { world, plan } = faults;
  const { describePacket } = world.core;
  const late = pick(random, living(world));
  const held: Packet[] = [];
  const stateOf = (process: Process): number => process.views.get('$domain')?.k ?? 0;
  let coordinator: Process | undefined;
  let before = Infinity;
  const rule: Rule = (packet) => {
    if (packet.kind === 'stream' || !describePacket(packet.bytes).includes('install')) return undefined;
    const sender = world.processes.find(({ address }) => address === packet.from);
    if (coordinator === undefined && sender !== undefined && sender !== late) {
      coordinator = sender;
      before = stateOf(late);
      after(world, 0, () => {
        if (faults.healed) return;
        for (const group of sender.replicas.keys()) leaveGroup(world, sender, group);
      });
    }
    if (sender !== coordinator) return undefined;
    if (packet.to !== late.address) return { kind: 'drop' };
    held.push(packet);
    return { kind: 'hold' };
  };
  const listener = (process: Process, bytes: Uint8Array): void => {
    if (process !== late || stateOf(late) <= before || !describePacket(bytes).includes('report')) return;
    world.onSend.delete(listener);
    after(world, between(random, 0, 1), () => {
      if (!faults.healed) held.forEach((packet) => deliverHeld(world, packet));
    });
  };
  world.onSend.add(listener);
  const millis = 4 * plan.world.node.timeout;
  ruleFor(faults, rule, millis);
  after(world, millis, () => world.onSend.delete(listener));
  return causeChange(faults);
}
