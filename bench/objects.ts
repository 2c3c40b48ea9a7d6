/**
 * Small objects as messages, as a replicated table would send them: about 60 bytes as JSON, and measured beside raw
 * datagrams of 64. The value is the message's number, the key says who sent it; both are checked where it arrives.
 */
import type { Tally } from './payload.js';
import { takeNumber } from './payload.js';

/** A change of a table. */
export interface Change {
  readonly op: 'put';
  readonly key: string;
  readonly value: number;
}

/** Keys of one sender, which it uses in turn. */
const keysMax = 1024;
/** Where a key names its sender, with two digits. */
const senderAt = 'account/'.length;
const zero = '0'.charCodeAt(0);

function keysOf(sender: number): string[] {
  const padded = (value: number, digits: number) => String(value).padStart(digits, '0');
  return Array.from({ length: keysMax }, (_, i) => `account/${padded(sender, 2)}/${padded(i, 4)}/balance`);
}

/** Makes the messages of one sender, from 0 to 99, by their numbers. */
export function createChanges(sender: number): (number: number) => Change {
  const keys = keysOf(sender);
  return (number) => ({ op: 'put', key: keys[number % keysMax] as string, value: number });
}

/** Takes messages of so many senders into account. */
export function createTaker(senders: number): (tally: Tally, change: Change) => void {
  const keys = Array.from({ length: senders }, (_, sender) => keysOf(sender));
  return (tally, { op, key, value }) => {
    const sender = 10 * (key.charCodeAt(senderAt) - zero) + key.charCodeAt(senderAt + 1) - zero;
    if (op !== 'put' || keys[sender]?.[value % keysMax] !== key) tally.damaged++;
    else takeNumber(tally, sender, value);
  };
}
