/**
 * A million datagrams of a stranger to the domain's multicast address, ten thousand a second, while three members send as much as is
 * taken: nothing of it is delivered, nobody is suspected, and the members' own traffic goes on nearly as if there were none. Two in five
 * are noise; the others begin as the domain's own do, or are recorded ones, whole or cut off. Without a key, then under one.
 *
 * Stretches with and without the flood take turns, so that what else goes on at the machine falls on both. A stranger has a processor of
 * its own; here it shares the members'. So the normal is what they do while the same process sends as much to where nobody listens.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { domainMulticast } from '../../transport/addresses.js';
import type { FloodAssignment, Flooder } from './flooder.js';
import type { FloodNode, FloodNodeAssignment } from './flood-node.js';
import { startRemote, type Remote } from './remote.js';
import { freshDomain, type Stage } from './stage.js';
import { most, rounded, sameness, spread, type Report, type Trial } from './trial.js';

const names = ['a', 'b', 'c'] as const;
const perSecond = 10_000;
const shareMin = 0.8;
const stallMillisMax = 50;
const grownBytesMax = 64 * 1024 * 1024;
/** Of what was sent; what is lost where sockets are full is not the members' to count. */
const countedShareMin = 0.5;
/** Log lines of all members, however many datagrams there are. */
const linesMax = 20;
/** Under a key each of them says once a second how many were not authentic. */
const linesPerSecondMax = 1;
const warmUpMillis = 3000;
const settleMillis = 200;
/** So many of these at most until all have applied what was sent. */
const settlesMax = 50;

/** How long, and how often. */
interface Effort {
  readonly stretches: number;
  readonly millis: number;
}

interface Measured {
  /** Deliveries a second at the slowest member. */
  readonly rate: number;
  readonly stall: number;
}

type Nodes = readonly Remote<FloodNode>[];

function onAll<K extends keyof FloodNode>(nodes: Nodes, what: K) {
  return Promise.all(nodes.map((node) => node.call(what, null as never))) as Promise<
    Awaited<ReturnType<FloodNode[K]>>[]
  >;
}

