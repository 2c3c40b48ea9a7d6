/** A multicast between its receipt and its delivery. Until then the core sets its place and time, and whose it is to act on. */
import type { RequestId, ViewInfo } from '../events.js';
import type { MessageNumber, Position, Rank, Seqno, WallTime } from '../ids.js';
import type { Order } from '../membership/state.js';
import type { RankCount } from '../wire/record.js';

/** What is written before a request's own bytes in its multicast. */
export interface RequestHead extends RequestId {
  /** The lowest number its client waits for; 0 for a member's own ask, of which nothing is remembered. */
  readonly lowest: number;
  readonly wantsReply: boolean;
  /** It takes no effect: its client was gone when it was sent. */
  readonly isVoid: boolean;
}

/** A multicast that was received; becomes a delivery as it stands. */
export interface Pending {
  readonly kind: 'delivery';
  readonly from: ViewInfo['members'][number];
  readonly fromRank: Rank;
  readonly message: MessageNumber;
  readonly order: Order;
  readonly uniform: boolean;
  position: Position;
  time: WallTime;
  mine: boolean;
  readonly view: ViewInfo;
  readonly request: (RequestHead & { repeated: boolean }) | null;
  readonly payload: Uint8Array;
  readonly seqno: Seqno;
  /** What changed in its sender's past since the sender's previous multicast; null: nothing. */
  readonly dependencies: readonly RankCount[] | null;
}
