/** What one replica leaves out, all leave out alike, or the one that differs does not go on as if nothing were. */
import test, { type ExecutionContext } from 'ava';
import { dispatch, type Ref } from 'nact';
import {
  events,
  memoryHub,
  multicast,
  read,
  ready,
  spawnMember,
  spawnReplicated,
  status,
  type Codec,
  type GroupEvent,
  type GroupOrder,
  type GroupRef,
  type MemoryHub,
  type ReplicatedProps,
} from '../../actors/index.js';
import { encode } from '../../actors/encoder.js';
import { memberOf, type Member } from '../../actors/host.js';
import { internal, kindVerdict } from '../../actors/internal.js';
import { clearVerdicts, createVerdicts, takeVerdicts } from '../../actors/verdicts.js';
import { noRefs } from '../../actors/wire-format.js';
import type { Delivery } from '../../lib/events.js';
import { append, eventually, rememberingLogger, system, viewOf } from './systems.js';

type State = readonly number[];
type Props = ReplicatedProps<State, number>;

interface Replica {
  readonly name: string;
  readonly node: Ref<unknown>;
  readonly ref: GroupRef<number, State>;
  readonly lines: string[];
  readonly alarms: GroupEvent<number>[];
  readonly statuses: string[];
}

/** Who fails, at which message. */
type Fault = (name: string, message: number) => boolean;

/** A codec that cannot read some messages. */
function codecOf(name: string, fault: Fault): Codec {
  return {
    name: 'numbers',
    encode: (message) => Uint8Array.of((message as number) >> 8, (message as number) & 0xff),
    decode: ([high = 0, low = 0]) => {
      const message = high * 256 + low;
      if (fault(name, message)) throw new Error(`what is ${message}?`);
      return message;
    },
  };
}

const resume: NonNullable<Props['onCrash']> = (_message, _error, ctx) => ctx.resume;

interface Settings {
  readonly unreadable?: Fault;
  readonly throws?: Fault;
  readonly kind?: 'replicated' | 'plain';
  readonly order?: GroupOrder;
}

async function replica(
  t: ExecutionContext,
  hub: MemoryHub,
  name: string,
  { unreadable = () => false, throws = () => false, kind = 'replicated', order = 'total' }: Settings,
): Promise<Replica> {
  const { logger, lines } = rememberingLogger();
  const node = system(t, hub, name, { logger });
  await ready(node);
  const f = (state: State, message: number) => {
    if (throws(name, message)) throw new Error(`not ${message}`);
    return append(state, message);
  };
  const props: Props = { initialState: [], codec: codecOf(name, unreadable), onCrash: resume, order };
  const ref = kind === 'plain' ? spawnMember(node, f, 'g', props) : spawnReplicated(node, f, 'g', props);
  const alarms: GroupEvent<number>[] = [];
  events<number>(ref).subscribe((event) => {
    if (event.kind === 'diverged') alarms.push(event);
  });
  const statuses: string[] = [];
  status(ref).subscribe((value) => void statuses.push(value));
  return { name, node, ref, lines, alarms, statuses };
}

async function all(
  t: ExecutionContext,
  names: readonly string[],
  settings: Settings,
  hub = memoryHub(),
): Promise<readonly Replica[]> {
  const replicas: Replica[] = [];
  for (const name of names) replicas.push(await replica(t, hub, name, settings));
  await Promise.all(replicas.map(({ ref }) => viewOf(ref, names.length)));
  return replicas;
}

async function send(ref: GroupRef<number, State>, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) dispatch(ref, i);
  await multicast(ref, to).stable;
}

const stateOf = ({ ref }: Replica) => read(ref, (state) => state);

async function becomeEqual(t: ExecutionContext, replicas: readonly Replica[], expected: State): Promise<void> {
  const states = async () => Promise.all(replicas.map(stateOf));
  await eventually(async () => (await states()).every((state) => state.length === expected.length), 'equal states');
  for (const state of await states()) t.deepEqual(state, expected);
}

function upTo(count: number, without: readonly number[] = []): number[] {
  return Array.from({ length: count }, (_, i) => i + 1).filter((i) => !without.includes(i));
}

/** Whether nothing waits to be told or compared. */
function isSettled({ ref }: Replica): boolean {
  const { checks, toTell, awaited, isTelling } = memberOf(ref).verdicts;
  return checks.size + toTell.size + awaited.size === 0 && !isTelling;
}

