/** State transfer as users see it: large states, snapshots of their own, states that cannot be sent. */
import test from 'ava';
import { dispatch, stop } from 'nact';
import {
  leave,
  memoryHub,
  multicast,
  NotAMember,
  read,
  spawnReplicated,
  status,
  type GroupRef,
  type TransferProgress,
} from '../../actors/index.js';
import { eventually, first, rememberingLogger, system, viewOf } from './systems.js';

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

/** A list of rows, given and restored piece by piece. */
interface Rows {
  readonly rows: readonly string[];
}

const rowBytes = 50_000;
const rowsOf = (count: number): Rows => ({
  rows: Array.from({ length: count }, (_, i) => `${i}:`.padEnd(rowBytes, 'x')),
});
const addRow = ({ rows }: Rows, row: string): Rows => ({ rows: [...rows, row] });

/** What `restore` was called for, and how far each call came. */
interface Call {
  read: number;
  outcome: string;
}

function inPieces(calls: Call[], pace: (call: Call) => Promise<void> | void = () => undefined) {
  return {
    snapshot: function* ({ rows }: Rows) {
      yield* rows;
    },
    restore: async (pieces: AsyncIterable<string>): Promise<Rows> => {
      const call: Call = { read: 0, outcome: 'running' };
      calls.push(call);
      const rows: string[] = [];
      try {
        for await (const row of pieces) {
          rows.push(row);
          call.read = rows.length;
          await pace(call);
        }
      } catch (error) {
        call.outcome = (error as Error).name;
        throw error;
      }
      call.outcome = 'restored';
      return { rows };
    },
  };
}

test.serial('a state in pieces is restored as it comes, and comes no faster than it is restored', async (t) => {
  const hub = memoryHub();
  let given = 0;
  let mayRead!: () => void;
  const released = new Promise<void>((resolve) => (mayRead = resolve));
  const calls: Call[] = [];
  const props = {
    initialState: rowsOf(600),
    ...inPieces(calls, ({ read: count }) => (count === 1 ? released : undefined)),
    snapshot: function* ({ rows }: Rows) {
      for (const row of rows) {
        given += 1;
        yield row;
      }
    },
  };
  const a = spawnReplicated(system(t, hub, 'a'), addRow, 'g', props);
  await viewOf(a, 1);
  const b = spawnReplicated(system(t, hub, 'b'), addRow, 'g', props);
  await eventually(() => calls[0]?.read === 1, 'the first piece');
  await multicast(a, 'late').stable;
  // as many chunks as may wait for the joiner's actor; no more comes, however long it takes
  await eventually(() => given >= 16 * 5, 'what fills the window');
  for (let i = 0; i < 20; i++) await multicast(a, 'late').stable;
  t.true(given < 150, `${given} of 600 pieces`);
  t.is(calls[0]?.read, 1);
  mayRead();
  await eventually(async () => (await read(b, ({ rows }) => rows.length)) === 621, 'the state, and what came after it');
  t.deepEqual(calls, [{ read: 600, outcome: 'restored' }]);
  t.deepEqual(await read(b, (state) => state), await read(a, (state) => state));
});

/** A hub on which the donor of a state to the node at `joiner` is cut off as it sends its nth chunk. */
function cuttingHub(joiner: string, chunk: number) {
  let donor: string | undefined;
  let seen = 0;
  let healed = false;
  const hub = memoryHub(({ kind, from, to, bytes }) => {
    if (kind === 'stream' && to === joiner && bytes.length > rowBytes && (donor === undefined || from === donor)) {
      seen += 1;
      if (seen === chunk) donor = from;
    }
    return !healed && donor !== undefined && (from === donor || to === donor) ? { kind: 'drop' } : { kind: 'pass' };
  });
  return { hub, donor: () => donor, heal: () => void (healed = true) };
}

