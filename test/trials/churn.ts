/** Five `nact-groups member` processes under load, killed and restarted in turn: what the trials that do so share. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isActive, isViewOf, startMember, type Event, type MemberProcess } from './member-process.js';
import { run } from './run.js';
import { cli, freshDomain, monotonic, type Stage } from './stage.js';
import { most, rounded, type Report } from './trial.js';

export const names = ['a', 'b', 'c', 'd', 'e'];
/** Who is killed, by rank: the coordinator, the youngest, and those in between. */
const victims = [0, 4, 2, 1, 3];
const checkMillisMax = 6 * 60 * 1000;

/** Five members together, each under this load; all that is needed to replace one. */
export async function startAll(
  stage: Stage,
  load: readonly string[],
): Promise<{ start: (name: string) => MemberProcess; members: Map<string, MemberProcess> }> {
  const domain = freshDomain();
  const start = (name: string) =>
    startMember(stage, name, domain, ['--trace', path.join(stage.folder, `${name}.jsonl`)]);
  const members = new Map<string, MemberProcess>(names.map((name) => [name, start(name)]));
  await Promise.all([...members.values()].map((each) => each.event(isViewOf(names), 'full view')));
  for (const member of members.values()) load.forEach((line) => member.command(line));
  return { start, members };
}

/** What was measured, in milliseconds. */
export interface Times {
  /** From the kill to the new view, of each survivor in each round. */
  readonly views: number[];
  /** From the start of the new process to the full view at all, to being active, and to reading what was written. */
  readonly joined: number[];
  readonly active: number[];
  readonly state: number[];
}

/** Kills and restarts one member. */
export async function killOne(
  start: (name: string) => MemberProcess,
  members: Map<string, MemberProcess>,
  round: number,
  times: Times,
  load: readonly string[],
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
export async function conclude(
  members: readonly MemberProcess[],
  loads: number,
): Promise<{ digests: string[]; sent: number; failed: number }> {
  const results = await Promise.all(
    members.map(async (member) => {
      const from = member.events.length;
      member.command('stop');
      const isDone = ({ event, command }: Event) => event === 'done' && command === 'send';
      // the loads end one after the other
      for (let ended = 0, at = from; ended < loads; ended++) {
        await member.event(isDone, 'end of the load', at);
        at = member.events.findIndex((event, i) => i >= at && isDone(event)) + 1;
      }
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

export async function checkTraces(stage: Stage, report: Report, expected: string): Promise<void> {
  const files = readdirSync(stage.folder)
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => path.join(stage.folder, file));
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const { code, stdout, stderr, millis } = await run(
    stage,
    'check',
    process.execPath,
    [cli, 'check', '--expect', expected, ...files],
    checkMillisMax,
  );
  const summary = `${files.length} traces, ${rounded(bytes / 1e6)} MB, in ${rounded(millis / 1000)} s`;
  report.must('check finds no violation', code === 0, code === 0 ? summary : `${summary}: ${stdout}${stderr}`);
}
