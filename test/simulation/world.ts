/**
 * A world of processes under one virtual clock, run by a seed.
 *
 * A process has a name and an address, which survive its lives; each life is a core with a new incarnation from a counter
 * of the world, so that no node id is ever used twice. The core is run as a real runner would run it: a turn of the event loop
 * takes in what is queued, `ready` ends the batch, and its effects are carried out in order. A process may die between two
 * effects: that is how a coordinator gets to send its install to one member and not to the next.
 *
 * Everything that happens comes from the agenda, and every draw from the world's generator: the same seed gives the same
 * trace, byte for byte.
 */
import type { Effect, GroupItem, NodeEvent, Wanted } from '../../lib/events.js';
import { type NodeId, nodeId } from '../../lib/ids.js';
import type { GroupSettings, Order } from '../../lib/membership/state.js';
import type { Node } from '../../lib/node.js';
import type { NodeOptions } from '../../lib/options.js';
import type { Traced, TraceRecord } from '../../lib/trace/format.js';
import { type Agenda, createAgenda, nextTime, schedule, takeNext } from '../../transport/simulation/agenda.js';
import {
  type Habits,
  type Replica,
  type Surroundings,
  createReplica,
  directPayload,
  payloadOf,
  take,
} from './application.js';
import { type Caller, createCaller, nextLetter, takeAnswer, takeEnd, takeLetter } from './caller.js';
import { type Chains, type Weighing, createChains, noteDeparture, noteState } from './chains.js';
import type { Core } from './core.js';
import { dropStreams, probe, sendMulticast, sendStream, sendUnicast } from '../../transport/simulation/medium.js';
import { type Network, createNetwork } from '../../transport/simulation/network.js';
import { type Random, between, fork, integer, pick } from '../../transport/simulation/random.js';

/** A view as it was traced. */
export type ViewRecord = TraceRecord & { readonly e: 'view' };

/** A process: what survives its lives, and its present life. */
export interface Process {
  readonly name: string;
  readonly address: string;
  /** Null while it is down, and for good once it has left. */
  node: Node | null;
  /** The node id of the present or the last life. */
  id: NodeId;
  /** Counts starts and ends, so that nothing meant for an earlier life reaches a later one. */
  life: number;
  hasLeft: boolean;
  /** When it was told to leave the domain, or learned that it is excluded. */
  departingSince: number;
  paused: boolean;
  /** It goes on after a stall: until its inbox is empty its ticks say so. */
  behind: boolean;
  inbox: NodeEvent[];
  turnPlanned: boolean;
  /** When the core wants its tick, and when the timer for it goes off, in the world's time. */
  tickDue: number;
  timerAt: number;
  /** To whom it has tethers, by address. */
  tethers: readonly string[];
  /** It died with its machine, which says nothing any more. */
  machineGone: boolean;
  /** Its own monotonic clock: starts anywhere, and is a little fast or slow. */
  clockOffset: number;
  clockRate: number;
  /** How far its wall clock is off. */
  clockSkew: number;
  /** What it wants to be a member of; survives restarts. */
  readonly wanted: Map<string, GroupSettings>;
  /** Groups that it has asked the core to leave and that the core has not reported as left. */
  readonly leaving: Set<string>;
  replicas: Map<string, Replica>;
  /** Multicasts per group in this life, and messages per group and member. */
  numbers: Map<string, number>;
  /** What this life has asked and said to others. */
  caller: Caller;
  /** The last view traced of each group, of `$domain` too, in this life. */
  views: Map<string, ViewRecord>;
  /** Groups between `blocked` and the next view. */
  readonly blocked: Set<string>;
}

/** Something that must not be. */
export interface Failure {
  readonly property: string;
  readonly detail: string;
  /** World time in milliseconds. */
  readonly at: number;
}

