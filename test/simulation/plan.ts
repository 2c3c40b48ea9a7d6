/**
 * What one seed plays: how many processes and groups, which options, what traffic, which faults and how often. All of it is
 * drawn anew for each seed, so that no two seeds are the same mix.
 */
import { type GroupSettings, type Order } from '../../lib/membership/state.js';
import { defaults } from '../../lib/options.js';
import type { Habits } from './application.js';
import type { Weighing } from './chains.js';
import { type Random, between, chance, fork, integer, pick, shuffled } from '../../transport/simulation/random.js';
import type { WorldOptions } from './world.js';

/** What breaks a protocol of views most: who is there, who hears whom, and when. Noise is on for a while; the others happen. */
export const faultKinds = [
  'loss',
  'duplication',
  'reordering',
  'delay',
  'late packets of one kind',
  'one-way partition',
  'two-way partition',
  'bad links',
  'isolation',
  'crash',
  'crash of two',
  'crash of a coordinator',
  'aimed',
  'leave during a flush',
  'half-told decree',
  'late ballot',
  'restart',
  'pause',
  'join of a node',
  'join of a group',
  'leave of a group',
  'leave of the domain',
] as const;

/** What goes wrong beside that. */
export const otherFaultKinds = [
  'damaged datagrams',
  'truncated datagrams',
  'replayed datagrams',
  'forged datagrams',
  'clogged links',
  'bridge',
  'ring',
  'broken stream',
  'stall',
  'clock jump',
  'slow member',
  'full queue',
  'large messages',
  'throwing member',
  'failing snapshot',
  'donor killed',
  'joiner killed',
  'stream broken in a transfer',
  'contact struck',
] as const;

/** What goes wrong where all processes are of one machine, on which those that run hear each other. */
const kindsOfOneMachine: ReadonlySet<FaultKind> = new Set([
  ...([
    'crash',
    'crash of two',
    'crash of a coordinator',
    'crash of all but one',
    'restart',
    'pause',
    'stall',
  ] as const),
  ...(['join of a node', 'join of a group', 'leave of a group', 'leave of the domain', 'duplication'] as const),
  ...(['clock jump', 'slow member', 'full queue', 'throwing member', 'donor killed', 'joiner killed'] as const),
]);

export type FaultKind = (typeof faultKinds)[number] | (typeof otherFaultKinds)[number] | 'crash of all but one';

/** What processes are called, in the order in which they come. */
export const nameList = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];

/** A group of the run. */
export interface GroupPlan {
  readonly name: string;
  readonly settings: GroupSettings;
  readonly orders: readonly Order[];
  /** Share of its multicasts that are uniform. */
  readonly uniform: number;
  /** Share of its multicasts that are barriers. */
  readonly barriers: number;
  /** Asks, of members and of others, and letters: shares of the bursts. */
  readonly asks: number;
  readonly letters: number;
  /** Share of the processes that are in it from the start. */
  readonly share: number;
  readonly traffic: Traffic;
}

/** Who sends, how much and how often. */
export interface Traffic {
  readonly senders: 'all' | 'one' | 'some';
  /** Milliseconds between bursts, on average. */
  readonly interval: number;
  readonly burstMax: number;
  readonly bytesMax: number;
  /** Share of the multicasts that need several datagrams. */
  readonly large: number;
  readonly multicastsMax: number;
}

export interface Plan {
  readonly processes: number;
  /** More may be started later, up to so many names. */
  readonly names: number;
  readonly groups: readonly GroupPlan[];
  readonly world: Omit<WorldOptions, 'core' | 'random'>;
  /** Share of datagrams that are lost all the time until the world heals. */
  readonly loss: number;
  readonly kinds: readonly FaultKind[];
  /** When a barrier loses its past, and when a path begins to eat some traffic; drawn apart, so that all else stays as it is. */
  readonly lostPast: RareFault | null;
  readonly eaten: RareFault | null;
  /** When an install comes late, and when an operator has to force the domain on; likewise. */
  readonly lateInstall: RareFault | null;
  readonly forced: RareFault | null;
  /** When the faults begin, and for how long they go on. */
  readonly calm: number;
  readonly duration: number;
  /** Milliseconds between faults, on average. */
  readonly interval: number;
  /** Spread of the first starts. */
  readonly startSpread: number;
  /** Whether the dead are started again when the world heals. */
  readonly revive: boolean;
}

/** Happens once, in some runs. */
export interface RareFault {
  /** Milliseconds after the calm. */
  readonly after: number;
  readonly random: Random;
}

function drawRare(random: Random, share = 0.15): RareFault | null {
  return chance(random, share) ? { after: between(random, 100, 1000), random: fork(random) } : null;
}

function drawGroup(random: Random, index: number): GroupPlan {
  const replicated = index === 0 ? chance(random, 0.75) : chance(random, 0.5);
  const mixed: readonly Order[] = pick(random, [
    ['fifo', 'total'],
    ['fifo', 'fifo', 'total'],
    ['causal', 'fifo', 'total'],
    ['causal'],
    ['fifo'],
  ]);
  return {
    name: replicated ? `stock${index}` : `talk${index}`,
    settings: replicated
      ? { kind: 'replicated', order: 'total', codec: 'model/1' }
      : { kind: 'plain', order: 'fifo', codec: 'model/1' },
    orders: replicated ? ['total'] : mixed,
    uniform: pick(random, [0, 0, 0.2, 0.5, 1]),
    barriers: pick(random, [0, 0, 0.01, 0.05]),
    asks: pick(random, [0, 0.1, 0.4]),
    letters: pick(random, [0, 0.1, 0.4]),
    share: index === 0 ? pick(random, [1, 1, 0.8]) : pick(random, [1, 0.7, 0.4]),
    traffic: {
      senders: pick(random, ['all', 'all', 'one', 'some']),
      interval: pick(random, [4, 10, 30, 120]),
      burstMax: pick(random, [1, 1, 3, 12]),
      bytesMax: pick(random, [16, 100, 400]),
      large: pick(random, [0, 0, 0.03, 0.1]),
      multicastsMax: integer(random, 80, 260),
    },
  };
}

