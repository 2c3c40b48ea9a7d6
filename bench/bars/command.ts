/** The command `bars`: measures what the library is to reach, and says of each figure whether it does. */
import { writeFileSync } from 'node:fs';
import { effortHelp, effortSpec, readEffort } from '../effort.js';
import { contenders } from '../latency/contenders.js';
import { latencyParts, measureLatency, warmUpMessages } from '../latency/measure.js';
import type { LatencyPlan } from '../latency/measure.js';
import { latencyRows, tablesOf } from '../latency/report.js';
import type { LatencyRow } from '../latency/report.js';
import { lookAtMachine } from '../machine.js';
import type { Machine } from '../machine.js';
import { checkFile, readArgs } from '../options.js';
import type { Effort } from '../plan.js';
import { headOf, rowsOf, tableOf } from '../report.js';
import type { Row } from '../report.js';
import { partsOf, runRounds } from '../rounds.js';
import { formatTable } from '../table.js';
import { track } from '../track.js';
import { measureEncryption } from '../encryption.js';
import { barLatencyBytes, barMembers, encryptionBars, judge, judgeEncryption, judgeLatency } from './list.js';
import { latencyBars, measurementsFor, rateBars } from './list.js';
import type { Verdict } from './list.js';

const help = `Measures what the library is to reach, and says which bars it does: ${barMembers} processes, UDP multicast on loopback.

npm run bench -- bars [options]

  --rounds 5             each figure is the median of so many
${effortHelp}
  --json FILE            writes all figures to FILE
  --quick                one short round, under two minutes
  --help

A ratio is of two measurements in the same round; the range is that of the rounds. The exit status is 0 even where a bar
is missed, since a busy machine misses some, and 1 if a measurement failed.
`;

const spec = { ...effortSpec, json: { type: 'string' }, help: { type: 'boolean' } } as const;

/** For so long a round of the encryption takes, in milliseconds. */
const encryptionMillis = 1000;

/** What is written. */
interface BarsReport {
  readonly command: string;
  readonly machine: Machine;
  readonly effort: Effort;
  readonly bars: readonly Verdict[];
  readonly rows: readonly Row[];
  readonly latencies: readonly LatencyRow[];
}

function latencyPlan(rounds: number, quick: boolean): LatencyPlan {
  const names = ['raw', ...latencyBars.map(({ contender }) => contender)];
  return {
    sizes: [barLatencyBytes],
    loads: ['low'],
    contenders: contenders.filter(({ name }) => names.includes(name)),
    members: barMembers,
    rounds,
    messages: quick ? 100 : 500,
    halfMillis: 0,
    askMillis: 0,
    warmUp: warmUpMessages(quick),
  };
}

/** The verdicts as a table. */
export function barsTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ title, unit, bar, aim, measured, reached }) => {
    const show = (value: number) => `${Number.isFinite(value) ? value.toFixed(2) : 'none'} ${unit}`.trimEnd();
    const range = measured ? `${show(measured.least)} - ${show(measured.most)}` : '';
    return [title, reached, measured ? show(measured.median) : '', range, `${bar} ${unit}`, `${aim} ${unit}`];
  });
  return formatTable(['', 'reached', 'measured', '(range)', 'bar', 'aim'], lines, 2);
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export async function run(args: readonly string[]): Promise<number> {
  const given = readArgs(args, spec);
  if (given.help) {
    console.log(help);
    return 0;
  }
  const { json, quick = false } = given;
  const effort = readEffort(given, 5);
  checkFile('json', json);
  const machine = lookAtMachine();
  console.log(headOf(machine, effort));
  const plan = { measurements: measurementsFor(rateBars), effort, profiles: undefined };
  const latency = latencyPlan(effort.rounds, quick);
  const parts = partsOf(plan) + latencyParts(latency) + encryptionBars.length;
  const millis = quick ? 100 : encryptionMillis;
  const { results, latencies, encryption } = await track(parts, async (to) => ({
    results: await runRounds(plan, to),
    latencies: latencyRows(await measureLatency(latency, to)),
    encryption: encryptionBars.map((bar) => {
      to.tell(bar.title);
      const verdict = judgeEncryption(bar, measureEncryption(bar.bytes, effort.rounds, millis));
      to.done();
      return verdict;
    }),
  }));
  const bars = [
    ...rateBars.map((bar) => judge(bar, results)),
    ...latencyBars.map((bar) => judgeLatency(bar, latencies)),
    ...encryption,
  ];
  const rows = rowsOf(results);
  console.log(['', tableOf(rows), '', tablesOf(latencies, []), '', barsTable(bars)].join('\n'));
  if (json !== undefined) {
    const command = ['npm run bench -- bars', ...args].join(' ');
    const report: BarsReport = { command, machine, effort, bars, rows, latencies };
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return [...results, ...latencies].some(({ failures }) => failures.length > 0) ? 1 : 0;
}