/** What the world is made of; drawn for each run or written in a scenario. */
export interface WorldOptions {
  readonly core: Core;
  readonly random: Random;
  /** What all nodes have in common. */
  readonly node: Omit<NodeOptions, 'name' | 'incarnation' | 'address' | 'seed' | 'trace' | 'weight' | 'minimumWeight'>;
  /** What nodes weigh, if not one each. */
  readonly weighing: Weighing | null;
  readonly delayMin: number;
  readonly delayMax: number;
  /** From an event to the turn that takes it in, at most. */
  readonly turnDelayMax: number;
  /** How late timers go off, at most. */
  readonly timerLatenessMax: number;
  /** Events taken in per turn, at most. */
  readonly batchMax: number;
  /** Whether a multicast comes back to its sender. */
  readonly loopback: boolean;
  /** How fast or slow clocks may be. */
  readonly clockDrift: number;
  /** A stream breaks, and a probe is given up, when it stalls for so long. */
  readonly streamPatience: number;
  /** Whether the transport has tethers; else a crash is told only by streams that are in use. */
  readonly tethers: boolean;
  /** Bytes a paused process's socket holds. */
  readonly socketBytes: number;
  habits(process: string, group: string): Habits;
}

export interface Counters {
  packets: number;
  datagrams: number;
  streams: number;
  bytes: number;
  turns: number;
  deliveries: number;
  /** Multicasts that a group would have refused at the sender. */
  refused: number;
}

export interface World {
  readonly options: WorldOptions;
  readonly core: Core;
  readonly random: Random;
  readonly network: Network;
  readonly agenda: Agenda;
  now: number;
  /** Taken in hand (see `by-hand.ts`): only timers that are due already go off by themselves. */
  byHand: boolean;
  incarnations: number;
  readonly processes: Process[];
  readonly trace: Traced[];
  readonly failures: Failure[];
  readonly counters: Counters;
  readonly chains: Chains;
  /** Called with each trace record before the effects after it are carried out. */
  readonly onTrace: Set<(process: Process, record: Traced) => void>;
  /** Called with each packet that a process has sent, once for each multicast, before the effects after it. */
  readonly onSend: Set<(process: Process, bytes: Uint8Array) => void>;
  /** Called with each effect before it is carried out, and with each event before it is taken in. */
  readonly onEffect: Set<(process: Process, effect: Effect) => void>;
  readonly onStep: Set<(process: Process, event: NodeEvent) => void>;
  /** Hands an event to a process; it is taken in at its next turn. */
  readonly post: (process: Process, event: NodeEvent) => void;
}

/** Effects that only the log has use for are cut at this many per turn; more is a core that runs wild. */
const turnEffectsMax = 100_000;
/** More turns in one run than any plan needs: packets that cause packets for ever. */
const turnsMax = 1_500_000;
/** Multicasts that a member queues besides those of the traffic. */
const queuedMax = 120;
/** The wall clock at the beginning of the world, in milliseconds since 1970. */
const wallTime = 1_700_000_000_000;
/** A timer is never earlier than this: a core that wants to be woken at once, for ever, must not stop the world's clock. */
const timerStep = 0.05;

export function createWorld(options: WorldOptions): World {
  const world: World = {
    options,
    core: options.core,
    random: options.random,
    network: createNetwork(fork(options.random), options.delayMin, options.delayMax),
    agenda: createAgenda(),
    now: 0,
    byHand: false,
    incarnations: 0,
    processes: [],
    trace: [],
    failures: [],
    counters: { packets: 0, datagrams: 0, streams: 0, bytes: 0, turns: 0, deliveries: 0, refused: 0 },
    chains: createChains(options.weighing),
    onTrace: new Set(),
    onSend: new Set(),
    onEffect: new Set(),
    onStep: new Set(),
    post: (process, event) => post(world, process, event),
  };
  return world;
}

