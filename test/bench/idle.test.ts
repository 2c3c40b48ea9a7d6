import test from 'ava';
import { readPlan } from '../../bench/idle/command.js';
import type { Idle } from '../../bench/idle/measure.js';
import { growthsOf, tablesOf, type Growth } from '../../bench/idle/report.js';
import { UsageError } from '../../bench/options.js';
import { runBench } from './run.js';

function idleOf(members: number, groups: number, heap: number): Idle {
  return {
    members,
    groups,
    packetsPerSecond: 40,
    bytesPerSecond: 2200,
    cpuMillisPerSecond: 5,
    resident: 2 * heap,
    heap,
    formMillis: 1000,
  };
}

test('memory for one more is the difference between the most and the fewest', (t) => {
  const all = [
    idleOf(4, 1000, 30e6),
    idleOf(4, 1, 10.02e6),
    idleOf(4, 100, 13e6),
    idleOf(2, 100, 12e6),
    idleOf(8, 100, 15e6),
  ];
  t.deepEqual(growthsOf(all, 4, 100), [
    { of: 'group', between: '4 nodes with 1 group and 4 nodes with 1000 groups', heap: 20_000, resident: 40_000 },
    { of: 'member', between: '2 nodes with 100 groups and 8 nodes with 100 groups', heap: 500_000, resident: 1e6 },
    {
      of: 'member and group',
      between: '2 nodes with 100 groups and 8 nodes with 100 groups',
      heap: 5000,
      resident: 10_000,
    },
  ]);
});

test('one domain alone tells nothing of growth', (t) => {
  const all = [idleOf(4, 1, 10e6)];
  t.deepEqual(growthsOf(all, 4, 1), []);
  t.regex(tablesOf(all, []), /^nodes .*\n *4 +1 +40\.0 +2200 +5\.00 +10\.0 +20\.0 +1\.0$/);
});

test('a command line that makes no sense is refused with the remedy', (t) => {
  const refused = (...args: string[]) => t.throws(() => readPlan(args), { instanceOf: UsageError })?.message ?? '';
  t.regex(refused('--groups', '1,0'), /--groups 0: give a whole number from 1 to 10000/);
  t.regex(refused('--member-counts', '2,,4'), /--member-counts 2,,4: give values separated by commas/);
});

test('idle looks at domains of real processes', async (t) => {
  const options = [
    '--groups',
    '5',
    '--members',
    '2',
    '--member-counts',
    '2,3',
    '--member-groups',
    '5',
    '--seconds',
    '0.5',
  ];
  const { code, report, stderr } = await runBench('idle', '--quick', ...options);
  t.is(code, 0, stderr);
  const { domains, growths } = report as { domains: Idle[]; growths: Growth[] };
  t.deepEqual(
    domains.map(({ members, groups }) => [members, groups]),
    [
      [2, 5],
      [3, 5],
    ],
  );
  t.true(domains.every(({ packetsPerSecond, heap }) => packetsPerSecond > 0 && heap > 1e6));
  t.is(growths.length, 2);
});
