/** The command `rates`: what it is told, and what it says of real processes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { UsageError } from '../../bench/options.js';
import { describePoint, nameOf } from '../../bench/plan.js';
import { readOptions } from '../../bench/rates.js';
import type { Report } from '../../bench/report.js';
import { run } from '../trials/run.js';
import { openStage } from '../trials/stage.js';

test('points and contenders: every choice of each, objects once', (t) => {
  const options = readOptions(['--members', '2,4', '--sizes', '64,8k', '--values', 'bytes,objects', '--limit']);
  if (options.kind !== 'run') return t.fail();
  const { measurements } = options.plan;
  t.deepEqual(
    [...new Set(measurements.map(({ point }) => describePoint(point)))],
    [
      ...['64 B, one of 2 sending', '8192 B, one of 2 sending', 'objects, one of 2 sending'],
      ...['64 B, one of 4 sending', '8192 B, one of 4 sending', 'objects, one of 4 sending'],
    ],
  );
  t.deepEqual(
    measurements.slice(0, 4).map(({ contender }) => nameOf(contender)),
    ['raw', 'packed', 'copied', 'total'],
  );
  const both = readOptions(['--through', 'multicast,dispatch', '--transports', 'udp,tcp', '--sizes', '100']);
  t.deepEqual(both.kind === 'run' && both.plan.measurements.map(({ contender }) => nameOf(contender)), [
    'raw',
    'total',
    'total-dispatch',
    'total-tcp',
    'total-tcp-dispatch',
  ]);
});

test('what makes no sense is refused with the value and the remedy', (t) => {
  const cases: [string[], RegExp][] = [
    [['--sizes', '7'], /--sizes 7: give bytes from 8 to 4194304/],
    [['--sizes', '100,,1k'], /--sizes 100,,1k: give values separated by commas/],
    [['--members', '1'], /--members 1: give a whole number from 2 to 64/],
    [['--values', 'text'], /--values text: give any of bytes, objects/],
    [['--multicasts', '1.5'], /--multicasts 1\.5: give a whole number/],
    [['--through', 'dispatch', '--orders', 'uniform'], /a dispatch is never uniform/],
    [['--colour'], /Unknown option '--colour'; --help/],
  ];
  for (const [args, message] of cases) t.throws(() => readOptions(args), { instanceOf: UsageError, message });
});

test.serial('bytes, parts and objects between real processes: rates, counters and pauses', async (t) => {
  const stage = openStage('bench-rates');
  let isWell = false;
  t.teardown(() => stage.clear(!isWell));
  const json = path.join(stage.folder, 'rates.json');
  const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
  const args = ['--quick', '--multicasts', '300', '--warm-up', '0.1', '--members', '2', '--sizes', '100k'];
  const both = ['--values', 'bytes,objects', '--through', 'dispatch', '--json', json];
  const { code, stdout, stderr } = await run(stage, 'bench', process.execPath, [main, ...args, ...both], 60_000);
  t.is(code, 0, stderr);
  t.regex(stdout, /^objects +one of 2 +total-dispatch +[\d.]+ k/m);
  const { rows } = JSON.parse(readFileSync(json, 'utf8')) as Report;
  t.is(rows.length, 4);
  for (const row of rows) {
    t.true((row.rate?.median ?? 0) > 0);
    t.true(Number.isFinite(row.pausesMillis?.longest));
    const { withoutData = NaN, protocolBytesPerMessage = NaN } = row.traffic ?? {};
    t.true(withoutData >= 0 && withoutData < 1, `${withoutData}`);
    t.true(protocolBytesPerMessage > 0, `${protocolBytesPerMessage}`);
  }
  isWell = true;
});
