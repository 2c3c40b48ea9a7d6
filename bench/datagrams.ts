/** How the baselines put messages into datagrams: one each, many packed by hand, or one in several parts. */
import type { Contender } from './plan.js';

/** What one datagram holds: `messages` whole ones, or one of the `parts` of a message. */
export interface Layout {
  readonly messages: number;
  readonly parts: number;
  /** Of the largest datagram. */
  readonly bytes: number;
}

/** What UDP over IPv4 takes. */
export const datagramBytesMax = 65_507;
/** What is packed, and what is cut into parts, fills this: as large as the library's own frames. */
const filledBytesMax = 60_000;

/** The layout of a baseline for messages of so many bytes. */
export function layoutOf(kind: Contender['kind'], bytes: number): Layout {
  if (bytes > datagramBytesMax) {
    const parts = Math.ceil(bytes / filledBytesMax);
    return { messages: 1, parts, bytes: Math.ceil(bytes / parts) };
  }
  const isPacked = kind === 'packed' || kind === 'copied';
  const messages = isPacked ? Math.max(1, Math.floor(filledBytesMax / bytes)) : 1;
  return { messages, parts: 1, bytes: messages * bytes };
}

/** Bytes of part `index` of a message; all but the last have the same. */
export function partBytes(bytes: number, parts: number, index: number): number {
  const each = Math.ceil(bytes / parts);
  return Math.min(each, bytes - index * each);
}
