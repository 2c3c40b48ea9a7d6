/**
 * Where a node has its time and its chance from. The system's, as a rule; in the test kit a seed's, under a virtual clock.
 *
 * Everything in a node that waits, measures or draws goes through here; but not what only limits its log, and not the timers of
 * nact itself (`shutdownAfter`, a `query` within its system).
 */
import { randomInt } from 'node:crypto';
import { ownProcess } from './process-identity.js';

/** A timer; opaque. */
export type Timer = object;

/** See above. */
export interface Runtime {
  /** The monotonic clock, in milliseconds. */
  now(): number;
  /** The same clock in nanoseconds since a moment that all processes of a machine share, for traces. */
  nanos(): number;
  /** The wall clock, in milliseconds since 1970. */
  wall(): number;
  /** Runs something after so many milliseconds. Keeps the process alive, unless it goes on in the `background`. */
  after(millis: number, run: () => void, background?: 'background'): Timer;
  cancel(timer: Timer | undefined): void;
  /** A whole number from 0 up to but without `limit`. */
  random(limit: number): number;
  /** A number that no life of any node has had. */
  incarnation(): number;
  /** What tells this process from all others on its machine; '' if nobody is to ask the system whether it is dead. */
  readonly process: string;
}

/** 2020-01-01T00:00:00Z. */
const epoch = 1_577_836_800_000;
let lastIncarnation = 0;

/** Milliseconds since 2020 and 14 random bits, rising within a process. 53 bits last until 2037. */
function newIncarnation(): number {
  const drawn = (Date.now() - epoch) * 2 ** 14 + randomInt(2 ** 14);
  lastIncarnation = Math.max(drawn, lastIncarnation + 1);
  return lastIncarnation;
}

/** The system's clocks and chance. */
export function systemRuntime(): Runtime {
  return {
    now: () => performance.now(),
    // exact to some tens
    nanos: () => Number(process.hrtime.bigint()),
    wall: () => Date.now(),
    after(millis, run, background) {
      const timer = setTimeout(run, millis);
      if (background) timer.unref();
      return timer;
    },
    cancel: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
    random: (limit) => randomInt(limit),
    incarnation: newIncarnation,
    process: ownProcess(),
  };
}
