/** Groups as a user sees them, on a network in memory: views, order, contexts, receipts, reads, refs, refusals. */
import test from 'ava';
import { dispatch, query, spawn, start, type Ref } from 'nact';
import { toArray, firstValueFrom, take } from 'rxjs';
import {
  deliveries,
  domain,
  DomainRefused,
  DuplicateMember,
  events,
  explain,
  flush,
  GroupFull,
  GroupRefused,
  groups,
  InvalidOption,
  leave,
  leaveDomain,
  memory,
  memoryHub,
  MessageTooLarge,
  multicast,
  NotAMember,
  NotEncodable,
  NotInDomain,
  OrderTooWeak,
  read,
  ready,
  spawnMember,
  spawnReplicated,
  status,
  SystemNameTaken,
  views,
  WouldDeadlock,
  type Context,
  type GroupEvent,
  type GroupRef,
  type Receipt,
} from '../../actors/index.js';
import { append, eventually, first, freshDomain, rememberingLogger, system, viewOf } from './systems.js';

type Log = readonly (readonly [string, unknown])[];
const logged = (state: Log, message: unknown, ctx: Context): Log => [...state, [ctx.from.name, message]];

test.serial(
  'replicas that were given messages at once apply them in one order, and a joiner has them too',
  async (t) => {
    const hub = memoryHub();
    const refs = ['a', 'b', 'c'].map((name) =>
      spawnReplicated(system(t, hub, name), logged, 'g', { initialState: [] }),
    );
    await Promise.all(refs.map((ref) => viewOf(ref, 3)));
    const receipts = refs.flatMap((ref, i) => Array.from({ length: 50 }, (_, n) => multicast(ref, 100 * i + n)));
    await Promise.all(receipts.map((receipt) => receipt.stable));
    const late = spawnReplicated(system(t, hub, 'd'), logged, 'g', { initialState: [] });
    await viewOf(late, 4);
    const states = await Promise.all([...refs, late].map((ref) => read(ref, (state) => state)));
    t.is(states[0]?.length, 150);
    for (const state of states) t.deepEqual(state, states[0]);
    for (const [i, name] of ['a', 'b', 'c'].entries()) {
      const own = states[0]?.filter(([from]) => from === name).map(([, message]) => message);
      t.deepEqual(
        own,
        Array.from({ length: 50 }, (_, n) => 100 * i + n),
      );
    }
  },
);

test.serial('a view says who is there, who came, who left and why', async (t) => {
  const hub = memoryHub();
  const a = spawnReplicated(system(t, hub, 'a'), append, 'g', { initialState: [] });
  const founded = await viewOf(a, 1);
  t.is(founded.cause, 'founded');
  t.is(founded.previous, null);
  const b = spawnReplicated(system(t, hub, 'b'), append, 'g', { initialState: [] });
  const both = await viewOf(a, 2);
  t.is(both.cause, 'joined: b');
  t.is(both.previous, founded.id);
  t.deepEqual(
    both.members.map(({ name }) => name),
    ['a', 'b'],
  );
  t.is(both.coordinator, both.members[0] as (typeof both.members)[0]);
  t.is(both.rank, 0);
  t.is((await viewOf(b, 2)).rank, 1);
  t.true(Object.isFrozen(both));
  await leave(b);
  const alone = await first(views(a), (view) => view.left.length > 0);
  t.is(alone.cause, 'left: b');
  t.like(alone.left[0], { name: 'b', cause: 'left' });
});

test.serial(
  'the stream of events has views, deliveries and status in their order, each delivery after the function ran',
  async (t) => {
    const hub = memoryHub();
    let applied = 0;
    const ref = spawnReplicated(
      system(t, hub, 'a'),
      (state: number, _message: number) => ((applied += 1), state + 1),
      'g',
      {
        initialState: 0,
      },
    );
    const seen: string[] = [];
    events(ref).subscribe((event: GroupEvent<number>) => {
      seen.push(
        event.kind === 'delivery' ? `delivery ${event.message} ${event.position} after ${applied}` : event.kind,
      );
    });
    const messages = firstValueFrom(deliveries(ref).pipe(take(2), toArray()));
    dispatch(ref, 7);
    await multicast(ref, 8).stable;
    t.deepEqual(
      (await messages).map(({ message }) => message),
      [7, 8],
    );
    const order = seen.filter((kind) => kind.startsWith('view') || kind.startsWith('delivery'));
    t.deepEqual(order, ['view', 'delivery 7 1 after 1', 'delivery 8 2 after 2']);
    t.true(seen.indexOf('stable') > seen.indexOf('delivery 7 1 after 1'));
    t.true(seen.includes('status'));
  },
);