test.serial('what all refuse is left out by all, its sender too, and nobody stops', async (t) => {
  const replicas = await all(t, ['a', 'b', 'c'], { unreadable: (_, message) => message % 5 === 0 });
  for (const { ref } of replicas) void send(ref, 1, 11);
  await eventually(async () => (await Promise.all(replicas.map(stateOf))).every(({ length }) => length === 27), 'all');
  await eventually(() => replicas.every(isSettled), 'all is compared');
  const states = await Promise.all(replicas.map(stateOf));
  for (const state of states) t.deepEqual(state, states[0]);
  for (const { alarms, statuses, lines } of replicas) {
    t.deepEqual(alarms, []);
    t.is(statuses.at(-1), 'active');
    t.true(lines.some((line) => line.startsWith("error a message to 'g' cannot be decoded")));
    t.false(lines.some((line) => line.includes('differ') || line.includes('it stops')));
  }
});

for (const sender of ['a', 'b']) {
  test.serial(
    `who cannot read what the others can stops, and they go on: sent by ${sender}, refused by b`,
    async (t) => {
      const replicas = await all(t, ['a', 'b', 'c'], { unreadable: (name, message) => name === 'b' && message === 7 });
      const [a, b, c] = replicas as [Replica, Replica, Replica];
      dispatch((sender === 'a' ? a : b).ref, 7);
      await eventually(() => b.statuses.at(-1) === 'left', 'b stops');
      await viewOf(a.ref, 2);
      t.true(b.lines.some((line) => /error this member of 'g' cannot read multicast .*: it stops/.test(line)));
      t.true(a.lines.some((line) => /warn other members of 'g' differ in multicast .*: b#/.test(line)));
      await send(c.ref, 8, 20);
      await becomeEqual(t, [a, c], [7, ...upTo(20).slice(7)]);
      t.true([a, c].every(isSettled));
    },
  );
}

for (const kind of ['replicated', 'plain'] as const) {
  for (const order of ['fifo', 'causal', 'total'] as const) {
    test.serial(`the same in a ${kind} group in ${order} order, whoever sends`, async (t) => {
      const unreadable = (name: string, message: number) => message === 5 || (name === 'b' && message === 7);
      const replicas = await all(t, ['a', 'b', 'c'], { kind, order, unreadable });
      const [a, b, c] = replicas as [Replica, Replica, Replica];
      for (const { ref } of replicas) dispatch(ref, 5);
      await send(a.ref, 1, 4);
      await eventually(() => replicas.every(isSettled), 'what all refuse is compared');
      t.true(replicas.every(({ statuses }) => statuses.at(-1) === 'active'));
      dispatch(c.ref, 7);
      await eventually(() => b.statuses.at(-1) === 'left', 'b stops');
      t.true(b.lines.some((line) => /error this member of 'g' cannot read multicast .*: it stops/.test(line)));
      await viewOf(a.ref, 2);
      await send(a.ref, 8, 20);
      await becomeEqual(t, [a, c], [1, 2, 3, 4, 7, ...upTo(20).slice(7)]);
      t.true([a, c].every(isSettled));
    });
  }
}

for (const name of ['b', 'everybody'] as const) {
  test.serial(
    `a FIFO multicast that comes later than what is told of it is compared: refused by ${name}`,
    async (t) => {
      let isSlow = false;
      // a orders what b tells of it
      const hub = memoryHub(({ from, to }) =>
        isSlow && from === 'memory:3' && to === 'memory:1' ? { kind: 'delay', millis: 150 } : { kind: 'pass' },
      );
      const unreadable: Fault = (who, message) => message === 7 && (name === 'everybody' || who === name);
      const replicas = await all(t, ['a', 'b', 'c'], { order: 'fifo', unreadable }, hub);
      const [a, b, c] = replicas as [Replica, Replica, Replica];
      isSlow = true;
      dispatch(c.ref, 7);
      // a is told before it has it; it asks another for it soon
      while (memberOf(a.ref).verdicts.awaited.size === 0) await new Promise(setImmediate);
      isSlow = false;
      if (name === 'b') {
        await eventually(() => b.statuses.at(-1) === 'left', 'b stops');
        await viewOf(a.ref, 2);
      }
      const rest = name === 'b' ? [a, c] : replicas;
      await eventually(() => rest.every(isSettled), 'it is compared');
      await eventually(() => rest.every(({ statuses }) => statuses.at(-1) === 'active'), 'they go on');
      t.true(rest.every(({ alarms }) => alarms.length === 0));
      await send(c.ref, 8, 9);
      await becomeEqual(t, rest, name === 'b' ? [7, 8, 9] : [8, 9]);
    },
  );
}

test.serial('a plain member that alone can read something stops, and one that alone throws does not', async (t) => {
  const unreadable: Fault = (name, message) => name !== 'c' && message === 7;
  const throws: Fault = (name, message) => name === 'c' && message === 6;
  const replicas = await all(t, ['a', 'b', 'c'], { kind: 'plain', order: 'fifo', unreadable, throws });
  const [a, b, c] = replicas as [Replica, Replica, Replica];
  await send(a.ref, 5, 6);
  await eventually(() => replicas.every(isSettled), 'nothing is left out');
  t.is(c.statuses.at(-1), 'active');
  dispatch(a.ref, 7);
  await eventually(() => c.statuses.at(-1) === 'left', 'c stops');
  t.true(
    c.lines.some((line) => /this member of 'g' has read multicast .*, which the others cannot: it stops/.test(line)),
  );
  await viewOf(a.ref, 2);
  await eventually(() => [a, b].every(({ statuses }) => statuses.at(-1) === 'active'), 'the others go on');
});

test.serial('of two the oldest counts: the other fetches the state in which it was left out', async (t) => {
  const replicas = await all(t, ['a', 'b'], { unreadable: (name, message) => name === 'a' && message === 7 });
  const [a, b] = replicas as [Replica, Replica];
  await send(a.ref, 1, 10);
  await eventually(() => b.alarms.length > 0, 'b notices');
  await viewOf(a.ref, 2);
  await send(b.ref, 11, 20);
  await becomeEqual(t, replicas, upTo(20, [7]));
  t.is(a.alarms.length, 0);
});

test.serial(
  'a function that throws at one replica only, and goes on, has diverged: it fetches the state',
  async (t) => {
    const replicas = await all(t, ['a', 'b', 'c'], { throws: (name, message) => name === 'c' && message === 7 });
    const [a, , c] = replicas as [Replica, Replica, Replica];
    await send(a.ref, 1, 10);
    await eventually(() => c.alarms.length > 0, 'c notices');
    await viewOf(a.ref, 3);
    await send(c.ref, 11, 20);
    await becomeEqual(t, replicas, upTo(20));
    t.true(c.lines.some((line) => /error this replica of 'g' differs from the others in multicast/.test(line)));
  },
);

test.serial('a function that throws at all replicas leaves them equal, and a joiner has no part in it', async (t) => {
  const hub = memoryHub();
  const faults = { throws: (_: string, message: number) => message === 7 };
  const replicas: Replica[] = [];
  for (const name of ['a', 'b']) replicas.push(await replica(t, hub, name, faults));
  const [a, b] = replicas as [Replica, Replica];
  await viewOf(a.ref, 2);
  const joining = replica(t, hub, 'c', faults);
  for (let i = 0; i < 40; i++) {
    dispatch(a.ref, 7);
    dispatch(b.ref, i + 10);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  replicas.push(await joining);
  await viewOf(a.ref, 3);
  await multicast(b.ref, 1).stable;
  await eventually(() => replicas.every(isSettled), 'all is compared');
  await becomeEqual(t, replicas, [...Array.from({ length: 40 }, (_, i) => i + 10), 1]);
  for (const { alarms, statuses } of replicas) {
    t.deepEqual(alarms, []);
    t.is(statuses.at(-1), 'active');
  }
});

test.serial('of thousands that all refuse little is told, and less is logged', async (t) => {
  const replicas = await all(t, ['a', 'b', 'c'], { unreadable: () => true });
  const [a] = replicas as [Replica, ...Replica[]];
  const count = 2000;
  await send(a.ref, 1, count);
  await eventually(() => replicas.every(isSettled), 'all is compared');
  for (const { ref, lines, statuses } of replicas) {
    t.is(statuses.at(-1), 'active');
    t.is(memberOf(ref).dropped, count);
    const told = memberOf(ref).position - count;
    t.true(told > 0 && told < count / 4, `${told} multicasts tell of ${count}`);
    t.true(lines.filter((line) => line.includes('cannot be decoded')).length < 20);
  }
});

test('of what was sent before it came a joiner says so, and waits for nobody: what others said of it may have come before', (t) => {
  const verdicts = createVerdicts();
  clearVerdicts(verdicts, 5);
  const view = { members: ['a#1', 'b#2', 'c#3'].map((id) => ({ id, joined: 1 })) };
  const member = { verdicts, outbox: { node: 'c#3' }, phase: 'joining' } as unknown as Member;
  const say = (said: unknown): void => {
    const payload = internal(kindVerdict, encode(said, noRefs));
    takeVerdicts(member, { payload, from: view.members[1], view } as unknown as Delivery);
  };
  say([['a#1:7', 4, 'left out', false]]);
  say([['a#1:7', 4, 'left out', false]]);
  t.deepEqual([...verdicts.toTell], [['a#1:7', { view: 4, verdict: 'not there', isFifo: false }]]);
  t.is(verdicts.checks.size, 0);
  say([['a#1:8', 5, 'left out', false]]);
  t.is(verdicts.toTell.get('a#1:8')?.verdict, 'applied');
  t.is(verdicts.checks.size, 1);
});
