/**
 * Messages of a group as bytes and back: with the group's structures, and apart from what members say among themselves.
 *
 * A group with a codec of its user's own has no structures: what its bytes mean is the codec's to know.
 */
import type { Delivery } from '../lib/events.js';
import type { Order } from '../lib/membership/state.js';
import type { Member } from './host.js';
import { copyAmong, copyOf, sharedOf } from './pool.js';
import { bodyOf, guarded, kindOf, kindStructure, unguarded } from './internal.js';
import { copyTable, define, type StructureTable } from './structures.js';
import { decodeWith, encodeWith } from './values.js';
import { messageAt } from './trace-context.js';
import { Marker } from './wire-format.js';

/** A multicast's payload. Throws {@link NotEncodable}. */
export function encodePayload(member: Member, message: unknown, order: Order): Uint8Array {
  const { structures, codec, host } = member;
  if (!structures) return guarded(codec.encode(message));
  // a FIFO multicast may overtake the definitions
  if (order === 'fifo' || !mayUse(member, structures)) return codec.encode(message);
  return encodeWith(structures, message, host.refs);
}

/** Not while what is sent now may be delivered with another table than this one, or with none. */
function mayUse(member: Member, structures: StructureTable): boolean {
  return structures.epoch > 0 && member.hasState && member.phase === 'member' && member.rebirths === 0;
}

/**
 * The message of a multicast. Throws {@link NotDecodable}, for the same bytes at every member. `isShown`: it is only shown, and will be
 * delivered as well.
 */
export function decodePayload(member: Member, item: Delivery, isShown = false): unknown {
  const { structures, codec, host } = member;
  const { bytes } = item.among;
  const start = bytes[item.start] === Marker.internal ? messageAt(bytes, item.start, item.end) : item.start;
  if (structures && bytes[start] === Marker.raw)
    return isShown ? copyOf(bytes, start + 1, item.end) : bytesOf(member, item, start + 1);
  const payload = start === item.start ? item.payload : bytes.subarray(start, item.end);
  return structures ? decodeWith(structures, payload, host.refs) : codec.decode(unguarded(payload));
}

/** The message of a request that came to a member to be let in. Throws what the codec throws. */
export function decodeRequest({ structures, codec }: Member, payload: Uint8Array): unknown {
  const message = payload.subarray(messageAt(payload, 0, payload.length));
  return codec.decode(structures ? message : unguarded(message));
}

/**
 * The bytes that a multicast is, as its receiver's own. The frame in which it came, or went, is nobody else's: what is kept of it for
 * others is a copy. One that the transport has not sent yet is the exception.
 */
function bytesOf({ host }: Member, { among, end, fromRank, view }: Delivery, start: number): Uint8Array {
  const isBusy = fromRank === view.rank && host.beingSent.has(among.bytes.buffer);
  return isBusy ? copyAmong(among, start, end) : sharedOf(among.bytes, start, end);
}

/** Whether it is a message to members, not to the user's function. */
export function isInternal({ among: { bytes }, start, end }: Delivery): boolean {
  return start === end || (bytes[start] === Marker.internal && kindOf(bytes.subarray(start, end)) !== 0);
}

/** Takes a message to members. Throws {@link NotDecodable}. */
export function takeInternal(member: Member, { payload }: Delivery): void {
  if (kindOf(payload) === kindStructure && member.structures) define(member.structures, bodyOf(payload));
}

/** Messages that wait, in their order. Those that cannot be decoded are left out, as they will be when it is their turn. */
export function waitingMessages(member: Member, deliveries: readonly Delivery[]): unknown[] {
  const ahead = { ...member, structures: member.structures && copyTable(member.structures) };
  const messages: unknown[] = [];
  for (const item of deliveries) {
    try {
      if (!isInternal(item)) messages.push(decodePayload(ahead, item, true));
      else if (kindOf(item.payload) === kindStructure && ahead.structures)
        define(ahead.structures, bodyOf(item.payload));
    } catch {
      continue;
    }
  }
  return messages;
}
