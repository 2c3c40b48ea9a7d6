/** Groups from outside: through one of the members, once whatever dies, in order, and only what they let in. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dispatch, query, stop, type Ref } from 'nact';
import {
  ask,
  AskFailed,
  AskTimedOut,
  flush,
  groupRef,
  GroupFull,
  InvalidOption,
  leave,
  leaveDomain,
  memoryHub,
  multicast,
  MulticastFailed,
  NotAMember,
  NotEncodable,
  NotInDomain,
  read,
  ready,
  RequestRefused,
  spawnMember,
  spawnReplicated,
  views,
  WouldDeadlock,
  type Codec,
  type Context,
  type GroupRef,
  type MemoryHub,
  type ReplicatedProps,
} from '../../actors/index.js';
import { memberOf } from '../../actors/host.js';
import { Marker } from '../../actors/wire-format.js';
import { append, cuttable, eventually, freshDomain, rememberingLogger, system, viewOf } from './systems.js';
import { udpMulticast } from '../../transport/udp-multicast.js';

type Numbers = readonly number[];
type List = GroupRef<number, Numbers, number>;

/** Appends, and replies with how many there are. */
const count = (state: Numbers, message: number, ctx: Context<number, number>): Numbers => {
  ctx.reply(state.length + 1);
  return [...state, message];
};

/** Members of one list. */
async function lists(
  t: ExecutionContext,
  hub: MemoryHub,
  names: readonly string[],
  props: ReplicatedProps<Numbers, number> = {},
): Promise<List[]> {
  const refs = names.map((name) => spawnReplicated(system(t, hub, name), count, 'g', { initialState: [], ...props }));
  await Promise.all(refs.map((ref) => viewOf(ref, names.length)));
  return refs;
}

const numbers = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const stateOf = (ref: List) => read(ref, (state) => state);

/** That all of these have come to the same list. */
async function agree(t: ExecutionContext, refs: readonly List[], expected: Numbers): Promise<void> {
  await eventually(async () => {
    const lengths = await Promise.all(refs.map((ref) => read(ref, (state) => state.length)));
    return lengths.every((length) => length >= expected.length);
  }, 'everything everywhere');
  for (const ref of refs) t.deepEqual(await stateOf(ref), expected);
}

