/**
 * So many of something within a second: a token bucket. It is full at first, and fills evenly: who takes all that is in it has the next
 * ones wait for moments, not for the rest of a second.
 */

/** A bucket. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #atOnce: number;
  #tokens = 0;
  #filledAt = -Infinity;

  /** `perSecond` tokens come within a second, and it holds `atOnce` of them. */
  constructor(perSecond: number, atOnce: number) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
  }

  /** Takes a token, if there is one; `now` is in milliseconds, by a clock that is the same each time. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#atOnce, this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1000);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