/** Adds a process; it is down until {@link start}. */
export function addProcess(world: World, name: string): Process {
  const process: Process = {
    name,
    address: `addr-${name}`,
    node: null,
    id: nodeId(name, 0),
    life: 0,
    hasLeft: false,
    departingSince: Infinity,
    paused: false,
    behind: false,
    inbox: [],
    turnPlanned: false,
    tickDue: Infinity,
    timerAt: Infinity,
    tethers: [],
    machineGone: false,
    clockOffset: 0,
    clockRate: 1,
    clockSkew: 0,
    wanted: new Map(),
    leaving: new Set(),
    replicas: new Map(),
    numbers: new Map(),
    caller: createCaller(),
    views: new Map(),
    blocked: new Set(),
  };
  world.processes.push(process);
  return process;
}

/** Runs until there is nothing to do before this time, or something has failed. */
export function runUntil(world: World, time: number): void {
  while (nextTime(world.agenda) <= time && world.failures.length === 0) {
    const entry = takeNext(world.agenda);
    if (entry === undefined) break;
    world.now = Math.max(world.now, entry.at);
    entry.run();
  }
  if (world.failures.length === 0) world.now = Math.max(world.now, time);
}

/** Does this after so many milliseconds. */
export function after(world: World, millis: number, run: () => void): void {
  schedule(world.agenda, world.now + millis, run);
}

export function fail(world: World, property: string, detail: string): void {
  world.failures.push({ property, detail, at: world.now });
}

// Time ------------------------------------------------------------------------------------------------------------

function localTime(world: World, process: Process): number {
  return process.clockOffset + world.now * process.clockRate;
}

function worldTime(process: Process, local: number): number {
  return (local - process.clockOffset) / process.clockRate;
}

/** Sets a process's wall clock. */
export function setClock(world: World, process: Process, skew: number): void {
  process.clockSkew = skew;
  post(world, process, { kind: 'clock', wall: wallTime - process.clockOffset + skew });
}

// Lives -----------------------------------------------------------------------------------------------------------

/** Begins a life and asks for the groups that are wanted; one that `founds` founds its domain at once. */
export function start(world: World, process: Process, founds = false): void {
  if (process.node !== null) return;
  world.incarnations += 1;
  process.id = nodeId(process.name, world.incarnations);
  process.life += 1;
  process.hasLeft = false;
  process.departingSince = Infinity;
  process.paused = false;
  process.behind = false;
  process.inbox = [];
  process.turnPlanned = false;
  process.tickDue = Infinity;
  process.timerAt = Infinity;
  process.tethers = [];
  process.machineGone = false;
  process.clockOffset = Math.floor(between(world.random, 0, 1e6));
  process.clockRate = 1 + between(world.random, -world.options.clockDrift, world.options.clockDrift);
  process.replicas = new Map();
  process.numbers = new Map();
  process.caller = createCaller();
  process.views = new Map();
  process.blocked.clear();
  process.leaving.clear();
  const options: NodeOptions = {
    ...world.options.node,
    name: process.name,
    incarnation: world.incarnations,
    address: process.address,
    seed: integer(world.random, 1, 0x7fff_ffff),
    trace: true,
    weight: world.options.weighing?.weights[process.name] ?? 1,
    minimumWeight: world.options.weighing?.minimum ?? 0,
    founds,
    wall: wallTime - process.clockOffset + process.clockSkew,
  };
  guarded(world, process, () => {
    process.node = world.core.createNode(options, localTime(world, process));
  });
  for (const [group, settings] of process.wanted) joinGroup(world, process, group, settings);
  endTurn(world, process);
}

/**
 * Ends a life without a word. Its streams break: after a `kill -9` the peers' kernels are told so at once, after a `silent`
 * death (of a machine) peers find out only when they next write to the stream.
 */
export function crash(world: World, process: Process, silent = false): void {
  if (process.node === null) return;
  endLife(process);
  process.machineGone = silent;
  dropStreams(world, process, silent);
}

function endLife(process: Process): void {
  process.node = null;
  process.life += 1;
  process.inbox = [];
  process.turnPlanned = false;
  process.paused = false;
  process.blocked.clear();
}

