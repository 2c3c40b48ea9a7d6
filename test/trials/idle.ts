/**
 * An idle domain costs the same whatever the number of its groups: who lives is a matter of nodes, and groups are silent
 * once all is stable. Four nodes, one group and then 200; packets and processor time while nothing is sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { assemble, type ManyCrew } from './many-crew.js';
import { spread, type Trial } from './trial.js';

const names = ['a', 'b', 'c', 'd'];
/** From the last view to silence: receipts, last acknowledgements, retransmission timers. */
const settleMillis = 3000;

/** What all nodes of a domain do in a second. */
interface Rate {
  readonly packets: number;
  readonly bytes: number;
  /** Milliseconds of processor time per second, per node. */
  readonly cpu: number;
}

async function rateOf(crew: ManyCrew, millis: number): Promise<Rate> {
  const before = await Promise.all(crew.nodes.map((node) => node.call('work', null)));
  await sleep(millis);
  const after = await Promise.all(crew.nodes.map((node) => node.call('work', null)));
  let [packets, bytes, cpu] = [0, 0, 0];
  after.forEach((work, i) => {
    const { at, packetsOut, bytesOut, cpuMillis } = before[i] as typeof work;
    const seconds = (work.at - at) / 1000;
    packets += (work.packetsOut - packetsOut) / seconds;
    bytes += (work.bytesOut - bytesOut) / seconds;
    cpu += (work.cpuMillis - cpuMillis) / seconds / after.length;
  });
  return { packets, bytes, cpu };
}

/** Idle packets with 200 groups are within a tenth of those with one. */
export const idle: Trial = {
  name: 'idle',
  shows: 'four idle nodes send as many packets with 200 groups as with one',
  async run(stage, report, length) {
    const rounds = length === 'long' ? 3 : 1;
    const millis = length === 'long' ? 10_000 : 4000;
    const few = await assemble(stage, names, 1);
    const many = await assemble(stage, names, 200);
    await sleep(settleMillis);
    const rates = { few: [] as Rate[], many: [] as Rate[] };
    // in turns, so that both see the same machine
    for (let round = 0; round < rounds; round++) {
      rates.few.push(await rateOf(few, millis));
      rates.many.push(await rateOf(many, millis));
    }
    const mean = (values: readonly Rate[], of: (rate: Rate) => number) =>
      values.reduce((sum, rate) => sum + of(rate), 0) / values.length;
    for (const [groups, list] of [
      [1, rates.few],
      [200, rates.many],
    ] as const) {
      report.measure(`packets/s of the domain, groups: ${groups}`, spread(list.map(({ packets }) => packets)));
      report.measure(`bytes/s of the domain, groups: ${groups}`, mean(list, ({ bytes }) => bytes).toFixed(0));
      report.measure(`CPU of a node, groups: ${groups}`, `${(mean(list, ({ cpu }) => cpu) / 10).toFixed(2)} %`);
    }
    const ratio = mean(rates.many, ({ packets }) => packets) / mean(rates.few, ({ packets }) => packets);
    report.atMost('difference of packets/s, 200 groups to one', Math.abs(ratio - 1) * 100, 10, '%', ratio.toFixed(3));
  },
};
