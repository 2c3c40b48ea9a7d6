/** Random runs of control planes hold agreement all the time and become one domain once all is well. */
import test from 'ava';
import { randomRun } from './random.js';

/** More with SEEDS=n; a failure names its seed. */
const seeds = Number(process.env['SEEDS'] ?? 200);

test('whatever happens, the states agree, and afterwards all that live are one domain', (t) => {
  let decrees = 0;
  let exclusions = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const outcome = randomRun(seed);
    decrees += outcome.decrees;
    exclusions += outcome.exclusions;
  }
  t.true(decrees > seeds);
  t.true(exclusions > 0);
});
