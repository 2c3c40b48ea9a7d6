/**
 * A packet taken apart without being understood: sections that carry what users say (multicasts, letters, states) beside those by
 * which the protocol goes on (control messages, rows, requests, the flush). Who gives them different protection needs to know no more.
 */
import { Reader } from './bytes.js';
import { type PacketHeader, readHeader, readSection, Section } from './packet.js';
import { pieceKindAt } from './pieces.js';

/** What a section is for: `payload` in the clear, the same `sealed`, about the `keys` for that, or for the protocol (`plain`). */
export type Purpose = 'payload' | 'sealed' | 'keys' | 'plain';

/** A packet, in parts that alias it. */
export interface Parts {
  readonly header: PacketHeader;
  /** The header as it stands in the packet. */
  readonly head: Uint8Array;
  /** Sections with their own headers, in their order; neighbours of one purpose are one part. */
  readonly parts: readonly { readonly purpose: Purpose; readonly bytes: Uint8Array }[];
}

/** Takes a packet apart. Throws {@link Malformed} if it is none, or does not end with a section. */
export function takeApart(packet: Uint8Array): Parts {
  const r = new Reader(packet);
  const header = readHeader(r);
  const head = packet.subarray(0, r.at);
  const parts: { purpose: Purpose; bytes: Uint8Array }[] = [];
  let from = r.at;
  let before: Purpose | undefined;
  while (r.left > 0) {
    const at = r.at;
    const { kind, end } = readSection(r);
    const purpose = purposeOf(kind === Section.piece ? packet[Math.min(r.at + pieceKindAt, end)] : kind);
    if (purpose !== before && before !== undefined) {
      parts.push({ purpose: before, bytes: packet.subarray(from, at) });
      from = at;
    }
    before = purpose;
    r.at = end;
  }
  if (before !== undefined) parts.push({ purpose: before, bytes: packet.subarray(from) });
  return { header, head, parts };
}

function purposeOf(kind: number | undefined): Purpose {
  if (kind === Section.data || kind === Section.link) return 'payload';
  if (kind === Section.sealed) return 'sealed';
  return kind === Section.groupKey ? 'keys' : 'plain';
}
