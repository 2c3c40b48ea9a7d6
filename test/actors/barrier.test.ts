/** Barriers, agreed time and agreed chance, as a user sees them, on a network in memory. */
import test from 'ava';
import {
  events,
  leave,
  memoryHub,
  multicast,
  read,
  spawnMember,
  spawnReplicated,
  views,
  type Context,
  type GroupEvent,
  type View,
} from '../../actors/index.js';
import { eventually, first, system, viewOf } from './systems.js';

type Log = readonly (readonly [message: string, position: number, time: number, drawn: number])[];

/** Keeps all that its replicas must agree on. */
const logged = (state: Log, message: string, ctx: Context): Log => [
  ...state,
  [message, ctx.position, ctx.time, ctx.random()],
];

/** Who said what, in no order. */
const said = (list: readonly GroupEvent[]): string[] =>
  list.flatMap((event) => (event.kind === 'delivery' ? [`${event.from.name} ${event.message as string}`] : [])).sort();

test.serial(
  'a barrier is the last of its view at every member, and the view after it says what it is there for',
  async (t) => {
    const hub = memoryHub();
    const refs = ['a', 'b', 'c'].map((name) =>
      spawnMember(system(t, hub, name), () => undefined, 'talk', { order: 'fifo' }),
    );
    await Promise.all(refs.map((ref) => viewOf(ref, 3)));
    const seen = refs.map((ref) => {
      const list: GroupEvent[] = [];
      events(ref).subscribe((event) => {
        if (event.kind === 'view' || event.kind === 'delivery') list.push(event);
      });
      return list;
    });
    const [a, b, c] = refs as [(typeof refs)[0], (typeof refs)[0], (typeof refs)[0]];
    for (let i = 0; i < 20; i++) for (const ref of refs) multicast(ref, `before ${i}`);
    const receipts = [
      multicast(a, 'barrier of a', { order: 'barrier' }),
      multicast(c, 'barrier of c', { order: 'barrier' }),
    ];
    multicast(a, 'after');
    multicast(b, 'whenever');
    await Promise.all(receipts.map((receipt) => receipt.accepted));
    t.deepEqual(await Promise.all(receipts.map((receipt) => receipt.delivered)), [1, 2]);
    await Promise.all(receipts.map((receipt) => receipt.stable));
    await eventually(
      () => seen.every((list) => list.some((event) => event.kind === 'delivery' && event.message === 'after')),
      'what comes after',
    );
    for (const list of seen) {
      const at = (text: string): number =>
        list.findIndex((event) => event.kind === 'delivery' && event.message === text);
      const next = list.findIndex((event) => event.kind === 'view');
      t.is(at('barrier of c'), at('barrier of a') + 1);
      t.is(next, at('barrier of c') + 1, 'the view follows');
      t.true(at('after') > next);
      const view = list[next] as GroupEvent & { kind: 'view' };
      t.is(view.view.cause, 'barrier');
      t.deepEqual([view.view.joined, view.view.left], [[], []]);
      t.deepEqual(said(list.slice(0, next)), said(seen[0]?.slice(0, next) ?? []));
    }
  },
);

test.serial('time and chance are the same at every replica, and time does not go back', async (t) => {
  const hub = memoryHub();
  const begun = Date.now();
  const refs = ['a', 'b', 'c'].map((name) =>
    spawnReplicated(system(t, hub, name), logged, 'stock', { initialState: [] }),
  );
  await Promise.all(refs.map((ref) => viewOf(ref, 3)));
  const receipts = refs.flatMap((ref) => Array.from({ length: 20 }, (_, i) => multicast(ref, `m${i}`)));
  await Promise.all(receipts.map((receipt) => receipt.delivered));
  await Promise.all(refs.map((ref) => multicast(ref, 'barrier', { order: 'barrier' }).delivered));
  await eventually(
    async () => (await Promise.all(refs.map((ref) => read(ref, (state) => state.length)))).every((n) => n === 63),
    'all is applied',
  );
  const logs = await Promise.all(refs.map((ref) => read(ref, (state) => state)));
  for (const log of logs) t.deepEqual(log, logs[0]);
  const log = logs[0] ?? [];
  t.deepEqual(
    log.map(([, position]) => position),
    log.map((_, i) => i + 1),
  );
  const times = log.map(([, , time]) => time);
  t.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
  );
  t.true((times[0] ?? 0) >= begun - 50 && (times.at(-1) ?? Infinity) <= Date.now() + 50, 'and it is the time');
  t.is(new Set(log.map(([, , , drawn]) => drawn)).size, 63, 'each draws anew');
});

