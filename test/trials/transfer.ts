/**
 * A large state reaches a joiner while the group goes on: it is encoded in chunks, so neither donor nor members pause,
 * and nobody is suspected. Three members with 50 MB, 500 multicasts a second, then a fourth joins. Measured: pauses of
 * deliveries and stalls of the event loop at the members, before and during the transfer; the joiner's time and memory.
 * Then 100 MB at full speed, and 200 MB in pieces, during which the donor's event loop must turn.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stretch } from './meter.js';
import { monotonic, type Stage } from './stage.js';
import { addTableNode, assembleTable, differentStates, type Pace, type TableCrew } from './table-crew.js';
import type { Variant } from './table.js';
import { most, rounded, sameness, type Report, type Trial } from './trial.js';

const arriveMillisMax = 30_000;
const pauseMillisMax = 1000;
/** Of the whole group. */
const multicastsPerSecond = 500;
const changeBytes = 100;
const beforeMillis = 3000;

/** One transfer under load. */
export async function transferOnce(stage: Stage, report: Report, title: string, variant: Variant): Promise<void> {
  const crew = await assembleTable(stage, variant, ['a', 'b', 'c']);
  const members = [...crew.nodes];
  const stretches = () => Promise.all(crew.nodes.map((node) => node.call('stretch', null)));
  const rate = multicastsPerSecond / members.length;
  await Promise.all(members.map((node) => node.call('load', { rate, bytes: changeBytes })));
  await sleep(500);
  const forming = await stretches();
  await sleep(beforeMillis);
  const before = await stretches();

  const startedAt = monotonic();
  const joiner = addTableNode(stage, crew, 'd');
  const arrival = await joiner.call('arrived', null, 2 * arriveMillisMax);
  const during = await Promise.all(members.map((node) => node.call('stretch', null)));
  const atJoiner = await joiner.call('stretch', null);
  const millis = arrival.activeAt - startedAt;
  const chunks = arrival.lastChunkAt - arrival.firstChunkAt;
  const donor = members.findIndex(({ name }) => arrival.from.startsWith(`${name.split('-')[0] ?? ''}#`));
  const { stall = NaN, memory = NaN } = during[donor] ?? {};
  const delivered = most(during.map(({ deliveries }) => deliveries));

  report.atMost(`${title}: state at the joiner`, millis / 1000, arriveMillisMax / 1000, 's', 'from its start');
  report.measure(
    `${title}: chunks`,
    `${rounded(arrival.bytes / 1e6)} MB in ${rounded(chunks / 1000)} s, ${rounded(arrival.bytes / 1e3 / chunks)} MB/s; ` +
      `ready to state ${rounded((arrival.activeAt - arrival.readyAt) / 1000)} s; ` +
      `${delivered} delivered meanwhile`,
  );
  report.atMost(`${title}: longest pause at the members`, pauseOf(during), pauseMillisMax, 'ms', detail(before));
  report.measure(
    `${title}: stalls of the event loop`,
    `donor ${rounded(stall)} ms, joiner ${rounded(atJoiner.stall)} ms; before ${rounded(stallOf(before))} ms, ` +
      `while two members joined ${rounded(stallOf(forming))} ms`,
  );
  report.measure(
    `${title}: memory`,
    `donor ${rounded((before[donor]?.memory ?? NaN) / 1e6)}, at most ${rounded(memory / 1e6)} MB; joiner at most ${rounded(atJoiner.memory / 1e6)} MB`,
  );
  await reportSuspicions(crew, report, title);
  const sent = await Promise.all(members.map((node) => node.call('unload', null)));
  const total = sent.reduce((sum, each) => sum + each.sent, 0);
  report.atMost(
    `${title}: multicasts that failed`,
    sent.reduce((sum, each) => sum + each.failed, 0),
    0,
    '',
    `of ${total}`,
  );
  const different = await differentStates(crew);
  report.must(`${title}: states of all four`, different === 1, sameness(different));
  await dismiss(crew);
}

/** Nobody may have been suspected, nor have left, since the crew was formed. */
async function reportSuspicions(crew: TableCrew, report: Report, title: string): Promise<void> {
  const looks = await Promise.all(crew.nodes.map((node) => node.call('look', null)));
  const problems = looks.flatMap(({ suspicions, departures }) => [...suspicions, ...departures]);
  report.atMost(`${title}: suspicions`, problems.length, 0, '', problems.join('; ') || 'none');
}

async function dismiss({ nodes }: TableCrew): Promise<void> {
  for (const { child } of nodes) child.kill('SIGKILL');
  await Promise.all(nodes.map(({ exited }) => exited));
}

function pauseOf(stretches: readonly Stretch[]): number {
  return most(stretches.map(({ pause }) => pause));
}

function stallOf(stretches: readonly Stretch[]): number {
  return most(stretches.map(({ stall }) => stall));
}

function detail(before: readonly Stretch[]): string {
  return `before ${rounded(pauseOf(before))} ms`;
}

/** At least so many megabytes a second. */
const rateMin = 90;
/** The donor's event loop is held up for no longer. */
const holdUpMillisMax = 50;

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] ?? NaN;
}

