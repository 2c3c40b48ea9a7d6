/** The simulated domain for users' tests: faults, time, convergence, and errors that say how to repeat them. */
import { createHash } from 'node:crypto';
import test from 'ava';
import { dispatch, type Ref } from 'nact';
import { ask, flush, multicast, read, spawnReplicated, status, type Context, type GroupRef } from 'nact-groups';
import {
  forEachSeed,
  GuaranteeViolated,
  Misused,
  NotInTime,
  ReplicasDiffer,
  testDomain,
  type TestDomain,
  type TestDomainOptions,
} from 'nact-groups/testkit';
import { stock, type Change, type Stock } from './functions.js';

interface Actors {
  readonly stock: GroupRef<Change, Stock>;
}

const spawn = (system: Ref<unknown>): Actors => ({
  stock: spawnReplicated(system, stock, 'stock', { initialState: {} }),
});

function shop(options: Partial<TestDomainOptions<Actors>> = {}): Promise<TestDomain<Actors>> {
  return testDomain({ spawn, ...options });
}

const tea = (n: number): Change => ({ sku: 'tea', n });

function teaAt(domain: TestDomain<Actors>, name: string): Promise<number | undefined> {
  return domain.until(read(domain.node(name).actors.stock, (state) => state['tea']));
}

test('replicas converge through a crash, a late joiner and loss, in simulated time', async (t) => {
  const domain = await shop({ network: { loss: 0.1, duplication: 0.1, delay: [0.1, 5] } });
  t.deepEqual(
    domain.nodes.map(({ name }) => name),
    ['a', 'b', 'c'],
  );
  for (let i = 0; i < 100; i += 1) for (const { actors } of domain.nodes) dispatch(actors.stock, tea(1));
  await domain.until(flush(domain.node('b').actors.stock));
  domain.crash('a');
  dispatch(domain.node('c').actors.stock, tea(1));
  await domain.join('d');
  await domain.expectConverged();
  t.is(await teaAt(domain, 'd'), await teaAt(domain, 'b'));
  t.true(((await teaAt(domain, 'd')) ?? 0) >= 201);
  await domain.join('a');
  await domain.leave('b');
  await domain.expectConverged();
  t.deepEqual(
    domain.nodes.map(({ name }) => name),
    ['c', 'd', 'a'],
  );
  domain.stop();
  t.is(domain.nodes.length, 0);
});

test('a minority wedges, and comes back as a new incarnation with the state', async (t) => {
  const domain = await shop();
  const { a, b, c } = { a: domain.node('a'), b: domain.node('b'), c: domain.node('c') };
  const seen: string[] = [];
  status(c.actors.stock).subscribe((value) => seen.push(value));
  const { id } = c;
  domain.partition([a, b], [c]);
  await domain.until(() => seen.includes('wedged'));
  await domain.until(multicast(a.actors.stock, tea(7)).stable);
  domain.heal();
  await domain.expectConverged();
  t.true(seen.includes('excluded') || c.id !== id);
  t.is(await teaAt(domain, 'c'), 7);
  domain.stop();
});

test('a node that joins during a partition is on the side of those who are not named', async (t) => {
  const domain = await shop();
  domain.partition(['c']);
  await domain.join('d');
  dispatch(domain.node('d').actors.stock, tea(3));
  await domain.until(() => domain.node('d').id !== '' && domain.missing() !== undefined);
  t.is(await teaAt(domain, 'd'), 3);
  domain.heal();
  await domain.expectConverged();
  t.is(await teaAt(domain, 'c'), 3);
  domain.stop();
});

test('a short pause is survived, a long one ends in exclusion and a new life', async (t) => {
  const domain = await shop();
  const { id } = domain.node('b');
  domain.pause('b');
  dispatch(domain.node('b').actors.stock, tea(1));
  await domain.advance(200);
  t.true(domain.node('b').isPaused);
  t.is(domain.missing(), 'b is paused');
  domain.resume('b');
  await domain.expectConverged();
  t.is(domain.node('b').id, id);
  t.is(await teaAt(domain, 'a'), 1, 'what it was asked for meanwhile');
  domain.pause('b');
  await domain.until(multicast(domain.node('a').actors.stock, tea(1)).stable);
  domain.resume('b');
  await domain.expectConverged();
  t.not(domain.node('b').id, id);
  t.is(await teaAt(domain, 'b'), 2);
  domain.stop();
});

test('asks are answered in simulated time, and time goes by only when it is let go by', async (t) => {
  const domain = await testDomain({
    nodes: ['x', 'y'],
    spawn: (system, name) =>
      spawnReplicated(
        system,
        (state: number, message: number, ctx: Context<never, string>) => {
          ctx.reply(`${name} ${message}`);
          return state + message;
        },
        'g',
        { initialState: 0 },
      ),
  });
  const before = domain.now;
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(domain.now, before);
  const replies = await domain.until(ask(domain.node('x').actors, 5, { replies: 'all' }));
  t.deepEqual(replies.map(({ value }) => value).sort(), ['x 5', 'y 5']);
  t.true(domain.now > before && domain.now < before + 50);
  await domain.advance(1000);
  t.true(domain.now >= before + 1000);
  domain.stop();
});