test.serial('views and status start with what is, and end when the member has left', async (t) => {
  const hub = memoryHub();
  const ref = spawnReplicated(system(t, hub, 'a'), append, 'g', { initialState: [] });
  await first(status(ref), (value) => value === 'active');
  const now: unknown[] = [];
  status(ref).subscribe((value) => now.push(value));
  views(ref).subscribe(({ id }) => now.push(id));
  t.is(now.length, 2);
  t.is(now[0], 'active');
  const all = firstValueFrom(status(ref).pipe(toArray()));
  await leave(ref);
  t.is((await all).at(-1), 'left');
  t.throws(() => multicast(ref, 1), { instanceOf: NotAMember });
  await t.throwsAsync(
    read(ref, (state) => state),
    { instanceOf: NotAMember },
  );
});

test.serial(
  'a context is fresh for each call, and exactly one replica is told that the message is its own',
  async (t) => {
    const hub = memoryHub();
    const contexts: Context[] = [];
    const keep = (state: number, _message: number, ctx: Context) => (contexts.push(ctx), state + 1);
    const refs = ['a', 'b', 'c'].map((name) => spawnReplicated(system(t, hub, name), keep, 'g', { initialState: 0 }));
    await Promise.all(refs.map((ref) => viewOf(ref, 3)));
    await multicast(refs[1] as GroupRef<number>, 1).stable;
    await eventually(() => contexts.length === 3, 'three deliveries');
    t.is(new Set(contexts).size, 3);
    t.deepEqual(
      contexts.filter(({ mine }) => mine).map(({ me }) => me.name),
      ['b'],
    );
    t.deepEqual(contexts.map(({ rank }) => rank).sort(), [0, 1, 2]);
    for (const ctx of contexts) {
      t.is(ctx.from.name, 'b');
      t.is(ctx.position, 1);
      t.is(ctx.view.members.length, 3);
      t.is(ctx.name, 'g');
      t.is(ctx.children.size, 0);
      t.is(typeof ctx.log.info, 'function');
    }
  },
);

test.serial('one member is reached through its ref, in order, and a replicated state stays as it is', async (t) => {
  const hub = memoryHub();
  const got: unknown[] = [];
  const props = {
    initialState: 0,
    onDirect: (_state: number, msg: unknown, ctx: Context) => void got.push([ctx.from.name, ctx.me.name, msg]),
  };
  const count = (state: number, _message: number) => state + 1;
  const a = spawnReplicated(system(t, hub, 'a'), count, 'g', props);
  spawnReplicated(system(t, hub, 'b'), count, 'g', props);
  const view = await viewOf(a, 2);
  for (let i = 0; i < 20; i++) dispatch(view.members[1]?.ref as Ref<unknown>, i);
  dispatch(view.members[0]?.ref as Ref<unknown>, { to: 'myself' });
  await eventually(() => got.length === 21, 'all direct messages');
  t.deepEqual(
    got.filter((one) => (one as string[])[1] === 'b'),
    Array.from({ length: 20 }, (_, i) => ['a', 'b', i]),
  );
  t.deepEqual(
    got.find((one) => (one as string[])[1] === 'a'),
    ['a', 'a', { to: 'myself' }],
  );
  t.is(await read(a, (state) => state), 0);
});

