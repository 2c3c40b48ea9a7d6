/** What is printed and what is written. */
import { describe } from './machine.js';
import type { Machine } from './machine.js';
import { nameOf } from './plan.js';
import type { Effort, Point } from './plan.js';
import type { Result } from './rounds.js';
import type { Summary } from './statistics.js';
import { median, summary } from './statistics.js';
import { formatTable } from './table.js';

/** One contender at one point, over all rounds. */
export interface Row {
  readonly bytes: number;
  readonly members: number;
  readonly senders: Point['senders'];
  readonly contender: string;
  /** Messages a second at one receiver; null if no round gave one. */
  readonly rate: Summary | null;
  readonly megabytesPerSecond: number | null;
  /** To the raw baseline of the same round. */
  readonly ratio: Summary | null;
  readonly cpuSecondsPerMillionDeliveries: number | null;
  readonly datagramsPerMessage: number | null;
  readonly bytesPerMessage: number | null;
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
    const baseline = results.find(({ point, contender }) => point === result.point && contender.kind === 'raw');
    return rowOf(result, baseline);
  });
}

function rowOf(result: Result, baseline: Result | undefined): Row {
  const { point, contender, failures } = result;
  const good = result.outcomes.filter((outcome) => outcome !== null);
  const ratios = result.outcomes.flatMap((outcome, round) => {
    const other = baseline?.outcomes[round];
    return outcome && other ? [outcome.rate / other.rate] : [];
  });
  const rate = good.length > 0 ? summary(good.map((outcome) => outcome.rate)) : null;
  return {
    bytes: point.bytes,
    members: point.members,
    senders: point.senders,
    contender: nameOf(contender),
    rate,
    megabytesPerSecond: rate ? (rate.median * point.bytes) / 1e6 : null,
    ratio: ratios.length > 0 ? summary(ratios) : null,
    cpuSecondsPerMillionDeliveries: rate ? median(good.map((outcome) => outcome.cpuPerMillion)) : null,
    datagramsPerMessage: rate ? median(good.map((outcome) => outcome.datagramsPerMessage)) : null,
    bytesPerMessage: rate ? median(good.map((outcome) => outcome.bytesPerMessage)) : null,
    memoryBytes: rate ? Math.max(...good.map((outcome) => outcome.memory)) : null,
    windows: contender.kind === 'groups' ? [] : good.map((outcome) => outcome.window),
    failures,
    sockets: result.description,
  };
}

/** Who and where, before the figures. */
export function headOf(machine: Machine, effort: Effort): string {
  return [
    ...describe(machine),
    `each figure: median of ${effort.rounds} rounds of ${effort.measuredMillis / 1000} s after ` +
      `${effort.warmUpMillis / 1000} s of warm-up; a process per member, UDP multicast on loopback`,
  ].join('\n');
}

/** The figures as a table. */
export function tableOf(rows: readonly Row[]): string {
  const head = [
    'bytes',
    'sending',
    'contender',
    'delivered/s per receiver',
    '(range)',
    'MB/s',
    'ratio to raw',
    '(range)',
    'CPU s per million',
    'datagrams per 1000',
    'memory MB',
    'window',
  ];
  const lines = rows.map((row) => [
    String(row.bytes),
    `${row.senders} of ${row.members}`,
    row.contender,
    row.rate ? thousands(row.rate.median) : 'error',
    row.rate ? `${thousands(row.rate.least)} - ${thousands(row.rate.most)}` : '',
    row.megabytesPerSecond?.toFixed(1) ?? '',
    row.contender === 'raw' ? '' : (row.ratio?.median.toFixed(2) ?? ''),
    row.contender === 'raw' || !row.ratio ? '' : `${row.ratio.least.toFixed(2)} - ${row.ratio.most.toFixed(2)}`,
    row.cpuSecondsPerMillionDeliveries?.toFixed(2) ?? '',
    row.datagramsPerMessage === null
      ? ''
      : (row.datagramsPerMessage * 1000).toFixed(row.datagramsPerMessage < 1 ? 1 : 0),
    row.memoryBytes === null ? '' : (row.memoryBytes / 1e6).toFixed(0),
    [...new Set(row.windows)].join(', '),
  ]);
  const failures = rows.flatMap((row) =>
    row.failures.map((why) => `error: ${row.bytes} B, ${row.senders} sending, ${row.contender}: ${why}`),
  );
  return [formatTable(head, lines, 3), ...failures].join('\n');
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} k`;
}