test.serial(
  'a node that is no member dispatches, multicasts and asks; what it sent comes once and in order',
  async (t) => {
    const hub = memoryHub();
    const members = await lists(t, hub, ['a', 'b', 'c']);
    const client = groupRef<number, Numbers, number>(system(t, hub, 'x'), 'g');
    const receipts = numbers(100).map((i) => {
      if (i % 2 === 0) return multicast(client, i);
      dispatch(client, i);
      return undefined;
    });
    const replies = await ask(client, 100, { replies: 'all' });
    t.deepEqual(
      replies.map(({ value }) => value),
      [101, 101, 101],
    );
    t.deepEqual(replies.map(({ member }) => member.name).sort(), ['a', 'b', 'c']);
    for (const receipt of receipts) {
      await receipt?.accepted;
      await receipt?.stable;
      t.is((await receipt?.delivered) ?? 0, 0);
    }
    t.regex(receipts[0]?.id ?? '', /^x#\d+:1$/);
    t.is((await ask(client, 101, { replies: 'one' })).length, 1);
    t.is((await ask(client, 102, { replies: 'majority' })).length, 2);
    await agree(t, members, numbers(103));
  },
);

test.serial('a group is asked before there is one, and a member may go through it, too', async (t) => {
  const hub = memoryHub();
  const node = system(t, hub, 'a');
  const ref = groupRef<number, Numbers, number>(node, 'g');
  const asked = ask(ref, 1, { replies: 'all' });
  const [a] = await lists(t, hub, []);
  t.is(a, undefined);
  const member = spawnReplicated(node, count, 'g', { initialState: [] });
  t.is((await asked)[0]?.value, 1);
  await multicast(ref, 2).stable;
  t.deepEqual(await stateOf(member), [1, 2]);
});

test.serial('replicas are told who asked, and through whom it came', async (t) => {
  const hub = memoryHub();
  const seen: unknown[] = [];
  const note = (state: number, _message: number, ctx: Context) => {
    seen.push([ctx.client?.name, ctx.mine ? ctx.from.name === ctx.me.name : ctx.from.name !== ctx.me.name]);
    return state;
  };
  const members = ['a', 'b'].map((name) => spawnMember(system(t, hub, name), note, 'g', { initialState: 0 }));
  await Promise.all(members.map((ref) => viewOf(ref, 2)));
  await multicast(groupRef(system(t, hub, 'x'), 'g'), 1).stable;
  await eventually(() => seen.length === 2, 'both');
  t.deepEqual(seen, [
    ['x', true],
    ['x', true],
  ]);
});

for (const what of ['multicast', 'asked'] as const) {
  test.serial(
    `contacts die and members come while requests are ${what}: each takes effect once, in order`,
    async (t) => {
      const { hub, cut } = cuttable(t);
      const living = new Map<string, List>();
      let contact = '';
      const f = (state: Numbers, message: number, ctx: Context<number, number>): Numbers => {
        contact = ctx.from.name;
        return count(state, message, ctx);
      };
      const member = (name: string) =>
        living.set(name, spawnReplicated(system(t, hub, name), f, 'g', { initialState: [] }));
      for (const name of ['a', 'b', 'c', 'd', 'e']) member(name);
      await Promise.all([...living.values()].map((ref) => viewOf(ref, 5)));
      const client = groupRef<number, Numbers, number>(system(t, hub, 'x'), 'g');
      const total = 400;
      const asked: Promise<unknown>[] = [];
      for (let i = 0; i < total; i++) {
        if (what === 'asked') asked.push(ask(client, i, { replies: 'one', timeout: 12_000 }));
        else asked.push(multicast(client, i).stable);
        if (i === 100 || i === 200) {
          await asked[i - 50];
          cut(living.get(contact) as List);
          living.delete(contact);
        }
        if (i === 150) member('f');
        if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
      }
      await Promise.all(asked);
      t.is(living.size, 4);
      await agree(t, [...living.values()], numbers(total));
    },
  );
}

test.serial('a request whose contact dies has its reply from the others, and they know if it was served', async (t) => {
  // whoever is the contact dies as it is about to tell the client
  const { hub, cut } = cuttable(t);
  const members = new Map<string, List>();
  let contact = '';
  const f = (state: Numbers, message: number, ctx: Context<number, number>): Numbers => {
    if (contact === '') {
      contact = ctx.from.name;
      cut(members.get(contact) as List);
    }
    ctx.reply(state.length + 1);
    return [...state, message];
  };
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) members.set(name, spawnReplicated(system(t, hub, name), f, 'g', { initialState: [] }));
  await Promise.all([...members.values()].map((ref) => viewOf(ref, 4)));
  const client = groupRef<number, Numbers, number>(system(t, hub, 'x'), 'g');
  const replies = await ask(client, 7, { replies: 'all', timeout: 10_000 });
  t.true(replies.length >= 3, `${replies.length} replies`);
  for (const { value } of replies) t.is(value, 1);
  await agree(
    t,
    names.filter((name) => name !== contact).map((name) => members.get(name) as List),
    [7],
  );
});

test.serial('a request that comes again after ten thousand others takes no second effect', async (t) => {
  const { hub, cut } = cuttable(t);
  let held = true;
  const waiting: (() => void)[] = [];
  const f = (state: number, message: number, ctx: Context<number, number>): number => {
    if (message === 0 && held) waiting.push(() => ctx.reply(state));
    return state + 1;
  };
  const members = ['a', 'b', 'c'].map((name) => spawnReplicated(system(t, hub, name), f, 'g', { initialState: 0 }));
  await Promise.all(members.map((ref) => viewOf(ref, 3)));
  const node = system(t, hub, 'x');
  const client = groupRef<number, number, number>(node, 'g');
  const asked = ask(client, 0, { replies: 'all', timeout: 15_000 });
  await eventually(() => waiting.length === 3, 'all have it');
  for (let i = 0; i < 10_000; i++) await multicast(client, 1).accepted;
  await multicast(client, 1).stable;
  const late = spawnReplicated(system(t, hub, 'd'), f, 'g', { initialState: 0 });
  await viewOf(late, 4);
  cut(members[0] as GroupRef<number, number>);
  await eventually(async () => (await read(late, (state) => state)) === 10_002, 'the joiner has all');
  held = false;
  for (const reply of waiting) reply();
  const { missing, length } = await asked;
  t.is(length + missing.length, 3);
  for (const ref of [members[1], members[2], late] as GroupRef<number, number>[]) {
    t.is(await read(ref, (state) => state), 10_002);
  }
});

