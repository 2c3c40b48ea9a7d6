import test from 'ava';
import { readPlan, rowsOf, type ChangeRow } from '../../bench/changes/command.js';
import { changes } from '../../bench/changes/measure.js';
import { UsageError } from '../../bench/options.js';
import { runBench } from './run.js';

test('a change has the median and the longest of its times, in the order of the list', (t) => {
  const rows = rowsOf([
    { change: 'join with the state', millis: 100, bytes: 10_000_000 },
    { change: 'kill -9 to the new view', millis: 30, bytes: 0 },
    { change: 'kill -9 to the new view', millis: 10, bytes: 0 },
    { change: 'kill -9 to the new view', millis: 20, bytes: 0 },
  ]);
  t.deepEqual(rows, [
    { change: 'kill -9 to the new view', median: 20, max: 30, repetitions: 3, megabytesPerSecond: null },
    { change: 'join with the state', median: 100, max: 100, repetitions: 1, megabytesPerSecond: 100 },
  ]);
});

test('a command line that makes no sense is refused with the remedy', (t) => {
  const refused = (...args: string[]) => t.throws(() => readPlan(args), { instanceOf: UsageError })?.message ?? '';
  t.regex(refused('--members', '2'), /--members 2: give a whole number from 3 to 32/);
  t.regex(refused('--state', 'much'), /--state much: give bytes from 0/);
  t.deepEqual(readPlan(['--state', '2m'])?.plan, { members: 4, repetitions: 10, stateBytes: 2 * 1024 ** 2 });
});

test('changes times each change of real processes', async (t) => {
  const options = ['--members', '3', '--repetitions', '1', '--state', '1m'];
  const { code, report, stderr } = await runBench('changes', ...options);
  t.is(code, 0, stderr);
  const { rows } = report as { rows: ChangeRow[] };
  t.deepEqual(
    rows.map(({ change }) => change),
    [...changes],
  );
  t.true(rows.every(({ median, max }) => median > 0 && max >= median));
});