test('one seed gives one run, to the last record; another gives another', async (t) => {
  const run = async (seed: number): Promise<string> => {
    const domain = await shop({ seed, network: { loss: 0.2 } });
    for (const { actors } of domain.nodes) for (let i = 0; i < 20; i += 1) dispatch(actors.stock, tea(i));
    domain.crash('a');
    await domain.expectConverged();
    domain.stop();
    return createHash('sha256').update(JSON.stringify(domain.trace)).digest('hex');
  };
  const first = await run(5);
  t.is(await run(5), first);
  t.not(await run(6), first);
});

test('replicas that differ are found, with the group, the states and the seed', async (t) => {
  const domain = await testDomain({
    seed: 11,
    spawn: (system) =>
      spawnReplicated(system, (state: number, n: number) => state + n * Math.random(), 'bad', { initialState: 0 }),
  });
  dispatch(domain.node('a').actors, 1);
  const error = await t.throwsAsync(domain.expectConverged(), { instanceOf: ReplicasDiffer });
  t.is(error.group, 'bad');
  t.deepEqual(Object.keys(error.states), ['a', 'b', 'c']);
  t.regex(error.message, /NACT_GROUPS_SEED=11/);
});

test('what does not come about is an error with what is missing and the seed', async (t) => {
  const domain = await shop({ seed: 3 });
  domain.partition(['a'], ['b'], ['c']);
  const error = await t.throwsAsync(domain.expectConverged(5000), { instanceOf: NotInTime });
  t.regex(error.message, /not within 5000 simulated milliseconds: convergence\nOf the domain is missing: a#\d+/);
  t.regex(error.message, /testDomain\(\{ seed: 3 \}\)/);
  await t.throwsAsync(domain.until(new Promise(() => undefined), 100), { instanceOf: NotInTime, message: /a promise/ });
  await t.throwsAsync(domain.until(Promise.reject(new RangeError('mine'))), { instanceOf: RangeError });
  domain.heal();
  await domain.expectConverged();
  domain.stop();
});

test('a trace that violates a guarantee is an error with the property and the seed', async (t) => {
  const domain = await shop({ seed: 4 });
  await domain.until(multicast(domain.node('a').actors.stock, tea(1)).stable);
  await domain.expectConverged();
  const delivery = domain.trace.find(({ e }) => e === 'deliver');
  t.truthy(delivery);
  (domain.trace as unknown[]).push(delivery);
  t.throws(() => domain.check(), { instanceOf: GuaranteeViolated, message: /NO-DUP.*NACT_GROUPS_SEED=4/s });
});

test('a crash ends what the node waits for, and none of its actors is told', async (t) => {
  const stopped: string[] = [];
  const domain = await testDomain({
    spawn: (system, name) =>
      spawnReplicated(system, stock, 'stock', { initialState: {}, afterStop: () => void stopped.push(name) }),
  });
  domain.partition(['a']);
  const receipt = multicast(domain.node('a').actors, tea(1)).stable;
  domain.crash('a');
  await t.throwsAsync(domain.until(receipt), { message: /a has crashed/ });
  domain.heal();
  await domain.expectConverged();
  t.deepEqual(stopped, []);
  await domain.leave('b');
  await domain.until(() => stopped.length > 0);
  t.deepEqual(stopped, ['b']);
  domain.stop();
});

test.serial('a run per seed; what one throws says which, and the environment names one alone', async (t) => {
  const seeds: number[] = [];
  await forEachSeed(3, (seed) => void seeds.push(seed));
  t.deepEqual(seeds, [1, 2, 3]);
  const failing = (seed: number): void => {
    if (seed === 2) throw new Error('wrong');
  };
  await t.throwsAsync(forEachSeed(3, failing), { message: /wrong\n\nSeed 2 of 3: NACT_GROUPS_SEED=2/ });
  process.env['NACT_GROUPS_SEED'] = '17';
  try {
    await forEachSeed(3, (seed) => void seeds.push(seed));
    t.is(seeds.at(-1), 17);
    t.is((await shop()).seed, 17);
    process.env['NACT_GROUPS_SEED'] = 'x';
    await t.throwsAsync(shop(), { instanceOf: Misused, message: /NACT_GROUPS_SEED/ });
  } finally {
    delete process.env['NACT_GROUPS_SEED'];
  }
});

test('mistakes of use are errors that say what there is', async (t) => {
  const domain = await shop({ nodes: 2 });
  t.throws(() => domain.node('z'), { instanceOf: Misused, message: /there are a, b/ });
  await t.throwsAsync(domain.join('a'), { instanceOf: Misused, message: /lives already/ });
  t.throws(() => domain.partition(['a'], ['a']), { instanceOf: Misused, message: /two sides/ });
  await t.throwsAsync(domain.advance(-1), { instanceOf: Misused });
  await t.throwsAsync(shop({ nodes: 0 }), { instanceOf: Misused });
  domain.stop();
});
