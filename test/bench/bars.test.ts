/** The bars: each figure is of the rounds that it should be of, and is held against its bar the right way round. */
import test from 'ava';
import { barsTable } from '../../bench/bars/command.js';
import { encryptionBars, judge, judgeEncryption, judgeLatency } from '../../bench/bars/list.js';
import { latencyBars, measurementsFor, rateBars } from '../../bench/bars/list.js';
import { measureEncryption } from '../../bench/encryption.js';
import type { RateBar } from '../../bench/bars/list.js';
import { contenderNames } from '../../bench/latency/contenders.js';
import type { Measurement } from '../../bench/plan.js';
import { describePoint, nameOf } from '../../bench/plan.js';
import type { Result } from '../../bench/rounds.js';
import type { Outcome } from '../../bench/trial.js';

function outcome(rate: number, withoutData = 0): Outcome {
  return {
    rate,
    cpuPerMillion: 1,
    traffic: {
      datagramsPerMessage: 1,
      bytesPerMessage: 1100,
      protocolBytesPerMessage: 10.24,
      withoutData,
      dataPerAck: 20,
    },
    pauses: { p50: 5, p99: 5, p999: 5, longest: 5, garbage: 0 },
    memoryBefore: 1,
    memory: 1,
    window: 0,
  };
}

function result(measurement: Measurement, outcomes: (Outcome | null)[], failures: string[] = []): Result {
  return { ...measurement, outcomes, failures, description: '' };
}

function barOf(title: RegExp): RateBar {
  const found = rateBars.filter((bar) => title.test(bar.title));
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} bars fit ${String(title)}`);
  return found[0];
}

/** The verdict on rates of both sides, by round. */
function verdict(bar: RateBar, of: (number | null)[], to: (number | null)[]) {
  const outcomes = (rates: (number | null)[]) => rates.map((rate) => (rate === null ? null : outcome(rate)));
  const results = bar.to
    ? [result(bar.to, outcomes(to)), result(bar.of, outcomes(of))]
    : [result(bar.of, outcomes(of))];
  return judge(bar, results);
}

test('every bar finds what it needs among the measurements, each of which is made once', (t) => {
  const measurements = measurementsFor(rateBars);
  const names = measurements.map(({ point, contender }) => `${describePoint(point)}, ${nameOf(contender)}`);
  t.is(new Set(names).size, names.length);
  const results = measurements.map((measurement) => result(measurement, [outcome(1)]));
  for (const bar of rateBars) t.not(judge(bar, results).reached, 'failed', bar.title);
  for (const { contender } of latencyBars) t.true(contenderNames.includes(contender), contender);
  for (const { title, bar, aim } of [...rateBars, ...latencyBars]) t.not(bar, aim, title);
});

test('a ratio is the median over rounds in which both were measured', (t) => {
  const bar = barOf(/^100 B, against raw/);
  t.like(verdict(bar, [160, null, 80, 90], [10, 10, null, 10]), {
    measured: { median: 12.5, least: 9, most: 16 },
    reached: 'bar',
  });
  t.is(verdict(bar, [150], [10]).reached, 'aim');
  t.is(verdict(bar, [79], [10]).reached, 'missed');
  t.like(verdict(bar, [null], [10]), { measured: null, reached: 'failed' });
  t.like(judge(bar, [result(bar.of, [null], ['lost'])]), { reached: 'failed', failures: ['lost'] });
});

test('where less is better, less is better', (t) => {
  const bar = barOf(/carry no data/);
  const share = (part: number) => judge(bar, [result(bar.of, [outcome(1, part)])]);
  t.like(share(0.001), { reached: 'aim', measured: { median: 0.1 } });
  t.is(share(0.009).reached, 'bar');
  t.is(share(0.02).reached, 'missed');
  const protocol = barOf(/one sends: protocol bytes/);
  t.like(judge(protocol, [result(protocol.of, [outcome(1)])]), { reached: 'aim', measured: { median: 1 } });
});

test('a latency is held against its bar by its ratio to raw', (t) => {
  const [fifo] = latencyBars;
  if (!fifo) return t.fail();
  const row = (median: number) => ({
    contender: 'fifo',
    ratio: { median, least: median, most: median },
    failures: [],
  });
  t.is(judgeLatency(fifo, [row(1.2)]).reached, 'aim');
  t.is(judgeLatency(fifo, [row(1.4)]).reached, 'bar');
  t.is(judgeLatency(fifo, [row(1.6)]).reached, 'missed');
  t.is(judgeLatency(fifo, []).reached, 'failed');
});

test('the table has a line for each bar', (t) => {
  const bar = barOf(/^100 B, against raw/);
  const table = barsTable([verdict(bar, [85], [10]), judge(bar, [result(bar.of, [null], ['lost'])])]);
  t.regex(table, /^100 B, against raw +bar +8\.50 x +8\.50 x - 8\.50 x +8 x +15 x$/m);
  t.regex(table, /^100 B, against raw +failed +8 x +15 x$/m);
});

test('encryption is measured next to the cipher alone, and less is better', (t) => {
  const [bar] = encryptionBars as [(typeof encryptionBars)[number]];
  t.deepEqual(
    [1.1, 1.3, 1.5].map((ratio) => judgeEncryption(bar, [ratio, ratio, 9]).reached),
    ['aim', 'bar', 'missed'],
  );
  const measured = measureEncryption(1200, 2, 1);
  t.is(measured.length, 2);
  // without the cipher it would be next to nothing
  t.true(measured.every((ratio) => ratio > 0.5 && ratio < 20));
});
