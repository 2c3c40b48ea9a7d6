/** A multicast between its receipt and its delivery. Until then the core sets its place and time, and whose it is to act on. */
import type { DeliveredRequest, ViewInfo } from '../events.js';
import type { MessageNumber, Position, Rank, Seqno, WallTime } from '../ids.js';
import type { Order } from '../membership/state.js';
import type { RankCount } from '../wire/record.js';

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
  readonly request: DeliveredRequest | null;
  readonly payload: Uint8Array;
  readonly seqno: Seqno;
  /** What changed in its sender's past since the sender's previous multicast; null: nothing. */
  readonly dependencies: readonly RankCount[] | null;
}
