/** A minority on its own: it wedges, says so, refuses, can be read, and comes back; and goes on if an operator says so. */
import test, { type ExecutionContext } from 'ava';
import type { Ref } from 'nact';
import {
  CannotForce,
  domain,
  DomainRefused,
  explain,
  GroupWedged,
  InvalidOption,
  memoryHub,
  multicast,
  MulticastFailed,
  NotAMember,
  read,
  ready,
  spawnReplicated,
  status,
  type Earlier,
  type GroupRef,
  type GroupsOptions,
  type ReplicatedProps,
} from '../../actors/index.js';
import { forceOn } from '../../actors/forcing.js';
import type { Host } from '../../actors/host.js';
import { systemRuntime } from '../../actors/runtime.js';
import { append, eventually, first, rememberingLogger, system, viewOf } from './systems.js';

type Log = readonly number[];
type Props = ReplicatedProps<Log, number>;

interface Node {
  readonly system: Ref<unknown>;
  readonly ref: GroupRef<number, Log>;
  readonly lines: string[];
}

interface Stage {
  readonly nodes: ReadonlyMap<string, Node>;
  /** Only those of one island hear each other; in none: cut off from all, as if dead. */
  readonly split: (...islands: readonly (readonly string[])[]) => void;
}

/** Nodes of one group on a network that can be split. */
async function stage(
  t: ExecutionContext,
  names: readonly string[],
  props: Props = {},
  options: Partial<GroupsOptions> = {},
): Promise<Stage> {
  let islands: readonly (readonly string[])[] = [names];
  const addresses = new Map<string, string>();
  const islandOf = (address: string) => islands.findIndex((island) => island.includes(addresses.get(address) ?? ''));
  const hub = memoryHub(({ from, to }) => {
    const [one, other] = [islandOf(from), islandOf(to)];
    return {
      kind: islands.length === 1 && islands[0] === names ? 'pass' : one >= 0 && one === other ? 'pass' : 'drop',
    };
  });
  const nodes = new Map<string, Node>();
  for (const name of names) {
    const { logger, lines } = rememberingLogger();
    const node = system(t, hub, name, { logger, ...options });
    const ref = spawnReplicated(node, append, 'g', { initialState: [], ...props });
    nodes.set(name, { system: node, ref, lines });
    // with weights, no group forms before there is enough
    if (nodes.size > 1) await viewOf(ref, nodes.size);
  }
  const any = nodes.get(names[0] ?? '');
  if (!any) throw new Error('no nodes');
  domain(any.system)
    .views.subscribe((view) => view.nodes.forEach((node) => addresses.set(node.address, node.name)))
    .unsubscribe();
  // before the nodes are told to leave, which were set up before
  t.teardown(() => (islands = [names]));
  return { nodes, split: (...next) => (islands = next) };
}

function at({ nodes }: Stage, name: string): Node {
  const node = nodes.get(name);
  if (!node) throw new Error(`no node ${name}`);
  return node;
}