for (const chunk of [1, 2, 3, 7, 16, 17, 25, 32, 33, 34]) {
  test.serial(`a donor that is gone with chunk ${chunk} is replaced, and the state restored anew`, async (t) => {
    const { hub, donor, heal } = cuttingHub('memory:4', chunk);
    const calls: Call[] = [];
    const initialState = rowsOf(200);
    const [a, b, c] = ['a', 'b', 'c'].map((name) =>
      // they do not come back: the sooner it is over
      spawnReplicated(system(t, hub, name, { rejoin: false }), addRow, 'g', { initialState, ...inPieces([]) }),
    ) as [GroupRef<string, Rows>, GroupRef<string, Rows>, GroupRef<string, Rows>];
    await Promise.all([a, b, c].map((ref) => viewOf(ref, 3)));
    await Promise.all([a, b, c].map((ref) => first(status(ref), (value) => value === 'active')));
    await multicast(b, 'before').stable;
    const d = spawnReplicated(system(t, hub, 'd', { rejoin: false }), addRow, 'g', {
      initialState: rowsOf(0),
      ...inPieces(calls),
    });
    const living = () =>
      [a, b, c].filter((_, i) => `memory:${i + 1}` !== donor()) as [GroupRef<string, Rows>, GroupRef<string, Rows>];
    await eventually(() => donor() !== undefined || calls[0]?.outcome === 'restored', 'the cut');
    let last = 0;
    for (const ref of living()) await multicast(ref, `after ${++last}`).accepted;
    const expected = 201 + last;
    for (const ref of [...living(), d]) {
      await eventually(async () => (await read(ref, ({ rows }) => rows.length)) === expected, 'everything everywhere');
    }
    const states = await Promise.all([...living(), d].map((ref) => read(ref, (state) => state)));
    t.deepEqual(states.at(-1), states[0]);
    t.is(calls.at(-1)?.outcome, 'restored');
    for (const call of calls.slice(0, -1)) t.is(call.outcome, 'TransferInterrupted');
    t.true(calls.length <= 2);
    // it learns that it is excluded
    heal();
  });
}

test.serial('a joiner that is gone is forgotten, and the snapshot that it read is closed', async (t) => {
  const hub = memoryHub();
  let closed = 0;
  const props = {
    initialState: rowsOf(400),
    ...inPieces([]),
    snapshot: function* ({ rows }: Rows) {
      try {
        yield* rows;
      } finally {
        closed += 1;
      }
    },
  };
  const a = spawnReplicated(system(t, hub, 'a'), addRow, 'g', props);
  await viewOf(a, 1);
  const calls: Call[] = [];
  const never = new Promise<void>(() => undefined);
  const systemB = system(t, hub, 'b', { rejoin: false });
  const b = spawnReplicated(systemB, addRow, 'g', { ...props, ...inPieces(calls, () => never) });
  await eventually(() => calls[0]?.read === 1, 'the first piece');
  t.is(closed, 0);
  stop(b);
  await eventually(() => closed === 1, 'the end of the snapshot');
  await viewOf(a, 1);
  await multicast(a, 'on').stable;
  t.is(await read(a, ({ rows }) => rows.length), 401);
});

test.serial('several joiners at once get the state from several donors', async (t) => {
  const hub = memoryHub();
  const initialState = rowsOf(100);
  const members = ['a', 'b', 'c'].map((name) =>
    spawnReplicated(system(t, hub, name), addRow, 'g', { initialState, immutable: true }),
  );
  await Promise.all(members.map((ref) => viewOf(ref, 3)));
  await Promise.all(members.map((ref) => first(status(ref), (value) => value === 'active')));
  const donors = new Set<string>();
  const joiners = ['d', 'e', 'f'].map((name) =>
    spawnReplicated(system(t, hub, name), addRow, 'g', {
      initialState: rowsOf(0),
      onTransfer: ({ from, to }) => {
        t.true(to.startsWith(`${name}#`));
        donors.add(from);
      },
    }),
  );
  await multicast(members[0] as GroupRef<string, Rows>, 'meanwhile').stable;
  for (const ref of joiners) {
    await eventually(async () => (await read(ref, ({ rows }) => rows.length)) === 101, 'the state');
  }
  t.true(donors.size > 1, [...donors].join());
  const states = await Promise.all([...members, ...joiners].map((ref) => read(ref, (state) => state)));
  for (const state of states) t.deepEqual(state, states[0]);
});

