/**
 * What the library is to reach: for each figure a bar, which is to be reached, and an aim beyond it.
 *
 * Most are ratios, of two contenders or two points in the same round; the others shares of one. Where less is better the
 * aim is below the bar.
 */
import type { LatencyRow } from '../latency/report.js';
import type { GroupsContender, Measurement, Point } from '../plan.js';
import { describePoint, nameOf, objectBytes } from '../plan.js';
import type { Result } from '../rounds.js';
import type { Summary } from '../statistics.js';
import { ratios, summary } from '../statistics.js';
import type { Outcome } from '../trial.js';

/** What is to be reached. */
export interface Bar {
  readonly title: string;
  readonly unit: 'x' | '%' | '';
  readonly bar: number;
  readonly aim: number;
}

/** A bar for rates or for what trials count. */
export interface RateBar extends Bar {
  readonly of: Measurement;
  /** What it is divided by; null: nothing. */
  readonly to: Measurement | null;
  readonly figure: (outcome: Outcome) => number;
}

/** A bar for the p50 of a contender of the latency benchmark, at low load and next to raw. */
export interface LatencyBar extends Bar {
  readonly contender: string;
}

/** What a bar needs of a latency. */
type LatencyFigure = Pick<LatencyRow, 'contender' | 'ratio' | 'failures'>;

/** What came of a bar. */
export interface Verdict extends Bar {
  /** By round; null if no round gave a figure. */
  readonly measured: Summary | null;
  readonly reached: 'aim' | 'bar' | 'missed' | 'failed';
  readonly failures: readonly string[];
}

/** Processes at every bar. */
export const barMembers = 4;
/** Bytes of a message whose latency counts. */
export const barLatencyBytes = 100;

const kilobyte = 1024;

function at(bytes: number, senders: Point['senders'] = 'one', values: Point['values'] = 'bytes'): Point {
  return { bytes, values, senders, members: barMembers };
}

function ours(point: Point, besides: Partial<GroupsContender> = {}): Measurement {
  return {
    point,
    contender: { kind: 'groups', order: 'total', transport: 'udp', through: 'multicast', keyed: false, ...besides },
  };
}

function baseline(point: Point, kind: 'raw' | 'packed'): Measurement {
  return { point, contender: { kind } };
}

const rate = (outcome: Outcome) => outcome.rate;
const small = at(100);
const objects = at(objectBytes, 'one', 'objects');

function toRaw(title: string, point: Point, bar: number, aim: number): RateBar {
  return { title, unit: 'x', bar, aim, of: ours(point), to: baseline(point, 'raw'), figure: rate };
}

function toPacked(title: string, point: Point): RateBar {
  return { title, unit: 'x', bar: 0.7, aim: 0.9, of: ours(point), to: baseline(point, 'packed'), figure: rate };
}

function toOne(title: string, of: Measurement, bar: number, aim: number): RateBar {
  return { title, unit: 'x', bar, aim, of, to: ours({ ...of.point, senders: 'one' }), figure: rate };
}

function protocolShare(title: string, point: Point): RateBar {
  const figure = ({ traffic }: Outcome) => (100 * traffic.protocolBytesPerMessage) / point.bytes;
  return { title, unit: '%', bar: 3, aim: 1, of: ours(point), to: null, figure };
}

