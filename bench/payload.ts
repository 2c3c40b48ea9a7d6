/**
 * The messages and the account of their deliveries: every message says who sent it and its number, at both ends.
 *
 * Layout: sender (1 byte), number (6 bytes, little-endian), whatever, low byte of the number. A number counts up from 0
 * per sender. Whoever takes a message reads its first bytes and its last one, so the payload was touched. A message that
 * is sent in parts has such ends, and a number, for each part.
 */
import { partBytes } from './datagrams.js';
import type { Tallied } from './protocol.js';

/** The least a message can have. */
export const messageBytesMin = 8;

/** A number is written as two halves of 24 bits. */
const highUnit = 0x100_0000;

/** Writes message `number` of `sender` to `bytes[at]` and on; what lies between its ends stays as it is. */
export function writeMessage(bytes: Uint8Array, at: number, length: number, sender: number, number: number): void {
  bytes[at] = sender;
  bytes[at + 1] = number;
  bytes[at + 2] = number >>> 8;
  bytes[at + 3] = number >>> 16;
  const high = Math.floor(number / highUnit);
  bytes[at + 4] = high;
  bytes[at + 5] = high >>> 8;
  bytes[at + 6] = high >>> 16;
  bytes[at + length - 1] = number;
}

/** The number of the message at `bytes[at]`. */
export function numberAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8) | ((bytes[at + 3] as number) << 16);
  const high = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8) | ((bytes[at + 6] as number) << 16);
  return low + high * highUnit;
}

/** Deliveries of one process, by sender. A trial begins where the one before ended. */
export interface Tally {
  /** Of one message, and the parts that it comes in, of which each has a number: 1 if it comes whole. */
  readonly bytes: number;
  readonly parts: number;
  /** The sender whose messages do not come back, that is, this process; -1 if they do. */
  readonly own: number;
  /** The number of the next message or part, now and when the trial began. */
  readonly next: Float64Array;
  readonly first: Float64Array;
  /** Whole messages delivered in this trial. */
  readonly delivered: Float64Array;
  missing: number;
  misordered: number;
  damaged: number;
}

/** An account with nothing in it, of messages of so many bytes. */
export function createTally(members: number, bytes: number, own: number, parts = 1): Tally {
  return {
    bytes,
    parts,
    own,
    next: new Float64Array(members),
    first: new Float64Array(members),
    delivered: new Float64Array(members),
    missing: 0,
    misordered: 0,
    damaged: 0,
  };
}

/** Takes the message or part at `bytes[at]` into account; returns its sender, -1 if it is none of ours. */
export function take(tally: Tally, bytes: Uint8Array, at: number, length: number): number {
  const sender = bytes[at] as number;
  const number = numberAt(bytes, at);
  const isOurs = length === lengthOf(tally, number) && sender < tally.next.length;
  if (!isOurs || bytes[at + length - 1] !== bytes[at + 1]) {
    tally.damaged++;
    return -1;
  }
  takeNumber(tally, sender, number);
  return sender;
}

function lengthOf({ bytes, parts }: Tally, number: number): number {
  return parts === 1 ? bytes : partBytes(bytes, parts, number % parts);
}

/** Takes message or part `number` of `sender`, which is whole in itself, into account. A message counts with its last part. */
export function takeNumber(tally: Tally, sender: number, number: number): void {
  const expected = tally.next[sender] as number;
  if (number < expected) {
    tally.misordered++;
    return;
  }
  tally.missing += number - expected;
  tally.next[sender] = number + 1;
  if (tally.parts > 1 && (number + 1) % tally.parts !== 0) return;
  tally.delivered[sender] = (tally.delivered[sender] as number) + 1;
}

/** Whether everything has arrived that was sent, by sender. */
export function isComplete(tally: Tally, sent: readonly number[]): boolean {
  return sent.every((count, sender) => sender === tally.own || (tally.delivered[sender] as number) >= count);
}

/** Ends a trial in which so much was sent, by sender, and begins the next. What did not come at all is missing too. */
export function endTrial(tally: Tally, sent: readonly number[]): Tallied {
  const { next, first, misordered, damaged } = tally;
  const delivered = Array.from(tally.delivered);
  let missing = 0;
  for (const [sender, count] of sent.entries()) {
    if (sender === tally.own) continue;
    missing += Math.max(0, count - (delivered[sender] as number));
    first[sender] = (first[sender] as number) + count * tally.parts;
    next[sender] = first[sender];
  }
  missing = Math.max(missing, tally.missing);
  tally.delivered.fill(0);
  tally.missing = 0;
  tally.misordered = 0;
  tally.damaged = 0;
  return { delivered, missing, misordered, damaged };
}