test.serial('accept lets in or refuses, with a reason, also later; the order of a client stays', async (t) => {
  const hub = memoryHub();
  const { logger, lines } = rememberingLogger();
  const seen: unknown[] = [];
  const a = spawnReplicated(system(t, hub, 'a', { logger }), append, 'g', {
    initialState: [],
    async accept({ message, from }) {
      seen.push([message, from.name, /^x#\d+$/.test(from.id)]);
      if (message === 3) throw new Error('a mistake');
      // the earlier, the slower
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 20 - 2 * message)));
      return message === 4 ? false : message === 5 ? 'no fives' : true;
    },
  });
  await viewOf(a, 1);
  const client = groupRef<number>(system(t, hub, 'x'), 'g');
  const results = await Promise.allSettled(numbers(10).map((i) => multicast(client, i).stable));
  const whys = results.map((result) => (result.status === 'rejected' ? (result.reason as RequestRefused).why : ''));
  t.deepEqual(
    whys.map((why, i) => (why === '' ? '' : `${i}: ${why}`)).filter((why) => why !== ''),
    ['3: it could not be decided whether to let it in', '4: accept said no', '5: no fives'],
  );
  for (const result of results) {
    if (result.status === 'rejected') t.true(result.reason instanceof RequestRefused);
  }
  t.true(lines.some((line) => line.includes('a mistake')));
  t.deepEqual(await read(a, (state) => state), [0, 1, 2, 6, 7, 8, 9]);
  t.deepEqual(seen[0], [0, 'x', true]);
  await t.throwsAsync(ask(client, 5, { replies: 'one' }), { instanceOf: RequestRefused, message: /no fives/ });
  // members are not asked
  await multicast(a, 5).stable;
  t.is(await read(a, (state) => state.at(-1)), 5);
});

test.serial('what is no message, or is too large for its contact, is refused, and the next is let in', async (t) => {
  const hub = memoryHub();
  const small = { limits: { messageBytesMax: 100_000 } };
  const f = (state: number, _message: unknown) => state + 1;
  const a = spawnReplicated(system(t, hub, 'a', small), f, 'g', { initialState: 0 });
  const codec = (bytes: readonly number[]): Codec => ({
    name: 'cbor-2',
    encode: () => Uint8Array.from(bytes),
    decode: () => 0,
  });
  const node = system(t, hub, 'x');
  await viewOf(a, 1);
  await ready(node);
  const forged = multicast(groupRef(node, 'g', { codec: codec([Marker.internal, 1, 0, 0]) }), 0).stable;
  const large = multicast(groupRef(node, 'g'), new Uint8Array(200_000)).stable;
  const good = multicast(groupRef(node, 'g'), 1).stable;
  await t.throwsAsync(forged, { instanceOf: RequestRefused, message: /no message/ });
  await t.throwsAsync(large, { instanceOf: RequestRefused, message: /200001 bytes/ });
  await good;
  t.is(await read(a, (state) => state), 1);
});

test.serial('a contact that has no room lets requests wait, in their order', async (t) => {
  const hub = memoryHub();
  const [a] = (await lists(t, hub, ['a'], { mailboxLimit: 5 })) as [List];
  const client = groupRef<number, Numbers, number>(system(t, hub, 'x'), 'g');
  await Promise.all(numbers(200).map((i) => multicast(client, i).stable));
  await agree(t, [a], numbers(200));
});