function drawHabits(random: Random): (process: string, group: string) => Habits {
  const slow = chance(random, 0.25) ? pick(random, ['a', 'b', 'c']) : '';
  const pace = pick(random, [1, 3, 8]);
  const snapshotChunks = integer(random, 1, 5);
  const snapshotFiller = pick(random, [0, 0, 500, 6000]);
  const replyAfter = pick(random, [0, 0, 5, 200, -1]);
  const refusals = pick(random, [0, 0, 3]);
  const refuses: Habits['refuses'] = (number) =>
    refusals === 0 || number % refusals !== 0 ? 'no' : number % 2 === 0 ? 'for now' : 'for good';
  return (process) => ({
    pace: process === slow ? pace : 0,
    snapshotChunks,
    snapshotFiller,
    hashEvery: 16,
    // the others of its group answer at once, or there would be no replies at all
    replyAfter: process === slow ? replyAfter : Math.max(0, replyAfter),
    refuses,
  });
}

function drawWorld(random: Random): Plan['world'] {
  const heartbeat = integer(random, 15, 30);
  const timeout = heartbeat * integer(random, 8, 12);
  const delayMin = pick(random, [0.05, 0.1, 0.5]);
  const node = {
    ...defaults,
    domain: 'sim',
    minimumNodes: 1,
    heartbeat,
    timeout,
    timeoutMax: timeout * pick(random, [1, 2, 3]),
    discovery: integer(random, 60, 100),
    datagramBytesMax: pick(random, [1400, 1400, 8000, 60_000]),
    windowBytes: 1024 * pick(random, [8, 16, 64]),
    queueLengthMax: 256,
    messageBytesMax: 64 * 1024,
    backlogBytesMax: 1024 * pick(random, [4, 16, 64]),
  };
  return {
    // so little that memory is used again and again
    node: { ...node, slabBytes: node.windowBytes / 4 },
    delayMin,
    delayMax: delayMin + pick(random, [0.1, 0.5, 2, 5]),
    turnDelayMax: pick(random, [0, 0.1, 1]),
    timerLatenessMax: pick(random, [0, 1, 1, 4]),
    batchMax: pick(random, [1, 8, 64, 256]),
    loopback: chance(random, 0.5),
    clockDrift: 0.001,
    streamPatience: pick(random, [300, 1000, 3000]),
    tethers: chance(random, 0.5),
    weighing: null,
    socketBytes: 256 * 1024,
    habits: drawHabits(random),
  };
}

function drawKinds(random: Random): FaultKind[] {
  const kinds: FaultKind[] = [
    ...shuffled(random, faultKinds).slice(0, integer(random, 3, 9)),
    ...shuffled(random, otherFaultKinds).slice(0, pick(random, [0, 0, 1, 3, 6])),
  ];
  // what happens inside a view change is what breaks protocols: most runs aim
  if (chance(random, 0.8)) kinds.push('aimed', 'aimed');
  if (chance(random, 0.3)) kinds.push('crash of two');
  if (chance(random, 0.3)) kinds.push('contact struck');
  return kinds;
}

/** The plan of a seed. */
export function drawPlan(random: Random): Plan {
  const processes = pick(random, [2, 3, 3, 4, 4, 5, 5, 5, 6, 7]);
  const groups = Array.from({ length: pick(random, [1, 1, 2, 3]) }, (_, index) => drawGroup(random, index));
  const plan: Plan = {
    processes,
    names: Math.min(9, processes + integer(random, 1, 2)),
    groups,
    world: drawWorld(random),
    loss: pick(random, [0, 0, 0.01, 0.05, 0.1]),
    kinds: drawKinds(random),
    calm: pick(random, [0, 300, 500]),
    duration: between(random, 1200, 2400),
    interval: pick(random, [90, 160, 300]),
    startSpread: pick(random, [0, 20, 150]),
    revive: chance(random, 0.5),
    lostPast: drawRare(random),
    eaten: drawRare(random),
    lateInstall: drawRare(random),
    forced: null,
  };
  if (chance(random, 0.12)) return onOneMachine(random, plan);
  return {
    ...plan,
    forced: drawRare(random, 0.08),
    world: { ...plan.world, weighing: drawWeighing(random, processes) },
  };
}

/** As with servers and others, most of which never decide anything: those who go on weigh more than half of those that were planned. */
function drawWeighing(random: Random, processes: number): Weighing | null {
  if (processes < 3 || !chance(random, 0.1)) return null;
  const weights: Record<string, number> = {};
  const servers = Math.min(processes, pick(random, [3, 3, 5]));
  nameList.forEach((name, index) => {
    weights[name] = index < servers ? pick(random, [1, 1, 2]) : 0;
  });
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
  return { weights, minimum: sum / 2 };
}

/** The same on one machine, whose system says who is dead: any number may die. */
function onOneMachine(random: Random, plan: Plan): Plan {
  const kinds = plan.kinds.filter((kind) => kindsOfOneMachine.has(kind));
  const { node } = plan.world;
  return {
    ...plan,
    world: { ...plan.world, node: { ...node, quorum: 'verified-deaths', process: 'one of this machine' } },
    loss: pick(random, [0, 0, 0.02]),
    lostPast: null,
    eaten: null,
    kinds: [...kinds, 'crash of all but one', 'crash of a coordinator', 'restart', 'pause'],
  };
}
