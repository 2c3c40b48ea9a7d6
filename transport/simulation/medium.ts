/**
 * What is between simulated processes: their packets under way, their connections, and what a connection attempt finds.
 *
 * {@link Network} decides what becomes of a packet; here that takes place, on an agenda under virtual time. A process is seen
 * as its peers' machines see it: an address that takes events, and may be down, paused or gone with its machine. The
 * simulator's processes are cores alone, those of the test kit are whole nodes.
 */
import type { Found, NodeEvent } from '../../lib/events.js';
import { type Agenda, schedule } from './agenda.js';
import {
  type Network,
  type Packet,
  breakStream,
  connectionOf,
  datagramDelays,
  isCut,
  isStreamCut,
  sendOnStream,
  takeStalled,
} from './network.js';
import { type Random, between } from './random.js';

/** A process as the network sees it. */
export interface Station {
  readonly address: string;
  /** Whatever runs there; null while it is down. */
  readonly node: unknown;
  /** Counts starts and ends, so that nothing meant for an earlier life reaches a later one. */
  readonly life: number;
  /** It takes nothing, and its socket holds what comes. */
  readonly paused: boolean;
  /** What has come and was not taken in. */
  readonly inbox: readonly NodeEvent[];
  /** To whom it has tethers, by address. */
  readonly tethers: readonly string[];
  /** It died with its machine, which says nothing any more. */
  readonly machineGone: boolean;
}

/** Processes, what connects them, and their time. */
export interface Medium<S extends Station> {
  readonly network: Network;
  readonly agenda: Agenda;
  readonly random: Random;
  /** In milliseconds. */
  readonly now: number;
  readonly processes: readonly S[];
  readonly options: {
    readonly delayMin: number;
    readonly delayMax: number;
    /** Whether a multicast comes back to its sender. */
    readonly loopback: boolean;
    /** A stream breaks, and a probe is given up, when it stalls for so long. */
    readonly streamPatience: number;
    /** Bytes a paused process's socket holds. */
    readonly socketBytes: number;
  };
  readonly counters: { packets: number; datagrams: number; streams: number; bytes: number };
  /** Called with each packet that a process has sent, once for each multicast, before anything that it does after. */
  readonly onSend: Set<(process: S, bytes: Uint8Array) => void>;
  /** Hands an event to a process. */
  post(process: S, event: NodeEvent): void;
}

function after<S extends Station>(medium: Medium<S>, millis: number, run: () => void): void {
  schedule(medium.agenda, medium.now + millis, run);
}

// Datagrams -------------------------------------------------------------------------------------------------------

/** One datagram to every process. */
export function sendMulticast<S extends Station>(medium: Medium<S>, process: S, bytes: Uint8Array): void {
  medium.counters.packets += 1;
  for (const peer of medium.processes) {
    if (peer === process && !medium.options.loopback) continue;
    sendDatagram(medium, { kind: 'multicast', from: process.address, to: peer.address, bytes }, peer);
  }
  for (const listener of medium.onSend) listener(process, bytes);
}

/** One datagram to an address. */
export function sendUnicast<S extends Station>(medium: Medium<S>, process: S, to: string, bytes: Uint8Array): void {
  medium.counters.packets += 1;
  const peer = medium.processes.find((candidate) => candidate.address === to);
  if (peer !== undefined) sendDatagram(medium, { kind: 'unicast', from: process.address, to, bytes }, peer);
  for (const listener of medium.onSend) listener(process, bytes);
}

/** Sends one datagram to one process. Each receiver gets bytes of its own. */
export function sendDatagram<S extends Station>(medium: Medium<S>, packet: Packet, peer: S): void {
  for (const delay of datagramDelays(medium.network, packet)) arriveLater(medium, packet, peer, delay);
}

function arriveLater<S extends Station>(medium: Medium<S>, packet: Packet, peer: S, delay: number): void {
  after(medium, delay, () => {
    if (isCut(medium.network, packet.from, packet.to)) return;
    medium.counters.datagrams += 1;
    medium.counters.bytes += packet.bytes.length;
    if (peer.paused && queuedBytes(peer) > medium.options.socketBytes) return;
    medium.post(peer, { kind: 'datagram', bytes: packet.bytes.slice(), from: packet.from });
  });
}

function queuedBytes({ inbox }: Station): number {
  let bytes = 0;
  for (const event of inbox) if (event.kind === 'datagram') bytes += event.bytes.length;
  return bytes;
}

/** Brings a packet that a rule has held, past all rules. */
export function deliverHeld<S extends Station>(medium: Medium<S>, packet: Packet): void {
  const peer = medium.processes.find((candidate) => candidate.address === packet.to);
  if (peer === undefined) return;
  if (packet.kind !== 'stream') return arriveLater(medium, packet, peer, medium.options.delayMin);
  const { epoch } = connectionOf(medium.network, packet.from, packet.to);
  arriveOnStream(medium, packet, medium.now + medium.options.delayMin, epoch);
}

