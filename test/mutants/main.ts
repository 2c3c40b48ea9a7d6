/**
 * `npm run mutants`: proves that the simulator can find bugs. Each mutant is the compiled core with one safety idea taken
 * out; it must be found, by a violation or by something that never comes about, within a bounded number of seeds that
 * pass without it. A mutant whose changed line never ran proves nothing and counts as not found.
 *
 * A mutant that names a test file has to be found by that one: some ideas are no property of a trace, but of how soon a trace comes
 * about. A mutant that says why the simulator may miss it may be missed; the list has few of those.
 *
 * Words after `--` choose mutants by name; `--seeds N` changes the bound; `--scenarios` tries the mutants on the scenarios
 * instead; `--dry` only looks whether each mutant's text is there.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prepare } from './build.js';
import { type Mutant, mutants } from './list.js';

const dist = fileURLToPath(new URL('../..', import.meta.url));
/** Seeds before a mutant counts as not found. */
const seedsMax = 1000;
/** Of all mutants so many have to be found, however well the others are explained. */
const shareMin = 0.95;
/** A mutant may make the core go round in circles for ever; then its process is ended. */
const patience = 15 * 60_000;
const parallel = 2;

/** What `sim --json` prints. */
interface Summary {
  readonly seeds: number;
  readonly hits: number;
  readonly violations: readonly { readonly seed: number; readonly property: string; readonly detail: string }[];
}

type Outcome =
  | { readonly kind: 'found'; readonly seed: number; readonly property: string; readonly detail: string }
  | { readonly kind: 'failed'; readonly file: string }
  | { readonly kind: 'not found'; readonly why: string };

/** Runs the simulator of a folder; undefined if it came to no end or printed nothing that can be read. */
async function simulate(folder: string, args: readonly string[]): Promise<Summary | undefined> {
  const main = path.join(folder, 'test/simulation/main.js');
  const child = spawn(process.execPath, [main, '--json', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  clearTimeout(timer);
  try {
    return JSON.parse(text) as Summary;
  } catch {
    return undefined;
  }
}

/** Whether a test file of a folder passes. */
async function passes(folder: string, file: string): Promise<boolean> {
  const ava = path.join(folder, 'node_modules/ava/entrypoints/cli.mjs');
  const child = spawn(process.execPath, [ava, '--timeout=5m', `test/${file}.test.js`], {
    cwd: folder,
    stdio: 'ignore',
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(timer);
  return code === 0;
}

/** Runs the test that is to find it, with and without the mutant. */
async function tryTest(mutant: Mutant, clean: string, file: string): Promise<Outcome> {
  const folder = prepare(mutant);
  try {
    if (!(await passes(clean, file))) return { kind: 'not found', why: `test/${file} fails without it` };
    if (await passes(folder, file)) return { kind: 'not found', why: `test/${file} passes` };
    return { kind: 'failed', file };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Plays seeds until one is violated that passes without the mutant. */
async function hunt(mutant: Mutant, clean: string, seeds: number): Promise<Outcome> {
  const folder = prepare(mutant);
  let hits = 0;
  try {
    for (let seed = 1; seed <= seeds;) {
      const args = ['--seed', String(seed), '--seeds', String(seeds - seed + 1), '--workers', '1', '--stop'];
      const summary = await simulate(folder, args);
      if (summary === undefined) return { kind: 'not found', why: 'the simulator came to no end' };
      hits += summary.hits;
      const first = summary.violations[0];
      if (first === undefined) break;
      const without = await simulate(clean, ['--seed', String(first.seed), '--seeds', '1']);
      const passes = without?.violations.length === 0;
      if (passes && hits > 0) return { kind: 'found', ...first };
      if (passes) return { kind: 'not found', why: `seed ${first.seed} fails, and the changed line never ran` };
      seed = first.seed + 1;
    }
    return { kind: 'not found', why: hits === 0 ? 'the changed line never ran' : `${seeds} seeds without a violation` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function show(mutant: Mutant, outcome: Outcome): string {
  const name = `${mutant.rule.padEnd(5)} ${mutant.name.padEnd(52)}`;
  if (outcome.kind === 'not found' && mutant.survives !== undefined) return `- ${name} ${mutant.survives}`;
  if (outcome.kind === 'not found') return `✘ ${name} ${outcome.why}`;
  if (outcome.kind === 'failed') return `✔ ${name} test/${outcome.file}`;
  return `✔ ${name} seed ${String(outcome.seed).padStart(4)}  ${outcome.property}`;
}

/** Which scenarios show what goes wrong. A mutant that none of them shows is no failure: some need many coincidences. */
async function tryScenarios(list: readonly Mutant[]): Promise<void> {
  for (const mutant of list) {
    const folder = prepare(mutant);
    const main = path.join(folder, 'test/scenarios/main.js');
    const child = spawn(process.execPath, [main, path.join(dist, '../test/scenarios')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    console.log(`${mutant.rule.padEnd(5)} ${mutant.name}\n        ${text.trim().split('\n').join(' ') || '(none)'}`);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Only looks whether each mutant's text is there. */
function checkTexts(list: readonly Mutant[]): boolean {
  let fits = true;
  for (const mutant of list) {
    try {
      rmSync(prepare(mutant), { recursive: true });
    } catch (error) {
      fits = false;
      console.log(error instanceof Error ? error.message : String(error));
    }
  }
  return fits;
}

async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: String(seedsMax) },
      verbose: { type: 'boolean', default: false },
      dry: { type: 'boolean', default: false },
      scenarios: { type: 'boolean', default: false },
    },
  });
  const wanted = mutants.filter(
    (mutant) => positionals.length === 0 || positionals.some((word) => mutant.name.includes(word)),
  );
  if (values.dry) return checkTexts(wanted);
  if (values.scenarios) {
    await tryScenarios(wanted);
    return true;
  }
  // a list that the core has outgrown is mended before it is tried
  if (!checkTexts(wanted)) return false;
  const clean = prepare(undefined);
  const queue = [...wanted];
  let found = 0;
  let explained = 0;
  const lane = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const { foundBy } = mutant;
      const outcome =
        foundBy === undefined ? await hunt(mutant, clean, Number(values.seeds)) : await tryTest(mutant, clean, foundBy);
      console.log(show(mutant, outcome));
      if (values.verbose && outcome.kind === 'found') console.log(`    ${outcome.detail}`);
      if (outcome.kind !== 'not found') found += 1;
      else if (mutant.survives !== undefined) explained += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: parallel }, lane));
  } finally {
    rmSync(clean, { recursive: true, force: true });
  }
  const rest = explained > 0 ? `, ${explained} explained` : '';
  console.log(`${found} of ${wanted.length} mutants found${rest}`);
  return found + explained === wanted.length && (found >= shareMin * wanted.length || wanted.length < mutants.length);
}

process.exitCode = (await main()) ? 0 : 1;
