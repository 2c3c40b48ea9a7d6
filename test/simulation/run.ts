/**
 * One run: a seed's plan is played in a world of its own, then the world heals, and what was promised is checked: safety
 * over the whole trace, the traces of the dead included, liveness within a bounded simulated time.
 */
import type { Traced } from '../../lib/trace/format.js';
import type { Core } from './core.js';
import { heal, startFaults } from './faults.js';
import { canGoOn } from './chains.js';
import { type Faults, createFaults, idsOf, living } from './fault-state.js';
import { nextProcess } from './membership-faults.js';
import { startLoss } from './network-faults.js';
import { missingDeliveries, missingDrain, missingEquality, missingViews } from './liveness.js';
import { watch } from './marks.js';
import { type Plan, drawPlan } from './plan.js';
import { between, createRandom, fork } from '../../transport/simulation/random.js';
import { sendOne, startTraffic } from './traffic.js';
import { type World, after, createWorld, fail, runUntil, start } from './world.js';

/** Something promised that did not hold. */
export interface Violation {
  readonly property: string;
  readonly detail: string;
}

/** What the checker says about a whole trace. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** How often each property's antecedent held. */
  readonly antecedents: Readonly<Record<string, number>>;
}

/** How a run ended. */
export interface Ending {
  /** The world has healed and is idle: what was to come about has to have come about. */
  readonly quiesced: boolean;
  /** The node ids that live. */
  readonly alive: readonly string[];
  /** What no gauge may exceed at any time. */
  readonly limits: { readonly unstableBytes?: number; readonly queued?: number };
}

export type Checker = (records: readonly Traced[], ending: Ending) => Verdict;

export interface RunResult extends Verdict {
  readonly seed: number;
  /** Views of the group that had most of them. */
  readonly views: number;
  readonly deliveries: number;
  readonly faults: number;
  readonly faultsInside: number;
  readonly byKind: Readonly<Record<string, number>>;
  readonly marks: Readonly<Record<string, number>>;
  /** The domain lost its quorum for good, by design: no liveness was to be checked. */
  readonly wedged: boolean;
  readonly records: number;
  readonly packets: number;
  /** Simulated milliseconds. */
  readonly simulated: number;
  /** From the healing to the last view, in simulated milliseconds. */
  readonly recovery: number;
}

/** Liveness is to come within so many simulated milliseconds after the world healed. */
const livenessBound = 30_000;
/** How often it is looked for. */
const lookEvery = 50;
/** Repetitions whose acknowledgement was lost may go on for so long. */
const calmBeforeSilence = 1500;
/** Unstable order assignments of one sequencer, generously. */
const orderBytesMax = 32 * 1024;
/** Letters that wait beside multicasts: what the traffic writes while a link is down. */
const lettersMax = 200;
/** How often it is looked at what is buffered. */
const gaugeEvery = 100;
/** The silence that is listened to at the end. */
const silenceWindow = 400;

/** Plays one seed. The trace is the world's; the same seed gives the same one. */
export function run(seed: number, core: Core, check: Checker): { readonly result: RunResult; readonly world: World } {
  const random = createRandom(seed);
  const plan = drawPlan(fork(random));
  const world = createWorld({ ...plan.world, core, random: fork(random) });
  const marks = watch(world);
  const faults = createFaults(world, plan, fork(random));
  let sending = true;
  populate(world, faults, plan);
  startLoss(faults);
  for (const group of plan.groups) startTraffic(world, fork(random), group, () => sending);
  startFaults(faults);
  startGauges(world);
  runUntil(world, plan.calm + plan.duration);
  heal(faults);
  sending = false;
  const healedAt = world.now;
  const converged = world.failures.length === 0 && converge(world, faults, fork(random));
  const verdict = world.failures.some((failure) => failure.property === 'CORE')
    ? { violations: [], antecedents: {} }
    : check(world.trace, {
        quiesced: converged && world.failures.length === 0,
        alive: livingIds(world),
        limits: limitsOf(plan),
      });
  const violations = [
    ...world.failures.map(({ property, detail, at }) => ({ property, detail: `${detail} (at ${at.toFixed(3)} ms)` })),
    ...verdict.violations,
  ];
  return {
    world,
    result: {
      seed,
      violations,
      antecedents: verdict.antecedents,
      views: viewsOf(world.trace),
      deliveries: world.counters.deliveries,
      faults: faults.count,
      faultsInside: faults.inside,
      byKind: Object.fromEntries(faults.byKind),
      marks: Object.fromEntries(marks.counts),
      wedged: world.failures.length === 0 && !converged,
      records: world.trace.length,
      packets: world.counters.packets,
      simulated: world.now,
      recovery: world.now - healedAt,
    },
  };
}

