/**
 * A packet: what travels as one datagram or one stream message. A header that says who speaks, to whom and in which
 * state of the domain, then sections. Groups and planes share packets: whatever is ready for one destination when a
 * batch of work ends goes out together.
 *
 * Header: `N G`, version of the protocol, domain hash (4 bytes), founding tag (4 bytes), state number (8 bytes), source incarnation,
 * destination incarnation (0: everybody). Both ends are named by incarnation, so nothing from or for an earlier life is believed.
 * Section: kind (1 byte), length (3 bytes, little-endian), body. Headers of both kinds have this form in every version.
 */
import type { DecreeNumber, Incarnation } from '../ids.js';
import { type Reader, type Writer, Malformed } from './bytes.js';

/** Section kinds on the wire. */
export const Section = {
  control: 1,
  data: 2,
  row: 3,
  nak: 4,
  flush: 5,
  link: 6,
  linkAck: 7,
  piece: 8,
  /** What users say, encrypted; and how nodes come to the key for that. Neither gets to the core: see `transport/rekeying.ts`. */
  sealed: 9,
  groupKey: 10,
} as const;

/** Who speaks, to whom, in which state. */
export interface PacketHeader {
  /** The version of the protocol in which its sections are written; the header itself never changes. From 1 to 255. */
  readonly version: number;
  readonly domain: number;
  readonly source: Incarnation;
  /** 0: everybody. */
  readonly destination: Incarnation;
  /** Tag of the domain's founding, 0 while the source is in none. */
  readonly founding: number;
  /** The source's state number, 0 while it has none. */
  readonly number: DecreeNumber;
}

/** Upper bound of a header's length. */
export const headerBytesMax = 3 + 4 + 4 + 8 + 8 + 8;
/** Where founding tag and state number stand in a packet. */
const stampAt = 3 + 4;
const stampBytes = 4 + 8;
/** Length of a section's own header. */
export const sectionHeaderBytes = 4;

function writeU32(w: Writer, value: number): void {
  for (let shift = 0; shift < 32; shift += 8) w.u8((value >>> shift) & 0xff);
}

function readU32(r: Reader): number {
  let value = 0;
  for (let shift = 0; shift < 32; shift += 8) value |= r.u8() << shift;
  return value >>> 0;
}

/** Writes a header. */
export function writeHeader(w: Writer, header: PacketHeader): void {
  w.u8(0x4e);
  w.u8(0x47);
  w.u8(header.version);
  writeU32(w, header.domain);
  w.reserve(stampBytes);
  w.length += stampBytes;
  stampHeader(w.bytes, header);
  w.varint(header.source);
  w.varint(header.destination);
}

/** Writes the state into a packet that was begun in an earlier one: a packet shows the state in which it leaves. */
export function stampHeader(packet: Uint8Array, { founding, number }: Pick<PacketHeader, 'founding' | 'number'>): void {
  const view = new DataView(packet.buffer, packet.byteOffset);
  view.setUint32(stampAt, founding, true);
  view.setUint32(stampAt + 4, number % 2 ** 32, true);
  view.setUint32(stampAt + 8, Math.floor(number / 2 ** 32), true);
}

/** Reads a header; {@link Malformed} if the bytes are no packet. */
export function readHeader(r: Reader): PacketHeader {
  if (r.u8() !== 0x4e || r.u8() !== 0x47) throw new Malformed('not a packet');
  const version = r.u8();
  if (version === 0) throw new Malformed('version 0');
  const domain = readU32(r);
  const founding = readU32(r);
  const number = readU32(r) + readU32(r) * 2 ** 32;
  if (number > Number.MAX_SAFE_INTEGER) throw new Malformed('state number above 2^53 - 1');
  return { version, domain, founding, number, source: r.varint(), destination: r.varint() };
}

/** Whose bytes are, by the first of them: `none` are no packet, `other` one of another domain. */
export function whose(bytes: Uint8Array, domain: number): 'none' | 'other' | 'ours' {
  if (bytes.length < stampAt || bytes[0] !== 0x4e || bytes[1] !== 0x47 || bytes[2] === 0) return 'none';
  const tag = (bytes[3] as number) | ((bytes[4] as number) << 8) | ((bytes[5] as number) << 16);
  return (tag | ((bytes[6] as number) << 24)) >>> 0 === domain ? 'ours' : 'other';
}

/** Opens a section; returns what {@link endSection} needs. */
export function beginSection(w: Writer, kind: number): number {
  w.u8(kind);
  w.u8(0);
  w.u8(0);
  w.u8(0);
  return w.length;
}

/** Closes a section: its length goes where `beginSection` left room for it. */
export function endSection(w: Writer, start: number): void {
  const length = w.length - start;
  w.bytes[start - 3] = length & 0xff;
  w.bytes[start - 2] = (length >>> 8) & 0xff;
  w.bytes[start - 1] = length >>> 16;
}

/** Reads a section's kind and length; the body follows. */
export function readSection(r: Reader): { kind: number; end: number } {
  const kind = r.u8();
  const length = r.u8() | (r.u8() << 8) | (r.u8() << 16);
  if (length > r.left) throw new Malformed('section longer than its packet');
  return { kind, end: r.at + length };
}

/** FNV-1a over the UTF-16 units of a text: 32 bits that tell domains and foundings apart. */
export function tagOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0 || 1;
}
