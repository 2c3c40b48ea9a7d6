/**
 * One simulated process of a test: its place in the network, its transport, and the runtime of the node that lives there.
 *
 * Time is the medium's. A process that is paused takes nothing and none of its timers goes off; when it goes on, the overdue
 * timers come first and what its sockets hold comes after, as in an event loop.
 */
import type { Found, NodeEvent } from '../../lib/events.js';
import type { Transport, TransportFactory, TransportHandlers } from '../../transport/transport.js';
import { schedule } from '../../transport/simulation/agenda.js';
import {
  dropStreams,
  probe,
  sendMulticast,
  sendStream,
  sendUnicast,
  type Medium,
  type Station,
} from '../../transport/simulation/medium.js';
import { integer, type Random } from '../../transport/simulation/random.js';
import type { Runtime, Timer } from '../runtime.js';

/** See above. The mutable side of {@link Station}. */
export interface Process extends Station {
  readonly name: string;
  node: object | null;
  life: number;
  paused: boolean;
  inbox: NodeEvent[];
  tethers: readonly string[];
  handlers: TransportHandlers | undefined;
  /** Timers that came due while it was paused. */
  overdue: (() => void)[];
  /** Who waits for what a connection attempt finds, by address. */
  readonly probes: Map<string, ((found: Found) => void)[]>;
}

/** What a simulated socket takes, as on a loopback interface, and holds. */
const datagramBytesMax = 60_000;
const receiveBufferBytes = 8 * 1024 * 1024;
/** The wall clock when a simulation begins: 2023-11-14T22:13:20Z. */
const wallTime = 1_700_000_000_000;

/** A process that is down. */
export function createProcess(name: string): Process {
  return {
    name,
    address: `simulated:${name}`,
    node: null,
    life: 0,
    paused: false,
    inbox: [],
    tethers: [],
    machineGone: false,
    handlers: undefined,
    overdue: [],
    probes: new Map(),
  };
}

/** Begins a life. */
export function begin(process: Process): void {
  process.node = process;
  process.life += 1;
}

/** Ends a life; the connections break as when a process ends. */
export function end(medium: Medium<Process>, process: Process): void {
  if (process.node === null) return;
  process.node = null;
  process.life += 1;
  process.paused = false;
  process.inbox = [];
  process.overdue = [];
  process.handlers = undefined;
  process.probes.clear();
  dropStreams(medium, process);
}

/** Hands an event of the network to whoever lives there. */
export function post(process: Process, event: NodeEvent): void {
  if (process.node === null) return;
  if (process.paused) process.inbox.push(event);
  else take(process, event);
}

function take({ handlers, probes }: Process, event: NodeEvent): void {
  if (event.kind === 'datagram') handlers?.datagram(event.bytes, event.from);
  else if (event.kind === 'stream') handlers?.stream(event.bytes, event.from);
  else if (event.kind === 'stream-down') handlers?.streamDown(event.to, 'the connection broke', event.wasUp ?? false);
  else if (event.kind === 'probed') {
    for (const resolve of probes.get(event.to) ?? []) resolve(event.found);
    probes.delete(event.to);
  }
}

/** Goes on after a pause. */
export function goOn(process: Process): void {
  process.paused = false;
  for (const run of process.overdue.splice(0)) run();
  for (const event of process.inbox.splice(0)) take(process, event);
}

/** The transport of a process. */
export function transportOf(medium: Medium<Process>, process: Process): TransportFactory {
  return async (_domain, handlers) => {
    process.handlers = handlers;
    const { life } = process;
    /** What a dead process still says is not heard. */
    const lives = (): boolean => process.life === life;
    const transport: Transport = {
      address: process.address,
      isLocal: true,
      datagramBytesMax,
      receiveBufferBytes,
      description: `simulated ${process.address}`,
      multicast(bytes) {
        if (lives()) sendMulticast(medium, process, bytes);
        return false;
      },
      unicast(to, bytes) {
        if (lives()) sendUnicast(medium, process, to, bytes);
      },
      stream(to, bytes) {
        if (lives()) sendStream(medium, process, to, bytes);
      },
      tether(to) {
        if (lives()) process.tethers = to;
      },
      probe: (to) =>
        new Promise((resolve) => {
          process.probes.set(to, [...(process.probes.get(to) ?? []), resolve]);
          if (lives()) probe(medium, process, to);
        }),
      streamBacklog: () => 0,
      // a multicast reaches them wherever they are
      setNodes: () => {},
      datagramsPending: 0,
      statistics: () => ({}),
      close: () =>
        new Promise((resolve) => {
          if (!lives()) return resolve();
          // what was written before is still delivered
          schedule(medium.agenda, medium.now + 2 * medium.options.delayMax, () => {
            if (lives()) end(medium, process);
            resolve();
          });
        }),
    };
    return transport;
  };
}

/** The time and the chance of one life. */
export function runtimeOf(
  medium: Medium<Process>,
  process: Process,
  random: Random,
  incarnation: () => number,
): Runtime {
  const { life } = process;
  return {
    now: () => medium.now,
    nanos: () => Math.round(medium.now * 1e6),
    wall: () => wallTime + Math.floor(medium.now),
    after(millis, run) {
      const timer: VirtualTimer = { cancelled: false };
      const goOff = (): void => {
        if (timer.cancelled || process.life !== life) return;
        if (process.paused) process.overdue.push(goOff);
        else run();
      };
      schedule(medium.agenda, medium.now + Math.max(0, millis), goOff);
      return timer;
    },
    cancel(timer) {
      if (timer) (timer as VirtualTimer).cancelled = true;
    },
    random: (limit) => integer(random, 0, limit - 1),
    incarnation,
    process: '',
  };
}

interface VirtualTimer extends Timer {
  cancelled: boolean;
}
