/**
 * Members die at any moment under load and come back, and virtual synchrony holds throughout.
 *
 * Five `nact-groups member` processes, each sending 200 multicasts a second of 256 B, half in total and half in fifo
 * order. In each round one is killed with SIGKILL, every rank in turn, and restarted. Survivors must have the new view
 * within two seconds, the restarted member the state; in the end all digests are equal, and `check` finds in the traces
 * of all lives no property violated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkTraces, conclude, killOne, startAll, type Times } from './churn.js';
import { most, sameness, spread, type Trial } from './trial.js';

const viewMillisMax = 2000;
const load = ['send 10000000 --size 256 --order total --rate 100', 'send 10000000 --size 256 --order fifo --rate 100'];
/** Load between a restart and the next kill. */
const quietMillis = 1500;

/** Ten kills under load. */
export const kills: Trial = {
  name: 'kills',
  shows: 'five members under load are killed and restarted in turn without a violation',
  async run(stage, report, length) {
    const rounds = length === 'long' ? 10 : 3;
    const { start, members } = await startAll(stage, load);
    const times: Times = { views: [], joined: [], active: [], state: [] };
    for (let round = 0; round < rounds; round++) {
      await sleep(quietMillis);
      await killOne(start, members, round, times, load);
    }
    report.atMost('new view at survivors', most(times.views), viewMillisMax, 'ms', spread(times.views));
    report.measure('restarted: full view everywhere', `${spread(times.joined)} ms from its start`);
    report.measure('restarted: active', `${spread(times.active)} ms from its start`);
    report.must('restarted: has the state', times.state.length === rounds, `${spread(times.state)} ms from its start`);
    const all = [...members.values()];
    const { digests, sent, failed } = await conclude(all, load.length);
    report.must('digests of all five', new Set(digests).size === 1, sameness(new Set(digests).size));
    report.atMost('failed multicasts of members that live', failed, 0, '', `of ${sent} sent since their starts`);
    for (const { child } of all) child.kill('SIGTERM');
    const codes = await Promise.all(all.map(({ exited }) => exited));
    report.must(
      'graceful ends',
      codes.every((code) => code === 0),
      `exit status ${codes.join(', ')}`,
    );
    await checkTraces(stage, report, 'VIEW-AGREE,VSYNC,SELF-DEL,NO-DUP,FIFO,TOTAL,STATE');
  },
};
