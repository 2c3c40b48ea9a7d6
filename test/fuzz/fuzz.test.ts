/** The kept inputs break nothing, and neither do some that are made of them; and a fuzzer finds what there is to be found. */
import test from 'ava';
import { createRandom } from '../../transport/simulation/random.js';
import { readCorpus } from './corpus.js';
import { type Coverage, openCoverage } from './coverage.js';
import { type Target, fuzz, tryDamages, tryInput } from './fuzz.js';
import { isWord } from './planted.js';
import { targets } from './targets.js';

/** So many inputs are made for each target, whatever the machine's speed. */
const runsMax = 400;
/** Of everything that damage makes of good inputs. */
const damagesMax = 500;

/** Once: what V8 has stopped to look at it does not look at again. */
const coverage = openCoverage(['lib/', 'actors/', 'transport/', 'test/fuzz/planted.js']);
test.after(() => coverage.close());

for (const target of targets) {
  test.serial(`${target.name}: ${target.shows}`, (t) => {
    const corpus = readCorpus(target.name);
    t.true(corpus.length > 0, 'there is a corpus');
    for (const input of [...target.seeds(), ...corpus]) {
      const failure = tryInput(target, input);
      if (failure) t.fail(`${Buffer.from(input).toString('base64')}: ${String(failure.error)}`);
    }
    const damaged = tryDamages(target, damagesMax);
    t.is(damaged.failure, null, String(damaged.failure?.error));
    t.true(damaged.runs > damagesMax / 2, `${damaged.runs} damaged inputs`);
    const { failure, code, runs } = fuzz(
      target,
      corpus.slice(0, 8),
      createRandom(1),
      coverage,
      (done) => done >= runsMax,
    );
    t.is(failure, null, failure ? `${Buffer.from(failure.input).toString('base64')}: ${String(failure.error)}` : '');
    t.true(code > 1000 && runs >= runsMax, `${code} characters of code, ${runs} runs`);
  });
}

test.serial('a fuzzer finds what no chance would, led by the code that runs', (t) => {
  const planted: Target = {
    name: 'planted',
    shows: 'a word',
    bytesMax: 5,
    words: [],
    seeds: () => [new Uint8Array(5)],
    run: (input) => {
      if (isWord(input)) throw new Error('found');
    },
  };
  const runsMax = 5000;
  const led = fuzz(planted, [], createRandom(1), coverage, (runs) => runs >= runsMax);
  t.regex(String(led.failure?.error), /found/);
  const blind: Coverage = { take: () => new Map(), close: () => undefined };
  t.is(fuzz(planted, [], createRandom(1), blind, (runs) => runs >= runsMax).failure, null);
});