test.serial('donor and joiner are told how far it has come, and what onTransfer throws changes nothing', async (t) => {
  const hub = memoryHub();
  const seen: (TransferProgress & { readonly at: string })[] = [];
  const { logger, lines } = rememberingLogger();
  const props = (at: string) => ({
    initialState: rowsOf(50),
    immutable: true,
    onTransfer: (step: TransferProgress) => {
      seen.push({ ...step, at });
      throw new Error(`of ${at}`);
    },
  });
  const a = spawnReplicated(system(t, hub, 'a', { logger }), addRow, 'g', props('a'));
  await viewOf(a, 1);
  const b = spawnReplicated(system(t, hub, 'b', { logger }), addRow, 'g', props('b'));
  t.is(await read(b, ({ rows }) => rows.length), 50);
  for (const at of ['a', 'b']) {
    const own = seen.filter((step) => step.at === at);
    t.true(own.length >= 10);
    t.deepEqual(
      own.map(({ bytes }) => bytes),
      own.map(({ bytes }) => bytes).sort((x, y) => x - y),
    );
    t.is(own.filter(({ done }) => done).length, 1);
    t.true(own.at(-1)?.done);
    t.true(own.every(({ from, to }) => from.startsWith('a#') && to.startsWith('b#')));
    t.true((own.at(-1)?.bytes ?? 0) > 50 * rowBytes);
    t.true(lines.some((line) => line.includes(`onTransfer of 'g' threw: Error: of ${at}`)));
  }
});

interface Counters {
  counts: { n: number }[];
  sum: number;
}

const countersOf = (length: number): Counters => ({ counts: Array.from({ length }, () => ({ n: 0 })), sum: 0 });
const countUp = (state: Counters, by: number): Counters => {
  for (const counter of state.counts) counter.n += by;
  state.sum += by;
  return state;
};

