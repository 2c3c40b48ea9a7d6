/**
 * What is to be sent, packed: everything that is ready for one destination when a batch of work ends shares packets.
 */
import type { Effect } from './events.js';
import type { DecreeNumber, Incarnation, Millis } from './ids.js';
import { safeDatagramBytes, smallDatagramsFor, smallDatagramsForMax } from './limits.js';
import { type Allocate, Writer, cleared } from './wire/bytes.js';
import { Section, beginSection, headerBytesMax, sectionHeaderBytes, stampHeader, writeHeader } from './wire/packet.js';
import { cutIntoPieces } from './wire/pieces.js';

/** Packets under construction for one destination. */
export interface Packer {
  readonly by: 'multicast' | 'unicast' | 'stream';
  readonly address: string;
  readonly destination: Incarnation;
  bytesMax: number;
  writer: Writer | null;
  /** Bytes of messages that the next packet takes along for the first time. */
  payloadBytes: number;
  /** A bit for each kind of section that was added to the next packet by {@link addSection}. */
  kinds: number;
  /** A guess at the next packet's size, so that buffers seldom grow: recent ones' greatest, slowly forgotten. */
  capacity: number;
}

/** What finished packets held; see `statistics`. */
interface Counts {
  withoutData: number;
  acks: number;
  payloadBytes: number;
  /** Frames sent again. */
  resent: number;
}

/** All of a node's packets under construction. */
export interface Outbox {
  readonly domain: number;
  readonly source: Incarnation;
  readonly options: { readonly allocate: Allocate };
  /** A datagram's limit at present; see {@link shrinkDatagrams}. */
  datagramBytesMax: number;
  readonly datagramBytesMost: number;
  /** Until when datagrams are to be small, and for how long when that has to begin again. */
  smallUntil: Millis;
  smallFor: Millis;
  /** Founding tag and state number for the headers. */
  founding: number;
  number: DecreeNumber;
  /** The version in which sections are written; see {@link speak}. */
  version: number;
  readonly all: Packer;
  readonly packers: Map<string, Packer>;
  /** Finished packets. */
  packets: Effect[];
  readonly counts: Counts;
  /** Whether a packet to all went out since this was last reset. */
  multicastSent: boolean;
}

/**
 * Below this a packet is never split: no section but a data frame is larger than a fraction of it. What a stream message may have leaves
 * room for what seals it.
 */
const streamPacketBytesMax = 1024 * 1024 - 1024;

/** Kinds that take messages along for a second time, or in pieces. */
const dataKinds = (1 << Section.data) | (1 << Section.link) | (1 << Section.piece);
const ackKinds = (1 << Section.row) | (1 << Section.linkAck);

/** An empty outbox. */
export function createOutbox(
  domain: number,
  source: Incarnation,
  datagramBytesMax: number,
  options: Outbox['options'] = { allocate: cleared },
): Outbox {
  return {
    domain,
    source,
    options,
    datagramBytesMax,
    datagramBytesMost: datagramBytesMax,
    smallUntil: -Infinity,
    smallFor: smallDatagramsFor,
    founding: 0,
    number: 0,
    version: 1,
    all: createPacker('multicast', 0, '', datagramBytesMax),
    packers: new Map(),
    packets: [],
    counts: { withoutData: 0, acks: 0, payloadBytes: 0, resent: 0 },
    multicastSent: false,
  };
}

function createPacker(by: Packer['by'], destination: Incarnation, address: string, bytesMax: number): Packer {
  return { by, address, destination, bytesMax, writer: null, payloadBytes: 0, kinds: 0, capacity: 1024 };
}

/**
 * Somebody does not get large datagrams: a path may lose all of them (a broken path MTU, a filter for fragments) or so many
 * fragments that a datagram hardly ever arrives whole. For a while none are sent. True if that is news.
 */
export function shrinkDatagrams(out: Outbox, now: Millis): boolean {
  if (out.datagramBytesMax <= safeDatagramBytes) return false;
  out.datagramBytesMax = safeDatagramBytes;
  out.all.bytesMax = safeDatagramBytes;
  out.smallUntil = now + out.smallFor;
  out.smallFor = Math.min(2 * out.smallFor, smallDatagramsForMax);
  return true;
}

/** Tries large datagrams again when it is time. Once they have done for as long as they did not, the past is forgotten. */
export function growDatagrams(out: Outbox, now: Millis): void {
  if (now < out.smallUntil) return;
  if (out.datagramBytesMax < out.datagramBytesMost) {
    out.datagramBytesMax = out.datagramBytesMost;
    out.all.bytesMax = out.datagramBytesMost;
  } else if (now >= out.smallUntil + out.smallFor) out.smallFor = smallDatagramsFor;
}

/** The packer for datagrams to one node. */
export function toNode(out: Outbox, destination: Incarnation, address: string): Packer {
  return packer(out, 'unicast', destination, address, out.datagramBytesMax);
}

/**
 * The packer for small datagrams to one node that travel as multicasts do: whatever else its path eats, where heartbeats get
 * through these do. The others drop them for the destination in the header.
 */
