/**
 * The benchmark's entry: reads the command line, runs the rounds, prints and writes the figures.
 *
 * Exit status: 0 if every figure is one, 1 if a measurement failed, 2 for a command line that makes no sense.
 */
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lookAtMachine } from './machine.js';
import { help, readOptions, UsageError } from './options.js';
import type { Options } from './options.js';
import type { Report } from './report.js';
import { headOf, rowsOf, tableOf } from './report.js';
import { runRounds } from './rounds.js';

/** Says now what would fail after minutes of measuring. */
function checkFiles(options: Extract<Options, { kind: 'run' }>): void {
  const { json, plan } = options;
  const attempt = (option: string, run: () => void) => {
    try {
      run();
    } catch (error) {
      throw new UsageError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (json !== undefined) {
    attempt('json', () => accessSync(path.dirname(path.resolve(json)), constants.W_OK));
  }
  const { profiles } = plan;
  if (profiles !== undefined) attempt('profile', () => mkdirSync(profiles, { recursive: true }));
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.kind === 'help') {
    console.log(help);
    return 0;
  }
  checkFiles(options);
  const { plan, json } = options;
  const machine = lookAtMachine();
  console.log(headOf(machine, plan.effort));
  const rows = rowsOf(await runRounds(plan, (line) => console.error(line)));
  console.log(`\n${tableOf(rows)}`);
  if (json !== undefined) {
    const command = ['npm run bench --', ...args].join(' ');
    const report: Report = { command, machine, effort: plan.effort, rows };
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return rows.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