test.serial('a function is not trusted with its state before it has shown that it leaves it alone', async (t) => {
  const hub = memoryHub();
  const { logger, lines } = rememberingLogger();
  const length = 300_000;
  const a = spawnReplicated(system(t, hub, 'a', { logger }), countUp, 'g', { initialState: countersOf(length) });
  await viewOf(a, 1);
  const b = spawnReplicated(system(t, hub, 'b'), countUp, 'g', { initialState: countersOf(0) });
  // in the middle of the transfer, and the first that the function sees
  await first(status(b), (value) => value === 'transferring');
  for (let i = 0; i < 5; i++) await multicast(a, 1).accepted;
  await eventually(async () => (await read(b, ({ sum }) => sum)) === 5, 'all of them');
  t.true(await read(b, ({ counts, sum }) => counts.length === length && counts.every(({ n }) => n === sum)));
  t.true(lines.some((line) => /waited \d+ ms while its state \(.* MB\) was copied for b#/.test(line)));
});

test.serial('a state that is said to be immutable is not copied', async (t) => {
  const hub = memoryHub();
  const { logger, lines } = rememberingLogger();
  // most messages change nothing: the state is the one that was given
  const f = (state: Rows, message: string) => (message === '' ? state : addRow(state, message));
  const props = { initialState: rowsOf(400), immutable: true };
  const a = spawnReplicated(system(t, hub, 'a', { logger }), f, 'g', props);
  await multicast(a, '').delivered;
  const b = spawnReplicated(system(t, hub, 'b'), f, 'g', props);
  await first(status(b), (value) => value === 'transferring');
  await multicast(a, 'more').stable;
  await eventually(async () => (await read(b, ({ rows }) => rows.length)) === 401, 'the state');
  t.false(lines.some((line) => line.includes('was copied')));
});

test.serial('a restore that throws is a crash of the joiner, which may fetch the state anew', async (t) => {
  const hub = memoryHub();
  const initialState = rowsOf(100);
  const calls: Call[] = [];
  const crashes: unknown[] = [];
  const a = spawnReplicated(system(t, hub, 'a'), addRow, 'g', { initialState, ...inPieces([]) });
  await viewOf(a, 1);
  const b = spawnReplicated(system(t, hub, 'b'), addRow, 'g', {
    initialState,
    ...inPieces(calls, () => {
      if (calls.length === 1 && calls[0]?.read === 50) throw new RangeError('the disk is full');
    }),
    onCrash: (_message, error, ctx) => {
      crashes.push(error);
      return ctx.reset;
    },
  });
  await eventually(() => calls.at(-1)?.outcome === 'restored', 'the state');
  t.true(crashes.length === 1 && crashes[0] instanceof RangeError);
  t.is(calls[0]?.outcome, 'RangeError');
  await multicast(b, 'on').stable;
  t.is(await read(b, ({ rows }) => rows.length), 101);
});

test.serial('a state in pieces needs a restore', async (t) => {
  const hub = memoryHub();
  const crashes: unknown[] = [];
  const a = spawnReplicated(system(t, hub, 'a'), addRow, 'g', { initialState: rowsOf(3), ...inPieces([]) });
  await viewOf(a, 1);
  const b = spawnReplicated(system(t, hub, 'b'), addRow, 'g', {
    initialState: rowsOf(3),
    onCrash: (_message, error, ctx) => {
      crashes.push(error);
      return ctx.stop;
    },
  });
  await first(status(b), (value) => value === 'left');
  t.regex(String(crashes[0]), /needs a 'restore'/);
});

test.serial('a member that leaves in the middle of its restore does not wait for it', async (t) => {
  const hub = memoryHub();
  const calls: Call[] = [];
  const never = new Promise<void>(() => undefined);
  const a = spawnReplicated(system(t, hub, 'a'), addRow, 'g', { initialState: rowsOf(3), ...inPieces([]) });
  await viewOf(a, 1);
  const systemB = system(t, hub, 'b');
  const b = spawnReplicated(systemB, addRow, 'g', { initialState: rowsOf(3), ...inPieces(calls, () => never) });
  await eventually(() => calls[0]?.read === 1, 'the first piece');
  const reading = read(b, () => undefined);
  await leave(b);
  await t.throwsAsync(reading, { instanceOf: NotAMember });
  await viewOf(a, 1);
});

test.serial(
  'a function that changes what is in its state, and returns a new object around it, tears no state',
  async (t) => {
    const hub = memoryHub();
    type Torn = { readonly first: { n: number }; readonly rows: readonly string[]; readonly last: { n: number } };
    const f = (state: Torn, _message: number): Torn => {
      state.first.n += 1;
      state.last.n += 1;
      return { ...state };
    };
    const state = (rows: number): Torn => ({
      first: { n: 0 },
      rows: Array.from({ length: rows }, (_, i) => `row ${i}`),
      last: { n: 0 },
    });
    const a = spawnReplicated(system(t, hub, 'a'), f, 'g', { initialState: state(100_000) });
    await viewOf(a, 1);
    let sent = 0;
    const timer = setInterval(() => dispatch(a, sent++), 1);
    t.teardown(() => clearInterval(timer));
    await multicast(a, 0).delivered;
    const b = spawnReplicated(system(t, hub, 'b'), f, 'g', { initialState: state(0) });
    await eventually(async () => (await read(b, ({ rows }) => rows.length)) === 100_000, 'the state');
    clearInterval(timer);
    await multicast(a, 0).stable;
    const parts = await Promise.all([a, b].map((ref) => read(ref, ({ first, last }) => [first.n, last.n])));
    t.is(parts[1]?.[0], parts[1]?.[1]);
    t.deepEqual(parts[0], parts[1]);
  },
);
