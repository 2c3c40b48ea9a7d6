/**
 * What became of this node's own multicasts in a group, by number: let in, delivered here, stable, failed.
 *
 * Kept as a few counters, so that a `dispatch` costs no object. `multicast` adds one small receipt, whose promises are
 * made when they are touched. Numbers count up from 1 per group and life of the node.
 */
import type { Order } from '../lib/membership/state.js';
import { Queue } from '../lib/queue.js';
import { MulticastFailed } from './errors.js';
import { NumberRing } from './number-ring.js';
import type { Receipt } from './types.js';

/** Multicasts of one order and uniformity are delivered first in, first out; those of different classes need not be. */
const classes = 7;

/** The class of a multicast, 0 to 6. */
export function classOf(order: Order, uniform: boolean): number {
  if (order === 'barrier') return 6;
  return (order === 'fifo' ? 0 : order === 'causal' ? 1 : 2) + (uniform ? 3 : 0);
}

/** Asks whether what cannot come before the group's function returns may be awaited here. */
export type Guard = (what: string, refuse: (error: Error) => void) => Error | undefined;

/** This node's multicasts in one group during one life of the node. */
export interface Outbox {
  /** The node's id: the first half of a multicast's. */
  readonly node: string;
  readonly group: string;
  /** The last number given out. */
  last: number;
  /** All up to here were let in or failed. */
  accepted: number;
  /** All up to here are stable or failed. */
  stable: number;
  /** All up to here are over, one way or the other: failed, whatever else. */
  failed: number;
  /** Per class, the last number given out and the last delivered here. */
  readonly sentByClass: number[];
  readonly deliveredByClass: number[];
  /** Bytes sent up to and including a number, at `number % sizes.length`. */
  readonly sizes: Float64Array;
  /** Receipts that somebody may still ask, oldest first. */
  readonly receipts: NumberRing<OwnReceipt>;
  /** For what should be answered: nact's sender of own messages. */
  readonly senders: Map<number, unknown>;
  /** Messages by number, oldest first, until they are stable; of those whose member wants to know what was not sent. */
  readonly kept: Queue<{ readonly number: number; readonly message: unknown }>;
  /** Why a promise must not be awaited where it is asked for; `refuse` is called if that shows only later. */
  readonly guard: Guard;
}

/** An outbox at the start of a life. `queueLengthMax`: how many numbers can be out and not let in. */
export function createOutbox(node: string, group: string, queueLengthMax: number, guard: Guard): Outbox {
  return {
    node,
    group,
    last: 0,
    accepted: 0,
    stable: 0,
    failed: 0,
    sentByClass: new Array<number>(classes).fill(0),
    deliveredByClass: new Array<number>(classes).fill(0),
    sizes: new Float64Array(queueLengthMax + 1),
    receipts: new NumberRing(),
    senders: new Map(),
    kept: new Queue(),
    guard,
  };
}

/** Bytes that wait to be let in. */
export function queuedBytes(outbox: Outbox): number {
  const { sizes, last, accepted } = outbox;
  return (sizes[last % sizes.length] as number) - (sizes[accepted % sizes.length] as number);
}

/** Gives out the next number. */
export function nextNumber(outbox: Outbox, bytes: number, kind: number): number {
  const { sizes } = outbox;
  const before = sizes[outbox.last % sizes.length] as number;
  outbox.last += 1;
  sizes[outbox.last % sizes.length] = before + bytes;
  outbox.sentByClass[kind] = outbox.last;
  return outbox.last;
}

/** Own multicasts up to `number` were let in. */
export function noteAccepted(outbox: Outbox, number: number): void {
  const from = outbox.accepted;
  if (number <= from) return;
  outbox.accepted = number;
  if (outbox.receipts.size === 0) return;
  for (let n = from + 1; n <= number; n++) outbox.receipts.get(n)?.settleAccepted();
}

/** This node's actor has applied an own multicast. */
export function noteDelivered(outbox: Outbox, number: number, kind: number, position: number): void {
  outbox.deliveredByClass[kind] = number;
  if (outbox.senders.size > 0) outbox.senders.delete(number);
  const receipt = outbox.receipts.get(number);
  if (!receipt) return;
  receipt.settleDelivered(position);
  if (number <= outbox.stable) outbox.receipts.delete(number);
}

/** Own multicasts up to `number` are stable. */
export function noteStable(outbox: Outbox, number: number): void {
  noteAccepted(outbox, number);
  const from = outbox.stable;
  if (number <= from) return;
  outbox.stable = number;
  while (outbox.kept.first && outbox.kept.first.number <= number) outbox.kept.shift();
  if (outbox.receipts.size === 0) return;
  for (let n = from + 1; n <= number; n++) {
    const receipt = outbox.receipts.get(n);
    if (!receipt) continue;
    receipt.settleStable();
    if (receipt.position !== undefined) outbox.receipts.delete(n);
  }
}

