/** Replicas that compare digests: one that differs says so and gets the others' state; no alarm where there is none. */
import test, { type ExecutionContext } from 'ava';
import { dispatch, stop, type Ref } from 'nact';
import type { Subscription } from 'rxjs';
import {
  events,
  InvalidOption,
  memoryHub,
  multicast,
  read,
  ready,
  spawnReplicated,
  type GroupEvent,
  type GroupRef,
  type MemoryHub,
  type Packet,
  type ReplicatedProps,
} from '../../actors/index.js';
import { memberOf } from '../../actors/host.js';
import type { Traced } from '../../lib/trace/format.js';
import { append, eventually, rememberingLogger, system, viewOf } from './systems.js';

interface Replica {
  readonly node: Ref<unknown>;
  readonly ref: GroupRef<number, readonly number[]>;
  readonly lines: string[];
  readonly records: Traced[];
  readonly alarms: GroupEvent<number>[];
  readonly subscription: Subscription;
}

/** What it returns replaces what was appended: 0 for nothing. */
type Spoil = (name: string, message: number) => number;
const nothing: Spoil = () => 0;
type Props = ReplicatedProps<readonly number[], number>;

async function replica(
  t: ExecutionContext,
  hub: MemoryHub,
  name: string,
  spoil: Spoil = nothing,
  props: Partial<Props> = {},
): Promise<Replica> {
  const { logger, lines } = rememberingLogger();
  const records: Traced[] = [];
  const node = system(t, hub, name, { logger, trace: (record) => void records.push(record) });
  await ready(node);
  const f = (state: readonly number[], message: number) => append(state, spoil(name, message) || message);
  const ref = spawnReplicated(node, f, 'g', { initialState: [] as readonly number[], digests: 10, ...props });
  const alarms: GroupEvent<number>[] = [];
  const subscription = events<number>(ref).subscribe((event) => {
    if (event.kind === 'diverged') alarms.push(event);
  });
  return { node, ref, lines, records, alarms, subscription };
}

async function all(t: ExecutionContext, names: readonly string[], spoil?: Spoil, props?: Partial<Props>) {
  const hub = memoryHub();
  const replicas: Replica[] = [];
  for (const name of names) replicas.push(await replica(t, hub, name, spoil, props));
  await Promise.all(replicas.map(({ ref }) => viewOf(ref, names.length)));
  return replicas;
}

async function sendMany(ref: GroupRef<number, readonly number[]>, count: number): Promise<void> {
  for (let i = 1; i < count; i++) dispatch(ref, i);
  await multicast(ref, count).stable;
}

const stateOf = ({ ref }: Replica) => read(ref, (state) => state);

async function becomeEqual(t: ExecutionContext, replicas: readonly Replica[]): Promise<void> {
  const states = async () => (await Promise.all(replicas.map(stateOf))).map((state) => JSON.stringify(state));
  await eventually(async () => new Set(await states()).size === 1, 'equal states');
  t.is(new Set(await states()).size, 1);
}