/** A new life on the same address, after a while. */
export function restart(world: World, process: Process, millis: number, founds = false): void {
  crash(world, process);
  const { life } = process;
  after(world, millis, () => {
    if (process.life === life) start(world, process, founds);
  });
}

/** Stops a process in the middle of everything: no ticks and no packets until it goes on. */
export function pause(_world: World, process: Process): void {
  process.paused = true;
}

/**
 * Goes on after a pause: overdue timers come first, what the sockets hold comes after, as in an event loop. One that has noticed
 * that it stood still says so with its ticks until it has read what was queued.
 */
export function resume(world: World, process: Process, behind = false): void {
  if (!process.paused) return;
  process.paused = false;
  process.behind = behind;
  if (process.node === null) return;
  if (process.tickDue <= world.now) onTimer(world, process);
  else planTimer(world, process);
  planTurn(world, process);
}

// The runner ------------------------------------------------------------------------------------------------------

/** Hands an event to a process; it is taken in at its next turn. */
export function post(world: World, process: Process, event: NodeEvent): void {
  if (process.node === null) return;
  process.inbox.push(event);
  planTurn(world, process);
}

function planTurn(world: World, process: Process): void {
  if (process.turnPlanned || process.paused || process.inbox.length === 0) return;
  process.turnPlanned = true;
  const { life } = process;
  after(world, between(world.random, 0, world.options.turnDelayMax), () => {
    if (process.life !== life) return;
    process.turnPlanned = false;
    if (!process.paused) takeTurn(world, process);
  });
}

function takeTurn(world: World, process: Process): void {
  const batch = process.inbox.splice(0, world.options.batchMax);
  for (const event of batch) stepInto(world, process, event);
  if (process.inbox.length === 0) process.behind = false;
  endTurn(world, process);
  planTurn(world, process);
}

function stepInto(world: World, process: Process, event: NodeEvent): void {
  for (const listener of world.onStep) listener(process, event);
  guarded(world, process, () => {
    if (process.node !== null) world.core.step(process.node, event, localTime(world, process));
  });
}

/** Ends the batch: carries out what is to be done, and sets the timer. */
function endTurn(world: World, process: Process): void {
  world.counters.turns += 1;
  if (world.counters.turns > turnsMax) return fail(world, 'RUNAWAY', `more than ${turnsMax} turns`);
  let effects: readonly Effect[] = [];
  guarded(world, process, () => {
    if (process.node !== null) effects = world.core.ready(process.node, localTime(world, process));
  });
  if (effects.length > turnEffectsMax) fail(world, 'RUNAWAY', `${process.id}: ${effects.length} effects in one turn`);
  const { life } = process;
  for (const effect of effects) {
    if (process.life !== life || world.failures.length > 0) return;
    carryOut(world, process, effect);
  }
  if (process.life !== life || process.node === null) return;
  process.tickDue = worldTime(process, world.core.nextTick(process.node));
  planTimer(world, process);
}

function planTimer(world: World, process: Process): void {
  if (process.tickDue >= process.timerAt || process.tickDue === Infinity) return;
  if (world.byHand && process.tickDue > world.now) return;
  const earliest = world.byHand ? world.now : world.now + timerStep;
  const at = Math.max(process.tickDue, earliest) + between(world.random, 0, world.options.timerLatenessMax);
  process.timerAt = at;
  const { life } = process;
  schedule(world.agenda, at, () => {
    if (process.life !== life || process.timerAt !== at) return;
    process.timerAt = Infinity;
    if (process.paused) return;
    if (process.tickDue <= world.now) onTimer(world, process);
    else planTimer(world, process);
  });
}

/** A process' timer goes off. */
export function onTimer(world: World, process: Process): void {
  stepInto(world, process, { kind: 'tick', behind: process.behind });
  endTurn(world, process);
}