test.serial('requests that wait for accept are bounded in bytes: those above come again, in their order', async (t) => {
  const hub = memoryHub();
  let letIn = (): void => undefined;
  const open = new Promise<void>((resolve) => (letIn = resolve));
  const queueBytesMax = 10_000;
  const f = (state: readonly number[], { length }: Uint8Array) => [...state, length];
  const a = spawnReplicated(system(t, hub, 'a', { limits: { queueBytesMax } }), f, 'g', {
    initialState: [],
    accept: () => open.then(() => true),
  });
  await viewOf(a, 1);
  const client = groupRef<Uint8Array>(system(t, hub, 'x'), 'g');
  const sizes = numbers(12).map((i) => 3000 + i);
  const all = sizes.map((size) => multicast(client, new Uint8Array(size)).stable);
  const { admission } = memberOf(a);
  await eventually(() => admission.busy && admission.waiting.length === 3, 'three wait');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.true(admission.waitingBytes <= queueBytesMax, `${admission.waitingBytes} bytes`);
  t.is(admission.waiting.length, 3);
  letIn();
  await Promise.all(all);
  t.deepEqual(await read(a, (state) => state), sizes);
});

test.serial(
  'outstanding requests are bounded: multicast and ask fail, dispatch is loud; accepted keeps pace',
  async (t) => {
    const hub = memoryHub();
    const { logger, lines } = rememberingLogger();
    const node = system(t, hub, 'x', { logger, limits: { queueLengthMax: 10 } });
    const client = groupRef<number, Numbers, number>(node, 'g');
    const receipts = numbers(10).map((i) => multicast(client, i));
    const error = t.throws(() => multicast(client, 10), { instanceOf: GroupFull });
    t.is(error?.queued, 10);
    await t.throwsAsync(ask(client, 10, { replies: 'one' }), { instanceOf: GroupFull });
    dispatch(client, 11);
    t.true(lines.some((line) => line.startsWith("error dispatch to 'g' failed")));
    const [a] = (await lists(t, hub, ['a'])) as [List];
    await Promise.all(receipts.map(({ stable }) => stable));
    await agree(t, [a], numbers(10));

    const quick = groupRef<number, Numbers, number>(system(t, hub, 'y'), 'g');
    for (let i = 0; i < 3000; i++) await multicast(quick, i).accepted;
    await multicast(quick, 3000).stable;
    t.is((await stateOf(a)).length, 3011);
  },
);

test.serial('what nobody takes fails in its time, and what is sent is known to have had no effect', async (t) => {
  const { logger, lines } = rememberingLogger();
  const node = system(t, memoryHub(), 'x', { logger });
  await ready(node);
  const nowhere = groupRef<number>(node, 'nowhere', { timeout: 50 });
  const failed = await t.throwsAsync(multicast(nowhere, 1).stable, { instanceOf: MulticastFailed });
  t.false(failed?.mayHaveBeenDelivered);
  const timedOut = await t.throwsAsync(ask(nowhere, 1, { replies: 'all', timeout: 50 }), { instanceOf: AskTimedOut });
  t.false(timedOut?.mayHaveTakenEffect);
  dispatch(nowhere, 1);
  await eventually(() => lines.some((line) => line.startsWith("error dispatch to 'nowhere' failed")), 'a log line');
});

test.serial('the end of the node is the end of what it asks', async (t) => {
  const hub = memoryHub();
  const node = system(t, hub, 'x');
  await ready(node);
  const client = groupRef<number>(node, 'g');
  const [receipt, asked] = [multicast(client, 1), ask(client, 1, { replies: 'all' })];
  const both = [receipt.stable, asked];
  void leaveDomain(node);
  await t.throwsAsync(both[0] as Promise<unknown>, { instanceOf: MulticastFailed });
  await t.throwsAsync(both[1] as Promise<unknown>, { instanceOf: AskFailed });
  await t.throwsAsync(ask(client, 1, { replies: 'all' }), { instanceOf: NotInDomain });
  t.throws(() => multicast(client, 1), { instanceOf: NotInDomain });
});

