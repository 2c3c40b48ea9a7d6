/**
 * Members die at any moment under load and come back, and virtual synchrony holds throughout.
 *
 * Five `nact-groups member` processes, each sending 200 multicasts a second of 256 B, half in total and half in fifo
 * order. In each round one is killed with SIGKILL, every rank in turn, and restarted. Survivors must have the new view
 * within two seconds, the restarted member the state; in the end all digests are equal, and `check` finds in the traces
 * of all lives no property violated.
 */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isActive, isViewOf, startMember, type Event, type MemberProcess } from './member-process.js';
import { run } from './run.js';
import { cli, freshDomain, monotonic, type Stage } from './stage.js';
import { most, rounded, sameness, spread, type Report, type Trial } from './trial.js';

const names = ['a', 'b', 'c', 'd', 'e'];
/** Who is killed, by rank: the coordinator, the youngest, and those in between. */
const victims = [0, 4, 2, 1, 3];
const viewMillisMax = 2000;
const load = ['send 10000000 --size 256 --order total --rate 100', 'send 10000000 --size 256 --order fifo --rate 100'];
/** Load between a restart and the next kill. */
const quietMillis = 1500;
const checkMillisMax = 4 * 60 * 1000;

/** What was measured, in milliseconds. */
interface Times {
  /** From the kill to the new view, of each survivor in each round. */
  readonly views: number[];
  /** From the start of the new process to the full view at all, to being active, and to reading what was written. */
  readonly joined: number[];
  readonly active: number[];
  readonly state: number[];
}

/** Kills and restarts one member. */
async function killOne(
  start: (name: string) => MemberProcess,
  members: Map<string, MemberProcess>,
  round: number,
  times: Times,
): Promise<void> {
  const any = [...members.values()][0] as MemberProcess;
  const view = any.events.findLast(({ event }) => event === 'view') as Event;
  const victim = (view['members'] as string[])[victims[round % victims.length] as number] as string;
  const survivors = names.filter((name) => name !== victim).map((name) => members.get(name) as MemberProcess);
  const marks = survivors.map(({ events }) => events.length);
  const dead = members.get(victim) as MemberProcess;
  const killedAt = monotonic();
  dead.child.kill('SIGKILL');
  await dead.exited;
  const rest = isViewOf(survivors.map(({ name }) => name));
  const views = await Promise.all(survivors.map((each, i) => each.event(rest, `view without ${victim}`, marks[i])));
  times.views.push(...views.map(({ at }) => at - killedAt));
  const wrong = views.find(({ id, cause }) => id !== views[0]?.['id'] || cause !== `failed: ${victim}`);
  if (wrong) throw new Error(`views after the kill of ${victim} differ: ${JSON.stringify(views)}`);

  // while it is away: what it can only know from the state
  const value = `round-${round}`;
  await survivors[round % survivors.length]?.run(`set word ${value}`);
  const again = start(victim);
  members.set(victim, again);
  const active = await again.event(isActive, 'active');
  for (;;) {
    const got = await again.run('get word');
    if (got['value'] === value) {
      times.state.push(got.at - again.startedAt);
      break;
    }
    if (got.at - again.startedAt > 30_000) throw new Error(`${victim} came back without the state`);
  }
  times.active.push(active.at - again.startedAt);
  const full = await Promise.all(
    [...members.values()].map((each) =>
      each.event(isViewOf(names), 'full view', lastViewBefore(each, again.startedAt)),
    ),
  );
  times.joined.push(most(full.map(({ at }) => at)) - again.startedAt);
  load.forEach((line) => again.command(line));
}

/** The number of the first event after a moment. */
function lastViewBefore({ events }: MemberProcess, moment: number): number {
  const index = events.findIndex(({ at }) => at >= moment);
  return index < 0 ? events.length : index;
}

/** Ends the load; the digests of all members once nothing is under way, and how much was sent. */
async function conclude(
  members: readonly MemberProcess[],
): Promise<{ digests: string[]; sent: number; failed: number }> {
  const results = await Promise.all(
    members.map(async (member) => {
      const from = member.events.length;
      member.command('stop');
      const isDone = ({ event, command }: Event) => event === 'done' && command === 'send';
      await member.event(isDone, 'end of the load', from);
      // two loads end, one after the other
      const first = member.events.findIndex((event, i) => i >= from && isDone(event));
      await member.event(isDone, 'end of the load', first + 1);
      return member.events.slice(from).filter(isDone);
    }),
  );
  await members[0]?.run('set word last');
  const digests = await Promise.all(
    members.map(async (member) => {
      const until = monotonic() + 20_000;
      while (monotonic() < until && (await member.run('get word'))['value'] !== 'last') await sleep(20);
      return String((await member.run('digest'))['digest']);
    }),
  );
  const sum = (field: string) => results.flat().reduce((total, event) => total + Number(event[field]), 0);
  return { digests, sent: sum('sent'), failed: sum('failed') };
}

async function checkTraces(stage: Stage, report: Report): Promise<void> {
  const files = readdirSync(stage.folder)
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => path.join(stage.folder, file));
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const { code, stdout, stderr, millis } = await run(
    stage,
    'check',
    process.execPath,
    [cli, 'check', '--expect', 'VIEW-AGREE,VSYNC,SELF-DEL,NO-DUP,FIFO,TOTAL,STATE', ...files],
    checkMillisMax,
  );
  const summary = `${files.length} traces, ${rounded(bytes / 1e6)} MB, in ${rounded(millis / 1000)} s`;
  report.must('check finds no violation', code === 0, code === 0 ? summary : `${summary}: ${stdout}${stderr}`);
}

/** Ten kills under load. */
export const kills: Trial = {
  name: 'kills',
  shows: 'five members under load are killed and restarted in turn without a violation',
  async run(stage, report, length) {
    const rounds = length === 'long' ? 10 : 3;
    const domain = freshDomain();
    const start = (name: string) =>
      startMember(stage, name, domain, '--trace', path.join(stage.folder, `${name}.jsonl`));
    const members = new Map<string, MemberProcess>(names.map((name) => [name, start(name)]));
    await Promise.all([...members.values()].map((each) => each.event(isViewOf(names), 'full view')));
    for (const member of members.values()) load.forEach((line) => member.command(line));
    const times: Times = { views: [], joined: [], active: [], state: [] };
    for (let round = 0; round < rounds; round++) {
      await sleep(quietMillis);
      await killOne(start, members, round, times);
    }
    report.atMost('new view at survivors', most(times.views), viewMillisMax, 'ms', spread(times.views));
    report.measure('restarted: full view everywhere', `${spread(times.joined)} ms from its start`);
    report.measure('restarted: active', `${spread(times.active)} ms from its start`);
    report.must('restarted: has the state', times.state.length === rounds, `${spread(times.state)} ms from its start`);
    const all = [...members.values()];
    const { digests, sent, failed } = await conclude(all);
    report.must('digests of all five', new Set(digests).size === 1, sameness(new Set(digests).size));
    report.atMost('failed multicasts of members that live', failed, 0, '', `of ${sent} sent since their starts`);
    for (const { child } of all) child.kill('SIGTERM');
    const codes = await Promise.all(all.map(({ exited }) => exited));
    report.must(
      'graceful ends',
      codes.every((code) => code === 0),
      `exit status ${codes.join(', ')}`,
    );
    await checkTraces(stage, report);
  },
};
