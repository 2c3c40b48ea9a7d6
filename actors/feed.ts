/**
 * Values that come in pieces, as an async iterable for one reader: whoever brings a piece waits until the reader has
 * taken it and asks for more, so no more than one piece is held.
 */

/** See above. It ends, or throws, where its source says. */
export class Feed implements AsyncIterableIterator<unknown, undefined> {
  #values: readonly unknown[] = [];
  #at = 0;
  #outcome: { readonly error: unknown } | 'open' | 'ended' | 'closed' = 'open';
  /** The reader, if it waits. */
  #wake: (() => void) | undefined;
  /** Who has brought the piece, and waits. */
  #emptied: (() => void) | undefined;
  #tellFailed!: () => void;
  /** Resolves when it fails, also if it has ended before. */
  readonly failed = new Promise<void>((resolve) => (this.#tellFailed = resolve));

  /** Brings values. Resolves when they are taken and more are asked for, or nobody reads any more. */
  async offer(values: readonly unknown[]): Promise<void> {
    if (this.#outcome !== 'open' || values.length === 0) return;
    this.#values = values;
    this.#at = 0;
    const emptied = new Promise<void>((resolve) => (this.#emptied = resolve));
    this.#wakeReader();
    await emptied;
  }

  /** There are no more. */
  end(): void {
    this.#conclude('ended');
  }

  /** The reader gets an error, at once. */
  fail(error: unknown): void {
    this.#conclude({ error });
    this.#tellFailed();
  }

  /** Nobody reads any more. */
  close(): void {
    this.#conclude('closed');
  }

  #conclude(outcome: 'ended' | 'closed' | { readonly error: unknown }): void {
    if (this.#outcome !== 'open') return;
    this.#outcome = outcome;
    this.#values = [];
    this.#at = 0;
    this.#emptied?.();
    this.#wakeReader();
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    while (this.#at === this.#values.length && this.#outcome === 'open') {
      this.#values = [];
      this.#at = 0;
      this.#emptied?.();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#at < this.#values.length) return { done: false, value: this.#values[this.#at++] };
    const outcome = this.#outcome;
    // told once, as iterators do
    this.#outcome = 'closed';
    if (typeof outcome === 'object') throw outcome.error;
    return { done: true, value: undefined };
  }

  /** The reader has broken off. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