test.serial(
  'a minority wedges, names who is missing, refuses, can be read, and comes back with the state',
  async (t) => {
    const told: Earlier<Log, number>[] = [];
    const restore = (incoming: Log, earlier: Earlier<Log, number>) => {
      told.push(earlier);
      return incoming;
    };
    const world = await stage(t, ['a', 'b', 'c'], { restore, whileWedged: 'refuse' });
    const [a, c] = [at(world, 'a'), at(world, 'c')];
    await multicast(c.ref, 1).stable;
    told.length = 0;
    const before = domain(c.system).self;
    world.split(['a', 'b'], ['c']);
    // between the cut and its discovery: it is let in, and nobody else gets it
    const lost = multicast(c.ref, 2);
    await lost.accepted;
    await first(status(c.ref), (value) => value === 'wedged');
    await eventually(
      () => /a#\d+, b#\d+ missing/.test(explain(c.ref).why),
      () => explain(c.ref).why,
    );
    t.regex(explain(c.ref).waiting.join('; '), /no quorum of the 3 nodes can be heard: a#\d+, b#\d+ missing/);
    const refused = t.throws(() => multicast(c.ref, 3), { instanceOf: GroupWedged });
    t.regex(refused?.why ?? '', /a#\d+, b#\d+ missing/);
    await t.throwsAsync(
      read(c.ref, (state) => state, { linearizable: true }),
      { instanceOf: GroupWedged },
    );
    t.deepEqual(await read(c.ref, (state, { wedged, status: its }) => ({ state, wedged, its })), {
      state: [1],
      wedged: true,
      its: 'wedged',
    });
    await viewOf(a.ref, 2);
    await multicast(a.ref, 4).stable;
    t.false(await read(a.ref, (_, { wedged }) => wedged));
    world.split(['a', 'b', 'c']);
    await first(status(c.ref), (value) => value === 'active');
    await viewOf(c.ref, 3);
    t.not(domain(c.system).self, before);
    await eventually(async () => (await read(c.ref, (state) => state.length)) === 2, 'the state of the majority');
    t.deepEqual(await read(c.ref, (state) => state), [1, 4]);
    const error = await t.throwsAsync(lost.stable, { instanceOf: MulticastFailed });
    t.true(error?.mayHaveBeenDelivered);
    t.deepEqual(told, [{ previous: [1], unsent: [], uncertain: [2] }]);
  },
);

test.serial('what waits in a wedged member is handed to its restore when others have gone on without it', async (t) => {
  const told: Earlier<Log, number>[] = [];
  const restore = (incoming: Log, earlier: Earlier<Log, number>) => {
    told.push(earlier);
    return incoming;
  };
  const world = await stage(t, ['a', 'b', 'c'], { restore, whileWedged: 'queue' });
  const c = at(world, 'c');
  told.length = 0;
  world.split(['a', 'b'], ['c']);
  await first(status(c.ref), (value) => value === 'wedged');
  const waits = multicast(c.ref, 7);
  multicast(c.ref, 8);
  await viewOf(at(world, 'a').ref, 2);
  world.split(['a', 'b', 'c']);
  const error = await t.throwsAsync(waits.stable, { instanceOf: MulticastFailed });
  t.false(error?.mayHaveBeenDelivered);
  await viewOf(c.ref, 3);
  await eventually(() => told.length > 0, 'a restore');
  t.deepEqual(told, [{ previous: [], unsent: [7, 8], uncertain: [] }]);
});

test.serial('a linearizable read waits for the others, at the sequencer as well', async (t) => {
  const world = await stage(t, ['a', 'b', 'c']);
  const { ref } = at(world, 'a');
  await multicast(ref, 1).stable;
  world.split(['a'], ['b', 'c']);
  let isAnswered = false;
  const reading = read(
    ref,
    () => {
      isAnswered = true;
    },
    { linearizable: true },
  );
  await first(status(ref), (value) => value === 'wedged');
  t.false(isAnswered);
  await viewOf(at(world, 'b').ref, 2);
  world.split(['a', 'b', 'c']);
  await t.throwsAsync(reading, { instanceOf: NotAMember });
  await viewOf(ref, 3);
});

test.serial(
  'an operator forces on those who are left, by exactly their names, with the states they have',
  async (t) => {
    const world = await stage(t, ['a', 'b', 'c', 'd', 'e']);
    const [d, e] = [at(world, 'd'), at(world, 'e')];
    await multicast(e.ref, 1).stable;
    await t.throwsAsync(domain(e.system).forceOn(['d', 'e']), {
      instanceOf: CannotForce,
      message: /goes on by itself/,
    });
    world.split(['d', 'e']);
    await first(status(e.ref), (value) => value === 'wedged');
    await eventually(() => /a#\d+, b#\d+, c#\d+ missing/.test(explain(e.ref).why), 'all who are missing');
    await t.throwsAsync(domain(e.system).forceOn(['e']), {
      instanceOf: CannotForce,
      message: /d can be heard as well/,
    });
    await t.throwsAsync(domain(e.system).forceOn(['c', 'd', 'e']), {
      instanceOf: CannotForce,
      message: /c cannot be heard/,
    });
    await domain(e.system).forceOn(['d', 'e']);
    const view = await viewOf(e.ref, 2);
    t.deepEqual(
      view.members.map(({ name }) => name),
      ['d', 'e'],
    );
    await multicast(e.ref, 2).stable;
    for (const { ref } of [d, e]) t.deepEqual(await read(ref, (state) => state), [1, 2]);
    for (const { lines } of [d, e]) {
      t.true(lines.some((line) => /^error .*forced d, e on, without a#\d+, b#\d+, c#\d+/.test(line)));
    }
    // the others had lived after all: the larger goes on, and what the smaller has done since is in its hands
    world.split(['a', 'b', 'c', 'd', 'e']);
    await viewOf(d.ref, 5);
    const states = await Promise.all([...world.nodes.values()].map(({ ref }) => read(ref, (state) => state)));
    for (const state of states) t.deepEqual(state, states[0]);
  },
);

test.serial('what is no list of names cannot be forced on, and forcing of which nothing comes ends', async (t) => {
  const e = at(await stage(t, ['e']), 'e');
  await ready(e.system);
  const force = (nodes: unknown) => domain(e.system).forceOn(nodes as string[]);
  for (const [wrong, named] of [
    ['y', /'y'/],
    [[], /\[\]/],
    [undefined, /undefined/],
    [['d', 5], /\[ 'd', 5 \]/],
    [[''], /\[ '' \]/],
  ] as const) {
    const error = await t.throwsAsync(force(wrong), { instanceOf: CannotForce, message: named });
    t.regex(error?.message ?? '', /an array of the names of all nodes that are to go on, as forceOn/);
  }
  await t.throwsAsync(force(['e']), { instanceOf: CannotForce, message: /goes on by itself/ });

  const core = { phase: 'running', life: { core: {} }, inbox: [], log: { error: () => undefined } };
  const silent = { ...core, options: { domain: 'd', timeout: 10 }, runtime: systemRuntime() } as unknown as Host;
  for (const round of [1, 2]) {
    const forced = forceOn(silent, ['a']);
    await t.throwsAsync(forceOn(silent, ['a']), { instanceOf: CannotForce, message: /already/ });
    await t.throwsAsync(forced, { instanceOf: CannotForce, message: /nothing came of it within 0.2 s/ }, `${round}`);
  }
});

test.serial('no side goes on that weighs too little, and no group forms before', async (t) => {
  const weights = { s1: 1, s2: 1, s3: 1, w1: 0, w2: 0 };
  const hub = memoryHub();
  const alone = spawnReplicated(system(t, hub, 's1', { weights, minimumWeight: 1.5 }), append, 'g', {
    initialState: [],
  });
  await eventually(
    () => /weigh 1, more than 1.5 is needed/.test(explain(alone).waiting.join()),
    () => explain(alone).waiting.join(),
  );
  const names = Object.keys(weights);
  const world = await stage(t, names, {}, { weights, minimumWeight: 1.5 });
  // three of five, but one of three servers
  world.split(['s1', 'w1', 'w2'], ['s2', 's3']);
  const wedged = ({ ref }: Node) => first(status(ref), (value) => value === 'wedged');
  await Promise.all([...world.nodes.values()].map(wedged));
  await eventually(
    () => /can be heard weigh 1, not more than 1.5: s2#\d+, s3#\d+ missing/.test(explain(at(world, 's1').ref).why),
    () => explain(at(world, 's1').ref).why,
  );
  world.split(['s1', 's2', 's3'], ['w1', 'w2']);
  await viewOf(at(world, 's2').ref, 3);
  await multicast(at(world, 's2').ref, 1).stable;
  t.deepEqual(await read(at(world, 's3').ref, (state) => state), [1]);
});

test('weights, their minimum and the quorum are checked', async (t) => {
  const refused = (options: Partial<GroupsOptions>, message: RegExp) =>
    t.throws(() => system(t, memoryHub(), 'x', options), { instanceOf: InvalidOption, message });
  refused({ weights: -1 }, /weights must be a whole number of at least 0, not -1/);
  refused({ weights: { a: 0.5 } }, /weights\['a'\] must be a whole number/);
  refused({ minimumWeight: 0.3 }, /minimumWeight must be a whole number of halves/);
  refused({ quorum: 'all' as never }, /quorum must be 'majority' or 'verified-deaths', not 'all'/);
  const hub = memoryHub();
  await ready(system(t, hub, 'a'));
  const error = await t.throwsAsync(ready(system(t, hub, 'b', { minimumWeight: 1 })), { instanceOf: DomainRefused });
  t.regex(error?.why ?? '', /its minimum weight 0: all nodes have to say the same/);
});
