/** Functions of replicated actors, good and bad, as a user would write them: what `expectDeterministic` is tried with. */
import type { Context } from 'nact-groups';

export interface Change {
  readonly sku: string;
  readonly n: number;
}

export type Stock = Readonly<Record<string, number>>;

/** Fit for total order; and for any, as sums do not mind. */
export function stock(state: Stock, { sku, n }: Change): Stock {
  return { ...state, [sku]: (state[sku] ?? 0) + n };
}

/** Uses what a context has to offer instead of a clock and of chance. */
export function lottery(state: readonly unknown[], { sku }: Change, ctx: Context): readonly unknown[] {
  return [...state, [sku, ctx.time, ctx.random(), ctx.from.name, ctx.position]];
}

/** Minds the order. */
export function last(_state: string, { sku }: Change): string {
  return sku;
}

export function looksAtTheClock(state: readonly unknown[], { sku }: Change): readonly unknown[] {
  return [...state, [sku, Date.now()]];
}

export function asksForTheDate(state: Stock, { sku, n }: Change): Stock {
  return { ...state, [sku]: n, year: new Date().getFullYear() };
}

export function draws(state: Stock, { sku }: Change): Stock {
  return { ...state, [sku]: Math.random() };
}

let calls = 0;

export function counts(state: Stock, { sku }: Change): Stock {
  calls += 1;
  return { ...state, [sku]: calls };
}

const seen = new Set<string>();

/** Its variable is as good as its state, until a replica joins that has only the state. */
export function remembers(state: Stock, { sku, n }: Change): Stock {
  if (n === 1) seen.clear();
  if (seen.has(sku)) return state;
  seen.add(sku);
  return { ...state, [sku]: (state[sku] ?? 0) + 1 };
}

export function looksAtItself(state: Stock, { sku }: Change, ctx: Context): Stock {
  return { ...state, [sku]: ctx.rank };
}

/** The first of a Map's keys is the first that came. */
export function firstCome(
  state: { readonly all: ReadonlyMap<string, number>; readonly first: string } | undefined,
  { sku, n }: Change,
) {
  const all = new Map(state?.all).set(sku, n);
  return { all, first: [...all.keys()][0] as string };
}

class Shelf {
  constructor(readonly skus: readonly string[]) {}
}

export function keepsAnInstance(state: Shelf | undefined, { sku }: Change): Shelf {
  return new Shelf([...(state?.skus ?? []), sku]);
}
