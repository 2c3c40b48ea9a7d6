/**
 * What the core delivered and a member's actor has not taken, in order. Multicasts that were delivered together are one entry,
 * and are taken one at a time.
 */
import { eachOf, takeOne } from '../lib/deliveries.js';
import type { Deliveries, Delivery, GroupItem } from '../lib/events.js';
import type { Earlier } from './types.js';

/**
 * An item of a member's mailbox. `reborn`: what follows is of a new life of the node. `over`: nothing follows, the node is
 * out of its domain.
 */
export type Item =
  | GroupItem
  | ({ readonly kind: 'reborn' } & Undelivered)
  | { readonly kind: 'over'; readonly status: 'left' | 'excluded'; readonly why: Error };

/** What a life of a node leaves of a member's multicasts, if it has a `restore` to be told of them. */
export interface Undelivered extends Pick<Earlier<unknown, unknown>, 'unsent' | 'uncertain'> {
  /** An operator has ended that life: the state it had is the one to go on with. */
  readonly forced: boolean;
}

/** What an actor takes. */
export type Taken = Exclude<Item, Deliveries> | Delivery;

/** Entries that were taken stay in the array until there are so many. */
const takenMax = 1024;

/** See above. */
export class Mailbox {
  #items: Item[] = [];
  #head = 0;
  /** Entries ever put in, and those of which all was taken. */
  enqueued = 0;
  applied = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  /** What waits, each multicast counted. */
  get length(): number {
    return this.#rest().reduce((sum, item) => sum + (item.kind === 'deliveries' ? item.count : 1), 0);
  }

  put(item: Item): void {
    this.#items.push(item);
    this.enqueued += 1;
  }

  /** Takes what is first; there must be something. */
  take(): Taken {
    const item = this.#items[this.#head] as Item;
    if (item.kind !== 'deliveries') {
      this.#shift();
      return item;
    }
    const one = takeOne(item);
    if (item.count === 0) this.#shift();
    return one;
  }

  /** The multicasts that wait. */
  deliveries(): Delivery[] {
    return this.#rest().flatMap((item) => (item.kind === 'deliveries' ? eachOf(item) : []));
  }

  /** Takes out all of some kinds, whatever is before them. */
  takeKinds<K extends Item['kind']>(kinds: readonly K[]): Extract<Item, { kind: K }>[] {
    const isWanted = (item: Item): item is Extract<Item, { kind: K }> =>
      (kinds as readonly string[]).includes(item.kind);
    const rest = this.#rest();
    const wanted = rest.filter(isWanted);
    this.#items = rest.filter((item) => !isWanted(item));
    this.#head = 0;
    this.applied += wanted.length;
    return wanted;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  #rest(): Item[] {
    return this.#items.slice(this.#head);
  }

  #shift(): void {
    this.applied += 1;
    this.#head += 1;
    if (this.#head < takenMax && this.#head < this.#items.length) return;
    this.#items.splice(0, this.#head);
    this.#head = 0;
  }
}
