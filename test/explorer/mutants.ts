/**
 * The explorer is tried on the mutants: the core with one idea taken out each, in a world that is just large enough for it to
 * be missed. What it finds is a shortest way to what goes wrong; that it goes through every order says that the others of
 * `test/mutants` take more than these worlds have.
 */
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { prepare } from '../mutants/build.js';
import { type Mutant, mutants } from '../mutants/list.js';

/** Worlds in which mutants are looked for, and those that are missed in each. */
export const worlds: readonly { readonly options: string; readonly mutants: readonly string[] }[] = [
  {
    options: '--members 3 --joins 0 --crashes 1',
    mutants: [
      'the shortcut is taken although rows differ',
      'the cut is the least instead of the most',
      'have-all is said without having all',
      'buffers are freed before all have received',
    ],
  },
  {
    options: '--members 3 --joins 0 --crashes 1 --multicasts total-uniform',
    mutants: ['a uniform multicast does not wait for stability'],
  },
  {
    options: '--members 1 --joins 1 --crashes 1 --multicasts none',
    mutants: ['nobody founds a group whose founder died'],
  },
  {
    options: '--joins 0 --multicasts fifo,fifo --astray 1',
    mutants: ['gaps are skipped', 'duplicates are taken in again'],
  },
  {
    options: '--joins 0 --crashes 1 --mistakes 1 --multicasts none',
    mutants: ['half of a state is a quorum, whoever is in it', 'a takeover proposes what it likes'],
  },
  {
    options: '--joins 1 --crashes 2 --multicasts none --verified-deaths',
    mutants: ['a decree does not wait for those who can be heard'],
  },
  {
    options: '--joins 0 --crashes 2 --mistakes 1 --multicasts none --verified-deaths',
    mutants: ['a death counts at a node that stood still'],
  },
  {
    options: '--joins 1 --crashes 1 --multicasts fifo --quick-votes',
    mutants: ['an earlier target that somebody has installed is not finished'],
  },
  {
    options: '--joins 1 --crashes 1 --quick-votes',
    mutants: ['what was held for a dead donor is applied after the new state'],
  },
];

/** A mutant that takes so long is not found. */
const patience = 20 * 60_000;

interface Summary {
  readonly states: number;
  readonly seconds: number;
  readonly violation: { readonly property: string } | null;
  readonly scenario: string | null;
  readonly isShown: boolean;
}

/** Looks for the mutants whose names contain one of the words; writes the counterexamples into a folder, if there is one. */
export async function tryMutants(words: readonly string[], out: string | undefined): Promise<boolean> {
  let isWell = true;
  for (const world of worlds) {
    for (const name of world.mutants) {
      if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
      const mutant = mutants.find((each) => each.name === name);
      if (mutant === undefined) throw new Error(`no mutant is called: ${name}`);
      const summary = await tryOne(mutant, world.options.split(' '));
      const isFound = typeof summary?.violation?.property === 'string' && summary.isShown;
      isWell &&= isFound;
      console.log(show(mutant, summary, isFound), world.options);
      if (out !== undefined && typeof summary?.scenario === 'string') {
        writeFileSync(path.join(out, `${name.replaceAll(' ', '-')}.scenario`), summary.scenario);
      }
    }
  }
  return isWell;
}

function show({ rule, name }: Mutant, summary: Summary | undefined, isFound: boolean): string {
  const head = `${isFound ? '✔' : '✘'} ${rule.padEnd(4)} ${name.padEnd(66)}`;
  if (summary === undefined) return `${head} no end`;
  const { violation, states, seconds, isShown } = summary;
  const what =
    violation === null ? 'nothing' : `${violation.property}${isShown ? '' : ', which its scenario does not show'}`;
  return `${head} ${what}, ${states} states, ${seconds.toFixed(1)} s`;
}

async function tryOne(mutant: Mutant, args: readonly string[]): Promise<Summary | undefined> {
  const folder = prepare(mutant);
  try {
    return await exploreIn(folder, args);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function exploreIn(folder: string, args: readonly string[]): Promise<Summary | undefined> {
  const main = path.join(folder, 'test/explorer/main.js');
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
