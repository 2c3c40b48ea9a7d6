/**
 * `npm run chaos -- [--only NAME]... [--minutes M] [--short] [--times N] [--write] [--json]`: what goes wrong with real processes on
 * real networks, and what comes of it, as a table, or as one JSON object; `--write` puts it into docs/reliability.md.
 *
 * Exit status: 0 if nothing was violated, 1 if something was, 2 for a command line that makes no sense.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openProgress } from '../../actors/tools/progress.js';
import { openStage, root } from '../trials/stage.js';
import { corosyncVersion, killCorosync } from './corosync.js';
import { whyNoHosts } from './hosts.js';
import { inMB, inWords, play, short, type Length, type Row } from './play.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';

const page = path.join(root, 'docs/reliability.md');
/** All scenarios together take so long, each its part: of that, so much is left when traces are checked. */
const minutesDefault = 60;
const played = 0.85;
const [begin, finish] = ['<!-- the table, by npm run chaos -- --write -->', '<!-- end of the table -->'];

function usage(): string {
  return `npm run chaos -- [--only NAME]... [--minutes M] [--short] [--times N] [--write] [--json]\n${scenarios
    .map(({ name, did }) => `  ${name.padEnd(16)}${did}`)
    .join('\n')}`;
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ scenario, times, silence, view, violations, memory }) =>
    [
      scenario.name,
      scenario.did,
      times,
      inWords(silence),
      inWords(view),
      violations.length,
      (memory / 1e6).toFixed(0),
    ].join(' | '),
  );
  return [
    '| scenario | what was done | times | silence, ms: median / longest | new view, ms: median / longest | violations | memory, MB |',
    '|---|---|---|---|---|---|---|',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n');
}

/** The row of corosync, if it can be had; prints why if not. */
async function playCorosync(times: number, why: string | null, tell: (line: string) => void): Promise<string | null> {
  const version = corosyncVersion();
  if (version === null || why !== null) {
    tell(`- corosync: not played: ${why ?? 'it is not installed (Debian: apt-get install corosync)'}`);
    return null;
  }
  const stage = openStage('chaos-corosync');
  try {
    const millis = (await killCorosync(stage, times)).sort((a, b) => a - b);
    const [median = NaN, most = NaN] = [millis[millis.length >> 1], millis.at(-1)];
    tell(`  corosync ${version}: ${times} times, new membership after ${median} / ${most} ms`);
    const did =
      'SIGKILL of one of three, each on a host, as it is configured by default; until both others have the new membership';
    return `| corosync ${version} | ${did} | ${times} | | ${median} / ${most} | | |`;
  } finally {
    stage.clear(false);
  }
}

async function playOne(scenario: Scenario, length: Length, tell: (line: string) => void): Promise<Row | null> {
  const stage = openStage(`chaos-${scenario.name}`);
  let row: Row | null = null;
  try {
    row = await play(stage, scenario, length);
    const { silence, view, violations, memory, growth, deliveries, load } = row;
    tell(
      `${violations.length === 0 ? '✔' : '✘'} ${scenario.name}: ${row.times} times, silence ${inWords(silence)} ms, ` +
        `${view ? `new view ${inWords(view)} ms, ` : ''}${deliveries} deliveries, ` +
        `${inMB(memory)}${growth > 0 ? `, ${inMB(growth)} more at the end` : ''} (load ${load.toFixed(1)})`,
    );
    for (const violation of violations) tell(`    ${violation}`);
  } catch (error) {
    tell(`✘ ${scenario.name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const isWell = row?.violations.length === 0;
  if (!isWell) tell(`    traces and logs: ${stage.folder}`);
  stage.clear(!isWell);
  return row;
}

async function main(): Promise<number> {
  let options: {
    only?: string[];
    short?: boolean;
    minutes?: string;
    times?: string;
    write?: boolean;
    json?: boolean;
    help?: boolean;
  };
  try {
    ({ values: options } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        short: { type: 'boolean' },
        minutes: { type: 'string' },
        times: { type: 'string' },
        write: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage()}`);
    return 2;
  }
  const unknown = options.only?.find((name) => !scenarios.some((scenario) => scenario.name === name));
  if (options.help || unknown !== undefined) {
    console.log(unknown === undefined ? usage() : `there is no scenario '${unknown}'\n${usage()}`);
    return unknown === undefined ? 0 : 2;
  }
  const timesMax = Number(options.times ?? Infinity);
  const minutes = Number(options.minutes ?? minutesDefault);
  if (!(minutes >= 0)) {
    console.error(`--minutes: ${options.minutes ?? ''} is not a number\n${usage()}`);
    return 2;
  }
  if (!(timesMax >= 1)) {
    console.error(`--times: ${options.times ?? ''} is not a number of at least 1\n${usage()}`);
    return 2;
  }
  const why = whyNoHosts();
  const chosen = scenarios.filter(({ name }) => options.only?.includes(name) ?? true);
  const shares = scenarios.reduce((sum, { share = 1 }) => sum + share, 0);
  const lengthOf = ({ share = 1 }: Scenario): Length =>
    options.short
      ? { ...short, timesMax }
      : { isLong: true, millis: (minutes * 60_000 * played * share) / shares, timesMax };
  const rows: Row[] = [];
  let failed = 0;
  const progress = openProgress(chosen.length);
  const tell = (line: string): void => progress.say(line, options.json ? process.stderr : process.stdout);
  for (const [i, scenario] of chosen.entries()) {
    progress.to(i, scenario.name);
    const whyNot = (scenario.onHosts ? why : null) ?? scenario.whyNot?.() ?? null;
    if (whyNot !== null) {
      tell(`- ${scenario.name}: not played: ${whyNot}`);
      failed += 1;
      continue;
    }
    const row = await playOne(scenario, lengthOf(scenario), tell);
    if (row) rows.push(row);
    if (row?.violations.length !== 0) failed += 1;
  }
  const peer = options.only ? null : await playCorosync(Math.min(timesMax, options.short ? 1 : 5), why, tell);
  progress.close();
  const table = [tableOf(rows), ...(peer === null ? [] : [peer])].join('\n');
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node.js ${process.version}, Linux.`;
  if (options.json) {
    const told = rows.map(({ scenario: { name, did }, ...row }) => ({ name, did, ...row }));
    console.log(JSON.stringify({ machine, rows: told }));
  } else console.log(`\n${table}\n\n${machine}`);
  if (options.write) {
    const text = readFileSync(page, 'utf8');
    const [before, rest] = text.split(begin);
    const after = rest?.split(finish)[1];
    if (before === undefined || after === undefined) throw new Error(`${page} lacks '${begin}' or '${finish}'`);
    writeFileSync(page, `${before}${begin}\n\n${table}\n\n${machine}\n\n${finish}${after}`);
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
