/**
 * A short run of the simulator, and that a seed is all it takes to play a run again.
 */
import test from 'ava';
import { libraryChecker, libraryCore } from './library.js';
import { run } from './run.js';
import { summarize } from './statistics.js';
import { play } from './play.js';

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);

test('150 seeds hold all properties, and enough goes on in them', (t) => {
  const results = seeds(1, 150).map((seed) => run(seed, libraryCore, libraryChecker).result);
  for (const { seed, violations } of results) {
    const text = violations.map(({ property, detail }) => `${property}: ${detail}`).join('\n');
    t.is(text, '', `npm run sim -- --seed ${seed}`);
  }
  t.deepEqual(summarize(results).complaints, []);
});

test('a seed gives the same trace, byte for byte, 20 times of 20', (t) => {
  for (const seed of seeds(1001, 20)) t.deepEqual(play({ seed, twice: true }).result.violations, [], `seed ${seed}`);
});

test('seeds give different traces', (t) => {
  const lengths = seeds(1, 5).map((seed) => run(seed, libraryCore, libraryChecker).result.records);
  t.true(new Set(lengths).size > 1);
});
