/** Figures of what was timed. */
import type { Summary } from '../statistics.js';
import { median, merged, percentile, ratios, summary } from '../statistics.js';
import { formatTable } from '../table.js';
import type { AskKind, AskTiming, Course, LatencyKind, Measured, Timing } from './measure.js';

/** One contender at one size and load; times in microseconds, over the messages of all rounds. */
export interface LatencyRow {
  readonly bytes: number;
  readonly load: LatencyKind['load'];
  readonly contender: string;
  readonly messages: number;
  /** That were sent, by round. */
  readonly perSecond: Summary;
  /** The share of the pace that was meant; the median of the rounds. */
  readonly kept: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** p50 at the sender's own function; null where it does not hear itself. */
  readonly own: number | null;
  /** Of the p50 to raw's of the same round; null for raw itself, and where no round has both. */
  readonly ratio: Summary | null;
  readonly lost: number;
  readonly failures: readonly string[];
}

/** One way of asking; times in microseconds. */
export interface AskRow extends AskKind {
  readonly asks: number;
  readonly perSecond: Summary;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly failures: readonly string[];
}

/** Percentiles and ratios. */
export function latencyRows({ latencies }: Measured): LatencyRow[] {
  return latencies.map((course) => {
    const { bytes, load } = course.kind;
    const baseline = latencies.find(
      ({ kind }) => kind.contender.order === 'raw' && kind.bytes === bytes && kind.load === load,
    );
    return latencyRow(course, baseline === course ? undefined : baseline);
  });
}

function latencyRow(
  { kind, trials, failures }: Course<LatencyKind, Timing>,
  baseline: Course<LatencyKind, Timing> | undefined,
): LatencyRow {
  const good = trials.filter((trial) => trial !== null);
  const all = merged(good.map(({ sorted }) => sorted));
  const own = merged(good.map((trial) => trial.own));
  const toRaw = ratios(medians(trials), medians(baseline?.trials ?? []));
  return {
    bytes: kind.bytes,
    load: kind.load,
    contender: kind.contender.name,
    messages: all.length,
    perSecond: summary(good.map(({ perSecond }) => perSecond)),
    kept: median(good.map(({ kept }) => kept)),
    ...percentiles(all),
    p999: percentile(all, 0.999),
    own: own.length > 0 ? percentile(own, 0.5) : null,
    ratio: toRaw.length > 0 ? summary(toRaw) : null,
    lost: good.reduce((total, { lost }) => total + lost, 0),
    failures,
  };
}

function medians(trials: readonly (Timing | null)[]): (number | null)[] {
  return trials.map((trial) => trial && percentile(trial.sorted, 0.5));
}

/** The same of asks. */
export function askRows({ asks }: Measured): AskRow[] {
  return asks.map(({ kind, trials, failures }: Course<AskKind, AskTiming>) => {
    const good = trials.filter((trial) => trial !== null);
    const all = merged(good.map(({ sorted }) => sorted));
    const perSecond = summary(good.map((trial) => trial.perSecond));
    return { ...kind, asks: all.length, perSecond, ...percentiles(all), failures };
  });
}

function percentiles(sorted: Float64Array) {
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? NaN };
}

/** The figures as tables. */
export function tablesOf(latencies: readonly LatencyRow[], asks: readonly AskRow[]): string {
  const head = [
    'load',
    'contender',
    'bytes',
    'sent/s',
    'of the pace',
    'p50 us',
    'p99',
    'p99.9',
    'max',
    'own p50',
    'p50 to raw',
    '(range)',
    'lost',
  ];
  const lines = latencies.map((row) => [
    row.load,
    row.contender,
    whole(row.bytes),
    whole(row.perSecond.median),
    `${whole(100 * row.kept)} %`,
    whole(row.p50),
    whole(row.p99),
    whole(row.p999),
    whole(row.max),
    row.own === null ? '' : whole(row.own),
    row.ratio?.median.toFixed(2) ?? '',
    row.ratio ? `${row.ratio.least.toFixed(2)} - ${row.ratio.most.toFixed(2)}` : '',
    whole(row.lost),
  ]);
  const askHead = ['ask all, 100 B', 'at once', 'p50 us', 'p99', 'max', 'calls/s', '(range)'];
  const askLines = asks.map((row) => [
    row.asker === 'oldest' ? 'the member that orders' : 'another member',
    whole(row.atOnce),
    whole(row.p50),
    whole(row.p99),
    whole(row.max),
    whole(row.perSecond.median),
    `${whole(row.perSecond.least)} - ${whole(row.perSecond.most)}`,
  ]);
  const errors = [...latencies, ...asks].flatMap(({ failures }) => failures.map((why) => `error: ${why}`));
  return [
    formatTable(head, lines, 2),
    ...(asks.length > 0 ? ['', formatTable(askHead, askLines, 1)] : []),
    ...errors,
  ].join('\n');
}

function whole(value: number): string {
  return value.toFixed(0);
}
