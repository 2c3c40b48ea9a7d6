/**
 * Multicasts that are delivered together, one at a time.
 *
 * A frame holds hundreds of small multicasts, and what is true of one is true of the next but for number, position and payload. So
 * one object stands for all that follow each other, on their whole way from the frame to the member's actor, and what is said of
 * one alone is made when it is its turn: it is gone before the memory that it takes is missed.
 */
import type { Deliveries, DeliveredRequest, Delivery, MemberInfo, ViewInfo } from './events.js';
import type { MessageNumber, Position, Rank, WallTime } from './ids.js';
import type { Order } from './membership/state.js';
import { locate } from './wire/record.js';

class One implements Delivery {
  readonly message: MessageNumber;
  readonly position: Position;
  readonly start: number;
  readonly end: number;

  constructor(readonly among: Deliveries) {
    this.message = among.message;
    this.position = among.position;
    this.start = among.start;
    this.end = among.end;
  }

  get kind(): 'delivery' {
    return 'delivery';
  }
  get from(): MemberInfo {
    return this.among.from;
  }
  get fromRank(): Rank {
    return this.among.fromRank;
  }
  get order(): Order {
    return this.among.order;
  }
  get uniform(): boolean {
    return this.among.uniform;
  }
  get time(): WallTime {
    return this.among.time;
  }
  get mine(): boolean {
    return this.among.mine;
  }
  get view(): ViewInfo {
    return this.among.view;
  }
  get request(): DeliveredRequest | null {
    return this.among.request;
  }
  get payload(): Uint8Array {
    return this.among.bytes.subarray(this.start, this.end);
  }
}

/** Takes the first out; there must be one. */
export function takeOne(deliveries: Deliveries): Delivery {
  const one = new One(deliveries);
  skipOne(deliveries);
  return one;
}

/** Goes on to the next, if there is one. */
export function skipOne(deliveries: Deliveries): void {
  deliveries.payloadBytes -= deliveries.end - deliveries.start;
  deliveries.message++;
  if (deliveries.position > 0) deliveries.position++;
  if (--deliveries.count > 0) locate(deliveries.bytes, deliveries.end, deliveries);
}

/** All that are left, one by one; they stay where they are. */
export function eachOf(deliveries: Deliveries): Delivery[] {
  const rest = { ...deliveries };
  return Array.from({ length: rest.count }, () => takeOne(rest));
}
