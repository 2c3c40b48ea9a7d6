/**
 * The world itself, tried with a core that is a toy: it says what it hears and when.
 */
import test from 'ava';
import type { Effect, NodeEvent } from '../../lib/events.js';
import { defaults } from '../../lib/options.js';
import type { Node } from '../../lib/node.js';
import type { NodeOptions } from '../../lib/options.js';
import type { Core } from './core.js';
import { cut, mend } from '../../transport/simulation/network.js';
import { createRandom } from '../../transport/simulation/random.js';
import { resumeStreams } from '../../transport/simulation/medium.js';
import {
  type Process,
  type World,
  addProcess,
  createWorld,
  crash,
  pause,
  post,
  restart,
  resume,
  runUntil,
  start,
} from './world.js';

/** What a toy has heard since its start, and what it will do next. */
interface Toy {
  readonly options: NodeOptions;
  readonly heard: string[];
  effects: Effect[];
  due: number;
}

const toys = new WeakMap<Node, Toy>();

function toyOf(process: Process): Toy {
  const toy = process.node === null ? undefined : toys.get(process.node);
  if (toy === undefined) throw new Error(`${process.name} is down`);
  return toy;
}

function hear(toy: Toy, event: NodeEvent, now: number): void {
  if (event.kind === 'tick') toy.due = now + 10;
  if (event.kind === 'leave-domain') throw new Error('a toy cannot leave');
  const detail = event.kind === 'datagram' || event.kind === 'stream' ? ` ${event.bytes.join(',')}` : '';
  toy.heard.push(`${event.kind}${detail}`);
}

const toyCore: Core = {
  createNode: (options, now) => {
    const node = { options };
    toys.set(node as unknown as Node, { options, heard: [], effects: [], due: now + 10 });
    return node as unknown as Node;
  },
  step: (node, event, now) => {
    const toy = toys.get(node);
    if (toy !== undefined) hear(toy, event, now);
  },
  ready: (node) => toys.get(node)?.effects.splice(0) ?? [],
  nextTick: (node) => toys.get(node)?.due ?? Infinity,
  gauge: () => ({ unstable: 0, unstableBytes: 0, queued: 0, reorder: 0, reassembly: 0 }),
  describePacket: () => [],
  lastState: () => null,
};

function toyWorld(seed: number, names: readonly string[]): { world: World; processes: Process[] } {
  const world = createWorld({
    core: toyCore,
    random: createRandom(seed),
    node: { ...defaults, domain: 'toy' },
    delayMin: 1,
    delayMax: 3,
    turnDelayMax: 0.1,
    timerLatenessMax: 0,
    batchMax: 8,
    loopback: false,
    weighing: null,
    clockDrift: 0.001,
    streamPatience: 300,
    tethers: true,
    socketBytes: 1000,
    habits: () => ({ pace: 0, snapshotChunks: 1, snapshotFiller: 0, replyAfter: 0, refuses: () => 'no', hashEvery: 1 }),
  });
  const processes = names.map((name) => addProcess(world, name));
  for (const process of processes) start(world, process);
  runUntil(world, 1);
  return { world, processes };
}

/** Makes a toy do this at its next turn. */
function perform(world: World, process: Process, ...effects: Effect[]): void {
  toyOf(process).effects.push(...effects);
  post(world, process, { kind: 'leave-group', group: 'none' });
}

function heard(process: Process): string[] {
  return toyOf(process).heard.filter((what) => what !== 'tick' && what !== 'leave-group');
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test('a multicast reaches the others, a unicast its address', (t) => {
  const { world, processes } = toyWorld(1, ['a', 'b', 'c']);
  const [a, b, c] = processes as [Process, Process, Process];
  perform(world, a, { kind: 'multicast', bytes: bytes(1) }, { kind: 'unicast', to: c.address, bytes: bytes(2) });
  runUntil(world, 10);
  t.deepEqual([heard(a), heard(b), heard(c).sort()], [[], ['datagram 1'], ['datagram 1', 'datagram 2']]);
});

test('a stream is in order; it stalls while a link is cut and goes on after', (t) => {
  const { world, processes } = toyWorld(2, ['a', 'b']);
  const [a, b] = processes as [Process, Process];
  const send = (n: number): void => perform(world, a, { kind: 'stream', to: b.address, bytes: bytes(n) });
  for (let n = 1; n <= 5; n += 1) send(n);
  runUntil(world, 20);
  cut(world.network, b.address, a.address);
  send(6);
  runUntil(world, 100);
  t.deepEqual(heard(b), ['stream 1', 'stream 2', 'stream 3', 'stream 4', 'stream 5']);
  mend(world.network, b.address, a.address);
  resumeStreams(world);
  send(7);
  runUntil(world, 120);
  t.deepEqual(heard(b).slice(5), ['stream 6', 'stream 7']);
});

test('a stream breaks at both ends when it stalls for too long', (t) => {
  const { world, processes } = toyWorld(3, ['a', 'b']);
  const [a, b] = processes as [Process, Process];
  cut(world.network, a.address, b.address);
  perform(world, a, { kind: 'stream', to: b.address, bytes: bytes(1) });
  runUntil(world, 1000);
  mend(world.network, a.address, b.address);
  resumeStreams(world);
  runUntil(world, 1100);
  t.deepEqual([heard(a), heard(b)], [['stream-down'], ['stream-down']]);
});

test('a crash breaks streams; who writes to a dead address is told', (t) => {
  const { world, processes } = toyWorld(4, ['a', 'b']);
  const [a, b] = processes as [Process, Process];
  perform(world, a, { kind: 'stream', to: b.address, bytes: bytes(1) });
  runUntil(world, 10);
  crash(world, b);
  runUntil(world, 20);
  t.deepEqual(heard(a), ['stream-down']);
  perform(world, a, { kind: 'stream', to: b.address, bytes: bytes(2) });
  runUntil(world, 30);
  t.deepEqual(heard(a), ['stream-down', 'stream-down']);
});

test('a restart is a new node on the same address, and nothing queued for the old one reaches it', (t) => {
  const { world, processes } = toyWorld(5, ['a', 'b']);
  const [a, b] = processes as [Process, Process];
  const before = b.id;
  perform(world, a, { kind: 'stream', to: b.address, bytes: bytes(1) });
  restart(world, b, 0);
  runUntil(world, 10);
  t.not(b.id, before);
  t.deepEqual(heard(b), ['stream 1']);
});

test('who was paused finds its timer overdue first, and then what its socket held', (t) => {
  const { world, processes } = toyWorld(6, ['a', 'b']);
  const [a, b] = processes as [Process, Process];
  runUntil(world, 15);
  pause(world, b);
  toyOf(b).heard.length = 0;
  perform(world, a, { kind: 'multicast', bytes: bytes(1) }, { kind: 'multicast', bytes: bytes(2) });
  runUntil(world, 200);
  t.deepEqual(toyOf(b).heard, []);
  resume(world, b);
  runUntil(world, 201);
  t.is(toyOf(b).heard[0], 'tick');
  t.deepEqual(heard(b).sort(), ['datagram 1', 'datagram 2']);
});

test('a core that throws fails the run', (t) => {
  const { world, processes } = toyWorld(7, ['a']);
  const [a] = processes as [Process];
  post(world, a, { kind: 'leave-domain' });
  runUntil(world, 100);
  t.is(world.failures[0]?.property, 'CORE');
  t.is(a.node, null);
});
