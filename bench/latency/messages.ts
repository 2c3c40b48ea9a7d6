/**
 * Messages that carry the time they were sent at, and what each process notes of those that it gets. All processes are
 * on one machine, whose monotonic clock they share.
 *
 * Layout: number (4 bytes), trial (4 bytes), time in microseconds (8 bytes), all little-endian; whatever; low byte of the
 * number.
 */
import { micros } from '../clock.js';

/** The least a message can have. */
export const messageBytesMin = 17;

/** Makes `bytes` message `number` of a trial, sent now. */
export function stamp(bytes: Uint8Array, trial: number, number: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(0, number, true);
  view.setUint32(4, trial, true);
  view.setFloat64(8, micros(), true);
  bytes[bytes.length - 1] = number;
}

/** Of one trial at one process: how long each message took, in microseconds, by number; NaN: it has not come. */
export interface Arrivals {
  readonly trial: number;
  readonly bytes: number;
  readonly micros: Float32Array;
  count: number;
  /** Came twice, or not as it was sent. */
  faults: number;
}

/** Room for messages 0 to `count` - 1 of a trial, of so many bytes. */
export function createArrivals(trial: number, count: number, bytes: number): Arrivals {
  return { trial, bytes, micros: new Float32Array(count).fill(NaN), count: 0, faults: 0 };
}

/** Notes a message that has come at the time `now`, unless it is a late one of another trial. */
export function note(arrivals: Arrivals, message: Uint8Array, now: number): void {
  const { length } = message;
  const view = new DataView(message.buffer, message.byteOffset, length);
  if (length >= messageBytesMin && view.getUint32(4, true) !== arrivals.trial) return;
  const number = length >= messageBytesMin ? view.getUint32(0, true) : NaN;
  const isWhole = length === arrivals.bytes && message[length - 1] === (number & 0xff);
  if (!isWhole || !Number.isNaN(arrivals.micros[number])) {
    arrivals.faults += 1;
    return;
  }
  arrivals.micros[number] = now - view.getFloat64(8, true);
  arrivals.count += 1;
}

/** By message, the time until the last of the receivers had it; messages that not all got are left out. */
export function latest(receivers: readonly Float32Array[]): Float64Array {
  const [first = new Float32Array(0)] = receivers;
  const all = Float64Array.from(first, (_, number) =>
    Math.max(...receivers.map((receiver) => receiver[number] ?? NaN)),
  );
  return all.filter((time) => !Number.isNaN(time));
}
