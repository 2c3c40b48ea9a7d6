/**
 * Which counters of a sender have come: a bitmap of the last 1024 below the highest, as in RFC 6479. Each is taken once; those below
 * the window are refused, for nobody remembers whether they have come.
 */
import { replayWindowBits } from '../lib/limits.js';

const words = replayWindowBits / 32;

/** A window. */
export class ReplayWindow {
  readonly #bits = new Uint32Array(words);
  #highest: number;
  #least: number;

  /** Counters up to and with this one are refused. */
  constructor(after = -1) {
    this.#highest = after;
    this.#least = after + 1;
  }

  /** Whether this counter may be taken. */
  isNew(counter: number): boolean {
    if (counter > this.#highest) return true;
    if (counter < this.#least || Math.floor(counter / 32) <= Math.floor(this.#highest / 32) - words) return false;
    return ((this.#bits[wordOf(counter)] ?? 0) & bitOf(counter)) === 0;
  }

  /** Takes a counter that is new. */
  take(counter: number): void {
    const from = Math.floor(this.#highest / 32);
    const to = Math.floor(counter / 32);
    if (to > from) {
      for (let word = Math.max(from + 1, to - words + 1); word <= to; word++) this.#bits[word % words] = 0;
    }
    if (counter > this.#highest) this.#highest = counter;
    const at = wordOf(counter);
    this.#bits[at] = (this.#bits[at] ?? 0) | bitOf(counter);
  }
}

function wordOf(counter: number): number {
  return Math.floor(counter / 32) % words;
}

function bitOf(counter: number): number {
  return 1 << (counter % 32);
}