test.serial(
  "nact's query works through a group, and refs travel: to an actor, of the group, of a member",
  async (t) => {
    const hub = memoryHub();
    type Message = { replyTo: Ref<unknown>; group?: Ref<unknown>; member?: Ref<unknown> };
    const arrived: Message[] = [];
    const f = (state: number, message: Message, ctx: Context) => {
      arrived.push(message);
      if (ctx.mine) dispatch(message.replyTo, state + 1);
      return state + 1;
    };
    const direct: unknown[] = [];
    const props = { initialState: 0, onDirect: (_state: number, msg: unknown) => void direct.push(msg) };
    const home = system(t, hub, 'a');
    const a = spawnReplicated(home, f, 'g', props);
    const b = spawnReplicated(system(t, hub, 'b'), f, 'g', props);
    const view = await viewOf(a, 2);
    t.is(await query(a, (replyTo: Ref<unknown>): Message => ({ replyTo }), 5000), 1);

    const replies: unknown[] = [];
    const local = spawn(home, (_state: number, message: unknown) => void replies.push(message), 'local');
    dispatch(a, { replyTo: local, group: a as Ref<unknown>, member: view.members[0]?.ref as Ref<unknown> });
    await eventually(() => replies.length === 1 && arrived.length === 4, 'the reply, and both deliveries');
    const atB = arrived.find(({ group }) => group === (b as Ref<unknown>));
    t.truthy(atB, 'the ref of the group is the ref of the member at the far end');
    dispatch(atB?.member as Ref<unknown>, 'back to a');
    await eventually(() => direct.length === 1, 'the direct message');
    t.deepEqual(direct, ['back to a']);
  },
);

test.serial('a receipt tells when a multicast was let in, delivered and stable', async (t) => {
  const hub = memoryHub();
  const node = system(t, hub, 'a');
  const ref = spawnReplicated(node, append, 'g', { initialState: [] });
  const early = multicast(ref, 1);
  const later = multicast(ref, 2);
  t.is(early.id, `${domain(node).self}:1`);
  await early.accepted;
  t.is(await later.delivered, 2);
  t.is(await early.delivered, 1);
  await Promise.all([early.stable, later.stable, early.accepted]);
  t.is(await early.delivered, 1, 'touched again');
});

test.serial(
  'a flush ends when all that was sent and delivered before it is stable, or with the membership',
  async (t) => {
    const hub = memoryHub();
    const refs = ['a', 'b'].map((name) => spawnReplicated(system(t, hub, name), append, 'g', { initialState: [] })) as [
      GroupRef<number, number[]>,
      GroupRef<number, number[]>,
    ];
    const receipt = multicast(refs[0], 1);
    let stable = false;
    void receipt.stable.then(() => (stable = true));
    await flush(refs[0]);
    t.true(stable);
    await receipt.delivered;
    await flush(refs[1]);
    await leave(refs[1]);
    await t.throwsAsync(flush(refs[1]), { instanceOf: NotAMember });
  },
);

test.serial('a read sees own earlier multicasts, waits for the state, and hands on what it throws', async (t) => {
  const hub = memoryHub();
  const ref = spawnReplicated(system(t, hub, 'a'), append, 'g', { initialState: [] });
  for (let i = 0; i < 1000; i++) dispatch(ref, i);
  t.is(await read(ref, (state) => state.length), 1000);
  await t.throwsAsync(
    read(ref, () => {
      throw new RangeError('mine');
    }),
    { instanceOf: RangeError },
  );
});

test.serial('a linearizable read sees what anybody had completed, a local one need not', async (t) => {
  // what the others say reaches b late
  const late = new Set<string>();
  const hub = memoryHub((packet) => (late.has(packet.to) ? { kind: 'delay', millis: 60 } : { kind: 'pass' }));
  // a orders
  const atA = spawnReplicated(system(t, hub, 'a'), append, 'g', { initialState: [] });
  await viewOf(atA, 1);
  const b = system(t, hub, 'b');
  const atB = spawnReplicated(b, append, 'g', { initialState: [] });
  await Promise.all([viewOf(atA, 2), viewOf(atB, 2)]);
  const { nodes } = await firstValueFrom(domain(b).views);
  late.add(nodes.find(({ name }) => name === 'b')?.address ?? '');
  for (let i = 1; i <= 5; i++) {
    await multicast(atA, i).delivered;
    const [local, linearizable] = [
      read(atB, (state) => state.length),
      read(atB, (state) => state.length, { linearizable: true }),
    ];
    t.true((await local) < i, 'b has not heard of it');
    t.is(await linearizable, i);
  }
  t.deepEqual(await read(atA, (state) => state), [1, 2, 3, 4, 5], 'nobody sees the markers');
});

