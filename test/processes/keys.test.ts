/** Processes under keys: only who has one is in the domain, and the key of a domain is changed under load without anybody noticing. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { freePort } from '../transport/proxy.js';
import { feedCli, freshDomain, runCli, startMember, type MemberProcess } from './member-process.js';

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Runs `keys`; its output. */
async function keys(t: ExecutionContext, input: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await feedCli(input, 'keys', ...args);
  t.is(code, 0, stderr);
  return stdout.trim();
}

/** Waits until a member has these keys. */
async function has(member: MemberProcess, ids: readonly string[]): Promise<void> {
  for (;;) {
    const { keys: found } = await member.run('stat');
    if ((found as string[]).join() === ids.join()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

for (const transport of ['udp', 'tcp'] as const) {
  test.serial(`the key of a domain over ${transport} is changed under load: no view, no loss`, async (t) => {
    const place = folder(t);
    const domain = freshDomain();
    const names = ['a', 'b', 'c'];
    const file = path.join(place, 'keys');
    const [first, second] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
    const old = await keys(t, `${first}\n`, 'install', '--key-file', file);
    t.is(statSync(file).mode & 0o777, 0o600);

    const port = await freePort();
    const members: MemberProcess[] = [];
    for (const [i, name] of names.entries()) {
      const flags = ['--key-file', file, '--trace', path.join(place, `${name}.jsonl`)];
      if (transport === 'tcp') {
        flags.push('--transport', 'tcp', '--listen', `127.0.0.1:${i === 0 ? port : 0}`, '--seeds', `127.0.0.1:${port}`);
      }
      const member = startMember(t, name, domain, ...flags);
      members.push(member);
      await member.view(names.slice(0, i + 1));
    }
    await Promise.all(members.map((member) => member.view(names)));
    const marks = members.map(({ lines }) => lines.length);
    for (const member of members) member.command('send 1000000 --size 200 --order total --rate 300');

    // each node looks at the file when it is its time
    const young = await keys(t, second, 'install', '--key-file', file);
    await Promise.all(members.map((member) => has(member, [old, young])));
    await keys(t, '', 'use', young, '--key-file', file);
    await Promise.all(members.map((member) => has(member, [young, old])));
    // each is heard under the new one before the old one goes
    for (const member of members) await member.run('say hello');
    await keys(t, '', 'remove', old, '--key-file', file);
    await Promise.all(members.map((member) => has(member, [young])));
    for (const member of members) await member.run('say still here');

    const sent = await Promise.all(
      members.map((member) => {
        const done = member.line(({ event, command }) => event === 'done' && command === 'send', 'done send');
        member.command('stop');
        return done;
      }),
    );
    for (const done of sent) {
      t.true((done['sent'] as number) > 100);
      t.deepEqual([done['stable'], done['failed']], [done['sent'], 0]);
    }
    for (const [i, { lines }] of members.entries()) {
      const changes = lines
        .slice(marks[i])
        .filter(({ event, status }) => event === 'view' || (status ?? 'active') !== 'active');
      t.deepEqual(changes, []);
    }
    const digests = await Promise.all(members.map(async (member) => (await member.run('digest'))['digest']));
    t.is(new Set(digests).size, 1);

    for (const member of members) member.command('exit');
    await Promise.all(members.map(({ exited }) => exited));
    const traces = names.map((name) => path.join(place, `${name}.jsonl`));
    const { code, stdout } = await runCli('check', ...traces);
    t.is(code, 0, stdout);
  });
}

test.serial('what is wrong with a file of keys, or with what is asked of it, is told', async (t) => {
  const file = path.join(folder(t), 'keys');
  const key = await keys(t, '', 'generate');
  const id = await keys(t, key, 'install', '--key-file', file);
  t.is(await keys(t, key, 'install', '--key-file', file), id);
  t.is(await keys(t, '', 'list', '--key-file', file), `${id} used`);
  t.is(await keys(t, '', 'list', '--key-file', file, '--json'), JSON.stringify({ id, used: true }));
  for (const [input, args, words] of [
    ['', ['use', 'deadbeef', '--key-file', file], /no key deadbeef is installed; there are [0-9a-f]{8}/],
    ['', ['remove', id, '--key-file', file], /is the one that is used: use another one first/],
    ['', ['install', '--key-file', file], /one key on standard input/],
    ['secret', ['install', '--key-file', file], /a text of 6 characters that is no key/],
    ['', ['list', '--key-file', `${file}.none`], /cannot be read/],
  ] as const) {
    const { code, stderr } = await feedCli(input, 'keys', ...args);
    t.is(code, 1);
    t.regex(stderr, words);
    t.notRegex(stderr, /secret/);
  }
  t.is((await feedCli('', 'keys', 'list')).code, 2);
});
