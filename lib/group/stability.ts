/**
 * The stability matrix of one view: row = observer, column = sender, entry = highest contiguous seqno the observer is
 * known to have received. A multicast is stable once it is in every row: then nobody ever needs it again from us.
 *
 * Invariant: entries only grow, and `stable[c]` is the least entry of column c. Rows may be lost, repeated or arrive in
 * any order; merging by maximum makes that harmless.
 */
import type { Rank, Seqno } from '../ids.js';

/** The matrix of one view. */
export class Stability {
  readonly #entries: Float64Array;
  readonly #stable: Float64Array;

  constructor(readonly size: number) {
    this.#entries = new Float64Array(size * size);
    this.#stable = new Float64Array(size);
  }

  /** What `observer` is known to have received of `sender`. */
  received(observer: Rank, sender: Rank): Seqno {
    return this.#entries[observer * this.size + sender] as number;
  }

  /** Up to where `sender`'s stream is stable. */
  stable(sender: Rank): Seqno {
    return this.#stable[sender] as number;
  }

  /** `observer` has received `sender`'s stream up to `seqno`. True if that makes more of it stable. */
  raise(observer: Rank, sender: Rank, seqno: Seqno): boolean {
    const at = observer * this.size + sender;
    const before = this.#entries[at] as number;
    if (seqno <= before) return false;
    this.#entries[at] = seqno;
    if (before > (this.#stable[sender] as number)) return false;
    let least = seqno;
    for (let row = sender; row < this.#entries.length; row += this.size) {
      if ((this.#entries[row] as number) < least) least = this.#entries[row] as number;
    }
    if (least === this.#stable[sender]) return false;
    this.#stable[sender] = least;
    return true;
  }
}