/** Total order, not uniform, through `multicast`, over UDP multicast, where a title does not say otherwise. */
export const rateBars: readonly RateBar[] = [
  toRaw('100 B, against raw', small, 8, 15),
  toRaw(`small objects, against raw with ${objectBytes} B`, objects, 4, 5),
  toRaw('1 KB, against raw', at(kilobyte), 4, 5.5),
  toOne('100 B, by a member that is not the sequencer, against the sequencer', ours(at(100, 'other')), 0.8, 1),
  toOne('1 KB, by a member that is not the sequencer, against the sequencer', ours(at(kilobyte, 'other')), 0.8, 1),
  toRaw('8 KB, against raw', at(8 * kilobyte), 1, 1.4),
  toPacked('64 KB, MB/s against the limit', at(64 * kilobyte)),
  toPacked('1 MB, MB/s against the limit', at(kilobyte * kilobyte)),
  toOne('100 B, all four send, against one', ours(at(100, 'all')), 1, 1.3),
  toOne('100 B, uniform, against total', ours(small, { order: 'uniform' }), 0.7, 0.9),
  {
    title: '100 B, all four send: packets that carry no data',
    unit: '%',
    bar: 1,
    aim: 0.2,
    of: ours(at(100, 'all')),
    to: null,
    figure: ({ traffic }) => 100 * traffic.withoutData,
  },
  {
    title: '100 B, one sends: data frames per acknowledgement and receiver',
    unit: '',
    bar: 8,
    aim: 32,
    of: ours(small),
    to: null,
    figure: ({ traffic }) => traffic.dataPerAck,
  },
  protocolShare('1 KB, one sends: protocol bytes', at(kilobyte)),
  protocolShare('1 KB, all four send: protocol bytes', at(kilobyte, 'all')),
  toOne('100 B, through dispatch, against multicast', ours(small, { through: 'dispatch' }), 0.9, 1),
];

/** Times of what nothing else goes on beside. */
export const latencyBars: readonly LatencyBar[] = [
  { title: 'latency at low load, fifo, p50 against raw', unit: 'x', bar: 1.5, aim: 1.25, contender: 'fifo' },
  {
    title: 'latency at low load, total, not by the sequencer, p50 against raw',
    unit: 'x',
    bar: 3,
    aim: 2.4,
    contender: 'total-other',
  },
];

/** A bar for the processor time of encryption, next to that of node:crypto alone on the same bytes. */
export interface EncryptionBar extends Bar {
  /** Of a datagram. */
  readonly bytes: number;
}

/** Of datagrams as they are under load, and of what fits a packet. */
export const encryptionBars: readonly EncryptionBar[] = [60_000, 1200].map((bytes) => ({
  title: `encryption of datagrams of ${bytes} B: CPU against bare node:crypto on the same bytes`,
  unit: 'x',
  bar: 1.4,
  aim: 1.2,
  bytes,
}));

/** What has to be measured for the bars, each once. */
export function measurementsFor(bars: readonly RateBar[]): Measurement[] {
  const all = bars.flatMap(({ of, to }) => (to ? [to, of] : [of]));
  return [...new Map(all.map((each) => [keyOf(each), each])).values()];
}

function keyOf({ point, contender }: Measurement): string {
  return `${describePoint(point)}, ${nameOf(contender)}`;
}

/** What came of a bar. */
export function judge(bar: RateBar, results: readonly Result[]): Verdict {
  const find = (measurement: Measurement) => results.find((result) => keyOf(result) === keyOf(measurement));
  const [of, to] = [find(bar.of), bar.to ? find(bar.to) : undefined];
  const figures = (result: Result | undefined) => result?.outcomes.map((each) => each && bar.figure(each)) ?? [];
  const values = bar.to ? ratios(figures(of), figures(to)) : figures(of).filter((value) => value !== null);
  return verdictOf(bar, values.length > 0 ? summary(values) : null, [...(of?.failures ?? []), ...(to?.failures ?? [])]);
}

/** The same of a latency. */
export function judgeLatency(bar: LatencyBar, rows: readonly LatencyFigure[]): Verdict {
  const row = rows.find(({ contender }) => contender === bar.contender);
  return verdictOf(bar, row?.ratio ?? null, row?.failures ?? []);
}

/** The same of the encryption, by its ratios. */
export function judgeEncryption(bar: EncryptionBar, found: readonly number[]): Verdict {
  return verdictOf(bar, summary(found), []);
}

function verdictOf({ title, unit, bar, aim }: Bar, measured: Summary | null, failures: readonly string[]): Verdict {
  const isBetter = (than: number) => measured && (aim < bar ? measured.median <= than : measured.median >= than);
  const reached = !measured ? 'failed' : isBetter(aim) ? 'aim' : isBetter(bar) ? 'bar' : 'missed';
  return { title, unit, bar, aim, measured, reached, failures };
}