/** Each sender keeps to its window, but for the frame that crosses it and for what little the order itself takes. */
function limitsOf(plan: Plan): Ending['limits'] {
  const { windowBytes, datagramBytesMax, queueLengthMax } = plan.world.node;
  return {
    unstableBytes: plan.names * (windowBytes + datagramBytesMax + orderBytesMax),
    queued: plan.groups.length * queueLengthMax + lettersMax,
  };
}

function livingIds(world: World): string[] {
  return world.processes.filter((process) => process.node !== null).map((process) => process.id);
}

function populate(world: World, faults: Faults, plan: Plan): void {
  for (let i = 0; i < plan.processes; i += 1) {
    const process = nextProcess(faults);
    if (process !== undefined) after(world, between(faults.random, 0, plan.startSpread), () => start(world, process));
  }
}

/** Waits for each of these to come about, in turn; false if the domain is wedged by design. */
function converge(world: World, faults: Faults, random: ReturnType<typeof createRandom>): boolean {
  const deadline = world.now + livenessBound;
  const reach = (property: string, missing: (world: World) => string | undefined): boolean => {
    while (world.failures.length === 0) {
      const what = missing(world);
      if (what === undefined) return true;
      if (world.now >= deadline) {
        fail(world, property, what);
        return false;
      }
      runUntil(world, world.now + lookEvery);
      if (world.now > deadline - livenessBound + 5000 && !canGoOn(world.chains, idsOf(living(world)))) {
        return false;
      }
    }
    return false;
  };
  if (!reach('LIVE-VIEW', missingViews)) return world.failures.length > 0;
  for (const group of faults.plan.groups) {
    for (const process of world.processes) sendOne(world, random, process, group);
  }
  const steps = [
    ['LIVE-DEL', missingDeliveries],
    ['DRAIN', missingDrain],
    ['STATE', missingEquality],
    ['LIVE-VIEW', missingViews],
  ] as const;
  for (const [property, missing] of steps) if (!reach(property, missing)) return true;
  listen(world);
  traceGauges(world);
  return true;
}

function startGauges(world: World): void {
  after(world, gaugeEvery, () => {
    traceGauges(world);
    startGauges(world);
  });
}

/** What is buffered goes into the trace, too. */
function traceGauges(world: World): void {
  for (const { node, id } of world.processes) {
    if (node === null) continue;
    const buffered = world.core.gauge(node);
    world.trace.push({ t: Math.round(world.now * 1e6), p: id, e: 'gauge', ...buffered, rss: 0, lagMs: 0 });
  }
}

/** QUIET: after a while of nothing to do there is nothing on the wire but heartbeats. */
function listen(world: World): void {
  runUntil(world, world.now + calmBeforeSilence);
  const heard = new Map<string, number>();
  const listener = (_process: unknown, bytes: Uint8Array): void => {
    for (const kind of world.core.describePacket(bytes)) heard.set(kind, (heard.get(kind) ?? 0) + 1);
  };
  world.onSend.add(listener);
  runUntil(world, world.now + silenceWindow);
  world.onSend.delete(listener);
  const noise = [...heard].filter(([kind]) => kind !== 'heartbeat');
  if (noise.length > 0) fail(world, 'QUIET', noise.map(([kind, count]) => `${count} ${kind}`).join(', '));
}

function viewsOf(trace: readonly Traced[]): number {
  const views = new Map<string, Set<string>>();
  for (const record of trace) {
    if (record.e !== 'view' || record.g === '$domain') continue;
    const ids = views.get(record.g) ?? new Set();
    ids.add(`${record.dom} ${record.v}`);
    views.set(record.g, ids);
  }
  return Math.max(0, ...[...views.values()].map((ids) => ids.size));
}
