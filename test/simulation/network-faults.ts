/**
 * Faults of the network: links that are cut, in one direction or both, and noise, which is a rule beside the network for a
 * while.
 */
import { type Faults, cutFor, living, ruleFor, spell } from './fault-state.js';
import {
  type Random,
  between,
  chance,
  fork,
  integer,
  pick,
  shuffled,
  some,
} from '../../transport/simulation/random.js';
import type { Rule, Verdict } from '../../transport/simulation/network.js';
import { severStream } from '../../transport/simulation/medium.js';
import { type Process } from './world.js';

export function isolate(faults: Faults, process: Process, millis: number): void {
  const others = faults.world.processes.filter((other) => other !== process);
  const pairs = others.flatMap((other) => [
    [process.address, other.address] as const,
    [other.address, process.address] as const,
  ]);
  cutFor(faults, pairs, millis);
}

export function partition(faults: Faults, oneWay: boolean): void {
  const all = shuffled(faults.random, faults.world.processes);
  const size = integer(faults.random, 1, Math.max(1, all.length - 1));
  const [one, other] = [all.slice(0, size), all.slice(size)];
  const pairs = one.flatMap((a) =>
    other.flatMap((b) => [[a.address, b.address] as const, ...(oneWay ? [] : [[b.address, a.address] as const])]),
  );
  cutFor(faults, pairs, spell(faults));
}

/** Links that are left: two halves that see each other only through one, or a ring, in which each sees its neighbours. */
export function rewire(faults: Faults, topology: 'bridge' | 'ring'): void {
  const all = shuffled(faults.random, faults.world.processes);
  const half = Math.floor(all.length / 2);
  const isLinked = (i: number, j: number): boolean => {
    if (topology === 'ring') return (i - j + all.length) % all.length === 1 || (j - i + all.length) % all.length === 1;
    return i === 0 || j === 0 || i <= half === j <= half;
  };
  const pairs = all.flatMap((a, i) =>
    all.flatMap((b, j) => (i === j || isLinked(i, j) ? [] : [[a.address, b.address] as const])),
  );
  cutFor(faults, pairs, spell(faults));
}

/** Many links, each in one direction: nobody agrees with anybody on who is there. */
export function spoilLinks(faults: Faults): void {
  const share = pick(faults.random, [0.15, 0.3, 0.5]);
  const { processes } = faults.world;
  const pairs = processes.flatMap((a) =>
    some(
      faults.random,
      processes.filter((b) => b !== a),
      share,
    ).map((b) => [a.address, b.address] as const),
  );
  cutFor(faults, pairs, spell(faults));
}

/** A single link, in one direction: two nodes that do not agree on who is there. */
export function cutLink(faults: Faults): void {
  const [a, b] = shuffled(faults.random, faults.world.processes);
  if (a !== undefined && b !== undefined) cutFor(faults, [[a.address, b.address]], spell(faults));
}

/** Breaks a stream that has been used, or one that is kept as a tether; both ends go on living. */
export function breakSomeStream({ world, random }: Faults): boolean {
  const used = [...world.network.connections.values()]
    .filter(({ lastArrival }) => lastArrival.size > 0)
    .map(({ ends }) => ends);
  const tethers = living(world).flatMap(({ address, tethers: to }) => to.map((peer) => [address, peer] as const));
  const all = [...used, ...tethers];
  if (all.length === 0) return false;
  const [a, b] = pick(random, all);
  severStream(world, a, b);
  return true;
}

/** These do not hear it for a while. */
export function silence(faults: Faults, process: Process, deaf: readonly Process[], millis: number): void {
  const pairs = deaf.filter((other) => other !== process).map((other) => [process.address, other.address] as const);
  cutFor(faults, pairs, millis);
}

