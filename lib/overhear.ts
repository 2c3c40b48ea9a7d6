/**
 * What the packets of a domain say of its groups, for whoever looks on: which multicasts are sent, and how much of each stream
 * every member has received. Member or not, a node hears the packets that are meant for all.
 *
 * Nothing is believed and nothing is kept here: bytes that make no sense end their packet, and tell no more.
 */
import type { GroupId, Incarnation, MessageNumber, Rank, Seqno, ViewId } from './ids.js';
import { speaks, versions } from './membership/protocol.js';
import type { Order } from './membership/state.js';
import { pausedFlag } from './group/rows.js';
import { Malformed, Reader } from './wire/bytes.js';
import { Section, readHeader, readSection } from './wire/packet.js';
import { type RankCount, endsMulticast, kindOf, orderOfKind, uniformFlag } from './wire/record.js';

/** What one section of a packet says of one view of a group. */
export interface Overheard {
  /** The node that sent the packet; for a stream's records it need not be their sender, who may be dead. */
  readonly source: Incarnation;
  readonly group: GroupId;
  readonly view: ViewId;
  /** What the packet's sender has received, of these streams. */
  readonly received: readonly RankCount[];
  /** Whether its actor is behind, so that nobody sends. */
  readonly paused: boolean;
  /** Records of a stream, if there are any. */
  readonly records: OverheardRecords | null;
}

/** Consecutive records of the stream of one rank. */
export interface OverheardRecords {
  readonly rank: Rank;
  readonly first: Seqno;
  readonly count: number;
  /** The number of the first multicast that ends among them. */
  readonly firstMessage: MessageNumber;
  readonly bytes: Uint8Array;
}

/** One multicast as it ends in a record. */
export interface OverheardMulticast {
  readonly message: MessageNumber;
  readonly seqno: Seqno;
  readonly order: Order;
  readonly uniform: boolean;
  /** Of the record; of a multicast in several fragments those of the last. */
  readonly bytes: number;
}

/**
 * Tells what a packet says of groups, section by section. `sizeOf`: the number of members of a view, if it is known: without it
 * a row cannot be read.
 */
export function overhear(
  packet: Uint8Array,
  sizeOf: (group: GroupId, view: ViewId) => number | undefined,
  tell: (heard: Overheard) => void,
): void {
  try {
    const r = new Reader(packet);
    const { source, version } = readHeader(r);
    if (!speaks(versions, version)) return;
    while (r.left > 0) {
      const { kind, end } = readSection(r);
      const heard = readGroupSection(source, kind, new Reader(packet, r.at, end), sizeOf);
      if (heard !== null) tell(heard);
      r.at = end;
    }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
}

function readGroupSection(
  source: Incarnation,
  kind: number,
  r: Reader,
  sizeOf: (group: GroupId, view: ViewId) => number | undefined,
): Overheard | null {
  if (kind !== Section.data && kind !== Section.row) return null;
  const group = r.varint();
  const view = r.varint();
  if (kind === Section.data) return { source, group, view, ...readData(r) };
  const size = sizeOf(group, view);
  if (size === undefined) return null;
  const paused = (r.u8() & pausedFlag) !== 0;
  const received = Array.from({ length: size }, (_, rank) => ({ rank, count: r.varint() }));
  return { source, group, view, received, paused, records: null };
}

/** See `group/transmit.ts` for the form. */
function readData(r: Reader): Pick<Overheard, 'received' | 'paused' | 'records'> {
  // what a flush has fetched says so here; it is the same stream
  r.varint();
  const rank = r.varint();
  const first = r.varint();
  const firstMessage = r.varint();
  const paused = (r.u8() & pausedFlag) !== 0;
  const entries = r.u8();
  const received = Array.from({ length: entries }, () => ({ rank: r.varint(), count: r.varint() }));
  const count = r.u8() | (r.u8() << 8);
  const records = { rank, first, count, firstMessage, bytes: r.raw(r.left) };
  return { received, paused, records: count > 0 ? records : null };
}

/** Tells of each multicast that ends in these records, in order. */
export function eachMulticast(records: OverheardRecords, tell: (multicast: OverheardMulticast) => void): void {
  const { first, count, firstMessage, bytes } = records;
  let message = firstMessage;
  try {
    const r = new Reader(bytes);
    for (let seqno = first; seqno < first + count; seqno++) {
      const head = r.u8();
      const length = r.varint();
      r.skip(length);
      if (!endsMulticast(head)) continue;
      const order = orderOfKind(kindOf(head));
      tell({ message, seqno, order, uniform: (head & uniformFlag) !== 0, bytes: length });
      message++;
    }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
}
