/** Refs to actors of other processes, over real sockets: queries across, a process that is killed, and one that is stopped. */
import { spawn as spawnProcess, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { query, start, stop, type Ref } from 'nact';
import winston from 'winston';
import { digestOf, groups, leaveDomain, read, Unreachable } from '../../actors/index.js';
import { freshDomain, patience } from './member-process.js';
import { joinDirectory, type Asked } from './remote-node.js';

const program = fileURLToPath(new URL('remote-node.js', import.meta.url));

test.serial('actors of several processes are asked, passed on, killed and replaced', async (t) => {
  const domain = freshDomain();
  const logger = winston.createLogger({ silent: true });
  const system = start(groups({ domain, name: 'test', logger }));
  t.teardown(() => leaveDomain(system));
  const directory = joinDirectory(system);
  const run = (name: string): ChildProcess => {
    const child = spawnProcess(process.execPath, [program, domain, name], { stdio: ['ignore', 'inherit', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    return child;
  };
  const find = async (name: string, not?: string): Promise<Ref<unknown>> => {
    for (const until = performance.now() + patience; performance.now() < until;) {
      const ref = await read(directory, (state) => state[name]);
      if (ref && digestOf(ref) !== not) return ref;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`no ${name} within ${patience} ms`);
  };
  const ask = (ref: Ref<unknown>, from?: Ref<unknown>) =>
    query<unknown, (replyTo: Ref<unknown>) => Asked>(
      ref,
      (replyTo) => ({ replyTo, ...(from ? { from } : {}) }),
      patience,
    );

  const p = run('p');
  const q = run('q');
  const [echo, relay, silent] = [await find('echo@p'), await find('relay@q'), await find('silent@p')];
  t.is(await ask(echo), p.pid);
  t.is(await ask(relay, echo), p.pid, 'q asks p, with a ref that it was sent');

  const open = ask(silent);
  const before = digestOf(echo);
  p.kill('SIGKILL');
  await once(p, 'exit');
  const killed = performance.now();
  const error = await t.throwsAsync(open, { instanceOf: Unreachable });
  t.true(error?.maybeDone);
  t.true(performance.now() - killed < patience / 2, 'long before its timeout');
  t.false((await t.throwsAsync(ask(echo), { instanceOf: Unreachable }))?.maybeDone);

  // the same name and path, but another process: only its own refs lead to it
  const again = run('p');
  const renewed = await find('echo@p', before);
  t.is(await ask(renewed), again.pid);
  t.is(await ask(relay, renewed), again.pid);
  t.false((await t.throwsAsync(ask(echo), { instanceOf: Unreachable }))?.maybeDone);

  stop(renewed);
  await t.throwsAsync(ask(renewed), { instanceOf: Unreachable, message: /no such actor here/ });
  t.is(await ask(relay, await find('echo@q')), q.pid);
});