/** A core that throws has a bug: the run fails, whoever's fault it was. */
function guarded(world: World, process: Process, run: () => void): void {
  try {
    run();
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    fail(world, 'CORE', `${process.id}: ${text}`);
    endLife(process);
  }
}

function carryOut(world: World, process: Process, effect: Effect): void {
  for (const listener of world.onEffect) listener(process, effect);
  switch (effect.kind) {
    case 'multicast':
      return sendMulticast(world, process, effect.bytes);
    case 'unicast':
      return sendUnicast(world, process, effect.to, effect.bytes);
    case 'stream':
      return sendStream(world, process, effect.to, effect.bytes);
    case 'tether':
      process.tethers = world.options.tethers ? effect.to : [];
      return;
    case 'probe':
      return probe(world, process, effect.to);
    case 'deliver':
      return handOut(world, process, effect.group, effect.items);
    case 'trace':
      return record(world, process, effect.record);
    case 'log':
    case 'domain':
    case 'joined':
      return;
    case 'answer':
      return takeAnswer(process.caller, process.id, effect, (what, detail) => fail(world, what, detail));
    case 'answered':
      return takeEnd(process.caller, effect, (what, detail) => fail(world, what, `${process.id}: ${detail}`));
    case 'remote':
      return readLetter(world, process, effect);
    case 'refused':
      return fail(world, 'REFUSED', `${process.id}: ${effect.why}`);
    case 'group-refused':
      return fail(world, 'REFUSED', `${process.id}: group ${effect.group}: ${effect.why}`);
    case 'left':
      endByDecree(world, process);
      endLife(process);
      process.hasLeft = true;
      return dropStreams(world, process);
    case 'confirm':
      return confirmDeath(world, process, effect.who);
    case 'force-refused':
      return;
    case 'restart':
      endByDecree(world, process);
      return restart(world, process, between(world.random, 0, 20), effect.forced === 'found');
  }
}

/** The system of the machine, which all processes share, says who is dead, and of the living nothing. */
function confirmDeath(world: World, process: Process, who: NodeId): void {
  if (world.processes.some(({ id, node }) => id === who && node !== null)) return;
  const { life } = process;
  after(world, between(world.random, 0, 1), () => {
    if (process.life === life) post(world, process, { kind: 'death', who });
  });
}

/** A life is over that may have ended by a decree; one that did not knows no state without itself. */
function endByDecree(world: World, process: Process): void {
  const state = process.node === null ? null : world.core.lastState(process.node);
  if (state === null || state.m.includes(process.id)) return;
  const patience = 10 * world.options.node.timeout;
  noteDeparture(world.chains, state, (world.now - process.departingSince) * process.clockRate >= patience - 1);
}

/** Writes a record to the trace, and lets whoever waits for it act before the step takes effect. */
function record(world: World, process: Process, what: TraceRecord): void {
  const traced: Traced = { t: Math.round(world.now * 1e6), p: process.id, ...what };
  world.trace.push(traced);
  if (traced.e === 'view') {
    process.views.set(traced.g, traced);
    process.blocked.delete(traced.g);
    if (traced.g === '$domain') noteState(world.chains, traced.p, traced);
  } else if (traced.e === 'blocked') process.blocked.add(traced.g);
  else if (traced.e === 'left' && traced.g !== undefined) onLeft(world, process, traced.g);
  else if (traced.e === 'left') endReplicas(process, undefined);
  else if (traced.e === 'excluded') {
    process.departingSince = Math.min(process.departingSince, world.now);
    endReplicas(process, traced.g);
  } else if (traced.e === 'deliver') world.counters.deliveries += 1;
  for (const listener of world.onTrace) listener(process, traced);
}

function onLeft(world: World, process: Process, group: string): void {
  endReplicas(process, group);
  process.views.delete(group);
  process.blocked.delete(group);
  process.leaving.delete(group);
  process.replicas.delete(group);
  const settings = process.wanted.get(group);
  if (settings !== undefined) after(world, 0, () => joinGroup(world, process, group, settings));
}

