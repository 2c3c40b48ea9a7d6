/** Plays one seed, once or twice, and takes the time. */
import { libraryCore, libraryChecker } from './library.js';
import { type RunResult, run } from './run.js';
import { hashOf } from './trace-hash.js';

const difference = { property: 'SAME-TRACE', detail: 'played twice, the seed gives two traces' };

/** What comes back for one seed. */
export interface Played {
  readonly result: RunResult;
  /** Milliseconds of this thread. */
  readonly millis: number;
  /** How often the changed line of a mutant has run. */
  readonly hits: number;
}

declare global {
  /** Counted up by a mutant's changed line, see test/mutants. */
  var mutantHits: number | undefined;
}

/** Asked of a worker. */
export interface Asked {
  readonly seed: number;
  /** Plays it a second time and compares the traces. */
  readonly twice: boolean;
}

/** Plays a seed and takes the time. */
export function play({ seed, twice }: Asked): Played {
  const from = performance.now();
  globalThis.mutantHits = 0;
  const { result: played, world } = run(seed, libraryCore, libraryChecker);
  const differs = twice && hashOf(world.trace) !== hashOf(run(seed, libraryCore, libraryChecker).world.trace);
  const result = differs ? { ...played, violations: [...played.violations, difference] } : played;
  return { result, millis: performance.now() - from, hits: globalThis.mutantHits };
}
