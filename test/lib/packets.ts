/** Packets as tests make them up, or make them of real ones. */
import { incarnationOf } from '../../lib/ids.js';
import { Reader, Writer } from '../../lib/wire/bytes.js';
import {
  type PacketHeader,
  beginSection,
  endSection,
  readHeader,
  readSection,
  writeHeader,
} from '../../lib/wire/packet.js';
import type { Member } from './network.js';

/** A section: its kind and its body. */
export interface Section {
  readonly kind: number;
  readonly body: Uint8Array;
}

/** A body of these parts: integers as they are written on the wire, bytes as they are. */
export function body(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  const w = new Writer(16);
  for (const part of parts) {
    if (typeof part === 'number') w.varint(part);
    else w.raw(part);
  }
  return w.take();
}

/** The header of a packet that a member would send to all now. */
export function headerOf({ node }: Member): PacketHeader {
  const { version, domain, founding, number } = node.out;
  return { version, domain, source: incarnationOf(node.self), destination: 0, founding, number };
}

/** A packet of these sections. */
export function packet(header: PacketHeader, sections: readonly Section[]): Uint8Array {
  const w = new Writer(64);
  writeHeader(w, header);
  for (const section of sections) {
    const start = beginSection(w, section.kind);
    w.raw(section.body);
    endSection(w, start);
  }
  return w.take();
}

/** A packet taken apart. */
export function open(bytes: Uint8Array): { header: PacketHeader; sections: Section[] } {
  const r = new Reader(bytes);
  const header = readHeader(r);
  const sections: Section[] = [];
  while (r.left > 0) {
    const { kind, end } = readSection(r);
    sections.push({ kind, body: r.raw(end - r.at).slice() });
  }
  return { header, sections };
}

/** A copy with one bit changed. */
export function flip(bytes: Uint8Array, bit: number): Uint8Array {
  // of a Buffer `slice` would be a view
  const copy = new Uint8Array(bytes);
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

/** All copies that are cut off, whole ones not included. */
export function cutOff(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length }, (_, end) => bytes.slice(0, end));
}