/** Membership is over: an actor that is behind may still work on its mailbox, but what it does is of no account. */
function endReplicas(process: Process, group: string | undefined): void {
  for (const replica of process.replicas.values()) {
    if (group === undefined || replica.group === group) replica.ended = true;
  }
}

// The application -------------------------------------------------------------------------------------------------

function surroundings(world: World, process: Process, replica: Replica): Surroundings {
  const { life } = process;
  return {
    emit: (event) => {
      // what an actor of an earlier membership still does is of no account
      const isPresent = process.life === life && process.replicas.get(replica.group) === replica;
      if (isPresent) post(world, process, event);
    },
    trace: (what) => {
      if (process.life === life && !replica.ended) record(world, process, what);
    },
    later: (millis, run) => {
      after(world, millis, () => {
        if (process.life === life) whenAwake(world, process, run);
      });
    },
    passOn: (request, payload) => {
      if (process.life !== life || process.leaving.has(replica.group) || replica.ended || !hasRoom(replica))
        return false;
      sendNext(world, process, replica, () => ({ payload, order: 'total', uniform: true, request }));
      return true;
    },
    reset: () => {
      if (process.life === life && !replica.ended) resetMember(world, process, replica.group);
    },
    fail: (property, detail) => fail(world, property, `${process.id}: ${detail}`),
  };
}

/** The application of a paused process is paused with it. */
function whenAwake(world: World, process: Process, run: () => void): void {
  const { life } = process;
  if (!process.paused) run();
  else {
    after(world, 5, () => {
      if (process.life === life) whenAwake(world, process, run);
    });
  }
}

function handOut(world: World, process: Process, group: string, items: readonly GroupItem[]): void {
  const replica = process.replicas.get(group);
  // items may follow `left`: a last status, failed multicasts
  if (replica !== undefined) take(replica, items, surroundings(world, process, replica));
}

/** Asks the core for membership; it comes when it comes. */
export function joinGroup(world: World, process: Process, group: string, settings: GroupSettings): void {
  process.wanted.set(group, settings);
  if (process.node === null || process.replicas.has(group)) return;
  const sent = process.numbers.get(group) ?? 0;
  const habits = world.options.habits(process.name, group);
  process.replicas.set(group, createReplica(group, settings, habits, sent));
  post(world, process, { kind: 'join-group', group, settings });
}

export function leaveGroup(world: World, process: Process, group: string): void {
  process.wanted.delete(group);
  if (process.node === null || !process.replicas.has(group) || process.leaving.has(group)) return;
  process.leaving.add(group);
  post(world, process, { kind: 'leave-group', group });
}

/** Leaves at once, gives up what it gives to others, and comes back, unless it was leaving anyway. */
export function resetMember(world: World, process: Process, group: string): void {
  if (process.node === null || !process.replicas.has(group)) return;
  process.leaving.add(group);
  post(world, process, { kind: 'leave-group', group, abort: true });
}

export function leaveDomain(world: World, process: Process): void {
  process.wanted.clear();
  process.departingSince = world.now;
  for (const group of process.replicas.keys()) process.leaving.add(group);
  post(world, process, { kind: 'leave-domain' });
}

/** Sends one multicast; returns its number, or 0 if the process cannot send to this group now. */
export function multicast(
  world: World,
  process: Process,
  group: string,
  order: Order,
  uniform: boolean,
  bytes: number,
): number {
  const replica = process.replicas.get(group);
  if (process.node === null || replica === undefined || process.leaving.has(group)) return 0;
  if (bytes > world.options.node.messageBytesMax || isFull(world, replica)) {
    world.counters.refused += 1;
    return 0;
  }
  return sendNext(world, process, replica, (message) => ({
    payload: payloadOf(process.id, message, bytes),
    order,
    uniform,
  }));
}

/** Whether a group refuses one more at the sender. */
function isFull(world: World, { sent, accepted, failed }: Replica): boolean {
  return sent - accepted - failed >= world.options.node.queueLengthMax;
}

