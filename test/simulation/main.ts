/**
 * `npm run sim`: plays many seeds on all workers, shows how it goes, and ends with what went on in them. A violation is
 * printed with its seed and the command that plays it again; that one seed then writes the same trace, byte for byte.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { openProgress, type Progress } from '../../actors/tools/progress.js';
import type { Traced } from '../../lib/trace/format.js';
import { libraryChecker, libraryCore } from './library.js';
import { type RunResult, type Violation, run } from './run.js';
import { summarize } from './statistics.js';
import type { Asked, Played } from './play.js';

const usage = `npm run sim -- [options]
  --seeds N          how many seeds, default 200 (1 with --seed)
  --seed S           the first seed, default 1
  --workers N        threads, default 2
  --trace FILE       with one seed: writes its trace there
  --verbose          with one seed: prints the trace as it stands
  --twice            plays each seed twice: it has to give the same trace, byte for byte
  --stop             ends at the first violation
  --json             prints one JSON object at the end and nothing else`;

interface Options {
  readonly seeds: number;
  readonly seed: number;
  readonly workers: number;
  readonly trace: string | undefined;
  readonly verbose: boolean;
  readonly twice: boolean;
  readonly stop: boolean;
  readonly json: boolean;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: ${text} is not a positive whole number`);
  return value;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      workers: { type: 'string', default: '2' },
      trace: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      twice: { type: 'boolean', default: false },
      stop: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  return {
    seeds: wholeNumber('seeds', values.seeds ?? (values.seed === undefined ? '200' : '1')),
    seed: wholeNumber('seed', values.seed ?? '1'),
    workers: wholeNumber('workers', values.workers),
    trace: values.trace,
    verbose: values.verbose,
    twice: values.twice,
    stop: values.stop,
    json: values.json,
  };
}

// One seed --------------------------------------------------------------------------------------------------------

function describe(violations: readonly Violation[]): string[] {
  return violations.slice(0, 20).map(({ property, detail }) => `  ${property}: ${detail}`);
}

function writeTrace(file: string, trace: readonly Traced[]): void {
  const descriptor = openSync(file, 'w');
  for (const record of trace) writeSync(descriptor, `${JSON.stringify(record)}\n`);
  closeSync(descriptor);
}

function playOne(options: Options): boolean {
  const { result, world } = run(options.seed, libraryCore, libraryChecker);
  if (options.verbose) for (const record of world.trace) console.log(JSON.stringify(record));
  if (options.trace !== undefined) writeTrace(options.trace, world.trace);
  const { violations, antecedents: _antecedents, byKind, marks, ...numbers } = result;
  console.log(`seed ${options.seed}: ${JSON.stringify(numbers)}`);
  console.log(`faults: ${JSON.stringify(byKind)}`);
  console.log(`rare moments: ${JSON.stringify(marks)}`);
  for (const text of describe(violations)) console.log(text);
  console.log(violations.length === 0 ? 'no violation' : `${violations.length} violations`);
  return violations.length === 0;
}

// Many seeds ------------------------------------------------------------------------------------------------------

/** Hands seeds to the workers, each the next one as it gets free, until all are played or `onPlayed` says stop. */
async function playAll(options: Options, onPlayed: (played: Played) => boolean): Promise<void> {
  let next = options.seed;
  const end = options.seed + options.seeds;
  let stopped = false;
  const lane = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.js', import.meta.url));
      const give = (): void => {
        if (stopped || next >= end) void worker.terminate().then(() => resolve());
        else worker.postMessage({ seed: next++, twice: options.twice } satisfies Asked);
      };
      worker.on('message', (played: Played) => {
        if (!stopped && !onPlayed(played)) stopped = true;
        give();
      });
      worker.on('error', reject);
      give();
    });
  await Promise.all(Array.from({ length: Math.min(options.workers, options.seeds) }, lane));
}

function showProgress(progress: Progress, done: number, all: number, violations: number, from: number): void {
  const seconds = (performance.now() - from) / 1000;
  const note = `${violations} with violations, ${(done / seconds).toFixed(1)} a second`;
  progress.to(done, note);
  if (!process.stderr.isTTY && (done % 100 === 0 || done === all)) progress.say(`${done} of ${all} seeds, ${note}`);
}

function replayOf(seed: number): string {
  return `npm run sim -- --seed ${seed} --trace seed-${seed}.jsonl`;
}

async function playMany(options: Options): Promise<boolean> {
  const from = performance.now();
  const results: RunResult[] = [];
  let failed = 0;
  let millis = 0;
  let hits = 0;
  const progress = options.json ? null : openProgress(options.seeds);
  await playAll(options, (played) => {
    const { result } = played;
    results.push(result);
    millis += played.millis;
    hits += played.hits;
    if (progress) showProgress(progress, results.length, options.seeds, failed, from);
    if (result.violations.length === 0) return true;
    failed += 1;
    if (progress && failed <= 10) {
      const lines = [`\nseed ${result.seed} violates:`, ...describe(result.violations)];
      progress.say([...lines, `replay: ${replayOf(result.seed)}`].join('\n'), process.stdout);
    }
    return !options.stop;
  });
  progress?.close();
  results.sort((a, b) => a.seed - b.seed);
  const { lines, complaints } = summarize(results);
  const broken = results.filter((result) => result.violations.length > 0);
  if (options.json) {
    const violations = broken.map(({ seed, violations: list }) => ({ seed, ...list[0] }));
    console.log(JSON.stringify({ seeds: results.length, hits, violations, complaints }));
    return broken.length === 0;
  }
  console.log(`\n${lines.join('\n')}`);
  const seconds = (performance.now() - from) / 1000;
  console.log(`${results.length} seeds in ${seconds.toFixed(1)} s, ${(millis / results.length).toFixed(0)} ms a seed`);
  for (const complaint of complaints) console.log(`too little happens: ${complaint}`);
  const list = broken.slice(0, 20).map((result) => result.seed);
  console.log(broken.length === 0 ? 'no violation' : `${broken.length} seeds with violations: ${list.join(' ')}`);
  return broken.length === 0 && complaints.length === 0;
}

async function main(): Promise<boolean> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return false;
  }
  return options.seeds === 1 && !options.json && !options.twice ? playOne(options) : await playMany(options);
}

process.exitCode = (await main()) ? 0 : 1;