test.serial('what cannot be sent is an error at the sender, and nothing else is disturbed', async (t) => {
  const hub = memoryHub();
  const ref = spawnReplicated(
    system(t, hub, 'a', { limits: { messageBytesMax: 100_000 } }),
    (state: number, _message: unknown) => state + 1,
    'g',
    { initialState: 0 },
  );
  const error = t.throws(() => multicast(ref, { deep: [{ f: () => 1 }] }), { instanceOf: NotEncodable });
  t.is(error.path, 'message.deep[0].f');
  t.throws(() => dispatch(ref, Symbol('x')), { instanceOf: NotEncodable });
  const large = t.throws(() => multicast(ref, new Uint8Array(100_001)), { instanceOf: MessageTooLarge });
  t.is(large.limit, 100_000);
  t.throws(() => multicast(ref, 1, { order: 'fifo' }), { instanceOf: OrderTooWeak });
  await multicast(ref, 1, { uniform: true }).stable;
  t.is(await read(ref, (state) => state), 1);
});

test.serial(
  'at the limit multicast throws GroupFull and dispatch fails loudly; both go on once there is room',
  async (t) => {
    const { logger, lines } = rememberingLogger();
    const ref = spawnReplicated(system(t, memoryHub(), 'a', { logger }), append, 'g', {
      initialState: [],
      mailboxLimit: 10,
    });
    const told: string[] = [];
    events(ref).subscribe((event) => {
      if (event.kind === 'status') told.push(event.why);
    });
    const receipts = Array.from({ length: 10 }, (_, i) => multicast(ref, i));
    const error = t.throws(() => multicast(ref, 10), { instanceOf: GroupFull });
    t.is(error.queued, 10);
    dispatch(ref, 11);
    t.true(lines.some((line) => line.includes('dropped')));
    t.true(told.some((why) => why.includes('dropped')));
    await receipts[9]?.accepted;
    await multicast(ref, 12).stable;
    t.deepEqual(await read(ref, (state) => state), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]);
  },
);

test.serial('bytes that wait are bounded too', (t) => {
  const ref = spawnReplicated(system(t, memoryHub(), 'a', { limits: { queueBytesMax: 10_000 } }), append as never, 'g');
  multicast(ref, new Uint8Array(9000) as never);
  t.throws(() => multicast(ref, new Uint8Array(9000) as never), { instanceOf: GroupFull });
});

test.serial(
  'a function that awaits its own delivery gets an error instead of a deadlock; others may await',
  async (t) => {
    const hub = memoryHub();
    const caught: unknown[] = [];
    const node = system(t, hub, 'a');
    const ref: GroupRef<number, number> = spawnReplicated(
      node,
      async (state: number, message: number) => {
        if (message === 1) {
          const receipt = multicast(ref, 2);
          await receipt.delivered.catch((error: unknown) => caught.push(error));
          await receipt.stable.catch((error: unknown) => caught.push(error));
          await read(ref, () => 0).catch((error: unknown) => caught.push(error));
          await receipt.accepted;
        }
        return state + message;
      },
      'g',
      { initialState: 0 },
    );
    const outside = multicast(ref, 1);
    await outside.stable;
    t.is(await read(ref, (state) => state > 0), true);
    await eventually(async () => (await read(ref, (state) => state)) === 3, 'both messages');
    t.is(caught.length, 3);
    for (const error of caught) t.true(error instanceof WouldDeadlock);
  },
);

for (const [when, before] of [
  ['at its first message', 0],
  ['after many that returned at once', 200],
] as const) {
  test.serial(`a function that does not look asynchronous and awaits its own group ${when}`, async (t) => {
    const caught: unknown[] = [];
    async function handle(state: number): Promise<number> {
      const receipt = multicast(ref, 1);
      const asked = [receipt.delivered, receipt.stable, flush(ref), read(ref, () => 0)];
      for (const { status, ...rest } of await Promise.allSettled(asked)) {
        if (status === 'rejected') caught.push((rest as { reason: unknown }).reason);
      }
      receipts.push(receipt);
      return state;
    }
    const receipts: Receipt[] = [];
    const ref: GroupRef<number, number> = spawnReplicated(
      system(t, memoryHub(), 'a'),
      (state: number, message: number) => (message === 0 ? handle(state) : state + message),
      'g',
      { initialState: 0 },
    );
    for (let i = 0; i < before; i++) dispatch(ref, 1);
    await multicast(ref, 0).stable;
    await eventually(async () => (await read(ref, (state) => state)) === before + 1, 'what it had sent');
    t.is(caught.length, 4);
    for (const error of caught) t.true(error instanceof WouldDeadlock);
    // outside the same receipt may be awaited
    t.is(await receipts[0]?.delivered, before + 2);
    await receipts[0]?.stable;
  });
}

