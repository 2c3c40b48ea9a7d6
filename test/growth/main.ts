/**
 * `npm run growth`: how packets, bytes and steps grow with the number of members, counted in the simulator.
 *
 * Exit status: 0, 2 for a command line that makes no sense.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { exponentOf } from './fit.js';
import { type Counts, type Growth, type Situation, measure, situations } from './measure.js';

const usage = `npm run growth -- [options]
  --quick      up to 32 members only
  --json FILE  writes all counts and exponents to FILE
  --help`;

const sizes = [2, 4, 8, 16, 32, 64];
const quickSizes = sizes.filter((members) => members <= 32);
/** Exponents are those of the larger groups: what does not depend on the size hides the others in a small one. */
const fittedFrom = 8;

const titles: Readonly<Record<Situation, string>> = {
  one: 'one member sends, per multicast',
  all: 'all members send, per multicast',
  join: 'a node joins, per view change',
  leave: 'a node leaves, per view change',
  crash: 'a node crashes, per view change',
  idle: 'idle, per second',
};
const measures = ['packets', 'bytes', 'steps'] as const;

/** The exponent of each count in each situation. */
type Exponents = Readonly<Record<Situation, Counts>>;

function exponentsOf(all: readonly Growth[]): Exponents {
  const fitted = all.filter(({ members }) => members >= fittedFrom);
  const fit = (situation: Situation, what: keyof Counts) =>
    exponentOf(fitted.map(({ members, counts }) => ({ members, count: counts[situation][what] })));
  const counts = (situation: Situation): Counts => ({
    packets: fit(situation, 'packets'),
    bytes: fit(situation, 'bytes'),
    steps: fit(situation, 'steps'),
  });
  return Object.fromEntries(situations.map((situation) => [situation, counts(situation)])) as Exponents;
}

function tableOf(all: readonly Growth[], exponents: Exponents): string {
  const rows = situations.flatMap((situation) => [
    [titles[situation]],
    ...measures.map((what) => [
      `  ${what}`,
      ...all.map(({ counts }) => short(counts[situation][what])),
      exponents[situation][what].toFixed(2),
    ]),
  ]);
  const head = ['members', ...all.map(({ members }) => String(members)), 'exponent'];
  return [head, ...rows]
    .map(([title = '', ...cells]) => title.padEnd(34) + cells.map((cell) => cell.padStart(10)).join(''))
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Three digits that count. */
function short(value: number): string {
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(3);
}

function main(args: string[]): number {
  let values;
  try {
    const options = { quick: { type: 'boolean' }, json: { type: 'string' }, help: { type: 'boolean' } } as const;
    ({ values } = parseArgs({ args, options }));
    // what cannot be written is said now, not after all the counting
    if (values.json !== undefined) closeSync(openSync(values.json, 'w'));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const all = (values.quick ? quickSizes : sizes).map((members) => {
    const from = performance.now();
    const growth = measure(members);
    console.error(`${members} members counted in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    return growth;
  });
  const exponents = exponentsOf(all);
  console.log(`${tableOf(all, exponents)}\n\nexponents: of ${fittedFrom} members and more`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ sizes: all, exponents }, null, 2)}\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
