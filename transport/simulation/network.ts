/**
 * The simulated network: datagrams that may be lost, late, twice or out of order, and streams that are in order and
 * complete until they break.
 *
 * The network itself only knows delays and cuts (who cannot reach whom). Everything else that goes wrong is a rule beside
 * it: a function from a packet to a verdict, so that random noise and a scenario's "hold the install from a to b" are the
 * same thing.
 *
 * What a rule damages is sealed before and opened after by the transport's own code: it arrives as it was, or not at all.
 */
import { sealBytes, sealOf, unseal } from '../seal.js';
import { type Random, between } from './random.js';

/** One packet on its way from one address to one address. */
export interface Packet {
  readonly kind: 'multicast' | 'unicast' | 'stream';
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** What a rule says about a packet; nothing means that it is of no concern. */
export type Verdict =
  | { readonly kind: 'drop' }
  /** It comes so many milliseconds later. */
  | { readonly kind: 'delay'; readonly millis: number }
  /** It comes once more, so many milliseconds after the first. Datagrams only. */
  | { readonly kind: 'duplicate'; readonly millis: number }
  /** Its bytes, seal and all, are changed on the way. Datagrams only. */
  | { readonly kind: 'damage'; readonly damage: (sealed: Uint8Array) => Uint8Array }
  /** The rule keeps it; whoever made the rule gives it back to the network. */
  | { readonly kind: 'hold' };

export type Rule = (packet: Packet) => Verdict | undefined;

/** A message on a stream that waits for a cut to end. */
interface Stalled {
  readonly packet: Packet;
  readonly epoch: number;
}

/** The stream connection between two addresses. */
interface Connection {
  readonly ends: readonly [string, string];
  /** Counts the breaks: what was sent in an earlier epoch never arrives. */
  epoch: number;
  /** When the last message in each direction arrives, so that the next arrives after it. By receiving address. */
  readonly lastArrival: Map<string, number>;
  readonly stalled: Stalled[];
}

export interface Network {
  readonly random: Random;
  readonly delayMin: number;
  readonly delayMax: number;
  readonly rules: Set<Rule>;
  /** How many reasons there are why `from>to` does not get through. */
  readonly cuts: Map<string, number>;
  readonly connections: Map<string, Connection>;
}

export function createNetwork(random: Random, delayMin: number, delayMax: number): Network {
  return { random, delayMin, delayMax, rules: new Set(), cuts: new Map(), connections: new Map() };
}

/** Stops packets from one address to another, those on their way included. Every cut is to be mended once. */
export function cut(network: Network, from: string, to: string): void {
  const key = `${from}>${to}`;
  network.cuts.set(key, (network.cuts.get(key) ?? 0) + 1);
}

export function mend(network: Network, from: string, to: string): void {
  const key = `${from}>${to}`;
  const reasons = (network.cuts.get(key) ?? 0) - 1;
  if (reasons > 0) network.cuts.set(key, reasons);
  else network.cuts.delete(key);
}

export function isCut(network: Network, from: string, to: string): boolean {
  return network.cuts.size > 0 && network.cuts.has(`${from}>${to}`);
}

/** A stream needs both directions: without acknowledgements the sender's kernel stops sending. */
export function isStreamCut(network: Network, a: string, b: string): boolean {
  return isCut(network, a, b) || isCut(network, b, a);
}

function delayOf(network: Network): number {
  return between(network.random, network.delayMin, network.delayMax);
}

/** Seals a datagram, changes its bytes, and opens it: whether it is still what was sent. */
function survives(bytes: Uint8Array, damage: (sealed: Uint8Array) => Uint8Array): boolean {
  const sealed = new Uint8Array(bytes.length + sealBytes);
  sealed.set(bytes);
  sealed.set(sealOf(bytes), bytes.length);
  const opened = unseal(damage(sealed));
  return opened !== null && Buffer.compare(opened, bytes) === 0;
}

/** When the copies of a datagram arrive, from now; none if it is lost, damaged or held. */
export function datagramDelays(network: Network, packet: Packet): number[] {
  if (isCut(network, packet.from, packet.to)) return [];
  const delays = [delayOf(network)];
  for (const rule of network.rules) {
    const verdict = rule(packet);
    if (verdict === undefined) continue;
    if (verdict.kind === 'drop' || verdict.kind === 'hold') return [];
    if (verdict.kind === 'damage') {
      if (!survives(packet.bytes, verdict.damage)) return [];
    } else if (verdict.kind === 'delay') delays[0] = (delays[0] ?? 0) + verdict.millis;
    else delays.push((delays[0] ?? 0) + verdict.millis);
  }
  return delays;
}

/** What the network does with a stream message. */
export type StreamFate =
  | { readonly kind: 'arrives'; readonly at: number; readonly epoch: number }
  /** It waits for a cut to end; `first` if nothing waited before. */
  | { readonly kind: 'stalls'; readonly epoch: number; readonly first: boolean }
  | { readonly kind: 'held' };

export function connectionOf(network: Network, a: string, b: string): Connection {
  const ends = a < b ? ([a, b] as const) : ([b, a] as const);
  const key = `${ends[0]}|${ends[1]}`;
  let connection = network.connections.get(key);
  if (connection === undefined) {
    connection = { ends, epoch: 0, lastArrival: new Map(), stalled: [] };
    network.connections.set(key, connection);
  }
  return connection;
}

/** Takes a message for the stream between two addresses. Rules may delay or hold it; a stream loses nothing by itself. */
export function sendOnStream(network: Network, packet: Packet, now: number): StreamFate {
  const connection = connectionOf(network, packet.from, packet.to);
  let delay = delayOf(network);
  for (const rule of network.rules) {
    const verdict = rule(packet);
    if (verdict?.kind === 'hold' || verdict?.kind === 'drop') return { kind: 'held' };
    if (verdict?.kind === 'delay') delay += verdict.millis;
  }
  if (connection.stalled.length > 0 || isStreamCut(network, packet.from, packet.to)) {
    connection.stalled.push({ packet, epoch: connection.epoch });
    return { kind: 'stalls', epoch: connection.epoch, first: connection.stalled.length === 1 };
  }
  const at = Math.max(now + delay, (connection.lastArrival.get(packet.to) ?? 0) + 0.001);
  connection.lastArrival.set(packet.to, at);
  return { kind: 'arrives', at, epoch: connection.epoch };
}

/** Breaks the stream between two addresses: what was under way in either direction is lost. */
export function breakStream(network: Network, a: string, b: string): void {
  const connection = connectionOf(network, a, b);
  connection.epoch += 1;
  connection.stalled.length = 0;
  connection.lastArrival.clear();
}

/** The messages that waited for cuts that have ended, in order; they are to be sent again. */
export function takeStalled(network: Network): Packet[] {
  const packets: Packet[] = [];
  for (const connection of network.connections.values()) {
    if (connection.stalled.length === 0 || isStreamCut(network, connection.ends[0], connection.ends[1])) continue;
    for (const { packet } of connection.stalled.splice(0)) packets.push(packet);
  }
  return packets;
}
