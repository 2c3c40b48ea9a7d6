/**
 * A large state reaches a joiner while the group goes on: it is encoded in chunks, so neither donor nor members pause,
 * and nobody is suspected. Three members with 50 MB, 500 multicasts a second, then a fourth joins. Measured: pauses of
 * deliveries and stalls of the event loop at the members, before and during the transfer; the joiner's time and memory.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stretch } from './meter.js';
import { monotonic, type Stage } from './stage.js';
import { addTableNode, assembleTable, differentStates } from './table-crew.js';
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
  await stretches();
  await sleep(beforeMillis);
  const before = await stretches();
  const suspected = (await Promise.all(members.map((node) => node.call('look', null)))).flatMap((l) => l.suspicions);

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
    `donor ${rounded(stall)} ms, joiner ${rounded(atJoiner.stall)} ms, members before ${rounded(most(before.map((s) => s.stall)))} ms`,
  );
  report.measure(
    `${title}: memory`,
    `donor ${rounded((before[donor]?.memory ?? NaN) / 1e6)}, at most ${rounded(memory / 1e6)} MB; joiner at most ${rounded(atJoiner.memory / 1e6)} MB`,
  );
  const looks = await Promise.all(crew.nodes.map((node) => node.call('look', null)));
  const problems = looks.flatMap(({ suspicions, departures }) => [...suspicions, ...departures]);
  report.atMost(`${title}: suspicions`, problems.length - suspected.length, 0, '', problems.join('; ') || 'none');
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
  for (const { child } of crew.nodes) child.kill('SIGKILL');
  await Promise.all(crew.nodes.map(({ exited }) => exited));
}

function pauseOf(stretches: readonly Stretch[]): number {
  return most(stretches.map(({ pause }) => pause));
}

function detail(before: readonly Stretch[]): string {
  return `before ${rounded(pauseOf(before))} ms`;
}

/** 50 MB within 30 s, no pause above a second. */
export const transfer: Trial = {
  name: 'transfer',
  shows: '50 MB of state reach a joiner within 30 s under 500 multicasts/s, without a pause of 1 s or a suspicion',
  async run(stage, report, length) {
    const variants: [string, Variant][] = [
      ['500,000 x 100 B in 1000 Maps', { kind: 'buckets', entries: 500_000, bytes: 100 }],
      ['500,000 x 100 B in one Map', { kind: 'map', entries: 500_000, bytes: 100 }],
      ['50 x 1 MB', { kind: 'bytes', entries: 50, bytes: 1e6 }],
      ['500,000 x 100 B changed in place', { kind: 'in-place', entries: 500_000, bytes: 100 }],
    ];
    for (const [title, variant] of length === 'long' ? variants : variants.slice(0, 1)) {
      await transferOnce(stage, report, title, variant);
    }
  },
};