/** Whether its queue takes one more; what keeps pace needs less. */
function hasRoom({ sent, accepted, failed }: Replica): boolean {
  return sent - accepted - failed < queuedMax;
}

type Multicast = Omit<NodeEvent & { readonly kind: 'multicast' }, 'kind' | 'group' | 'message'>;

/** Gives a multicast the next number. */
function sendNext(world: World, process: Process, replica: Replica, make: (message: number) => Multicast): number {
  const { group } = replica;
  const message = (process.numbers.get(group) ?? 0) + 1;
  process.numbers.set(group, message);
  replica.sent = message;
  post(world, process, { kind: 'multicast', group, message, ...make(message) });
  return message;
}

/** Asks a group: as a member by a multicast, or through one. */
export function ask(world: World, process: Process, group: string, how: Asked): void {
  const replica = process.replicas.get(group);
  if (process.node === null || process.departingSince !== Infinity) return;
  const isMember = replica !== undefined && !replica.ended && !process.leaving.has(group);
  if (how.asMember && (!isMember || isFull(world, replica))) return;
  const { caller } = process;
  caller.asked += 1;
  const number = caller.asked;
  caller.open.set(number, { group, got: new Set() });
  const payload = payloadOf(process.id, number, how.bytes);
  const { replies, timeout } = how;
  if (how.asMember && replica !== undefined) {
    const { order, uniform } = how;
    sendNext(world, process, replica, () => ({ payload, order, uniform, ask: { number, replies, timeout } }));
  } else post(world, process, { kind: 'request', group, number, payload, replies, timeout });
}

/** How a process asks. */
export interface Asked {
  readonly asMember: boolean;
  readonly replies: Wanted;
  readonly timeout: number;
  readonly bytes: number;
  readonly order: Order;
  readonly uniform: boolean;
}

/** Says something to another node of the domain, which says something to the next, so many times. */
export function write(world: World, process: Process, hops: number, bytes: number): void {
  const others = process.views.get('$domain')?.m.filter((id) => id !== process.id) ?? [];
  if (process.node === null || others.length === 0) return;
  const to = pick(world.random, others) as NodeId;
  post(world, process, { kind: 'remote', to, payload: nextLetter(process.caller, to, hops, bytes) });
}

/** What a letter makes its reader do: something of causal order, so that it shows, or another letter. */
function readLetter(world: World, process: Process, effect: Effect & { kind: 'remote' }): void {
  const hops = takeLetter(process.caller, effect, (what, detail) => fail(world, what, `${process.id}: ${detail}`));
  if (hops > 0) write(world, process, hops - 1, 8);
  for (const replica of process.replicas.values()) {
    const { group, settings } = replica;
    if (hasRoom(replica))
      multicast(world, process, group, settings.kind === 'replicated' ? 'total' : 'causal', false, 16);
  }
}

/** Sends a message to one other member of a group's present view, if there is one. */
export function direct(world: World, process: Process, group: string): void {
  const replica = process.replicas.get(group);
  const others = replica?.view?.members.filter((member) => member.id !== process.id) ?? [];
  if (process.node === null || replica === undefined || others.length === 0 || process.leaving.has(group)) return;
  const { id } = pick(world.random, others);
  const key = `${group} ${id}`;
  const number = (process.numbers.get(key) ?? 0) + 1;
  process.numbers.set(key, number);
  post(world, process, { kind: 'direct', group, to: id, payload: directPayload(number) });
}

/** Asks to be told when all that was sent and delivered here is stable. */
export function flush(world: World, process: Process, group: string): void {
  const replica = process.replicas.get(group);
  if (process.node === null || replica === undefined || process.leaving.has(group)) return;
  const token = (process.numbers.get(`${group} flush`) ?? 0) + 1;
  process.numbers.set(`${group} flush`, token);
  replica.flushes.set(token, replica.sent);
  post(world, process, { kind: 'flush', group, token });
}
