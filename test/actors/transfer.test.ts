/** State transfer as users see it: large states, snapshots of their own, states that cannot be sent. */
import test from 'ava';
import { dispatch } from 'nact';
import {
  memoryHub,
  multicast,
  read,
  spawnReplicated,
  status,
  type GroupRef,
  type TransferProgress,
} from '../../actors/index.js';
import { eventually, first, system, viewOf } from './systems.js';

test.serial('a large state reaches a joiner in chunks while multicasts go on', async (t) => {
  const hub = memoryHub();
  const text = 'x'.repeat(1000);
  const big = new Map(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, text + String(i)]));
  type State = { readonly big: ReadonlyMap<string, string>; readonly last: readonly number[] };
  const f = (state: State, message: number): State => ({ ...state, last: [...state.last, message] });
  const a = spawnReplicated(system(t, hub, 'a'), f, 'g', { initialState: { big, last: [] } });
  await viewOf(a, 1);
  let sent = 0;
  const timer = setInterval(() => dispatch(a, sent++), 2);
  t.teardown(() => clearInterval(timer));
  const progress: TransferProgress[] = [];
  const b = spawnReplicated(system(t, hub, 'b'), f, 'g', {
    initialState: { big: new Map(), last: [] },
    onTransfer: (step) => void progress.push(step),
  });
  const statuses: string[] = [];
  status(b).subscribe((value) => statuses.push(value));
  await viewOf(b, 2);
  clearInterval(timer);
  await multicast(a, sent++).stable;
  await eventually(async () => (await read(b, ({ last }) => last.length)) === sent, 'all messages at b');
  const states = await Promise.all([a, b].map((ref) => read(ref, (state) => state)));
  t.deepEqual(states[1]?.last, states[0]?.last);
  t.deepEqual([...(states[1]?.big.entries() ?? [])], [...big.entries()]);
  t.true(progress.length > 20);
  t.deepEqual(progress.map(({ done }) => done).lastIndexOf(true), progress.length - 1);
  t.is(progress.filter(({ done }) => done).length, 1);
  t.true(statuses.includes('transferring'));
});

test.serial('a function that changes its state in place: the joiner has the state of one moment', async (t) => {
  const hub = memoryHub();
  type State = { rows: { n: number }[]; sum: number };
  const f = (state: State, message: number): State => {
    for (const row of state.rows) row.n += message;
    state.sum += message;
    return state;
  };
  const make = (): State => ({ rows: Array.from({ length: 30_000 }, () => ({ n: 0 })), sum: 0 });
  const a = spawnReplicated(system(t, hub, 'a'), f, 'g', { initialState: make() });
  await multicast(a, 1).stable;
  const timer = setInterval(() => dispatch(a, 1), 5);
  t.teardown(() => clearInterval(timer));
  const b = spawnReplicated(system(t, hub, 'b'), f, 'g', { initialState: make() });
  await viewOf(b, 2);
  clearInterval(timer);
  const consistent = await read(b, ({ rows, sum }) => rows.every(({ n }) => n === sum));
  t.true(consistent);
});

test.serial("snapshot and restore of one's own, as a value and as chunks, asynchronous too", async (t) => {
  class Counter {
    constructor(readonly count: number) {}
  }
  const f = (state: Counter, message: number) => new Counter(state.count + message);
  const initialState = new Counter(0);
  const asValue = {
    initialState,
    snapshot: ({ count }: Counter) => ({ count }),
    restore: ({ count }: { count: number }) => new Counter(count),
  };
  const asChunks = {
    initialState,
    snapshot: async function* ({ count }: Counter) {
      for (let i = 0; i < count; i++) {
        await Promise.resolve();
        yield 1;
      }
    },
    restore: async (chunks: AsyncIterable<number>) => {
      let count = 0;
      for await (const one of chunks) count += one;
      return new Counter(count);
    },
  };
  for (const props of [asValue, asChunks]) {
    const hub = memoryHub();
    const a = spawnReplicated(system(t, hub, 'a'), f, 'g', props);
    await multicast(a, 1000).stable;
    const b = spawnReplicated(system(t, hub, 'b'), f, 'g', props);
    await viewOf(b, 2);
    t.true(await read(b, (state) => state instanceof Counter && state.count === 1000));
    await multicast(b, 5).stable;
    t.is(await read(b, ({ count }) => count), 1005);
  }
});

test.serial(
  'a state that cannot be sent is a crash of the donor, and the joiner founds or gets it elsewhere',
  async (t) => {
    const hub = memoryHub();
    const crashes: string[] = [];
    const f = (_state: unknown, message: unknown) => message;
    const a = spawnReplicated(system(t, hub, 'a'), f, 'g', {
      initialState: { bad: () => 1 },
      onCrash: (_message, error, ctx) => {
        crashes.push((error as Error).message);
        return ctx.stop;
      },
    });
    await viewOf(a, 1);
    const b = spawnReplicated(system(t, hub, 'b'), f, 'g', { initialState: 'fresh' });
    await first(status(b), (value) => value === 'active');
    await eventually(() => crashes.length === 1, 'the crash');
    t.regex(crashes[0] ?? '', /state\.bad/);
    t.is(await read(b as GroupRef<never, unknown>, (state) => state), 'fresh');
  },
);