/** What a path may eat, those more often that leave the heartbeats alone. */
const combinations: readonly (readonly ('multicast' | 'unicast' | 'stream' | 'large')[])[] = [
  ['large'],
  ['unicast'],
  ['stream'],
  ['multicast'],
  ['large', 'stream'],
  ['large', 'unicast'],
  ['unicast', 'stream'],
  ['large', 'unicast', 'stream'],
  ['multicast', 'unicast'],
  ['multicast', 'stream', 'large'],
];

/** For long the way to one process, from it, or both, eats some kinds of traffic and not others. */
export function eatSome(faults: Faults, random: Random): boolean {
  const { world, plan } = faults;
  const { address } = pick(random, world.processes);
  const [isOut, isIn] = pick(random, [
    [true, false],
    [false, true],
    [true, true],
  ]);
  const kinds = pick(random, combinations);
  const isEaten: Rule = ({ kind, from, to, bytes }) => {
    // a stream needs both directions
    if (kind === 'stream') return kinds.includes(kind) && (from === address || to === address) ? drop : undefined;
    if (!(isOut && from === address) && !(isIn && to === address)) return undefined;
    return kinds.includes(kind) || (bytes.length > 1400 && kinds.includes('large')) ? drop : undefined;
  };
  // what streams have lost they do not bring any more
  const sever = (): void => {
    for (const other of world.processes) if (other.address !== address) severStream(world, address, other.address);
  };
  const millis = between(random, 1, 16) * plan.world.node.timeout;
  ruleFor(faults, isEaten, millis, kinds.includes('stream') ? sever : undefined);
  return true;
}

const drop: Verdict = { kind: 'drop' };

export function noise(faults: Faults, kind: 'loss' | 'duplication' | 'reordering' | 'delay'): void {
  const random = fork(faults.random);
  const millis = between(faults.random, 50, 800);
  const share = pick(faults.random, [0.05, 0.15, 0.35]);
  // on one process's links only, or everywhere
  const target = chance(faults.random, 0.5) ? pick(faults.random, faults.world.processes).address : null;
  const concerns = (from: string, to: string): boolean => target === null || target === from || target === to;
  ruleFor(
    faults,
    (packet) => {
      if (packet.kind === 'stream' || !concerns(packet.from, packet.to) || !chance(random, share)) return undefined;
      if (kind === 'loss') return { kind: 'drop' };
      if (kind === 'duplication') return { kind: 'duplicate', millis: between(random, 0, 60) };
      if (kind === 'reordering') return { kind: 'delay', millis: between(random, 0, 12) };
      return { kind: 'delay', millis: between(random, 20, 250) };
    },
    millis,
  );
}

/** What a step of the protocol waits for, or must not believe when it comes late. */
const kindsToDelay = [
  'data',
  'fetched',
  'row',
  'report',
  'cut',
  'have-all',
  'install',
  'finish',
  'accept',
  'accepted',
  'promise',
  'decided',
  'decrees',
  'welcome',
] as const;

/** Packets that carry one kind of section come late, some of them much too late. */
export function delayKind(faults: Faults): void {
  const random = fork(faults.random);
  const { timeout } = faults.plan.world.node;
  const kind = pick<string>(faults.random, kindsToDelay);
  const share = pick(faults.random, [0.3, 0.7, 1]);
  const longest = pick(faults.random, [10, timeout, 2 * timeout]);
  const { describePacket } = faults.world.core;
  ruleFor(
    faults,
    (packet) => {
      if (packet.kind === 'stream' || !chance(random, share) || !describePacket(packet.bytes).includes(kind)) {
        return undefined;
      }
      return { kind: 'delay', millis: between(random, 1, longest) };
    },
    between(faults.random, 100, 4 * timeout),
  );
}

/** The loss that is there all the time until the world heals. */
export function startLoss(faults: Faults): void {
  const random = fork(faults.random);
  const { loss } = faults.plan;
  if (loss === 0) return;
  ruleFor(faults, (packet) => (packet.kind !== 'stream' && chance(random, loss) ? { kind: 'drop' } : undefined), 1e9);
}
