/**
 * What this node has asked and what is not answered: by a number that counts up from 1 over all groups during one life of
 * the node. Each has exactly one end.
 */
import type { Effect } from '../lib/events.js';
import type { NodeId } from '../lib/ids.js';
import { Queue } from '../lib/queue.js';

/** Requests under way at a time before the next are said to wait: enough to keep a group busy. */
const windowRequests = 1024;

/** The end of a request, as the core tells it. */
export type Ended = Omit<Extract<Effect, { kind: 'answered' }>, 'kind' | 'number' | 'got'>;

/** A request that has not ended. */
export interface Pending {
  /** Bytes that are kept until it has ended. */
  readonly bytes: number;
  /** `waiting`: too many are under way before it. */
  phase: 'waiting' | 'underway' | 'over';
  /** It is under way. */
  begin(): void;
  /** A reply, as it comes. */
  answer(from: NodeId, payload: Uint8Array): void;
  end(ended: Ended): void;
}

/** The requests of one life of the node. */
export interface Requests {
  /** The last number given out. */
  last: number;
  /** Oldest first. */
  readonly open: Map<number, Pending>;
  /** Of the open ones. */
  bytes: number;
  /** How many are under way, and those that wait for that. */
  underway: number;
  readonly waiting: Queue<Pending>;
  /** Dispatched to a group, and not known to have got there. */
  lost: number;
}

/** Nothing asked. */
export function createRequests(): Requests {
  return { last: 0, open: new Map(), bytes: 0, underway: 0, waiting: new Queue(), lost: 0 };
}

/** Opens the next request, and returns its number. */
export function openRequest(requests: Requests, pending: Pending): number {
  requests.last += 1;
  requests.open.set(requests.last, pending);
  requests.bytes += pending.bytes;
  requests.waiting.push(pending);
  proceed(requests);
  return requests.last;
}

function proceed(requests: Requests): void {
  while (requests.underway < windowRequests) {
    const next = requests.waiting.shift();
    if (!next) return;
    if (next.phase === 'over') continue;
    next.phase = 'underway';
    requests.underway += 1;
    next.begin();
  }
}

/** A reply came. */
export function noteAnswer(requests: Requests, number: number, from: NodeId, payload: Uint8Array): void {
  requests.open.get(number)?.answer(from, payload);
}

/** A request has ended. Once more is no harm: whoever could not wait may have ended it. */
export function endRequest(requests: Requests, number: number, ended: Ended): void {
  const pending = requests.open.get(number);
  if (!pending) return;
  requests.open.delete(number);
  requests.bytes -= pending.bytes;
  if (pending.phase === 'underway') requests.underway -= 1;
  pending.phase = 'over';
  pending.end(ended);
  proceed(requests);
}

/** This life of the node is over, and with it all that it has asked. */
export function endRequests(requests: Requests, why: string): void {
  for (const number of [...requests.open.keys()]) {
    endRequest(requests, number, { outcome: 'failed', missing: [], maybeDone: true, why });
  }
}
