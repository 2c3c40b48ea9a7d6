/**
 * Messages of a group as bytes and back: with the group's structures, and apart from what members say among themselves.
 *
 * A group with a codec of its user's own has no structures: what its bytes mean is the codec's to know.
 */
import type { Delivery } from '../lib/events.js';
import type { Order } from '../lib/membership/state.js';
import type { Member } from './host.js';
import { bodyOf, guarded, kindOf, kindStructure, unguarded } from './internal.js';
import { copyTable, define, type StructureTable } from './structures.js';
import { decodeWith, encodeWith } from './values.js';
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

/** The message of a multicast's payload. Throws {@link NotDecodable}, for the same bytes at every member. */
export function decodePayload(member: Member, payload: Uint8Array): unknown {
  const { structures, codec, host } = member;
  // put together from fragments: nobody else has these bytes, so they need not be copied
  if (structures && payload[0] === Marker.raw && payload.length === payload.buffer.byteLength)
    return payload.subarray(1);
  return structures ? decodeWith(structures, payload, host.refs) : codec.decode(unguarded(payload));
}

/** Whether it is a message to members, not to the user's function. */
export function isInternal(payload: Uint8Array): boolean {
  return payload.length === 0 || kindOf(payload) !== 0;
}

/** Takes a message to members. Throws {@link NotDecodable}. */
export function takeInternal(member: Member, { payload }: Delivery): void {
  if (kindOf(payload) === kindStructure && member.structures) define(member.structures, bodyOf(payload));
}

/** Messages that wait, in their order. Those that cannot be decoded are left out, as they will be when it is their turn. */
export function waitingMessages(member: Member, payloads: readonly Uint8Array[]): unknown[] {
  const ahead = { ...member, structures: member.structures && copyTable(member.structures) };
  const messages: unknown[] = [];
  for (const payload of payloads) {
    try {
      if (!isInternal(payload)) messages.push(decodePayload(ahead, payload));
      else if (kindOf(payload) === kindStructure && ahead.structures) define(ahead.structures, bodyOf(payload));
    } catch {
      continue;
    }
  }
  return messages;
}