async function measure(nodes: Nodes, millis: number, during: () => Promise<unknown>): Promise<Measured> {
  await sleep(settleMillis);
  await onAll(nodes, 'stretch');
  const begun = performance.now();
  await Promise.all([sleep(millis), during()]);
  const stretches = await onAll(nodes, 'stretch');
  const seconds = (performance.now() - begun) / 1000;
  return {
    rate: Math.min(...stretches.map(({ deliveries }) => deliveries)) / seconds,
    stall: most(stretches.map(({ stall }) => stall)),
  };
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const dropped = [
  'droppedMalformed',
  'droppedForeign',
  'droppedUnknown',
  'datagramsNotAuthentic',
  'datagramsSeenBefore',
  'datagramsNotProven',
] as const;

/** What all members have dropped, whatever for. */
async function countDropped(nodes: Nodes): Promise<number> {
  const all = await onAll(nodes, 'statistics');
  return all.reduce((sum, counts) => sum + dropped.reduce((own, name) => own + (counts[name] ?? 0), 0), 0);
}

/** What the members have, once they have applied so many; a machine that is busy may take a while to that. */
async function statesAfter(nodes: Nodes, count: number) {
  for (let left = settlesMax; ; left -= 1) {
    const states = await onAll(nodes, 'state');
    if (left === 0 || states.every((state) => state.count === count)) return states;
    await sleep(settleMillis);
  }
}

/** Members under load, with and without a flood. */
export async function floodUnderLoad(
  stage: Stage,
  report: Report,
  { stretches, millis }: Effort,
  key: string | null,
): Promise<void> {
  const domain = freshDomain();
  const nodes: Remote<FloodNode>[] = [];
  for (const name of names) {
    const assignment: FloodNodeAssignment = { domain, name, key };
    const node = startRemote<FloodNode>(stage, name, './flood-node.js', assignment);
    await node.call('arrived', null);
    nodes.push(node);
  }
  const to: FloodAssignment = { ...domainMulticast(domain), hasKey: key !== null };
  const flooder = startRemote<Flooder>(stage, 'flooder', './flooder.js', to);
  const sender = nodes[0] as Remote<FloodNode>;
  await sender.call('send', null);
  await sleep(warmUpMillis);
  await flooder.call('record', null);
  const [views, memory] = [(await onAll(nodes, 'look')).map((look) => look.views), most(await onAll(nodes, 'memory'))];
  const [quiet, elsewhere, flooded]: [Measured[], Measured[], Measured[]] = [[], [], []];
  let [sent, replayed, floodMillis] = [0, 0, 0];
  const count = (perSecond * millis) / 1000;
  for (let i = 0; i < stretches; i++) {
    quiet.push(await measure(nodes, millis, () => Promise.resolve()));
    const thrown = (to: { elsewhere: boolean }) =>
      flooder.call('flood', { count, perSecond, ...to }, 4 * millis + 10_000);
    elsewhere.push(await measure(nodes, millis, () => thrown({ elsewhere: true })));
    const flood = async () => {
      const done = await thrown({ elsewhere: false });
      sent += done.sent;
      replayed += done.replayed;
      floodMillis += done.millis;
    };
    // what is in the windows, and what was there long ago
    if (i % 2 === 1) await flooder.call('record', null);
    flooded.push(await measure(nodes, millis, flood));
  }
  const number = await sender.call('rest', null);
  const counted = await countDropped(nodes);
  await sleep(settleMillis);
  // in the clear a recorded datagram is one that comes twice, which networks do
  const expected = (key === null ? sent - replayed : sent) * nodes.length;
  const rates = (list: readonly Measured[]) => list.map(({ rate }) => rate);
  const stalls = (list: readonly Measured[]) => list.map(({ stall }) => stall);
  const rate = medianOf(rates(flooded));
  report.measure(
    'datagrams',
    `${sent}, ${rounded(sent / (floodMillis / 1000))} a second, ${replayed} of them recorded`,
  );
  report.measure('deliveries a second, nothing else at the machine', spread(rates(quiet)));
  report.measure('deliveries a second, as much sent to nobody', spread(rates(elsewhere)));
  const share = rate / medianOf(rates(elsewhere));
  report.atLeast('throughput under the flood', share, shareMin, 'of the normal', spread(rates(flooded)));
  report.measure('the same, of that with nothing else', rounded(rate / medianOf(rates(quiet))));
  report.measure('longest stall of an event loop without', `${spread(stalls([...quiet, ...elsewhere]))} ms`);
  const stall = most(stalls(flooded));
  report.atMost('longest stall of an event loop', stall, stallMillisMax, 'ms', spread(stalls(flooded)));
  const looks = await onAll(nodes, 'look');
  const problems = looks.flatMap((look) => look.problems);
  report.atMost('suspicions, new lives, failed multicasts', problems.length, 0, '', problems.slice(0, 3).join('; '));
  report.must(
    'no view change',
    looks.every((look, i) => look.views === views[i]),
    `${looks.map((l) => l.views).join()}`,
  );
  report.atMost(
    'log lines',
    looks.reduce((sum, { lines }) => sum + lines, 0),
    linesMax + (key === null ? 0 : linesPerSecondMax * nodes.length * Math.ceil(floodMillis / 1000)),
    '',
  );
  const states = await statesAfter(nodes, number);
  const different = new Set(states.map(({ count, hash }) => `${count} ${hash}`)).size;
  report.must('states', different === 1, sameness(different));
  report.must(
    'delivered: what was sent, and nothing else',
    states[0]?.count === number,
    `${states[0]?.count ?? 'nothing'} of ${number}`,
  );
  const grown = most(await onAll(nodes, 'memory')) - memory;
  report.atMost('memory that members have grown by', grown / 1e6, grownBytesMax / 1e6, 'MB');
  report.atLeast('dropped and counted', counted / expected, countedShareMin, 'of all', `${counted}`);
  for (const { child, exited } of [...nodes, flooder]) {
    child.kill();
    await exited;
  }
}

/** A million of them. */
export const flood: Trial = {
  name: 'flood',
  shows:
    "ten thousand of a stranger's datagrams a second leave a loaded group at least 80 % of its throughput, and change nothing",
  async run(stage, report, length) {
    const effort = length === 'long' ? { stretches: 20, millis: 5000 } : { stretches: 3, millis: 2000 };
    for (const key of [null, randomBytes(32).toString('hex')]) {
      report.measure('key', key === null ? 'none' : 'one');
      await floodUnderLoad(stage, report, effort, key);
    }
  },
};
