/** The examples, each in several real processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eventually, freshDomain } from './systems.js';

interface Running {
  readonly child: ChildProcess;
  output: string;
}

function run(t: ExecutionContext, example: string, domain: string, ...args: string[]): Running {
  const file = fileURLToPath(new URL(`../../examples/${example}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, DOMAIN: domain },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const running: Running = { child, output: '' };
  child.stdout?.on('data', (chunk) => (running.output += String(chunk)));
  child.stderr?.on('data', (chunk) => (running.output += String(chunk)));
  t.teardown(() => child.kill('SIGKILL'));
  return running;
}

const shows = (running: Running, text: string | RegExp) =>
  eventually(
    () => (typeof text === 'string' ? running.output.includes(text) : text.test(running.output)),
    () => `${String(text)} in:\n${running.output}`,
  );

test.serial('the twenty lines: one replicated stock in several processes', async (t) => {
  const one = run(t, 'twenty-lines', '');
  await shows(one, /founded\n5\n/);
  const two = run(t, 'twenty-lines', '');
  await shows(two, /joined: .*\n10\n/);
  const three = run(t, 'twenty-lines', '');
  await shows(three, /joined: .*\n15\n/);
  await shows(two, /joined: [\s\S]*joined: /);
  // the oldest, and with it the coordinator
  one.child.kill('SIGKILL');
  for (const each of [two, three]) await shows(each, /failed: |excluded: /);
  const four = run(t, 'twenty-lines', '');
  await shows(four, /joined: .*\n20\n/);
  t.pass();
});

test('the twenty lines are those of the README', (t) => {
  const root = new URL('../../../', import.meta.url);
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const block = /```ts\n(import \{ start[\s\S]*?)```/.exec(readme)?.[1] ?? 'none';
  const example = readFileSync(new URL('examples/twenty-lines.ts', root), 'utf8');
  const bare = (text: string) =>
    text
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/^\/\/ prettier-ignore$/gm, '')
      .replace(/\s+/g, ' ')
      .trim();
  t.is(bare(example), bare(block));
});

test.serial('the leaderboard: a new leader is announced once, all boards are equal', async (t) => {
  const domain = freshDomain();
  const boards = ['ann', 'bob', 'cid'].map((name, i) => run(t, 'leaderboard', domain, name, String(i + 2)));
  for (const board of boards) await shows(board, / sees \[/);
  const announced = boards.flatMap(({ output }) => output.match(/new leader: .*/g) ?? []);
  t.is(new Set(announced).size, announced.length);
  t.true(announced.some((line) => line.startsWith('new leader: cid')));
  for (const { child } of boards) child.kill('SIGTERM');
});

test.serial('the chat room: lines, whispers, who is there and who was lost', async (t) => {
  const domain = freshDomain();
  const [ann, bob, cid] = ['ann', 'bob', 'cid'].map((name) => run(t, 'presence', domain, name)) as [
    Running,
    Running,
    Running,
  ];
  for (const each of [ann, bob, cid]) await shows(each, /here: .*, .*, /);
  ann.child.stdin?.write('hello all\n@bob psst\n');
  for (const each of [ann, bob, cid]) await shows(each, 'ann: hello all');
  await shows(bob, 'ann whispers: psst');
  t.false(cid.output.includes('psst'));
  cid.child.kill('SIGKILL');
  await shows(ann, 'cid was lost');
  bob.child.kill('SIGTERM');
  await shows(ann, 'bob left');
});

test.serial('the phone book: whoever asks is no member, and does not mind who has died', async (t) => {
  const domain = freshDomain();
  const [ann, bob, cid] = ['ann', 'bob', 'cid'].map((name) => run(t, 'phone-book', domain, 'serve', name)) as [
    Running,
    Running,
    Running,
  ];
  for (const each of [ann, bob, cid]) await shows(each, /held by .*, .*, /);
  const set = run(t, 'phone-book', domain, 'ask', 'dora', '4711');
  await shows(set, /dora has 4711\n.*dora has 4711\n/);
  await shows(run(t, 'phone-book', domain, 'ask', 'dora', 'none'), 'none is no number');
  bob.child.kill('SIGKILL');
  const get = run(t, 'phone-book', domain, 'ask', 'dora');
  await shows(get, /dora has 4711\n.*dora has 4711\n/);
  for (const { child } of [ann, cid]) child.kill('SIGTERM');
  t.pass();
});
