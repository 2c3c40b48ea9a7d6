/**
 * Which states were seen: a set of 64-bit hashes, by open addressing, four bytes twice for each. Two states with one hash
 * would be taken for one: among a hundred million states that happens once in some thousands of runs.
 */

/** A set of hashes that only grows. */
export class Seen {
  #high: Uint32Array;
  #low: Uint32Array;
  #size = 0;

  constructor(capacity = 1 << 16) {
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds the hash of numbers `from` to `to` of a row; false if it was there. */
  add(row: Int32Array, from: number, to: number): boolean {
    if (this.#size * 4 > this.#low.length * 3) this.#grow();
    let high = 0x9747b28c;
    let low = to - from;
    for (let at = from; at < to; at += 1) {
      const value = row[at]!;
      high = mix(high, value);
      low = mix(low ^ 0x5bd1e995, value + high);
    }
    high = finish(high);
    // zero marks what is empty
    low = finish(low) || 1;
    return this.#put(high >>> 0, low >>> 0);
  }

  #put(high: number, low: number): boolean {
    const mask = this.#low.length - 1;
    let at = low & mask;
    for (let there = this.#low[at]!; there !== 0; there = this.#low[at]!) {
      if (there === low && this.#high[at] === high) return false;
      at = (at + 1) & mask;
    }
    this.#low[at] = low;
    this.#high[at] = high;
    this.#size += 1;
    return true;
  }

  #grow(): void {
    const [high, low] = [this.#high, this.#low];
    this.#high = new Uint32Array(high.length * 2);
    this.#low = new Uint32Array(low.length * 2);
    this.#size = 0;
    for (let at = 0; at < low.length; at += 1) if (low[at] !== 0) this.#put(high[at]!, low[at]!);
  }
}

function mix(hash: number, value: number): number {
  let mixed = Math.imul(value, 0xcc9e2d51);
  mixed = (mixed << 15) | (mixed >>> 17);
  mixed = hash ^ Math.imul(mixed, 0x1b873593);
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
