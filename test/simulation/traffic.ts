/**
 * Who multicasts what: bursts, streams and lone messages by all members, some or one, until the plan's number is reached.
 */
import type { GroupPlan } from './plan.js';
import { type Random, between, chance, integer, pick, some } from '../../transport/simulation/random.js';
import { type Process, type World, after, ask, direct, flush, multicast, write } from './world.js';

/** So many multicasts of one member may wait to be let in; a caller that keeps pace would not go on. */
const waitingMax = 60;

/** After so many bursts there is a message to one member. */
const directShare = 0.1;

/** And so often it is asked when all is stable. */
const flushShare = 0.1;

/** Sends bursts until the number is used up or the traffic is stopped. */
export function startTraffic(world: World, random: Random, group: GroupPlan, isOn: () => boolean): void {
  const { traffic } = group;
  let left = traffic.multicastsMax;
  const favourite = integer(random, 0, 6);
  const next = (): void => {
    if (!isOn() || left <= 0) return;
    const members = world.processes.filter((process) => canSend(process, group.name));
    for (const sender of drawSenders(random, traffic.senders, members, favourite)) {
      const burst = integer(random, 1, traffic.burstMax);
      for (let i = 0; i < burst && left > 0; i += 1) {
        sendOne(world, random, sender, group);
        left -= 1;
      }
      if (chance(random, directShare)) direct(world, sender, group.name);
      if (chance(random, flushShare)) flush(world, sender, group.name);
      if (chance(random, group.letters)) write(world, sender, integer(random, 0, 2), chance(random, 0.05) ? 20_000 : 8);
    }
    if (chance(random, group.asks)) askOne(world, random, group);
    after(world, between(random, 0.2, 2 * traffic.interval), next);
  };
  after(world, between(random, 0, 100), next);
}

/** Anybody asks, whether it is a member or not. */
function askOne(world: World, random: Random, { name, orders }: GroupPlan): void {
  const process = pick(random, world.processes);
  ask(world, process, name, {
    asMember: chance(random, 0.4),
    replies: pick(random, [0, 1, 1, 2, 'majority', 'all', 'all']),
    timeout: pick(random, [50, 500, 3000]),
    bytes: integer(random, 8, 200),
    order: pick(random, orders),
    uniform: chance(random, 0.3),
  });
}

function drawSenders(
  random: Random,
  who: 'all' | 'one' | 'some',
  members: readonly Process[],
  favourite: number,
): readonly Process[] {
  if (who === 'all' || members.length === 0) return members;
  if (who === 'some') return some(random, members, 0.5);
  const sender = members[favourite % members.length];
  return sender === undefined ? [] : [sender];
}

function canSend(process: Process, group: string): boolean {
  const replica = process.replicas.get(group);
  if (process.node === null || replica === undefined || process.leaving.has(group)) return false;
  return replica.sent - replica.accepted - replica.failed < waitingMax;
}

/** One multicast of the group's mix, uniform or not as asked; one that is, is in the total order where there is one. */
export function sendOne(
  world: World,
  random: Random,
  sender: Process,
  group: GroupPlan,
  uniform: boolean = chance(random, group.uniform),
): number {
  const { traffic, orders } = group;
  const bytes = chance(random, traffic.large)
    ? integer(random, 1400, 9000)
    : integer(random, 8, Math.max(8, traffic.bytesMax));
  if (chance(random, group.barriers)) return multicast(world, sender, group.name, 'barrier', uniform, bytes);
  const order = uniform && orders.includes('total') && chance(random, 0.7) ? 'total' : pick(random, orders);
  return multicast(world, sender, group.name, order, uniform, bytes);
}
