/**
 * What the benchmark's parent and its processes say to each other, over the channel that `fork` opens.
 *
 * A trial: `run` to all; each answers `measured` after its measured time; `stop` to all, answered with what was sent;
 * `drain` with those numbers, answered once all of it has arrived or nothing more comes. Only then is it known whether
 * the rate was one: every message, once, in order, everywhere.
 */
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
      /** Datagrams under way at most; 0: the contender has its own flow control. */
      readonly window: number;
    }
  | { readonly kind: 'stop' }
  /** Messages sent in this trial, by process. */
  | { readonly kind: 'drain'; readonly sent: readonly number[] }
  | { readonly kind: 'end' };

/** What one process has measured. */
export interface Sample {
  readonly millis: number;
  /** Deliveries within that time, by sender. */
  readonly delivered: readonly number[];
  /** CPU seconds within that time, of the process and of the system for it. */
  readonly cpuSeconds: number;
  /** What this process has sent within that time, acknowledgements and all. */
  readonly datagrams: number;
  readonly bytesSent: number;
  /** Resident at the end, in bytes. */
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
  | { readonly kind: 'drained'; readonly tallied: Tallied }
  | { readonly kind: 'failed'; readonly why: string };