export function byMulticast(out: Outbox, destination: Incarnation): Packer {
  return packer(out, 'multicast', destination, '', Math.min(out.datagramBytesMost, safeDatagramBytes));
}

/** The packer for the stream to one node. */
export function overStream(out: Outbox, destination: Incarnation, address: string): Packer {
  return packer(out, 'stream', destination, address, streamPacketBytesMax);
}

function packer(out: Outbox, by: Packer['by'], destination: Incarnation, address: string, bytesMax: number): Packer {
  const key = `${by} ${destination} ${address}`;
  let found = out.packers.get(key);
  if (!found) {
    found = createPacker(by, destination, address, bytesMax);
    out.packers.set(key, found);
  }
  return found;
}

/** A writer with room for a section of `bytes`, its header included; what does not fit any more goes out first. */
export function room(out: Outbox, packer: Packer, bytes: number): Writer {
  if (packer.writer && packer.writer.length + bytes > packer.bytesMax) finish(out, packer);
  if (!packer.writer) {
    packer.writer = new Writer(Math.max(packer.capacity, headerBytesMax + bytes), out.options.allocate);
    writeHeader(packer.writer, {
      version: out.version,
      domain: out.domain,
      source: out.source,
      destination: packer.destination,
      founding: out.founding,
      number: out.number,
    });
  }
  return packer.writer;
}

/** Bytes that a section may have to fit a datagram of its own; what is larger goes over streams. */
export function sectionBytesMax(out: Outbox): number {
  return out.datagramBytesMax - headerBytesMax - sectionHeaderBytes;
}

/** Adds a section, in pieces if it is larger than `bytesMax` or than a datagram may be. */
export function addSection(
  out: Outbox,
  packer: Packer,
  kind: number,
  body: Uint8Array,
  bytesMax: number = packer.bytesMax,
): void {
  const datagramBytesMax = Math.min(bytesMax, packer.bytesMax);
  if (packer.by === 'stream' || headerBytesMax + sectionHeaderBytes + body.length <= datagramBytesMax) {
    addWhole(out, packer, kind, body);
    return;
  }
  const pieceBytesMax = Math.min(safeDatagramBytes, datagramBytesMax) - headerBytesMax - sectionHeaderBytes;
  for (const piece of cutIntoPieces(kind, body, pieceBytesMax)) addWhole(out, packer, Section.piece, piece);
}

/** Adds a section by every way that leads to a node, in pieces that every path carries. */
export function addEveryWay(
  out: Outbox,
  destination: Incarnation,
  address: string,
  kind: number,
  body: Uint8Array,
): void {
  addBesides(out, destination, address, kind, body);
  addSection(out, byMulticast(out, destination), kind, body);
}

/** The same but for the way of multicasts. */
export function addBesides(
  out: Outbox,
  destination: Incarnation,
  address: string,
  kind: number,
  body: Uint8Array,
): void {
  addSection(out, toNode(out, destination, address), kind, body, safeDatagramBytes);
  addSection(out, overStream(out, destination, address), kind, body);
}

function addWhole(out: Outbox, packer: Packer, kind: number, body: Uint8Array): void {
  const w = room(out, packer, sectionHeaderBytes + body.length);
  packer.kinds |= 1 << kind;
  const start = beginSection(w, kind);
  w.raw(body);
  w.bytes[start - 3] = body.length & 0xff;
  w.bytes[start - 2] = (body.length >>> 8) & 0xff;
  w.bytes[start - 1] = body.length >>> 16;
}

/** Sends off what a packer holds. The buffer goes with it: frames that are kept for retransmission alias it. */
export function finish(out: Outbox, packer: Packer): void {
  const w = packer.writer;
  if (!w) return;
  packer.writer = null;
  const forgotten = packer.capacity - (packer.capacity >> 3);
  packer.capacity = Math.min(packer.bytesMax, Math.max(1024, w.length + (w.length >> 3), forgotten));
  const bytes = w.bytes.subarray(0, w.length);
  stampHeader(bytes, out);
  count(out.counts, packer);
  if (packer.by === 'multicast') {
    out.packets.push({ kind: 'multicast', bytes });
    // what only one of them takes in tells the others nothing
    if (packer.destination === 0) out.multicastSent = true;
  } else out.packets.push({ kind: packer.by, to: packer.address, bytes });
}

function count(counts: Counts, packer: Packer): void {
  counts.payloadBytes += packer.payloadBytes;
  if (packer.payloadBytes === 0 && (packer.kinds & dataKinds) === 0) {
    counts.withoutData++;
    if ((packer.kinds & ackKinds) !== 0) counts.acks++;
  }
  packer.payloadBytes = 0;
  packer.kinds = 0;
}

/** Has what follows written in a version of the protocol: all sections of a packet are of one. */
export function speak(out: Outbox, version: number): void {
  if (version === out.version) return;
  finishOpen(out);
  out.version = version;
}

function finishOpen(out: Outbox): void {
  finish(out, out.all);
  for (const each of out.packers.values()) finish(out, each);
}

/** Sends off everything and returns the packets. */
export function finishAll(out: Outbox): Effect[] {
  finishOpen(out);
  out.packers.clear();
  const packets = out.packets;
  out.packets = [];
  return packets;
}
