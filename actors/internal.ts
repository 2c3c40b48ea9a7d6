/**
 * What members say among themselves in multicasts of their group: it has its place in the order and in the account of
 * receipts, and no function of the user sees it.
 *
 * Such a payload is a marker, its kind, and what that kind has to say. The library's codec never writes that marker first;
 * the bytes of a user's own codec that happen to begin with it are sent behind a marker and a kind that say so.
 */
import { withFirst } from './pool.js';
import { Marker } from './wire-format.js';

/** The proposal of a structure: see structures.ts. */
export const kindStructure = 1;
/** A digest of a state: see divergence.ts. */
export const kindDigest = 3;
/** What was left out: see verdicts.ts. */
export const kindVerdict = 4;
/** A user's message that looks like one of ours. */
const kindMessage = 2;
/** A user's message with its trace: see trace-context.ts. */
export const kindTraced = 5;

/** A payload for members. */
export function internal(kind: number, body: Uint8Array): Uint8Array {
  return withFirst(Marker.internal, withFirst(kind, body));
}

/** The kind of a payload, 0 for a user's message. */
export function kindOf(payload: Uint8Array): number {
  const kind = payload[0] === Marker.internal ? payload[1] : 0;
  return kind === undefined || kind === kindMessage || kind === kindTraced ? 0 : kind;
}

/** What a payload for members says. */
export function bodyOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(2);
}

/** A user's message from its own codec, told apart from ours. */
export function guarded(message: Uint8Array): Uint8Array {
  return message[0] === Marker.internal ? internal(kindMessage, message) : message;
}

/** What {@link guarded} was given. */
export function unguarded(payload: Uint8Array): Uint8Array {
  return payload[0] === Marker.internal ? bodyOf(payload) : payload;
}
