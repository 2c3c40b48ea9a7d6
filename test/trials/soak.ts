/**
 * Five members under a mixed load for ten minutes, killed and restarted in turn: all orders, uniform and not, barriers and
 * asks. In the end all digests are equal, and `check` finds in the traces of all lives no property violated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkTraces, conclude, killOne, startAll, type Times } from './churn.js';
import { sameness, spread, type Trial } from './trial.js';

/** Moderate: the traces of ten minutes have to be read again. */
const load = [
  'send 10000000 --size 256 --order total --rate 15',
  'send 10000000 --size 256 --order fifo --rate 10',
  'send 10000000 --size 256 --order causal --rate 10',
  'send 10000000 --size 256 --order total --uniform --rate 10',
  'send 10000000 --size 256 --order fifo --uniform --rate 5',
  'send 10000000 --size 256 --order barrier --rate 0.1',
];
const expected =
  'VIEW-AGREE,VSYNC,SELF-DEL,NO-DUP,NO-CREATE,SENDING-VIEW,FIFO,CAUSAL,TOTAL,TOTAL-POS,UNIFORM,BARRIER,STATE,RPC';
const quietMillis = 5000;

/** Ten minutes of kills under a load of everything. */
export const soak: Trial = {
  name: 'soak',
  shows: 'ten minutes of everything, with kills, and no property is violated',
  async run(stage, report, length) {
    const { start, members } = await startAll(stage, load);
    const until = performance.now() + (length === 'long' ? 600_000 : 30_000);
    const times: Times = { views: [], joined: [], active: [], state: [] };
    let kills = 0;
    for (; performance.now() < until; kills++) {
      await sleep(quietMillis);
      for (const member of members.values()) member.command('ask all who');
      await killOne(start, members, kills, times, load);
    }
    report.measure('members killed', `${kills}`);
    report.measure('new view at survivors', `${spread(times.views)} ms`);
    const all = [...members.values()];
    const { digests, sent } = await conclude(all, load.length);
    report.must('digests of all five', new Set(digests).size === 1, sameness(new Set(digests).size));
    report.measure('sent by those who live', `${sent}`);
    for (const { child } of all) child.kill('SIGTERM');
    await Promise.all(all.map(({ exited }) => exited));
    await checkTraces(stage, report, expected);
  },
};
