/** What is printed and written of peers: each beside this library in the same round. */
import { nameOf } from '../plan.js';
import type { Point } from '../plan.js';
import { rates } from '../report.js';
import type { Result } from '../rounds.js';
import type { Summary } from '../statistics.js';
import { median, ratios, summary } from '../statistics.js';
import { formatTable } from '../table.js';
import { catalogue, missing, peers } from './catalogue.js';
import type { PeerName } from './catalogue.js';

/** One contender at one point, over all rounds. */
export interface PeerRow {
  readonly bytes: number;
  readonly members: number;
  readonly senders: Point['senders'];
  /** A peer's name, or `nact-groups`. */
  readonly contender: string;
  /** Messages a second at one receiver; null if no round gave one. */
  readonly rate: Summary | null;
  /** The library's rate in the same round, by this one's. */
  readonly oursByIts: Summary | null;
  /** CPU seconds of all processes, servers and daemons included, per million deliveries. */
  readonly cpuSecondsPerMillionDeliveries: number | null;
  /** Messages under way at most, by round; none where the contender has flow control of its own. */
  readonly windows: readonly number[];
  readonly failures: readonly string[];
}

const ours = 'nact-groups';

/** Medians, and ratios to the library in the same rounds. */
export function rowsOf(results: readonly Result[]): PeerRow[] {
  return results.map((result) => {
    const { point, contender, outcomes, failures } = result;
    const isOurs = contender.kind === 'groups';
    const library = results.find((other) => other.point === point && other.contender.kind === 'groups');
    const good = outcomes.filter((outcome) => outcome !== null);
    const quotients = isOurs || !library ? [] : ratios(rates(library), rates(result));
    return {
      bytes: point.bytes,
      members: point.members,
      senders: point.senders,
      contender: isOurs ? ours : nameOf(contender),
      rate: good.length > 0 ? summary(good.map(({ rate }) => rate)) : null,
      oursByIts: quotients.length > 0 ? summary(quotients) : null,
      cpuSecondsPerMillionDeliveries: good.length > 0 ? median(good.map(({ cpuPerMillion }) => cpuPerMillion)) : null,
      windows: good.flatMap(({ window }) => (window > 0 ? [window] : [])),
      failures,
    };
  });
}

/** The figures as a table, and what went wrong. */
export function tableOf(rows: readonly PeerRow[]): string {
  const head = ['contender', 'bytes', 'sending', 'delivered/s per receiver', '(range)', 'ours is', '(range)'];
  const lines = rows.map(({ contender, bytes, senders, members, rate, oursByIts, ...row }) => [
    contender,
    String(bytes),
    `${senders} of ${members}`,
    rate ? thousands(rate.median) : 'error',
    rate ? `${thousands(rate.least)} - ${thousands(rate.most)}` : '',
    oursByIts ? `${oursByIts.median.toFixed(1)} x` : '',
    oursByIts ? `${oursByIts.least.toFixed(1)} - ${oursByIts.most.toFixed(1)}` : '',
    row.cpuSecondsPerMillionDeliveries?.toFixed(2) ?? '',
    [...new Set(row.windows)].join(', '),
  ]);
  const failures = rows.flatMap(({ contender, bytes, failures }) =>
    failures.map((why) => `error: ${contender}, ${bytes} B: ${why}`),
  );
  return [formatTable([...head, 'CPU s per million', 'window'], lines, 1), ...failures].join('\n');
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(1)} k`;
}

/** What each of these lacks that a group of this library has, or how it could be measured here. */
export function lacksOf(chosen: readonly PeerName[]): string {
  return formatTable(
    ['contender', 'lacks'],
    chosen.map((name) => [name, catalogue[name].lacks]),
    2,
  );
}

/** A line for each of these that is not installed: what to type. */
export function absencesOf(chosen: readonly PeerName[], modules: string): string[] {
  return chosen.flatMap((name) => {
    const commands = missing(name, modules);
    return commands.length === 0 ? [] : [`${name} is not here; to measure it: ${commands.join(' && ')}`];
  });
}

/** Those of the peers that are installed. */
export function presentOf(chosen: readonly PeerName[], modules: string): PeerName[] {
  return peers.filter((name) => chosen.includes(name) && missing(name, modules).length === 0);
}
