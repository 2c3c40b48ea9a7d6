/**
 * How long a killed process is missed: `kill -9` of one member after the other, by rank, idle and under load.
 *
 * From the signal to the line in which the last survivor prints its new view, the printing and reading included.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isViewOf, startMember, type Event, type MemberProcess } from './member-process.js';
import { freshDomain, monotonic, type Stage } from './stage.js';
import { most, spread, type Report, type Trial } from './trial.js';

const names = ['a', 'b', 'c', 'd', 'e'];
/** The bars. */
const viewMillisMax = 200;
const viewMillisMedian = 40;
/** Between a full view and the next kill: nothing of the join is under way any more. */
const quietMillis = 300;

/** From the kill of each rank in turn to the new view at the last survivor, in milliseconds, so many times. */
export async function killInTurn(
  stage: Stage,
  kills: number,
  load: readonly string[],
  ...flags: string[]
): Promise<number[]> {
  const domain = freshDomain();
  const start = (name: string) => startMember(stage, name, domain, flags);
  const members = new Map<string, MemberProcess>(names.map((name) => [name, start(name)]));
  await Promise.all([...members.values()].map((each) => each.event(isViewOf(names), 'full view')));
  for (const member of members.values()) load.forEach((line) => member.command(line));
  const times: number[] = [];
  for (let round = 0; round < kills; round++) {
    await sleep(quietMillis);
    const any = [...members.values()][0] as MemberProcess;
    const view = any.events.findLast(({ event }) => event === 'view') as Event;
    const victim = (view['members'] as string[])[round % names.length] as string;
    const survivors = names.filter((name) => name !== victim).map((name) => members.get(name) as MemberProcess);
    const marks = survivors.map(({ events }) => events.length);
    const rest = isViewOf(survivors.map(({ name }) => name));
    const killedAt = monotonic();
    (members.get(victim) as MemberProcess).child.kill('SIGKILL');
    const views = await Promise.all(survivors.map((each, i) => each.event(rest, `view without ${victim}`, marks[i])));
    times.push(most(views.map(({ at }) => at)) - killedAt);
    const again = start(victim);
    members.set(victim, again);
    await Promise.all([...members.values()].map((each) => each.event(isViewOf(names), 'full view', lastIndex(each))));
    load.forEach((line) => again.command(line));
  }
  for (const { child } of members.values()) child.kill('SIGTERM');
  await Promise.all([...members.values()].map(({ exited }) => exited));
  return times;
}

/** The number of the last view that was read, or 0. */
function lastIndex({ events }: MemberProcess): number {
  return Math.max(
    0,
    events.findLastIndex(({ event }) => event === 'view'),
  );
}

/** Holds the times against the bars. */
export function judge(report: Report, what: string, times: readonly number[]): void {
  report.atMost(`${what}: longest`, most(times), viewMillisMax, 'ms', spread(times));
  const median = [...times].sort((a, b) => a - b)[times.length >> 1] ?? NaN;
  report.atMost(`${what}: median`, median, viewMillisMedian, 'ms');
}

/** Kills that are noticed by the tether. */
export const crashDetection: Trial = {
  name: 'kill-9',
  shows: 'a process that is killed is out of the view of all survivors within 200 ms, half of the time within 40',
  async run(stage, report, length) {
    const kills = length === 'long' ? 40 : 10;
    judge(report, 'idle', await killInTurn(stage, kills, []));
    const load = ['send 10000000 --size 256 --order total --rate 100'];
    judge(report, 'under load', await killInTurn(stage, kills, load));
  },
};