test.serial('what a function that returns at once has asked for comes', async (t) => {
  const asked: Promise<number>[] = [];
  const ref: GroupRef<number, number> = spawnReplicated(
    system(t, memoryHub(), 'a'),
    (state: number, message: number) => {
      if (message === 0)
        asked.push(
          multicast(ref, 1).delivered,
          read(ref, (now) => now),
        );
      return state + message;
    },
    'g',
    { initialState: 0 },
  );
  for (let i = 0; i < 200; i++) dispatch(ref, 1);
  await multicast(ref, 0).stable;
  t.is(asked.length, 2);
  t.deepEqual(await Promise.all(asked), [202, 201]);
});

test.serial('asynchronous functions run one after the other', async (t) => {
  let running = 0;
  let most = 0;
  const ref = spawnReplicated(
    system(t, memoryHub(), 'a'),
    async (state: readonly number[], message: number) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, message % 3));
      running -= 1;
      return [...state, message];
    },
    'g',
    { initialState: [] },
  );
  for (let i = 0; i < 20; i++) dispatch(ref, i);
  t.deepEqual(
    await read(ref, (state) => state),
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.is(most, 1);
});

test.serial('onView runs in order with the messages and may change the state, the same at all', async (t) => {
  const hub = memoryHub();
  const props = {
    initialState: [] as readonly string[],
    onView: (state: readonly string[], view: { cause: string }) => [...state, view.cause],
  };
  const f = (state: readonly string[], message: string) => [...state, message];
  const a = spawnReplicated(system(t, hub, 'a'), f, 'g', props);
  await multicast(a, 'one').stable;
  const b = spawnReplicated(system(t, hub, 'b'), f, 'g', props);
  await viewOf(b, 2);
  await multicast(b, 'two').stable;
  const states = await Promise.all([a, b].map((ref) => read(ref, (state) => state)));
  t.deepEqual(states[0], ['founded', 'one', 'joined: b', 'two']);
  t.deepEqual(states[1], states[0]);
});

test.serial('plain members have states of their own', async (t) => {
  const hub = memoryHub();
  const a = spawnMember(system(t, hub, 'a'), append, 'g', { initialState: [] });
  await multicast(a, 1).stable;
  const b = spawnMember(system(t, hub, 'b'), append, 'g', { initialState: [-1], order: 'total' });
  await viewOf(b, 2);
  await multicast(b, 2).stable;
  await eventually(async () => (await read(a, (state) => state.length)) === 2, 'delivery at a');
  t.deepEqual(await read(a, (state) => state), [1, 2]);
  t.deepEqual(await read(b, (state) => state), [-1, 2]);
});

test.serial('a name that is taken is refused, with an error that says so', async (t) => {
  const hub = memoryHub();
  await ready(system(t, hub, 'a'));
  const second = system(t, hub, 'a');
  const ref = spawnReplicated(second, append, 'g', { initialState: [] });
  const error = await t.throwsAsync(ready(second), { instanceOf: DomainRefused });
  t.regex(error?.message ?? '', /a/);
  await t.throwsAsync(
    read(ref, (state) => state),
    { instanceOf: DomainRefused },
  );
  t.throws(() => multicast(ref, 1));
});

test.serial('a group that exists with other settings refuses the joiner', async (t) => {
  const hub = memoryHub();
  await viewOf(spawnReplicated(system(t, hub, 'a'), append, 'g', { initialState: [] }), 1);
  const other = spawnMember(system(t, hub, 'b'), append, 'g', { initialState: [] });
  const waiting = multicast(other, 1);
  const failed = t.throwsAsync(waiting.stable);
  await t.throwsAsync(
    read(other, (state) => state),
    { instanceOf: GroupRefused },
  );
  await failed;
  t.is(await firstValueFrom(status(other)), 'left');
});

