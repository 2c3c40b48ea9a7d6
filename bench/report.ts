/** What is printed and what is written. */
import { describe } from './machine.js';
import type { Machine } from './machine.js';
import { describePoint, nameOf } from './plan.js';
import type { Effort, Point } from './plan.js';
import type { Pauses } from './pauses.js';
import type { Series } from './plot.js';
import type { Result } from './rounds.js';
import type { Summary } from './statistics.js';
import { median, ratios, summary } from './statistics.js';
import { formatTable } from './table.js';
import type { Outcome, TrafficShares } from './trial.js';
import { worst } from './trial.js';

/** One contender at one point, over all rounds. */
export interface Row {
  readonly bytes: number;
  readonly values: Point['values'];
  readonly members: number;
  readonly senders: Point['senders'];
  readonly contender: string;
  /** Messages a second at one receiver; null if no round gave one. */
  readonly rate: Summary | null;
  readonly megabytesPerSecond: number | null;
  /** To the raw baseline of the same round. */
  readonly ratio: Summary | null;
  readonly cpuSecondsPerMillionDeliveries: number | null;
  readonly traffic: TrafficShares | null;
  /** The longest of all rounds. */
  readonly pausesMillis: Pauses | null;
  /** The largest process at the beginning and at the end of the measured time; the most of all rounds. */
  readonly memoryBytesBefore: number | null;
  readonly memoryBytes: number | null;
  /** Of a baseline, in datagrams, by round. */
  readonly windows: readonly number[];
  readonly failures: readonly string[];
  readonly sockets: string;
}

/** All of a run. */
export interface Report {
  readonly command: string;
  readonly machine: Machine;
  readonly effort: Effort;
  readonly rows: readonly Row[];
}

/** Medians and ratios of what was measured. */
export function rowsOf(results: readonly Result[]): Row[] {
  return results.map((result) => {
    const where = describePoint(result.point);
    const baseline = results.find(({ point, contender }) => contender.kind === 'raw' && describePoint(point) === where);
    return rowOf(result, baseline);
  });
}

function rowOf(result: Result, baseline: Result | undefined): Row {
  const { point, contender, failures } = result;
  const good = result.outcomes.filter((outcome) => outcome !== null);
  const toRaw = ratios(rates(result), baseline ? rates(baseline) : []);
  const rate = good.length > 0 ? summary(good.map((outcome) => outcome.rate)) : null;
  return {
    bytes: point.bytes,
    values: point.values,
    members: point.members,
    senders: point.senders,
    contender: nameOf(contender),
    rate,
    megabytesPerSecond: rate ? (rate.median * point.bytes) / 1e6 : null,
    ratio: toRaw.length > 0 ? summary(toRaw) : null,
    cpuSecondsPerMillionDeliveries: rate ? median(good.map((outcome) => outcome.cpuPerMillion)) : null,
    traffic: rate ? medianTraffic(good) : null,
    pausesMillis: rate ? worst(good.map(({ pauses }) => pauses)) : null,
    memoryBytesBefore: rate ? Math.max(...good.map(({ memoryBefore }) => memoryBefore)) : null,
    memoryBytes: rate ? Math.max(...good.map(({ memory }) => memory)) : null,
    windows: contender.kind === 'groups' ? [] : good.map((outcome) => outcome.window),
    failures,
    sockets: result.description,
  };
}

/** Of a contender by round, null where the measurement failed. */
export function rates({ outcomes }: Result): (number | null)[] {
  return outcomes.map((outcome) => outcome && outcome.rate);
}

function medianTraffic(outcomes: readonly Outcome[]): TrafficShares {
  const of = (key: keyof TrafficShares) => median(outcomes.map(({ traffic }) => traffic[key]));
  return {
    datagramsPerMessage: of('datagramsPerMessage'),
    bytesPerMessage: of('bytesPerMessage'),
    protocolBytesPerMessage: of('protocolBytesPerMessage'),
    withoutData: of('withoutData'),
    dataPerAck: of('dataPerAck'),
  };
}

