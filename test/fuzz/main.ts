/**
 * `npm run fuzz`: every parser with its good inputs damaged in each byte and bit, then for a bounded time, guided by coverage. An input that breaks one is printed with the command that gives
 * it to that parser again.
 *
 * Exit status: 0 if nothing broke, 1 if something did, 2 for a command line that makes no sense.
 */
import { parseArgs } from 'node:util';
import { createRandom } from '../../transport/simulation/random.js';
import { readCorpus, writeCorpus } from './corpus.js';
import { openCoverage } from './coverage.js';
import { type Failure, type Target, distilled, fuzz, tryDamages, tryInput } from './fuzz.js';
import { targets } from './targets.js';

const secondsDefault = 60;
/** Bytes of what is kept for one target. */
const corpusBytesMax = 24 * 1024;

const usage = `npm run fuzz -- [options]
  --only TARGET...   of ${targets.map(({ name }) => name).join(', ')}
  --seconds N        for each target, default ${secondsDefault}
  --seed S           default: another each time
  --keep             keeps what led further in test/fuzz/corpus
  --input BASE64     with one target: gives it this input, and nothing else`;

function complain(why: string): never {
  console.error(`${why}\n${usage}`);
  process.exit(2);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        seconds: { type: 'string', default: String(secondsDefault) },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        keep: { type: 'boolean', default: false },
        input: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    return complain(String(error));
  }
}

function show({ name }: Target, { input, error }: Failure): void {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const text = Buffer.from(input).toString('base64');
  console.log(`${name}: ${why}\nnpm run fuzz -- --only ${name} --input ${text}`);
}

function smallest(inputs: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0;
  return inputs.filter(({ length }) => (bytes += length) <= corpusBytesMax);
}

const { only, seconds, seed, keep, input, help } = readOptions();
if (help) {
  console.log(usage);
  process.exit(0);
}
const unknown = only?.find((name) => !targets.some((target) => target.name === name));
if (unknown !== undefined) complain(`there is no target '${unknown}'`);
const chosen = targets.filter(({ name }) => only?.includes(name) ?? true);
const millis = Number(seconds) * 1000;
if (!(millis > 0)) complain(`--seconds: ${seconds} is no time`);
let failures = 0;
if (input !== undefined) {
  const [target] = chosen;
  if (!target || chosen.length > 1) complain('--input takes one target');
  const failure = tryInput(target, new Uint8Array(Buffer.from(input, 'base64')));
  if (failure) show(target, failure);
  process.exit(failure ? 1 : 0);
}
for (const target of chosen) {
  const from = performance.now();
  const { runs, failure } = tryDamages(target);
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  console.log(`${target.name}: good inputs cut off anywhere, or with any bit flipped: ${runs}, in ${seconds} s`);
  if (failure) {
    failures += 1;
    show(target, failure);
  }
}
const coverage = openCoverage();
for (const [i, target] of chosen.entries()) {
  const until = performance.now() + millis;
  const from = performance.now();
  const corpus = readCorpus(target.name);
  const isOver = () => performance.now() >= until;
  const { runs, code, kept, failure } = fuzz(target, corpus, createRandom(Number(seed) + i), coverage, isOver);
  const rate = Math.round(runs / ((performance.now() - from) / 1000));
  console.log(
    `${target.name}: ${runs} inputs, ${rate} a second; ${kept.length} inputs led to ${code} characters of code`,
  );
  if (failure) {
    failures += 1;
    show(target, failure);
  } else if (keep) writeCorpus(target.name, smallest(distilled(target, kept, coverage)));
}
coverage.close();
console.log(failures === 0 ? `nothing broke; seed ${seed}` : `${failures} broke; seed ${seed}`);
process.exitCode = failures === 0 ? 0 : 1;