/** Own multicasts `first` to `last` failed; the first `maybeDelivered` of them may have been delivered. */
export function noteFailed(outbox: Outbox, first: number, last: number, maybeDelivered: number, why: string): void {
  outbox.failed = Math.max(outbox.failed, last);
  if (first <= outbox.accepted + 1) outbox.accepted = Math.max(outbox.accepted, last);
  if (first <= outbox.stable + 1) outbox.stable = Math.max(outbox.stable, last);
  for (const receipt of outbox.receipts.between(first, last)) {
    receipt.fail(new MulticastFailed(receipt.id, receipt.number < first + maybeDelivered, why));
    outbox.receipts.delete(receipt.number);
  }
  for (const number of outbox.senders.keys()) if (number >= first && number <= last) outbox.senders.delete(number);
}

/** The node's life is over: whatever is not stable has failed. */
export function failRest(outbox: Outbox, why: string): void {
  const first = outbox.stable + 1;
  if (first <= outbox.last) noteFailed(outbox, first, outbox.last, Math.max(0, outbox.accepted - outbox.stable), why);
}

/** What has to be delivered here before a read that is asked for now: the last number of each class. */
export type ReadMark = readonly number[];

/** Nothing more is applied here: that goes for what is stable as well. */
export function failUndelivered(outbox: Outbox, why: string): void {
  for (const receipt of outbox.receipts.between(1, outbox.stable)) {
    receipt.fail(new MulticastFailed(receipt.id, true, why));
    outbox.receipts.delete(receipt.number);
  }
}

/** Marks what was sent so far. */
export function markSent(outbox: Outbox): ReadMark {
  return outbox.sentByClass.slice();
}

/** Whether all that was sent before the mark is delivered here, or never will be. */
export function sentBefore(outbox: Outbox, mark: ReadMark): boolean {
  for (let kind = 0; kind < classes; kind++) {
    const number = mark[kind] as number;
    if (number > (outbox.deliveredByClass[kind] as number) && number > outbox.failed) return false;
  }
  return true;
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** The promises of a receipt, as far as they were asked for. */
interface Promises {
  accepted?: Deferred<void>;
  delivered?: Deferred<number>;
  stable?: Deferred<void>;
}

/** A receipt. Hides that most of its promises never exist. */
export class OwnReceipt implements Receipt {
  /** Undefined until it is delivered here. */
  position: number | undefined = undefined;
  private isStable = false;
  private failure: Error | undefined = undefined;
  private promises: Promises | undefined = undefined;
  private readonly outbox: Outbox;
  readonly number: number;

  constructor(outbox: Outbox, number: number) {
    this.outbox = outbox;
    this.number = number;
  }

  get id(): string {
    return `${this.outbox.node}:${this.number}`;
  }

  get accepted(): Promise<void> {
    const promises = (this.promises ??= {});
    if (promises.accepted) return promises.accepted.promise;
    promises.accepted = deferred();
    if (this.failure && !this.isStable) promises.accepted.reject(this.failure);
    else if (this.number <= this.outbox.accepted) promises.accepted.resolve();
    return promises.accepted.promise;
  }

  get delivered(): Promise<number> {
    if (this.position !== undefined) return Promise.resolve(this.position);
    const promises = (this.promises ??= {});
    if (promises.delivered) return promises.delivered.promise;
    const asked = deferred<number>();
    const refused = this.outbox.guard('the delivery', (error) => {
      // who asks outside later gets a promise of their own
      if (promises.delivered === asked) delete promises.delivered;
      asked.reject(error);
    });
    if (refused) return Promise.reject(refused);
    promises.delivered = asked;
    if (this.failure) asked.reject(this.failure);
    return asked.promise;
  }

  get stable(): Promise<void> {
    if (this.isStable) return Promise.resolve();
    const promises = (this.promises ??= {});
    if (promises.stable) return promises.stable.promise;
    const asked = deferred<void>();
    const refused = this.outbox.guard('the stability', (error) => {
      // who asks outside later gets a promise of their own
      if (promises.stable === asked) delete promises.stable;
      asked.reject(error);
    });
    if (refused) return Promise.reject(refused);
    promises.stable = asked;
    if (this.failure) asked.reject(this.failure);
    return asked.promise;
  }

  settleAccepted(): void {
    this.promises?.accepted?.resolve();
  }

  settleDelivered(position: number): void {
    this.position = position;
    this.promises?.delivered?.resolve(position);
  }

  settleStable(): void {
    this.isStable = true;
    this.promises?.accepted?.resolve();
    this.promises?.stable?.resolve();
  }

  fail(error: Error): void {
    if (this.isStable && this.position !== undefined) return;
    this.failure = error;
    this.promises?.accepted?.reject(error);
    this.promises?.delivered?.reject(error);
    this.promises?.stable?.reject(error);
  }
}
