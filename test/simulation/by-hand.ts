/**
 * A world by hand: nothing moves by itself any more. Packets wait until they are brought, clocks stand still until time is
 * let pass, and nobody is suspected until it is said so. The explorer's counterexamples are played in such a world.
 */
import { type NodeId, incarnationOf } from '../../lib/ids.js';
import type { Node } from '../../lib/node.js';
import type { Packet } from '../../transport/simulation/network.js';
import { type Process, type World, onTimer, post, runUntil } from './world.js';

/** Takes the world in hand: what is under way is lost, timers wait. */
export function takeInHand(world: World): Packet[] {
  const waiting: Packet[] = [];
  world.agenda.heap.length = 0;
  // whole milliseconds: a clock with an offset then shows the very time that a timer was set for
  world.now = Math.ceil(world.now);
  world.byHand = true;
  world.network.rules.add((packet) => {
    waiting.push(packet);
    return { kind: 'hold' };
  });
  for (const process of world.processes) process.timerAt = Infinity;
  return waiting;
}

/** Brings one packet that waits. */
export function bring(world: World, packet: Packet): void {
  const peer = world.processes.find((candidate) => candidate.address === packet.to);
  if (peer === undefined) throw new Error(`nobody is at ${packet.to}`);
  const kind = packet.kind === 'stream' ? 'stream' : 'datagram';
  post(world, peer, { kind, bytes: packet.bytes.slice(), from: packet.from });
  comeToRest(world);
}

/** Lets time pass for all; whatever timers are due go off. */
export function letPass(world: World, millis: number): void {
  world.now += millis;
  for (const process of world.processes) {
    if (process.node === null || process.tickDue > world.now) continue;
    keepAwake(process.node, process.clockOffset + world.now * process.clockRate);
    onTimer(world, process);
  }
  comeToRest(world);
}

/** A process' detector has not heard a node for too long. */
export function suspect(world: World, process: Process, who: NodeId): void {
  if (process.node === null) throw new Error(`${process.name} is down`);
  silence(process.node, who, process.clockOffset + world.now * process.clockRate);
  onTimer(world, process);
  comeToRest(world);
}

/** The system tells a process that a node's process is dead. */
export function tellDeath(world: World, process: Process, who: NodeId): void {
  post(world, process, { kind: 'death', who });
  comeToRest(world);
}

/** A process stood still for longer than others bear, and notices it. */
export function stoodStill(world: World, process: Process): void {
  if (process.node === null) throw new Error(`${process.name} is down`);
  process.node.membership.detector.awakeSince = process.clockOffset + world.now * process.clockRate;
}

/** What happens at once, happens. */
export function comeToRest(world: World): void {
  runUntil(world, world.now);
}

/** Time passes at once, but nobody stands still meanwhile for so long that others could go on without it. */
export function keepAwake({ membership: { detector } }: Node, now: number): void {
  const { heartbeat, timeout } = detector.patience;
  detector.awakeAt = Math.max(detector.awakeAt, now - timeout + heartbeat);
}

/** As if a node had been silent for as long as the detector bears: the next tick suspects it. */
export function silence(node: Node, who: NodeId, now: number): void {
  const { peers, detector, options } = node.membership;
  const peer = peers.get(incarnationOf(who));
  if (peer === undefined) throw new Error(`${node.self} does not know ${who}`);
  peer.heardAt = now - options.timeout;
  peer.watchedAt = now - options.timeout;
  detector.judgeFrom = Math.min(detector.judgeFrom, now);
}
