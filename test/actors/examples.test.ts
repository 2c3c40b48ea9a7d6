/** The examples, each in several real processes. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { run, shows, type Running } from './running.js';
import { freshDomain } from './systems.js';

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

test.serial('the search: the pieces of one that dies are done by the others', async (t) => {
  const domain = freshDomain();
  const [ann, bob, cid] = ['ann', 'bob', 'cid'].map((name) => run(t, 'search', domain, name, '40')) as [
    Running,
    Running,
    Running,
  ];
  for (const each of [ann, bob, cid]) await shows(each, 'of 3\n');
  cid.child.kill('SIGKILL');
  for (const each of [ann, bob]) {
    await shows(each, 'of 2\n');
    // all numbers below 800,000 whose SHA-256 begins so
    await shows(each, 'found: 596138 665782\n');
    each.child.kill('SIGTERM');
  }
  t.pass();
});

test.serial(
  'workers: threads and processes in one group share the work, and do it without one that dies',
  async (t) => {
    const workers = run(t, 'workers', freshDomain(), '100000');
    await shows(workers, /\n9592 primes below 100000\n[^]*\n9592 primes below 100000, one process killed meanwhile\n/);
    const counts = workers.output.match(/^(thread|process)-[12]: [1-9]\d*$/gm) ?? [];
    t.is(new Set(counts.slice(0, 4).map((line) => line.split(':')[0])).size, 4);
    t.false(counts.slice(4).some((line) => line.startsWith('process-1')));
    await once(workers.child, 'exit');
  },
);

test.serial('telemetry: an order and its deliveries in three processes are one trace', async (t) => {
  const domain = freshDomain();
  const shops = ['ann', 'bob', 'cid'].map((name) => run(t, 'telemetry', domain, name, '3'));
  for (const shop of shops) await shows(shop, /applies 5 tea in trace [0-9a-f]{32}\n[\s\S]*process stock/);
  const traces = new Set(shops.map(({ output }) => /in trace (\S+)/.exec(output)?.[1]));
  t.is(traces.size, 1);
  const sender = shops.find(({ output }) => output.includes('send stock')) as Running;
  await shows(sender, 'POST /orders');
  sender.child.kill('SIGTERM');
  await shows(sender, 'nact_groups.view.changes');
  for (const { child } of shops) child.kill('SIGTERM');
});
