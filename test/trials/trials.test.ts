/** Short forms of the trials: the same code with the same bars, on less. */
import test, { type ExecutionContext } from 'ava';
import { garbage } from './bad-input.js';
import { killInTurn } from './crash-detection.js';
import { crashes } from './many-views.js';
import { openStage, type Stage } from './stage.js';
import { slowJoiner, transferOnce } from './transfer.js';
import { lineOf, reportTo, type Figure, type Report } from './trial.js';

/** Runs part of a trial; every bar must be met. */
async function hold(
  t: ExecutionContext,
  name: string,
  run: (stage: Stage, report: Report) => Promise<void>,
): Promise<void> {
  const figures: Figure[] = [];
  const report = reportTo(name, (figure) => figures.push(figure));
  const stage = openStage(name);
  let over = false;
  t.teardown(() => stage.clear(!over || figures.some(({ ok }) => !ok)));
  await run(stage, report).catch((error: unknown) => {
    throw new Error(`logs: ${stage.folder}\n${figures.map(lineOf).join('\n')}`, { cause: error });
  });
  over = true;
  const missed = figures.filter(({ ok }) => !ok);
  t.deepEqual(missed, [], `logs: ${stage.folder}\n${figures.map(lineOf).join('\n')}`);
  t.true(figures.some(({ bar }) => bar !== ''));
}

test.serial('a crash changes the views of 200 groups within 2 s', (t) =>
  hold(t, 'many-views', (stage, report) => crashes(stage, report, 200, [{ who: 'oldest', rate: 0 }])),
);

test.serial('a killed process is missed long before the timeout', (t) =>
  hold(t, 'kill-9', async (stage, report) => {
    // half of the kills, on a machine that runs other tests; the trial has the bars for one that is free
    const times = (await killInTurn(stage, 5, [])).sort((a, b) => a - b);
    report.atMost('new view at the last survivor: median', times[2] ?? NaN, 250, 'ms', times.join(', '));
  }),
);

test.serial('5 MB of state reach a joiner under load without a pause or a suspicion', (t) =>
  hold(t, 'transfer', (stage, report) =>
    transferOnce(stage, report, '5 MB', { kind: 'buckets', entries: 50_000, bytes: 100 }),
  ),
);

test.serial('a joiner that is slow with its state is not suspected', (t) =>
  hold(t, 'slow-joiner', (stage, report) => slowJoiner(stage, report, { kind: 'map', entries: 500_000, bytes: 100 })),
);

test.serial('garbage on every port is dropped and counted while traffic flows', (t) =>
  hold(t, 'garbage', (stage, report) => garbage(stage, report, 1500)),
);