test.serial('one that differs says so, fetches the state, and is equal again', async (t) => {
  let random = true;
  const replicas = await all(t, ['a', 'b', 'c'], (name, message) =>
    random && name === 'b' && message === 7 ? Math.random() : 0,
  );
  const [a, b, c] = replicas as [Replica, Replica, Replica];
  await sendMany(a.ref, 9);
  t.is(b.alarms.length, 0);
  random = false;
  await sendMany(c.ref, 20);
  await eventually(() => b.alarms.length > 0, 'the alarm');
  const [alarm] = b.alarms;
  t.is(alarm?.kind === 'diverged' ? alarm.position : 0, 10);
  await eventually(async () => (await read(a.ref, (state) => state.length)) >= 29, 'all messages');
  await viewOf(a.ref, 3);
  await sendMany(b.ref, 30);
  await becomeEqual(t, replicas);
  t.is(b.alarms.length, 1);
  for (const { alarms } of [a, c]) t.is(alarms.length, 0);
  t.true(b.lines.some((line) => line.startsWith("error this replica of 'g' differs")));
  t.true(a.lines.some((line) => /^warn other replicas of 'g' differ at position 10: b#/.test(line)));
  t.deepEqual(
    b.records.filter(({ e }) => e === 'diverged').map((record) => (record.e === 'diverged' ? record.pos : 0)),
    [10],
  );
  const hashes = (one: Replica) => one.records.filter((record) => record.e === 'hash' && record.pos === 10);
  t.not(hashes(a)[0], undefined);
});

test.serial('of two the oldest counts; of three that all differ too', async (t) => {
  for (const names of [
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]) {
    const replicas = await all(t, names, (name, message) => (message === 3 ? name.charCodeAt(0) : 0));
    const [a, ...others] = replicas as [Replica, ...Replica[]];
    await sendMany(a.ref, 40);
    for (const other of others) await eventually(() => other.alarms.length > 0, 'the alarm');
    await becomeEqual(t, replicas);
    t.is(a.alarms.length, 0);
    t.is((await stateOf(a))[2], 97);
  }
});

test.serial('no alarm while members join, leave, are killed and come back, and onView changes the state', async (t) => {
  let isolated = '';
  const hub = memoryHub(({ from, to }: Packet) => ({
    kind: isolated !== '' && (from === isolated) !== (to === isolated) ? 'drop' : 'pass',
  }));
  const props: Partial<Props> = {
    digests: 7,
    onView: (state, view) => append(state, -view.members.length),
  };
  const replicas: Replica[] = [];
  for (const name of ['a', 'b', 'c']) replicas.push(await replica(t, hub, name, nothing, props));
  const [a, b, c] = replicas as [Replica, Replica, Replica];
  await Promise.all(replicas.map(({ ref }) => viewOf(ref, 3)));
  let sent = 0;
  const living = new Set([a, b, c]);
  const timer = setInterval(() => {
    for (const { ref } of living) for (let i = 0; i < 5; i++) dispatch(ref, ++sent);
  }, 3);
  t.teardown(() => clearInterval(timer));
  const d = await replica(t, hub, 'd', nothing, props);
  await viewOf(a.ref, 4);
  living.add(d);
  isolated = 'memory:2';
  await viewOf(a.ref, 3);
  isolated = '';
  await viewOf(a.ref, 4);
  living.delete(c);
  stop(c.ref);
  await viewOf(a.ref, 3);
  const e = await replica(t, hub, 'e', nothing, props);
  await viewOf(a.ref, 4);
  await new Promise((resolve) => setTimeout(resolve, 300));
  clearInterval(timer);
  const rest = [a, b, d, e];
  for (const { ref } of rest) await multicast(ref, 0).stable;
  await becomeEqual(t, rest);
  const told = a.records.filter(({ e }) => e === 'hash').length;
  t.true(told > 20, `${told} digests`);
  for (const { alarms, lines } of [...rest, c]) {
    t.deepEqual(alarms, []);
    t.deepEqual(
      lines.filter((line) => /differ|not understood/.test(line)),
      [],
    );
  }
  t.is(memberOf(a.ref).divergence.checks.size, 0);
});

test.serial("a digest of one's own; one that throws, and a state that is too large, are no alarm", async (t) => {
  const digests: number[] = [];
  const parity: Partial<Props> = {
    digest: (state) => {
      digests.push(state.length);
      return String(state.length % 2);
    },
  };
  // equal as far as the digest goes
  const alike = await all(t, ['a', 'b'], (name, message) => (message === 3 ? name.charCodeAt(0) : 0), parity);
  await sendMany((alike[0] as Replica).ref, 30);
  t.true(digests.length >= 4);
  const throwing = await all(t, ['a', 'b'], nothing, {
    digest: () => {
      throw new Error('no digest');
    },
  });
  await sendMany((throwing[0] as Replica).ref, 30);
  t.true((throwing[0] as Replica).lines.some((line) => line.includes("the digest of 'g' threw")));
  const large = await all(t, ['a', 'b'], (_name, message) => message, {
    initialState: Array.from({ length: 200_000 }, (_, i) => i),
  });
  await sendMany((large[0] as Replica).ref, 21);
  const warnings = (large[0] as Replica).lines.filter((line) => line.includes('too large for digests'));
  t.is(warnings.length, 1);
  for (const { alarms } of [...alike, ...throwing, ...large]) t.deepEqual(alarms, []);
});

test.serial(
  'the first state that is compared is one that all have: a joiner is asked for later ones only',
  async (t) => {
    const hub = memoryHub();
    const a = await replica(t, hub, 'a');
    await sendMany(a.ref, 25);
    const b = await replica(t, hub, 'b');
    await viewOf(b.ref, 2);
    await sendMany(b.ref, 25);
    await becomeEqual(t, [a, b]);
    t.deepEqual([...a.alarms, ...b.alarms], []);
  },
);

test('digests go with total order, and are counted in whole positions', (t) => {
  const node = system(t, memoryHub(), 'a');
  const f = (state: number) => state;
  for (const props of [{ digests: -1 }, { digests: 1.5 }, { digests: 5, order: 'causal' }] as const)
    t.throws(() => spawnReplicated(node, f, 'g', { initialState: 0, ...props }), { instanceOf: InvalidOption });
});