test.serial('two systems of one name in a process: the second is refused, the first goes on', async (t) => {
  const hub = memoryHub();
  const options = { domain: freshDomain(), transport: memory(hub), logger: rememberingLogger().logger };
  const name = `twin-${process.pid}`;
  const one = start({ name }, groups({ ...options, name: 'one' }));
  t.teardown(() => leaveDomain(one).catch(() => undefined));
  const ref = spawnReplicated(one, append, 'g', { initialState: [] });
  t.throws(() => start({ name }, groups({ ...options, name: 'two' })), { instanceOf: SystemNameTaken });
  dispatch(ref, 1);
  t.deepEqual(await read(ref, (state) => state), [1]);
});

test.serial('mistakes of use are typed errors', (t) => {
  const node = system(t, memoryHub(), 'a');
  spawnReplicated(node, append, 'g', { initialState: [] });
  t.throws(() => spawnReplicated(node, append, 'g', { initialState: [] }), { instanceOf: DuplicateMember });
  t.throws(() => spawnReplicated(node, append, 'h', { order: 'sideways' as never }), { instanceOf: InvalidOption });
  t.throws(() => groups({ domain: '' }), { instanceOf: InvalidOption });
  t.throws(() => groups({ domain: 'd', nmae: 'x' } as never), { instanceOf: InvalidOption, message: /nmae/ });
  t.throws(() => groups({ domain: 'd', detector: { timeout: 10 } }), { instanceOf: InvalidOption });
  t.throws(() => ready(start()), { instanceOf: NotInDomain });
  t.throws(() => read(spawn(node, (state: number) => state, 'x') as never, () => 0), { instanceOf: NotAMember });
});

test.serial('a transport that cannot be opened is told by ready, and ends what waits for it', async (t) => {
  const node = system(t, memoryHub(), 'a', { transport: () => Promise.reject(new Error('no such interface')) });
  const ref = spawnReplicated(node, append, 'g', { initialState: [] });
  await t.throwsAsync(ready(node), { message: 'no such interface' });
  await t.throwsAsync(
    read(ref, (state) => state),
    { message: 'no such interface' },
  );
});

test.serial('the domain shows its nodes, its groups and its counters; explain shows what is waited for', async (t) => {
  const hub = memoryHub();
  const node = system(t, hub, 'a', { minimumNodes: 2 });
  const ref = spawnReplicated(node, append, 'g', { initialState: [] });
  dispatch(ref, 1);
  await ready(node);
  const before = explain(ref);
  t.is(before.status, 'joining');
  t.is(before.queued, 1);
  t.true(before.waiting.length > 0);
  await ready(system(t, hub, 'b'));
  await viewOf(ref, 1);
  const state = await first(domain(node).views, (view) => view.nodes.length === 2);
  t.deepEqual(
    state.nodes.map(({ name }) => name),
    ['a', 'b'],
  );
  t.is(state.version, 1);
  t.like(domain(node).groups[0], { name: 'g', kind: 'replicated', order: 'total' });
  t.is(typeof domain(node).statistics()['packetsOut'], 'number');
  await eventually(() => explain(ref).waiting.length === 0, 'nothing to wait for');
});

test.serial('200 groups on one pair of nodes', async (t) => {
  const hub = memoryHub();
  const nodes = ['a', 'b'].map((name) => system(t, hub, name));
  const names = Array.from({ length: 200 }, (_, i) => `g${i}`);
  const refs = nodes.map((node) => names.map((name) => spawnReplicated(node, append, name, { initialState: [] })));
  await Promise.all(refs.flat().map((ref) => viewOf(ref, 2)));
  for (const [i, ref] of (refs[0] as GroupRef<number, readonly number[]>[]).entries()) dispatch(ref, i);
  await Promise.all((refs[0] ?? []).map((ref) => read(ref, (state) => state.length)));
  await eventually(async () => {
    const states = await Promise.all((refs[1] ?? []).map((ref) => read(ref, (state) => state[0])));
    return states.every((value, i) => value === i);
  }, 'every message in its group');
  t.is(domain(nodes[0] as Ref<unknown>).groups.length, 200);
});