/** One transfer of a large state, with a member at a gentle pace beside it. */
async function fullSpeed(
  stage: Stage,
  report: Report,
  title: string,
  variant: Variant,
  bar: 'rate' | 'hold-up',
): Promise<void> {
  const crew = await assembleTable(stage, variant, ['a', 'b']);
  const [donor, other] = crew.nodes as [TableCrew['nodes'][number], TableCrew['nodes'][number]];
  await other.call('load', { rate: 100, bytes: changeBytes });
  await sleep(2000);
  await donor.call('smoothness', null);
  await other.call('smoothness', null);
  await sleep(2000);
  const before = { donor: await donor.call('smoothness', null), other: await other.call('smoothness', null) };
  const joiner = addTableNode(stage, crew, 'c');
  const arrival = await joiner.call('arrived', null, 2 * arriveMillisMax);
  const during = { donor: await donor.call('smoothness', null), other: await other.call('smoothness', null) };
  const memory = await joiner.call('stretch', null);
  const megabytes = (variant.entries * variant.bytes) / 1e6;
  const asked = (arrival.activeAt - arrival.readyAt) / 1000;
  const chunks = (arrival.lastChunkAt - arrival.firstChunkAt) / 1000;
  const rates = `${rounded(megabytes)} MB, ${rounded(arrival.bytes / 1e6)} MB encoded; first to last chunk ${rounded(chunks)} s, ${rounded(megabytes / chunks)} MB/s`;
  if (bar === 'rate') report.atLeast(`${title}: join asked to active`, megabytes / asked, rateMin, 'MB/s', rates);
  else report.measure(`${title}: join asked to active`, `${rounded(megabytes / asked)} MB/s (${rates})`);
  const delays = `before ${rounded(before.donor.delay)} ms`;
  if (bar === 'hold-up')
    report.atMost(`${title}: donor's event loop held up`, during.donor.delay, holdUpMillisMax, 'ms', delays);
  else report.measure(`${title}: donor's event loop held up`, `${rounded(during.donor.delay)} ms (${delays})`);
  const latency = ({ latencies }: { readonly latencies: readonly number[] }) =>
    `p50 ${rounded(percentile(latencies, 0.5))}, p99 ${rounded(percentile(latencies, 0.99))} ms`;
  report.measure(`${title}: delivery at another member`, `${latency(during.other)} (before ${latency(before.other)})`);
  report.measure(`${title}: memory`, `joiner at most ${rounded(memory.memory / 1e6)} MB`);
  await other.call('unload', null);
  const different = await differentStates(crew);
  report.must(`${title}: states of all three`, different === 1, sameness(different));
  await reportSuspicions(crew, report, title);
  await dismiss(crew);
}

/** A process that stalls once and then never has time to spare must still be heard by those who send it nothing. */
const slow: Pace = { chunkMillis: 10, firstChunkMillis: 70 };

/** A joiner that is slow with its state, in an idle domain. */
export async function slowJoiner(stage: Stage, report: Report, variant: Variant): Promise<void> {
  const crew = await assembleTable(stage, variant, ['a', 'b']);
  const arrival = await addTableNode(stage, crew, 'c', slow).call('arrived', null, 2 * arriveMillisMax);
  const chunks = (arrival.lastChunkAt - arrival.firstChunkAt) / 1000;
  report.measure('slow joiner: chunks', `${rounded(arrival.bytes / 1e6)} MB in ${rounded(chunks)} s`);
  await reportSuspicions(crew, report, 'slow joiner');
  await dismiss(crew);
}

/** 50 MB within 30 s, no pause above a second; 100 MB at 90 MB/s; 200 MB in pieces without a hold-up of 50 ms. */
export const transfer: Trial = {
  name: 'transfer',
  shows: '50 MB of state reach a joiner within 30 s under 500 multicasts/s, without a pause of 1 s or a suspicion',
  async run(stage, report, length) {
    const variants: [string, Variant][] = [
      ['500,000 x 100 B in 1000 Maps', { kind: 'buckets', entries: 500_000, bytes: 100 }],
      ['500,000 x 100 B in one Map', { kind: 'map', entries: 500_000, bytes: 100 }],
      ['50 x 1 MB', { kind: 'bytes', entries: 50, bytes: 1e6 }],
      ['500,000 x 100 B changed in place, copied', { kind: 'in-place', entries: 500_000, bytes: 100 }],
      ['500,000 x 100 B changed in place', { kind: 'careless', entries: 500_000, bytes: 100 }],
    ];
    for (const [title, variant] of length === 'long' ? variants : variants.slice(0, 1)) {
      await transferOnce(stage, report, title, variant);
    }
    const large: [string, Variant, 'rate' | 'hold-up'][] = [
      ['1,000,000 records of 100 B', { kind: 'records', entries: 1_000_000, bytes: 100 }, 'rate'],
      ['10,000 x 10 KB of bytes', { kind: 'blobs', entries: 10_000, bytes: 10_000 }, 'rate'],
      ['2,000,000 records in pieces', { kind: 'pieces', entries: 2_000_000, bytes: 100 }, 'hold-up'],
    ];
    for (const [title, variant, bar] of large) await fullSpeed(stage, report, title, variant, bar);
    await slowJoiner(stage, report, { kind: 'map', entries: 500_000, bytes: 100 });
  },
};