/** Who and where, before the figures. */
export function headOf(machine: Machine, { rounds, measuredMillis, multicasts, warmUpMillis }: Effort): string {
  const length = multicasts === null ? `${measuredMillis / 1000} s` : `${multicasts} multicasts`;
  return [
    ...describe(machine),
    `each figure: median of ${rounds} rounds of ${length} after ` +
      `${warmUpMillis / 1000} s of warm-up; a process per member, on loopback`,
  ].join('\n');
}

/** The figures as tables: rates, then what else was counted. */
export function tableOf(rows: readonly Row[]): string {
  const failures = rows.flatMap((row) => row.failures.map((why) => `error: ${titleOf(row).join(', ')}: ${why}`));
  return [rateTable(rows), '', costTable(rows), ...failures].join('\n');
}

/** The lines of the plot: one for each contender, kind of sender and size of group. */
export function seriesOf(rows: readonly Row[]): Series[] {
  const found = new Map<string, { name: string; points: Series['points'][number][] }>();
  for (const row of rows) {
    if (row.contender === 'raw' || !row.ratio) continue;
    const name = `${row.contender}, ${row.senders} of ${row.members}${row.values === 'objects' ? ', objects' : ''}`;
    const series = found.get(name) ?? { name, points: [] };
    found.set(name, series);
    series.points.push({ bytes: row.bytes, ratio: row.ratio });
  }
  for (const { points } of found.values()) points.sort((a, b) => a.bytes - b.bytes);
  return [...found.values()];
}

const titleHead = ['message', 'sending', 'contender'];

function titleOf({ bytes, values, senders, members, contender }: Row): string[] {
  return [values === 'objects' ? values : `${bytes} B`, `${senders} of ${members}`, contender];
}

function rateTable(rows: readonly Row[]): string {
  const head = [
    'delivered/s per receiver',
    '(range)',
    'MB/s',
    'ratio to raw',
    '(range)',
    'CPU s per million',
    'window',
  ];
  const lines = rows.map((row) => {
    const { rate, megabytesPerSecond, cpuSecondsPerMillionDeliveries, windows } = row;
    const ratio = row.contender === 'raw' ? null : row.ratio;
    return [
      ...titleOf(row),
      rate ? thousands(rate.median) : 'error',
      rate ? `${thousands(rate.least)} - ${thousands(rate.most)}` : '',
      megabytesPerSecond?.toFixed(1) ?? '',
      ratio?.median.toFixed(2) ?? '',
      ratio ? `${ratio.least.toFixed(2)} - ${ratio.most.toFixed(2)}` : '',
      cpuSecondsPerMillionDeliveries?.toFixed(2) ?? '',
      [...new Set(windows)].join(', '),
    ];
  });
  return formatTable([...titleHead, ...head], lines, titleHead.length);
}

function costTable(rows: readonly Row[]): string {
  const head = [
    'datagrams per 1000',
    'of them no data',
    'data per ack',
    'protocol B per message',
    'pause p99, longest ms',
    'garbage ms',
    'memory MB, from - to',
  ];
  const lines = rows.flatMap((row) => {
    const { traffic, pausesMillis, memoryBytesBefore, memoryBytes } = row;
    if (!traffic || !pausesMillis || memoryBytesBefore === null || memoryBytes === null) return [];
    const datagrams = traffic.datagramsPerMessage * 1000;
    return [
      [
        ...titleOf(row),
        datagrams.toFixed(datagrams < 1000 ? 1 : 0),
        `${(100 * traffic.withoutData).toFixed(2)} %`,
        Number.isFinite(traffic.dataPerAck) ? traffic.dataPerAck.toFixed(1) : 'no ack',
        traffic.protocolBytesPerMessage.toFixed(2),
        `${pausesMillis.p99.toFixed(1)}, ${pausesMillis.longest.toFixed(1)}`,
        pausesMillis.garbage.toFixed(1),
        `${megabytes(memoryBytesBefore)} - ${megabytes(memoryBytes)}`,
      ],
    ];
  });
  return formatTable([...titleHead, ...head], lines, titleHead.length);
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} k`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
