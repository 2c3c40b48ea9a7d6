/**
 * Things by number. Numbers count up and are forgotten from the oldest on, or nearly so: an array whose places are used
 * again holds them at a fraction of what a Map costs.
 */

/** Places at first: enough for who sends now and then. */
const placesMin = 64;

/** Items by number, such as the receipts of one outbox that somebody may still ask. */
export class NumberRing<Item> {
  #places: (Item | undefined)[] = new Array<Item | undefined>(placesMin).fill(undefined);
  /** No item has a number below the first, nor above the last. */
  #first = 1;
  #last = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): Item | undefined {
    return number < this.#first || number > this.#last ? undefined : this.#places[number & (this.#places.length - 1)];
  }

  /** Adds the item of a number above all that were added. */
  add(number: number, item: Item): void {
    if (this.#size === 0) this.#first = number;
    if (number - this.#first >= this.#places.length) this.#grow(number);
    this.#places[number & (this.#places.length - 1)] = item;
    this.#last = number;
    this.#size += 1;
  }

  delete(number: number): void {
    if (this.get(number) === undefined) return;
    this.#places[number & (this.#places.length - 1)] = undefined;
    this.#size -= 1;
    while (this.#first <= this.#last && this.get(this.#first) === undefined) this.#first += 1;
  }

  /** Those numbered `from` to `to`, oldest first. May be deleted meanwhile. */
  *between(from: number, to: number): IterableIterator<Item> {
    for (let number = Math.max(from, this.#first); number <= Math.min(to, this.#last); number++) {
      const item = this.get(number);
      if (item !== undefined) yield item;
    }
  }

  #grow(number: number): void {
    let length = this.#places.length;
    while (number - this.#first >= length) length *= 2;
    const places = new Array<Item | undefined>(length).fill(undefined);
    for (let n = this.#first; n <= this.#last; n++) places[n & (length - 1)] = this.get(n);
    this.#places = places;
  }
}