test.serial('a group with a codec of its own is talked to in that', async (t) => {
  const hub = memoryHub();
  const codec: Codec = {
    name: 'one byte',
    encode: (message) => Uint8Array.of(message as number),
    decode: ([byte]) => byte,
  };
  const [a] = (await lists(t, hub, ['a'], { codec })) as [List];
  const node = system(t, hub, 'x');
  await ready(node);
  t.throws(() => multicast(groupRef<number>(node, 'g'), 7), { instanceOf: InvalidOption, message: /one byte/ });
  await t.throwsAsync(ask(groupRef<number>(node, 'g'), 7, { replies: 1 }), { instanceOf: InvalidOption });
  const client = groupRef<number, Numbers, number>(node, 'g', { codec });
  t.is((await ask(client, 7, { replies: 1 }))[0]?.value, 1);
  t.deepEqual(await stateOf(a), [7]);
});

test.serial('what needs a member says so; mistakes are typed errors', async (t) => {
  const node = system(t, memoryHub(), 'x');
  const client = groupRef(node, 'g');
  await t.throwsAsync(async () => read(client, () => 0), { instanceOf: NotAMember, message: /'g'/ });
  await t.throwsAsync(async () => flush(client), { instanceOf: NotAMember });
  await t.throwsAsync(async () => leave(client), { instanceOf: NotAMember });
  t.throws(() => views(client), { instanceOf: NotAMember });
  await t.throwsAsync(
    query(client as Ref<number>, () => 1, 100),
    { instanceOf: NotAMember },
  );
  t.notThrows(() => stop(client));
  t.throws(() => groupRef(node, ''), { instanceOf: InvalidOption });
  t.throws(() => groupRef(node, 'g', { timeout: -1 }), { instanceOf: InvalidOption });
  t.throws(() => multicast(client, () => 1), { instanceOf: NotEncodable });
  t.throws(() => multicast(client, 1, { order: 'barrier' }), { instanceOf: InvalidOption });
});

test.serial(
  "a ref that came in a message reaches the group, and the group's own function must not wait for itself",
  async (t) => {
    const hub = memoryHub();
    const held: GroupRef<number, Numbers, number>[] = [];
    const keeper = spawnMember(
      system(t, hub, 'x'),
      (state: number, message: { group: GroupRef<number, Numbers, number> }) => (held.push(message.group), state),
      'keeper',
      { initialState: 0 },
    );
    await viewOf(keeper, 1);
    const node = system(t, hub, 'a');
    const caught: unknown[] = [];
    const g: List = spawnReplicated(
      node,
      async (state: Numbers, message: number, ctx: Context<number, number>) => {
        if (message === 2) {
          const self = groupRef<number>(node, 'g');
          await ask(self, 3, { replies: 1 }).catch((error: unknown) => caught.push(error));
          const receipt = multicast(self, 4);
          await receipt.stable.catch((error: unknown) => caught.push(error));
        }
        ctx.reply(state.length + 1);
        return [...state, message];
      },
      'g',
      { initialState: [] },
    );
    await viewOf(g, 1);
    await multicast(groupRef<{ group: List }>(node, 'keeper'), { group: g }).stable;
    await eventually(() => held.length === 1, 'the ref');
    const ref = held[0] as List;
    dispatch(ref, 1);
    await multicast(ref, 2).stable;
    t.is((await ask(ref, 5, { replies: 'all' }))[0]?.value, 4);
    t.deepEqual(await stateOf(g), [1, 2, 4, 5]);
    t.is(caught.length, 2);
    for (const error of caught) t.true(error instanceof WouldDeadlock);
  },
);

test.serial('over sockets: a client whose contact leaves goes on with another', async (t) => {
  const options = { domain: freshDomain(), transport: udpMulticast() };
  const members = ['a', 'b', 'c'].map((name) =>
    spawnReplicated(system(t, memoryHub(), name, options), count, 'g', { initialState: [] }),
  );
  await Promise.all(members.map((ref) => viewOf(ref, 3)));
  const client = groupRef<number, Numbers, number>(system(t, memoryHub(), 'x', options), 'g');
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    sent.push(ask(client, i, { replies: 'majority' }));
    if (i === 100) void leave(members[0] as List);
    if (i % 10 === 0) await new Promise(setImmediate);
  }
  await Promise.all(sent);
  await agree(t, members.slice(1), numbers(300));
});
