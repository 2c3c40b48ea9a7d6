/**
 * Coverage-guided fuzzing: what runs code that no input has run before is kept, and others are made of it.
 *
 * To ask V8 what ran takes longer than most inputs do, so inputs are run in batches, and a batch that brought something by halves.
 */
import { cutOff, flip } from '../lib/packets.js';
import { type Random, integer, pick } from '../../transport/simulation/random.js';
import { type Coverage, type Covered, isNews, note, sizeOf } from './coverage.js';
import { type Words, mutate } from './mutate.js';

/** A parser, and what must be true of it whatever it is given. */
export interface Target {
  readonly name: string;
  /** What goes to it. */
  readonly shows: string;
  readonly bytesMax: number;
  readonly words: Words;
  /** Good inputs, to begin with. */
  seeds(): readonly Uint8Array[];
  /** Throws if the parser does what it must not. */
  run(input: Uint8Array): void;
}

/** An input that broke something. */
export interface Failure {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** What came of it. */
export interface Outcome {
  readonly runs: number;
  /** Characters of the library's code that have run. */
  readonly code: number;
  /** Inputs that each ran code that none before had. */
  readonly kept: readonly Uint8Array[];
  readonly failure: Failure | null;
}

const batchSize = 48;
/** No input may hold up a parser for longer. */
const runMillisMax = 500;
/** Of those that are kept, the last are the likeliest to lead further. */
const lastShare = 0.5;

/** All that a few lost or wrong bits make of an input: cut off after each byte, and with each bit flipped. */
export function* damagesOf(input: Uint8Array): Generator<Uint8Array> {
  yield* cutOff(input);
  for (let bit = 0; bit < 8 * input.length; bit++) yield flip(input, bit);
}

/** Gives a parser what {@link damagesOf} makes of its good inputs, all or about so many, spread evenly; how much, and what broke. */
export function tryDamages(
  target: Target,
  most = Infinity,
): { readonly runs: number; readonly failure: Failure | null } {
  const seeds = target.seeds();
  const all = seeds.reduce((sum, { length }) => sum + 9 * length, 0);
  // odd, so that it is another bit in each byte
  const stride = Math.max(1, Math.floor(all / most)) | 1;
  let [runs, number] = [0, 0];
  for (const seed of seeds) {
    for (const input of damagesOf(seed)) {
      number += 1;
      if (number % stride !== 0) continue;
      const failure = tryInput(target, input);
      if (failure) return { runs, failure };
      runs += 1;
    }
  }
  return { runs, failure: null };
}

/** Runs one input; what is wrong, if anything. */
export function tryInput(target: Target, input: Uint8Array): Failure | null {
  const from = performance.now();
  try {
    target.run(input);
  } catch (error) {
    return { input, error };
  }
  const millis = performance.now() - from;
  if (millis <= runMillisMax) return null;
  // not if somebody else had the processor
  const again = performance.now();
  target.run(input);
  if (performance.now() - again <= runMillisMax) return null;
  return { input, error: new Error(`${input.length} bytes took ${millis.toFixed(0)} ms`) };
}

/** Fuzzes until `isOver`, which is asked after each batch with the number of runs; a failure ends it. */
export function fuzz(
  target: Target,
  corpus: readonly Uint8Array[],
  random: Random,
  coverage: Coverage,
  isOver: (runs: number) => boolean,
): Outcome {
  const kept: Uint8Array[] = [];
  const seen: Covered = new Map();
  let runs = 0;
  const outcome = (failure: Failure | null): Outcome => ({ runs, code: sizeOf(seen), kept, failure });
  /** Keeps those of inputs that have just run code that none before had: found by halves, since most have not. */
  const keepNews = (inputs: readonly Uint8Array[]): void => {
    const covered = coverage.take();
    if (!isNews(seen, covered)) return;
    if (inputs.length === 1) {
      note(seen, covered);
      kept.push(...inputs);
      return;
    }
    const half = inputs.length >> 1;
    for (const part of [inputs.slice(0, half), inputs.slice(half)]) {
      for (const input of part) target.run(input);
      runs += part.length;
      keepNews(part);
    }
  };
  coverage.take();
  for (const input of [...target.seeds(), ...corpus]) {
    const failure = tryInput(target, input);
    if (failure) return outcome(failure);
    runs += 1;
    keepNews([input]);
  }
  if (kept.length === 0) kept.push(new Uint8Array(0));
  const one = (): Uint8Array => {
    const from = integer(random, 0, 1) === 0 ? Math.floor(kept.length * lastShare) : 0;
    return kept[integer(random, from, kept.length - 1)] as Uint8Array;
  };
  while (!isOver(runs)) {
    const batch = Array.from({ length: batchSize }, () =>
      mutate(random, one(), pick(random, kept), target.words, target.bytesMax),
    );
    for (const input of batch) {
      const failure = tryInput(target, input);
      runs += 1;
      if (failure) return outcome(failure);
    }
    keepNews(batch);
  }
  return outcome(null);
}

/** Of these inputs, the shortest first, those that are needed to run all that they run. */
export function distilled(target: Target, inputs: readonly Uint8Array[], coverage: Coverage): Uint8Array[] {
  const seen: Covered = new Map();
  const needed: Uint8Array[] = [];
  for (const input of inputs.toSorted((a, b) => a.length - b.length)) {
    coverage.take();
    target.run(input);
    const covered = coverage.take();
    if (!isNews(seen, covered)) continue;
    note(seen, covered);
    needed.push(input);
  }
  return needed;
}
