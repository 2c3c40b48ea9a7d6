/**
 * Processes whose event loop stands still, by themselves or by SIGSTOP, on real sockets. Who stands still for less than the timeout is
 * missed by nobody; who does for longer is excluded, suspects nobody when it goes on, and comes back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { freshDomain, startMember, type MemberProcess } from './member-process.js';

const names = ['a', 'b', 'c'];

async function three(t: ExecutionContext): Promise<readonly [MemberProcess, MemberProcess, MemberProcess]> {
  const domain = freshDomain();
  const members = names.map((name) => startMember(t, name, domain)) as [MemberProcess, MemberProcess, MemberProcess];
  await Promise.all(members.map((member) => member.view(names)));
  return members;
}

const views = ({ lines }: MemberProcess) => lines.filter(({ event }) => event === 'view').length;
const suspicions = ({ errors }: MemberProcess) => errors.filter((line) => line.includes('suspected'));

test.serial('event loops that stand still for half a second change no view', async (t) => {
  const members = await three(t);
  const before = members.map(views);
  for (const load of members) load.command('send 10000 --size 100 --order total --rate 100');
  for (let round = 0; round < 3; round++) {
    for (const member of members) {
      await member.run('burn 500');
      await sleep(200);
    }
  }
  await Promise.all(members.map((member) => member.run('burn 500')));
  t.deepEqual(members.flatMap(suspicions), []);
  t.deepEqual(members.map(views), before);
});

test.serial('a process that was stopped for seconds suspects nobody, and is back soon', async (t) => {
  const [a, b, c] = await three(t);
  // the oldest: it would propose
  for (const stopped of [a, c]) {
    const rest = [a, b, c].filter((member) => member !== stopped);
    const marks = new Map([a, b, c].map((member) => [member, member.lines.length]));
    const from = performance.now();
    stopped.child.kill('SIGSTOP');
    const others = rest.map(({ name }) => name);
    await Promise.all(rest.map((member) => member.view(others, marks.get(member))));
    t.log(`${stopped.name} is excluded after ${(performance.now() - from).toFixed(0)} ms`);
    await sleep(Math.max(0, 5000 - (performance.now() - from)));
    const awake = performance.now();
    const before = suspicions(stopped);
    for (const member of rest) marks.set(member, member.lines.length);
    stopped.child.kill('SIGCONT');
    await Promise.all([a, b, c].map((member) => member.view(names, marks.get(member))));
    t.log(`back after ${(performance.now() - awake).toFixed(0)} ms`);
    t.deepEqual(suspicions(stopped), before, stopped.name);
  }
});
