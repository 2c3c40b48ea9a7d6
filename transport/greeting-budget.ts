/**
 * How many greetings are answered under a key: for each a secret is computed, which takes a third of a millisecond, and whoever has
 * recorded one can send it over and over. No address has more than a share, so that one that replays them leaves something for others.
 */
import { greetingAddressesMax, greetingsAtOnceMax, greetingsPerSecondMax, greetingShares } from '../lib/limits.js';
import { TokenBucket } from './token-bucket.js';

/** What the connections that come to one port have in common. */
export class GreetingBudget {
  readonly #all = new TokenBucket(greetingsPerSecondMax, greetingsAtOnceMax);
  /** By the address of the other end; insertion order is age. */
  readonly #shares = new Map<string, TokenBucket>();

  /** Whether a greeting that came from this address is to be answered; `now` is in milliseconds. */
  take(address: string, now = performance.now()): boolean {
    return this.#shareOf(address).take(now) && this.#all.take(now);
  }

  #shareOf(address: string): TokenBucket {
    const known = this.#shares.get(address);
    if (known !== undefined) return known;
    for (const oldest of this.#shares.keys()) {
      if (this.#shares.size < greetingAddressesMax) break;
      this.#shares.delete(oldest);
    }
    const share = new TokenBucket(greetingsPerSecondMax / greetingShares, greetingsAtOnceMax / greetingShares);
    this.#shares.set(address, share);
    return share;
  }
}
