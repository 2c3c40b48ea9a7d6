/**
 * What the benchmark's parent and its processes say to each other, over the channel that `fork` opens.
 *
 * A trial: `run` to all; each answers `measured` after its measured time; `stop` to all, answered with what was sent;
 * `drain` with those numbers, answered once all of it has arrived or nothing more comes. Only then is it known whether
 * the rate was one: every message, once, in order, everywhere.
 */
import type { Pauses } from './pauses.js';
import type { Contender, Point } from './plan.js';
import type { Network } from './processes.js';

/** What a process is told when it is started. */
export interface Assignment extends Network {
  readonly contender: Contender;
  readonly point: Point;
  /** This process, from 0. */
  readonly index: number;
}

/** From the parent. */
export type Command =
  | {
      readonly kind: 'run';
      readonly warmUpMillis: number;
      readonly measuredMillis: number;
      /** Instead of that time: until so many messages have come, or, at a sender that does not hear itself, gone. */
      readonly multicasts: number | null;
      /** Datagrams under way at most; 0: the contender has its own flow control. */
      readonly window: number;
    }
  | { readonly kind: 'stop' }
  /** Messages sent in this trial, by process. */
  | { readonly kind: 'drain'; readonly sent: readonly number[] }
  | { readonly kind: 'end' };

/** What a process has sent: acknowledgements, repetitions and all. */
export interface Traffic {
  readonly datagrams: number;
  readonly bytes: number;
  /** Datagrams in which no part of a message is, and those of them that acknowledge. */
  readonly withoutData: number;
  readonly acks: number;
  /** Bytes of messages, as they were encoded. */
  readonly payloadBytes: number;
}

/** What one process has measured. */
export interface Sample {
  readonly millis: number;
  /** Deliveries within that time, by sender. */
  readonly delivered: readonly number[];
  /** CPU seconds within that time, of the process and of the system for it. */
  readonly cpuSeconds: number;
  /** Within that time. */
  readonly traffic: Traffic;
  readonly pauses: Pauses;
  /** Resident at its beginning and at its end, in bytes. */
  readonly memoryBefore: number;
  readonly memory: number;
}

/** What was delivered in a trial, by sender, and what was wrong with it. */
export interface Tallied {
  readonly delivered: readonly number[];
  readonly missing: number;
  readonly misordered: number;
  readonly damaged: number;
}

/** To the parent. */
export type Answer =
  /** Started; the next process may. */
  | { readonly kind: 'ready'; readonly description: string }
  /** Sees all the others. */
  | { readonly kind: 'full' }
  | { readonly kind: 'measured'; readonly sample: Sample }
  | { readonly kind: 'stopped'; readonly sent: number }
  /** With all that was sent from the beginning of the trial on. */
  | { readonly kind: 'drained'; readonly tallied: Tallied; readonly traffic: Traffic }
  | { readonly kind: 'failed'; readonly why: string };
