/**
 * A worker of `npm run sim`: plays the seeds it is given, one after the other, and sends back what came of each.
 */
import { parentPort } from 'node:worker_threads';
import { libraryCore, libraryChecker } from './library.js';
import { type RunResult, run } from './run.js';

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

/** Plays a seed and takes the time. */
export function play(seed: number): Played {
  const from = performance.now();
  globalThis.mutantHits = 0;
  const { result } = run(seed, libraryCore, libraryChecker);
  return { result, millis: performance.now() - from, hits: globalThis.mutantHits };
}

parentPort?.on('message', (seed: number) => parentPort?.postMessage(play(seed)));
