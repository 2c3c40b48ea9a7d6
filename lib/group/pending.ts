/** Multicasts between receipt and delivery. Until then the core sets their place and time, and whose they are to act on. */
import { skipOne } from '../deliveries.js';
import type { Deliveries, RequestId } from '../events.js';
import type { Seqno, WallTime } from '../ids.js';
import type { RankCount } from '../wire/record.js';

/** What is written before a request's own bytes in its multicast. */
export interface RequestHead extends RequestId {
  /** The lowest number its client waits for; 0 for a member's own ask, of which nothing is remembered. */
  readonly lowest: number;
  readonly wantsReply: boolean;
  /** It takes no effect: its client was gone when it was sent. */
  readonly isVoid: boolean;
}

/** Multicasts that were received, one after the other in one frame; become deliveries as they stand. */
export interface Pending extends Deliveries {
  time: WallTime;
  mine: boolean;
  readonly request: (RequestHead & { repeated: boolean }) | null;
  /** Of the first. */
  seqno: Seqno;
  /** What changed in their sender's past since what it sent before the first; null: nothing. */
  dependencies: readonly RankCount[] | null;
}

/** Takes out the first `count`, if there are more; else all. */
export function split(pending: Pending, count: number): Pending {
  if (count >= pending.count) return pending;
  const first = { ...pending, count };
  for (let i = 0; i < count; i++) skipOne(pending);
  first.payloadBytes -= pending.payloadBytes;
  pending.seqno += count;
  pending.dependencies = null;
  return first;
}
