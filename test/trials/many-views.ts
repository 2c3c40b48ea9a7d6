/**
 * A crash changes the views of all groups of a domain soon, however many there are: one decree excludes the node from
 * all, and the flushes of all groups share packets. Four nodes with 200 groups, idle and under load; the youngest and
 * the oldest (which coordinates) are killed, and nodes that come back get into all groups with their states.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addNode, agreed, assemble, killNode } from './many-crew.js';
import { monotonic, type Stage } from './stage.js';
import { most, sameness, spread, type Report, type Trial } from './trial.js';

/** From the kill to the last view at the last survivor. */
const viewsMillisMax = 2000;

/** One crash among many groups. */
export interface Crash {
  readonly who: 'oldest' | 'youngest';
  /** Multicasts a second of each node before and meanwhile, over all groups. */
  readonly rate: number;
}

/** Crashes one after the other, each made good by a new node. */
export async function crashes(stage: Stage, report: Report, groups: number, list: readonly Crash[]): Promise<void> {
  const from = monotonic();
  const crew = await assemble(stage, ['a', 'b', 'c', 'd'], groups);
  report.measure(`four nodes started, in ${groups} groups`, `${(monotonic() - from).toFixed(0)} ms`);
  for (const [i, { who, rate }] of list.entries()) {
    await Promise.all(crew.nodes.map((node) => node.call('load', rate)));
    await sleep(1000);
    const { at, survivors } = await killNode(crew, who === 'oldest' ? 0 : crew.nodes.length - 1);
    const title = `kill of the ${who}, ${rate === 0 ? 'idle' : `${rate * 4} multicasts/s`}`;
    const lasts = survivors.map(({ last }) => last - at);
    report.measure(`${title}: first view`, `${Math.min(...survivors.map(({ first }) => first - at)).toFixed(0)} ms`);
    report.atMost(`${title}: all ${groups} views everywhere`, most(lasts), viewsMillisMax, 'ms', spread(lasts));
    const back = monotonic();
    addNode(stage, crew, `e${i}`);
    const all = await agreed(
      crew,
      crew.nodes.map(({ name }) => name.split('-')[0] as string),
    );
    await crew.nodes.at(-1)?.call('digest', null);
    const joined = all.map(({ last }) => last - back);
    report.measure(`${title}: a new node in all groups`, `${most(joined).toFixed(0)} ms from its start`);
  }
  await Promise.all(crew.nodes.map((node) => node.call('load', 0)));
  const deadline = monotonic() + 5000;
  for (;;) {
    const digests = new Set(await Promise.all(crew.nodes.map((node) => node.call('digest', null))));
    if (digests.size > 1 && monotonic() < deadline) {
      await sleep(100);
      continue;
    }
    report.must(`states of all ${groups} groups at all nodes`, digests.size === 1, sameness(digests.size));
    return;
  }
}

/** All 200 views at all survivors within two seconds. */
export const manyViews: Trial = {
  name: 'many-views',
  shows: 'the crash of a node changes the views of all 200 groups at all survivors within 2 s',
  run: (stage, report, length) =>
    crashes(stage, report, 200, [
      { who: 'youngest', rate: 0 },
      { who: 'oldest', rate: 0 },
      ...(length === 'long'
        ? ([
            { who: 'youngest', rate: 250 },
            { who: 'oldest', rate: 250 },
          ] as const)
        : []),
    ]),
};
