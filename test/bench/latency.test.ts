import test from 'ava';
import { micros } from '../../bench/clock.js';
import { readPlan } from '../../bench/latency/command.js';
import { contenders } from '../../bench/latency/contenders.js';
import type { Course, LatencyKind, Timing } from '../../bench/latency/measure.js';
import { createArrivals, latest, note, stamp } from '../../bench/latency/messages.js';
import { sendPaced } from '../../bench/latency/pace.js';
import { askRows, latencyRows, tablesOf } from '../../bench/latency/report.js';
import { UsageError } from '../../bench/options.js';
import { percentile } from '../../bench/statistics.js';
import { runBench } from './run.js';

test('a message is timed from its stamp to its arrival', (t) => {
  const arrivals = createArrivals(1, 300, 17);
  const message = new Uint8Array(17);
  const before = micros();
  stamp(message, 1, 299);
  const after = micros();
  note(arrivals, message, before + 1_000_000);
  const [taken = NaN] = arrivals.micros.slice(299);
  t.true(taken <= 1_000_000 && taken >= 1_000_000 - (after - before) - 1, String(taken));
  t.is(arrivals.count, 1);
  t.is(arrivals.faults, 0);
});

test('a message that comes twice, cut off or changed is a fault', (t) => {
  const arrivals = createArrivals(1, 10, 20);
  const message = new Uint8Array(20);
  stamp(message, 1, 7);
  note(arrivals, message, micros());
  note(arrivals, message, micros());
  t.is(arrivals.faults, 1);
  stamp(message, 1, 8);
  note(arrivals, message.subarray(0, 19), micros());
  note(arrivals, message.subarray(0, 3), micros());
  message[19] = 7;
  note(arrivals, message, micros());
  stamp(message, 1, 10);
  note(arrivals, message, micros());
  t.is(arrivals.faults, 5);
  stamp(message, 2, 9);
  note(arrivals, message, micros());
  t.is(arrivals.faults, 5, 'another trial does not count');
  t.is(arrivals.count, 1);
});

test('the last receiver counts, and what somebody did not get is left out', (t) => {
  const receivers = [Float32Array.of(1, 5, 3), Float32Array.of(2, 4, NaN), Float32Array.of(0.5, 1, 9)];
  t.deepEqual([...latest(receivers)], [2, 5]);
  t.deepEqual([...latest([])], []);
});

test('percentiles are values that were measured', (t) => {
  const sorted = Float64Array.from({ length: 1000 }, (_, i) => i + 1);
  t.deepEqual(
    [0, 0.5, 0.99, 0.999, 1].map((share) => percentile(sorted, share)),
    [1, 500, 990, 999, 1000],
  );
  t.is(percentile([7], 0.5), 7);
  t.is(percentile([], 0.5), NaN);
});

test('a steady pace is kept, and each number is sent once', async (t) => {
  const sent: number[] = [];
  const millis = await sendPaced({ kind: 'steady', perSecond: 10_000 }, 500, (number) => sent.push(number));
  t.deepEqual(
    sent,
    Array.from({ length: 500 }, (_, i) => i),
  );
  t.true(millis >= 49, String(millis));
});

/** Trials of a contender whose messages all took as long, by round. */
function courseOf(name: string, rounds: readonly (number | null)[]): Course<LatencyKind, Timing> {
  const contender = contenders.find((each) => each.name === name) ?? missing(name);
  return {
    kind: { bytes: 100, load: 'low', contender },
    parts: 1,
    merge: ([only]) => only as Timing,
    run: () => Promise.reject(new Error('not to be run')),
    trials: rounds.map((time) =>
      time === null
        ? null
        : { sorted: Float64Array.of(time, time), own: new Float64Array(0), perSecond: 100, kept: 1, lost: 0 },
    ),
    failures: rounds.flatMap((time) => (time === null ? ['it failed'] : [])),
  };
}

function missing(name: string): never {
  throw new Error(`no contender ${name}`);
}

test('the ratio is the median of those to the baseline of the same round', (t) => {
  const latencies = [
    courseOf('raw', [100, 200, null]),
    courseOf('fifo', [150, 500, 100]),
    courseOf('total', [null, null, 7]),
  ];
  const [raw, fifo, total] = latencyRows({ latencies, asks: [] });
  t.is(raw?.ratio, null);
  t.deepEqual(fifo?.ratio, { median: 2, least: 1.5, most: 2.5 });
  t.is(fifo?.p50, 150);
  t.is(fifo?.max, 500);
  t.is(total?.ratio, null);
  t.deepEqual(total?.failures, ['it failed', 'it failed']);
  t.regex(
    tablesOf([fifo as NonNullable<typeof fifo>], askRows({ latencies, asks: [] })),
    /fifo .* 2\.00 +1\.50 - 2\.50/,
  );
});

test('a command line that makes no sense is refused with the remedy', (t) => {
  const refused = (...args: string[]) => t.throws(() => readPlan(args), { instanceOf: UsageError })?.message ?? '';
  t.regex(refused('--sizes', '15'), /--sizes 15: give bytes from 17 to 65507/);
  t.regex(refused('--contenders', 'fifo,tota'), /--contenders tota: give any of raw, fifo/);
  t.regex(refused('--loads', 'full'), /--loads full: give any of low, half/);
  t.regex(refused('--rounds', '0'), /--rounds 0: give a whole number from 1 to 100/);
  t.is(readPlan(['--help']), null);
  t.deepEqual(
    readPlan(['--contenders', 'total-other'])?.plan.contenders.map(({ name }) => name),
    ['raw', 'total-other'],
  );
});

test('latency times the library next to raw multicast, and asks', async (t) => {
  const { code, report, stderr } = await runBench(
    'latency',
    '--quick',
    '--messages',
    '20',
    '--seconds',
    '0.1',
    '--contenders',
    'fifo,total-other',
  );
  t.is(code, 0, stderr);
  const { latencies, asks } = report as {
    latencies: { contender: string; p50: number; ratio: { median: number } | null }[];
    asks: { perSecond: { median: number } }[];
  };
  t.deepEqual(
    latencies.map(({ contender }) => contender),
    ['raw', 'fifo', 'total-other'],
  );
  t.true(latencies.every(({ p50 }) => p50 > 0));
  t.true(latencies.slice(1).every(({ ratio }) => (ratio?.median ?? 0) > 0));
  t.is(asks.length, 4);
  t.true(asks.every(({ perSecond }) => perSecond.median > 0));
});
