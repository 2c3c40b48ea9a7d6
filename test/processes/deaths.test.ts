/**
 * Who may go on when most are gone, on real processes: deaths that the system confirms do not count against the quorum, what
 * merely stands still does, and who stood still itself goes on by an operator's word alone.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { freshDomain, runCli, startMember, type MemberProcess } from './member-process.js';

/** Longer than the detector's timeout, in milliseconds. */
const long = 2500;

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Members that came one after the other, the oldest first. */
async function startInOrder(
  names: readonly string[],
  start: (name: string) => MemberProcess,
): Promise<MemberProcess[]> {
  const members: MemberProcess[] = [];
  for (const [i, name] of names.entries()) {
    const member = start(name);
    members.push(member);
    await Promise.all(members.map((each) => each.view(names.slice(0, i + 1))));
  }
  return members;
}

const statusOf = (member: MemberProcess, value: string, from = 0) =>
  member.line((line) => line.event === 'status' && line['status'] === value, `status ${value}`, from);

async function startThree(
  t: ExecutionContext,
  ...flags: string[]
): Promise<[MemberProcess, MemberProcess, MemberProcess]> {
  const domain = freshDomain();
  const members = await startInOrder(['a', 'b', 'c'], (name) => startMember(t, name, domain, ...flags));
  return members as [MemberProcess, MemberProcess, MemberProcess];
}

for (const names of [
  ['a', 'b'],
  ['a', 'b', 'c'],
  ['a', 'b', 'c', 'd', 'e'],
]) {
  test.serial(`of ${names.length} all but the youngest are killed at once, and it goes on`, async (t) => {
    const folder = folderOf(t);
    const domain = freshDomain();
    const start = (name: string) => startMember(t, name, domain, '--trace', path.join(folder, `${name}.jsonl`));
    const members = await startInOrder(names, start);
    const last = members.at(-1) as MemberProcess;
    t.true((await last.run('set k 1'))['ok']);
    for (const member of members) if (member !== last) member.child.kill('SIGKILL');
    await last.view([last.name]);
    t.true((await last.run('set k 2'))['ok']);
    const again = start('a2');
    await again.view([last.name, 'a2']);
    t.is((await again.run('get k'))['value'], '2');
    for (const member of [again, last]) member.command('exit');
    await Promise.all([again, last].map(({ exited }) => exited));
    const traces = readdirSync(folder).map((file) => path.join(folder, file));
    const { code, stdout } = await runCli('check', '--expect', 'PRIMARY-UNIQ,PRIMARY-CHAIN', ...traces);
    t.is(code, 0, stdout);
  });
}

test.serial('one that was stopped and excluded meanwhile does not go on for the dead, but begins anew', async (t) => {
  const [a, b, c] = await startThree(t);
  t.true((await a.run('set k 1'))['ok']);
  const before = (await c.run('stat'))['view'];
  const mark = c.lines.length;
  c.child.kill('SIGSTOP');
  await a.view(['a', 'b']);
  t.true((await a.run('set k 2'))['ok']);
  for (const each of [a, b]) each.child.kill('SIGKILL');
  await Promise.all([a.exited, b.exited]);
  c.child.kill('SIGCONT');
  await statusOf(c, 'excluded', mark);
  await statusOf(c, 'active', mark);
  await c.view(['c'], mark);
  t.not((await c.run('stat'))['view'], before);
  t.is((await c.run('get k'))['value'], null, 'what it had is of before');
  t.true(c.errors.some((line) => /error nobody has a state of 'g' any more/.test(line)));
});

test.serial('whoever is left without a quorum waits, says for whom, and goes on when it is forced to', async (t) => {
  const [a, b, c] = await startThree(t, '--quorum', 'majority');
  t.true((await a.run('set k 1'))['ok']);
  const mark = c.lines.length;
  for (const each of [a, b]) each.child.kill('SIGKILL');
  const wedged = await statusOf(c, 'wedged', mark);
  t.regex(String(wedged['why']), /missing/);
  await pause(long);
  const { status: now, waiting } = (await c.run('stat')) as unknown as { status: string; waiting: string[] };
  t.is(now, 'wedged', waiting.join('; '));
  t.regex(waiting.join('; '), /a#\d+, b#\d+/);
  t.regex(String((await c.run('say nothing'))['error']), /while this member is wedged/);
  t.is((await c.run('get k'))['value'], '1');
  t.regex(String((await c.run('force a c'))['error']), /a cannot be heard here; those who can be heard are c/);
  const forced = c.lines.length;
  t.true((await c.run('force c'))['ok']);
  await statusOf(c, 'active', forced);
  t.is((await c.run('get k'))['value'], '1');
  t.true((await c.run('set k 3'))['ok']);
  t.true(c.errors.some((line) => /error an operator has forced c on, without a#\d+, b#\d+/.test(line)));
});

test.serial('two of three stand still, and the third waits for them, and goes on with them where it was', async (t) => {
  const [a, b, c] = await startThree(t);
  const mark = c.lines.length;
  for (const each of [a, b]) each.child.kill('SIGSTOP');
  await statusOf(c, 'wedged', mark);
  const wedged = c.lines.length;
  for (const each of [a, b]) each.child.kill('SIGCONT');
  await statusOf(c, 'active', wedged);
  const done = await c.run('set k 1');
  t.true(done['ok'], JSON.stringify([done, c.lines.slice(wedged), c.errors]));
  t.is(c.lines.slice(wedged).filter(({ event }) => event === 'view').length, 0, 'no other view');
});

test.serial('with quorum majority the younger of two waits when the older is killed', async (t) => {
  const domain = freshDomain();
  const start = (name: string) => startMember(t, name, domain, '--quorum', 'majority');
  const [a, b] = (await startInOrder(['a', 'b'], start)) as [MemberProcess, MemberProcess];
  a.child.kill('SIGKILL');
  await statusOf(b, 'wedged');
  await pause(long);
  t.is((await b.run('stat'))['status'], 'wedged');
  const other = startMember(t, 'c', domain, '--quorum', 'verified-deaths');
  await other.exited;
  t.regex(other.errors.join('\n'), /quorum is 'majority'/);
});