// Streams ---------------------------------------------------------------------------------------------------------

/** One message on the stream to an address. */
export function sendStream<S extends Station>(medium: Medium<S>, process: S, to: string, bytes: Uint8Array): void {
  medium.counters.packets += 1;
  sendStreamPacket(medium, { kind: 'stream', from: process.address, to, bytes });
  for (const listener of medium.onSend) listener(process, bytes);
}

function sendStreamPacket<S extends Station>(medium: Medium<S>, packet: Packet): void {
  const fate = sendOnStream(medium.network, packet, medium.now);
  if (fate.kind === 'arrives') arriveOnStream(medium, packet, fate.at, fate.epoch);
  else if (fate.kind === 'stalls' && fate.first) {
    after(medium, medium.options.streamPatience, () => loseTouch(medium, packet.from, packet.to, fate.epoch));
  }
}

function arriveOnStream<S extends Station>(medium: Medium<S>, packet: Packet, at: number, epoch: number): void {
  schedule(medium.agenda, at, () => {
    if (connectionOf(medium.network, packet.from, packet.to).epoch !== epoch) return;
    const peer = medium.processes.find((candidate) => candidate.address === packet.to);
    if (peer === undefined || peer.node === null) {
      breakStream(medium.network, packet.from, packet.to);
      notifyStreamDown(medium, packet.from, packet.to, false);
      return;
    }
    medium.counters.streams += 1;
    medium.counters.bytes += packet.bytes.length;
    medium.post(peer, { kind: 'stream', bytes: packet.bytes.slice(), from: packet.from });
  });
}

/** Breaks the stream between two addresses; both ends hear of it. */
export function severStream<S extends Station>(medium: Medium<S>, a: string, b: string): void {
  breakStream(medium.network, a, b);
  notifyStreamDown(medium, a, b, true);
  notifyStreamDown(medium, b, a, true);
}

/** A stream that has stalled for too long breaks at both ends. */
function loseTouch<S extends Station>(medium: Medium<S>, a: string, b: string, epoch: number): void {
  const connection = connectionOf(medium.network, a, b);
  if (connection.epoch !== epoch || connection.stalled.length === 0 || !isStreamCut(medium.network, a, b)) return;
  severStream(medium, a, b);
}

/** To be called when cuts have ended: streams go on where they stalled. */
export function resumeStreams<S extends Station>(medium: Medium<S>): void {
  for (const packet of takeStalled(medium.network)) sendStreamPacket(medium, packet);
}

/** Breaks all streams of a process, tethers included; the other ends hear of it unless the death was silent. */
export function dropStreams<S extends Station>(medium: Medium<S>, { address, tethers }: S, silent = false): void {
  for (const peer of medium.processes) {
    if (peer.address === address) continue;
    const { lastArrival, stalled } = connectionOf(medium.network, address, peer.address);
    const tethered = peer.node !== null && (tethers.includes(peer.address) || peer.tethers.includes(address));
    if (!tethered && lastArrival.size === 0 && stalled.length === 0) continue;
    breakStream(medium.network, address, peer.address);
    if (!silent && !isStreamCut(medium.network, address, peer.address))
      notifyStreamDown(medium, peer.address, address, true);
  }
}

function notifyStreamDown<S extends Station>(medium: Medium<S>, address: string, to: string, wasUp: boolean): void {
  const process = medium.processes.find((candidate) => candidate.address === address);
  if (process === undefined) return;
  const { life } = process;
  after(medium, between(medium.random, medium.options.delayMin, 2 * medium.options.delayMax), () => {
    if (process.life === life) medium.post(process, { kind: 'stream-down', to, wasUp });
  });
}

/** What a connection attempt finds: a machine answers for its processes, whether they run or not. */
export function probe<S extends Station>(medium: Medium<S>, process: S, to: string): void {
  const { life } = process;
  const { delayMin, delayMax, streamPatience } = medium.options;
  const answer = (millis: number, found: Found): void =>
    after(medium, millis, () => {
      if (process.life === life) medium.post(process, { kind: 'probed', to, found });
    });
  after(medium, between(medium.random, delayMin, delayMax), () => {
    const target = medium.processes.find((candidate) => candidate.address === to);
    const isReachable =
      target !== undefined && !target.machineGone && !isStreamCut(medium.network, process.address, to);
    if (!isReachable) answer(streamPatience, 'silence');
    else answer(between(medium.random, delayMin, delayMax), target.node === null ? 'nobody' : 'somebody');
  });
}
