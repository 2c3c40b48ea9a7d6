/**
 * What a measured process serves, whatever its contender: it sends at the pace it is told, and notes what it gets. The
 * clock is read by the same code for all, before a message is handed over and first thing in the handler.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Network } from '../processes.js';
import type { Contender } from './contenders.js';
import { createArrivals, note, stamp } from './messages.js';
import type { Arrivals } from './messages.js';
import { sendPaced } from './pace.js';
import type { Pace } from './pace.js';

/** What a process is told when it is started. */
export interface NodeAssignment extends Network {
  /** This process, from 0. */
  readonly index: number;
  readonly members: number;
}

/** A trial as its sender is told of it. */
export interface Sending {
  readonly trial: number;
  readonly contender: Contender;
  readonly pace: Pace;
  readonly count: number;
  readonly bytes: number;
}

/** What a process is to expect in a trial. */
export type Expecting = Pick<Sending, 'trial' | 'count' | 'bytes'>;

/** Until when a process waits for a trial's messages. */
export interface Patience {
  readonly count: number;
  /** After so long without any, no more are expected. */
  readonly quietMillis: number;
}

/** What a process got in a trial. */
export interface Got {
  /** See {@link Arrivals}. */
  readonly micros: Float32Array;
  readonly faults: number;
}

/** Buffers that are used in turn: when one is used again, its message has left long since. */
const buffers = 4096;
const pollMillis = 10;

/** A process' part in trials. `put` hands a message over: multicasts it. */
export function createPeer(put: (message: Uint8Array, contender: Contender) => void) {
  let arrivals: Arrivals = createArrivals(0, 0, 0);
  return {
    /** Notes a message that came at a time of `micros()`. */
    got: (message: Uint8Array, now: number): void => note(arrivals, message, now),
    served: {
      /** A trial begins, of so many messages. */
      expect({ trial, count, bytes }: Expecting): void {
        arrivals = createArrivals(trial, count, bytes);
      },
      /** Sends them all; resolves with the milliseconds that it took. */
      send({ trial, contender, pace, count, bytes }: Sending): Promise<number> {
        const ring = Array.from({ length: Math.min(buffers, count) }, () => new Uint8Array(bytes));
        return sendPaced(pace, count, (number) => {
          const message = ring[number % ring.length] as Uint8Array;
          stamp(message, trial, number);
          put(message, contender);
        });
      },
      /** Resolves when all have come, or none for a while. */
      async collect({ count, quietMillis }: Patience): Promise<Got> {
        for (let last = -1, since = 0; arrivals.count < count; await sleep(pollMillis)) {
          const now = performance.now();
          if (arrivals.count !== last) since = now;
          last = arrivals.count;
          if (now - since > quietMillis) break;
        }
        return { micros: arrivals.micros, faults: arrivals.faults };
      },
    },
  };
}
