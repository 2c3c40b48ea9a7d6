/**
 * What a group of so many members costs, counted in the simulator: no fault happens, each packet takes the same time, and
 * nobody's clock is off, so that the same size always gives the same counts.
 *
 * A packet is counted once, when it is sent, though a multicast arrives at all others; what it costs to take it in there
 * is in the steps, the calls of the core's `step` at all nodes together.
 */
import { gauge } from '../../lib/inspect.js';
import type { GroupSettings } from '../../lib/membership/state.js';
import { type NodeOptions, defaults } from '../../lib/options.js';
import type { Core } from '../simulation/core.js';
import { libraryCore } from '../simulation/library.js';
import { createRandom } from '../../transport/simulation/random.js';
import {
  type Process,
  type World,
  addProcess,
  after,
  crash,
  createWorld,
  joinGroup,
  leaveDomain,
  multicast,
  runUntil,
  start,
} from '../simulation/world.js';

/** What was sent and taken in, by all nodes together. */
export interface Counts {
  readonly packets: number;
  readonly bytes: number;
  readonly steps: number;
}

/** What is counted. */
export const situations = ['one', 'all', 'join', 'leave', 'crash', 'idle'] as const;
/** `one`, `all`: per multicast under a steady load. `join`, `leave`, `crash`: per view change. `idle`: per second. */
export type Situation = (typeof situations)[number];

/** The counts of one size of group. */
export interface Growth {
  readonly members: number;
  readonly counts: Readonly<Record<Situation, Counts>>;
}

const group = 'growth';
const settings: GroupSettings = { kind: 'replicated', order: 'total', codec: 'growth/1' };
const payloadBytes = 100;
/** A LAN's, in milliseconds. */
const latency = 0.1;
/** Each sender multicasts so often, in milliseconds: several times within the delay of an acknowledgement. */
const interval = 1;
/** Under load before anything counts, and while it does, in milliseconds. */
const warmUp = 20;
const measured = 20;
/** A heartbeat is due so often. */
const { heartbeat } = defaults;
/** Whole heartbeats, so that each node's count alike. */
const idleMillis = 10 * heartbeat;
/** Nothing here takes longer, in simulated milliseconds. */
const patience = 60_000;
/** So often it is looked whether a group is at rest. */
const lookEvery = 1;

/** A node as users run it: without a trace. */
const core: Core = {
  ...libraryCore,
  createNode: (options: NodeOptions, now) => libraryCore.createNode({ ...options, trace: false }, now),
};

/** Counts every situation with so many members, each in a group of its own that is at rest before. */
export function measure(members: number): Growth {
  const count = (run: (world: World, processes: readonly Process[]) => Counts) => {
    const { world, processes } = atRest(members);
    return run(world, processes);
  };
  return {
    members,
    counts: {
      one: count((world, [first]) => underLoad(world, first ? [first] : [])),
      all: count(underLoad),
      join: count((world) => countChange(world, members + 1, () => begin(world, addProcess(world, 'newcomer')))),
      leave: count((world, processes) => countChange(world, members - 1, () => leaveDomain(world, last(processes)))),
      crash: count((world, processes) => countChange(world, members - 1, () => crash(world, last(processes)))),
      idle: count((world) =>
        perUnit(
          counted(world, () => pass(world, idleMillis)),
          idleMillis / 1000,
        ),
      ),
    },
  };
}

function last(processes: readonly Process[]): Process {
  const process = processes.at(-1);
  if (process === undefined) throw new Error('a group of nobody');
  return process;
}

/** A group of so many members in which nothing is under way. */
function atRest(members: number): { world: World; processes: readonly Process[] } {
  const world = createWorld({
    core,
    random: createRandom(1),
    node: { ...defaults, domain: 'growth' },
    weighing: null,
    delayMin: latency,
    delayMax: latency,
    turnDelayMax: 0,
    timerLatenessMax: 0,
    batchMax: Infinity,
    loopback: false,
    clockDrift: 0,
    streamPatience: 1000,
    tethers: true,
    socketBytes: Infinity,
    habits: () => ({ pace: 0, snapshotChunks: 1, snapshotFiller: 0, replyAfter: 0, refuses: () => 'no', hashEvery: 1 }),
  });
  const processes = Array.from({ length: members }, (_, i) => addProcess(world, `member-${i}`));
  const [first, ...others] = processes;
  if (first !== undefined) begin(world, first);
  rest(world, 1);
  for (const process of others) begin(world, process);
  rest(world, members);
  return { world, processes };
}

function begin(world: World, process: Process): void {
  joinGroup(world, process, group, settings);
  start(world, process);
}

/** Lets time pass; what goes wrong in it is an error. */
function pass(world: World, millis: number): void {
  runUntil(world, world.now + millis);
  const [failure] = world.failures;
  if (failure !== undefined) throw new Error(`${failure.property}: ${failure.detail}`);
}

/** Lets time pass until so many are in one view and nothing has been under way for a heartbeat. */
function rest(world: World, members: number): void {
  const until = world.now + patience;
  for (let since = world.now; world.now < since + heartbeat;) {
    pass(world, lookEvery);
    if (!isAtRest(world, members)) since = world.now;
    if (world.now > until) throw new Error(`${members} members are not at rest within ${patience} ms`);
  }
}

function isAtRest(world: World, members: number): boolean {
  const nodes = world.processes.flatMap(({ node }) => node ?? []);
  return (
    nodes.length === members &&
    nodes.every((node) => {
      const { current, targets, wedged } = node.groups.get(group) ?? {};
      const isIn = current?.view.members.length === members && targets?.length === 0 && wedged === false;
      return isIn && Object.values(gauge(node)).every((value) => value === 0);
    })
  );
}

/** What is sent and taken in while this happens. */
function counted(world: World, run: () => void): Counts {
  let [packets, bytes, steps] = [0, 0, 0];
  const onSend = (_: Process, sent: Uint8Array): void => {
    packets += 1;
    bytes += sent.length;
  };
  const onStep = (): void => void (steps += 1);
  world.onSend.add(onSend);
  world.onStep.add(onStep);
  run();
  world.onSend.delete(onSend);
  world.onStep.delete(onStep);
  return { packets, bytes, steps };
}

function perUnit({ packets, bytes, steps }: Counts, units: number): Counts {
  return { packets: packets / units, bytes: bytes / units, steps: steps / units };
}

/** Per multicast that was let in, while each of these asks for one an interval, spread over it. */
function underLoad(world: World, senders: readonly Process[]): Counts {
  const send = (process: Process): void => {
    multicast(world, process, group, 'total', false, payloadBytes);
    after(world, interval, () => send(process));
  };
  const accepted = () => senders.reduce((sum, { replicas }) => sum + (replicas.get(group)?.accepted ?? 0), 0);
  senders.forEach((process, i) => after(world, (interval * i) / senders.length, () => send(process)));
  pass(world, warmUp);
  const before = accepted();
  const counts = counted(world, () => pass(world, measured));
  return perUnit(counts, accepted() - before);
}

/** From a change until so many are in the view that comes of it and nothing is under way in the group. */
function countChange(world: World, members: number, change: () => void): Counts {
  return counted(world, () => {
    change();
    const until = world.now + patience;
    do {
      pass(world, lookEvery);
      if (world.now > until) throw new Error(`no view of ${members} members within ${patience} ms`);
    } while (!isAtRest(world, members));
  });
}