test.serial(
  'chance is the same for a message that has no position, and goes on from one draw to the next',
  async (t) => {
    const hub = memoryHub();
    const drawn: Record<string, number[]> = { a: [], b: [] };
    const refs = ['a', 'b'].map((name) =>
      spawnMember(
        system(t, hub, name),
        (_: undefined, message: string, ctx: Context) => {
          if (message === 'draw') drawn[name]?.push(ctx.random(), ctx.random());
          return undefined;
        },
        'talk',
        { order: 'fifo' },
      ),
    );
    await Promise.all(refs.map((ref) => viewOf(ref, 2)));
    for (const ref of refs) multicast(ref, 'draw');
    await eventually(() => Object.values(drawn).every((list) => list.length === 4), 'both have drawn twice two');
    const { a = [], b = [] } = drawn;
    t.deepEqual(a.toSorted(), b.toSorted());
    t.is(new Set(a).size, 4);
    for (const number of a) t.true(number >= 0 && number < 1);
  },
);

test.serial("onView has the position, the time and the chance of its view, a joiner's first one too", async (t) => {
  const hub = memoryHub();
  const told = new Map<string, unknown[]>();
  const member = (name: string) =>
    spawnReplicated(system(t, hub, name), logged, 'stock', {
      initialState: [] as Log,
      onView: (_state, view: View, ctx: Context) => {
        told.set(`${name} ${view.id}`, [ctx.position, ctx.time, ctx.random(), ctx.random()]);
      },
    });
  const a = member('a');
  await viewOf(a, 1);
  await multicast(a, 'one').delivered;
  await multicast(a, 'two').delivered;
  const b = member('b');
  const view = await viewOf(b, 2);
  await first(views(a), ({ id }) => id === view.id);
  await eventually(() => told.has(`a ${view.id}`) && told.has(`b ${view.id}`), 'both are told');
  const [log] = await Promise.all([a, b].map((ref) => read(ref, (state) => state)));
  t.deepEqual(told.get(`a ${view.id}`), told.get(`b ${view.id}`));
  t.deepEqual(told.get(`a ${view.id}`)?.slice(0, 2), [2, log?.at(-1)?.[2]]);
});

test.serial('who leaves with a barrier under way goes when it is delivered', async (t) => {
  const hub = memoryHub();
  const [a, b] = ['a', 'b'].map((name) =>
    spawnReplicated(system(t, hub, name), logged, 'stock', { initialState: [] }),
  ) as [ReturnType<typeof spawnReplicated<Log, string>>, ReturnType<typeof spawnReplicated<Log, string>>];
  await Promise.all([a, b].map((ref) => viewOf(ref, 2)));
  const receipt = multicast(b, 'last words', { order: 'barrier' });
  const gone = leave(b);
  t.is(await receipt.delivered, 1);
  await gone;
  await viewOf(a, 1);
  t.deepEqual(await read(a, (state) => state.map(([message]) => message)), ['last words']);
});

test.serial('time follows a wall clock that is set, and does not go back with it', async (t) => {
  const hub = memoryHub();
  const ref = spawnReplicated(system(t, hub, 'a'), logged, 'stock', { initialState: [] });
  await viewOf(ref, 1);
  const { now } = Date;
  const hour = 3_600_000;
  t.teardown(() => {
    Date.now = now;
  });
  await multicast(ref, 'before').delivered;
  Date.now = () => now() + hour;
  await multicast(ref, 'ahead').delivered;
  Date.now = () => now() - hour;
  await multicast(ref, 'behind').delivered;
  const [before = 0, ahead = 0, behind = 0] = await read(ref, (state) => state.map(([, , time]) => time));
  t.true(ahead - before >= hour - 50);
  t.is(behind, ahead);
});
