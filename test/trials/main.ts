/**
 * The acceptance trials' entry: `npm run trials -- [--only NAME]... [--long|--short]`.
 *
 * Exit status: 0 if every bar is met, 1 if one is missed or a trial did not come to its end, 2 for a command line that
 * makes no sense. Traces and logs are kept, and their folder named, only if something went wrong.
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { ask } from './ask.js';
import { badInput } from './bad-input.js';
import { crashDetection } from './crash-detection.js';
import { flood } from './flood.js';
import { idle } from './idle.js';
import { kills } from './kills.js';
import { manyViews } from './many-views.js';
import { readme } from './readme.js';
import { soak } from './soak.js';
import { speed } from './speed.js';
import { openStage, within } from './stage.js';
import { transfer } from './transfer.js';
import { lineOf, reportTo, tableOf, type Figure, type Length, type Trial } from './trial.js';

const trials: readonly Trial[] = [
  kills,
  crashDetection,
  idle,
  manyViews,
  transfer,
  speed,
  ask,
  badInput,
  flood,
  readme,
  soak,
];
/** No trial takes longer. */
const trialMillisMax = 20 * 60 * 1000;

function readOptions(args: string[]): { chosen: readonly Trial[]; length: Length } | string {
  const names = trials.map(({ name, shows }) => `  ${name.padEnd(12)}${shows}`).join('\n');
  const usage = `npm run trials -- [--only NAME]... [--long|--short]\n${names}`;
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true },
        long: { type: 'boolean' },
        short: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
    const unknown = values.only?.find((name) => !trials.some((trial) => trial.name === name));
    if (values.help) return usage;
    if (unknown !== undefined) return `there is no trial '${unknown}'\n${usage}`;
    if (values.long && values.short) return `either --long or --short\n${usage}`;
    const chosen = trials.filter(({ name }) => values.only?.includes(name) ?? true);
    return { chosen, length: values.short ? 'short' : 'long' };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n${usage}`;
  }
}

async function runTrial(trial: Trial, length: Length): Promise<Figure[]> {
  console.log(`\n${trial.name}: ${trial.shows}`);
  const figures: Figure[] = [];
  const report = reportTo(trial.name, (figure) => {
    figures.push(figure);
    console.log(lineOf(figure));
  });
  const stage = openStage(trial.name);
  const from = performance.now();
  try {
    await within(trialMillisMax, trial.name, trial.run(stage, report, length));
  } catch (error) {
    report.must('comes to its end', false, error instanceof Error ? error.message : String(error));
  }
  report.measure('time', `${((performance.now() - from) / 1000).toFixed(1)} s`);
  const failed = figures.some(({ ok }) => !ok);
  stage.clear(failed);
  if (failed) console.log(`traces and logs: ${stage.folder}`);
  return figures;
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === 'string') {
    console.error(options);
    return args.includes('--help') ? 0 : 2;
  }
  const { model = 'unknown' } = cpus()[0] ?? {};
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  console.log(
    `${cpus().length} x ${model.trim()}, ${memory} GB, Node ${process.version}, load ${(loadavg()[0] ?? NaN).toFixed(1)}`,
  );
  const figures: Figure[] = [];
  for (const trial of options.chosen) figures.push(...(await runTrial(trial, options.length)));
  console.log(`\n${tableOf(figures)}`);
  const missed = figures.filter(({ ok }) => !ok).length;
  console.log(`\n${missed === 0 ? 'every bar is met' : `${missed} missed`}`);
  return missed === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exit(await main(process.argv.slice(2)));
