/** nact's dispatch, query and stop on actors of other nodes: refs in messages, replies and states work from anywhere. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dispatch as nactDispatch, Nobody, query, spawn, start, stop, type Ref } from 'nact';
import {
  digestOf,
  domain,
  leaveDomain,
  memoryHub,
  MessageTooLarge,
  multicast,
  NotEncodable,
  NotLocal,
  read,
  ready,
  spawnMember,
  spawnReplicated,
  Unreachable,
  type Context,
  type GroupRef,
  type GroupsOptions,
  type MemoryHub,
  type Packet,
} from '../../actors/index.js';
import { hosts } from '../../actors/host.js';
import { inside } from '../../actors/nact-internals.js';
import { receiveRemote } from '../../actors/remote.js';
import { encodeValue } from '../../actors/values.js';
import type { NodeId } from '../../lib/ids.js';
import { eventually, patience, rememberingLogger, system, viewOf } from './systems.js';

type Any = Ref<unknown>;
type Refs = Readonly<Record<string, Any>>;
interface Entry {
  readonly name: string;
  readonly ref: Any;
}

/** nact's types leave out the sender. */
const dispatch = nactDispatch as (ref: Ref<never>, message: unknown, sender?: unknown) => void;

/** A node with a replicated directory of refs, through which they get around. */
interface Home {
  readonly system: Any;
  readonly directory: GroupRef<Entry, Refs>;
  readonly lines: string[];
  /** Gives others a ref of an actor here. */
  publish(name: string, ref: Any): Promise<void>;
  /** The ref as it is here. */
  find(name: string): Promise<Any>;
  statistics(): Readonly<Record<string, number>>;
}

function home(t: ExecutionContext, hub: MemoryHub, name: string, options: Partial<GroupsOptions> = {}): Home {
  const { logger, lines } = rememberingLogger();
  const node = system(t, hub, name, { logger, ...options });
  const add = (state: Refs, { name, ref }: Entry): Refs => ({ ...state, [name]: ref });
  const directory = spawnReplicated(node, add, 'directory', { initialState: {} });
  return {
    system: node,
    directory,
    lines,
    publish: async (name, ref) => void (await multicast(directory, { name, ref }).stable),
    find: async (name) => {
      let ref: Any | undefined;
      await eventually(async () => (ref = await read(directory, (state) => state[name])) !== undefined, name);
      return ref as Any;
    },
    statistics: () => domain(node).statistics(),
  };
}

/** So many nodes in one domain. */
async function homes(t: ExecutionContext, count: number, hub = memoryHub(), options = {}): Promise<Home[]> {
  const all = ['a', 'b', 'c', 'd'].slice(0, count).map((name) => home(t, hub, name, options));
  await Promise.all(all.map(({ directory }) => viewOf(directory, count)));
  return all;
}

interface Asked {
  readonly replyTo: Any;
  readonly value?: unknown;
}

/** An actor that answers with what it is sent and how often it was. */
function echo(system: Any, name: string): Any {
  return spawn(
    system as Ref<never>,
    (count: number, { replyTo, value }: Asked) => {
      dispatch(replyTo, [value, count]);
      return count + 1;
    },
    name,
    { initialState: 0 },
  ) as Any;
}

/** An actor that keeps what it gets, and who sent it. */
function keeper(system: Any, name: string): { ref: Any; got: unknown[]; senders: unknown[] } {
  const got: unknown[] = [];
  const senders: unknown[] = [];
  const f = (_state: unknown, message: unknown, ctx: object) => {
    got.push(message);
    senders.push((ctx as { sender: unknown }).sender);
  };
  return { ref: spawn(system, f, name), got, senders };
}

const ask = (ref: Any, value?: unknown, timeout = patience) =>
  query<unknown, (replyTo: Any) => Asked>(ref, (replyTo) => ({ replyTo, value }), timeout);

test.serial('dispatch, query and stop reach an actor of another node, and a dead one is a dead letter', async (t) => {
  const [a, b] = (await homes(t, 2)) as [Home, Home];
  const x = echo(a.system, 'x');
  await a.publish('x', x);
  t.is(await a.find('x'), x, 'at home it is the ref of the actor itself');
  const remote = await b.find('x');
  t.not(remote, x);
  t.regex(String(inside(remote).path), /^a#\d+:\/\/x$/);
  t.deepEqual(await ask(remote, 'hello'), ['hello', 0]);
  const { ref, got } = keeper(b.system, 'keeper');
  dispatch(remote, { replyTo: ref, value: new Map([[1n, new Date(0)]]) });
  await eventually(() => got.length === 1, 'the answer');
  t.deepEqual(got, [[new Map([[1n, new Date(0)]]), 1]]);

  stop(remote);
  dispatch(remote, { replyTo: ref });
  const error = await t.throwsAsync(ask(remote), { instanceOf: Unreachable });
  t.regex(error?.message ?? '', /a#\d+:\/\/x: no such actor here \(any more\); it did not get the message/);
  t.false(error?.maybeDone);
  t.true(a.lines.some((line) => /^info .*x is stopped by another node/.test(line)));
  t.true(a.lines.some((line) => /^warn dead letter: dispatch from b#\d+ to .*:\/\/x: no such actor/.test(line)));
  t.is(a.statistics()['deadLetters'], 2);
  t.is(b.statistics()['queries'], 0);
});

test.serial(
  'the sender goes along: ctx.sender answers it, also one of a third node; nobody stays nobody',
  async (t) => {
    const [a, b, c] = (await homes(t, 3)) as [Home, Home, Home];
    const answerer = spawn(a.system as Ref<never>, (_state: unknown, message: unknown, ctx: object) =>
      dispatch((ctx as { sender: Any }).sender, ['answer', message]),
    );
    const kept = keeper(a.system, 'kept');
    const atC = keeper(c.system, 'c');
    await a.publish('answerer', answerer);
    await a.publish('kept', kept.ref);
    await c.publish('c', atC.ref);
    const remote = await b.find('answerer');
    dispatch(remote, 1, await b.find('c'));
    await eventually(() => atC.got.length === 1, 'the answer at c');
    t.deepEqual(atC.got, [['answer', 1]]);
    t.deepEqual(await query(remote, 2 as never, patience), ['answer', 2], 'a query is its own sender');
    t.deepEqual(await query(remote, () => undefined, patience), ['answer', undefined]);

    const atKept = await b.find('kept');
    dispatch(atKept, 1);
    dispatch(atKept, { nobody: new Nobody() }, new Nobody());
    dispatch(atKept, 3, await b.find('c'));
    dispatch(atKept, { group: b.directory, system: b.system }, await b.find('kept'));
    await eventually(() => kept.got.length === 4, 'all four');
    t.true(kept.senders[0] instanceof Nobody);
    t.true(kept.senders[1] instanceof Nobody);
    t.true((kept.got[1] as { nobody: unknown }).nobody instanceof Nobody);
    t.is(digestOf(kept.senders[2]), digestOf(atC.ref));
    t.is(kept.senders[3], kept.ref, 'home again');
    const { group, system } = kept.got[3] as { group: unknown; system: Any };
    t.is(group, a.directory, 'a group means the group');
    t.throws(() => ready(system as Ref<never>), { instanceOf: NotLocal });
  },
);

test.serial('a query goes from node to node, and its answer straight back', async (t) => {
  const [a, b, c] = (await homes(t, 3)) as [Home, Home, Home];
  await c.publish('r', echo(c.system, 'r'));
  const r = await b.find('r');
  const asks = async (_state: unknown, { replyTo, value }: Asked) => dispatch(replyTo, ['q', await ask(r, value)]);
  await b.publish('q', spawn(b.system as Ref<never>, asks, 'q') as Any);
  const passes = (_state: unknown, message: Asked) => dispatch(r, message);
  await b.publish('passes', spawn(b.system as Ref<never>, passes, 'passes') as Any);
  t.deepEqual(await ask(await a.find('q'), 'p'), ['q', ['p', 0]]);
  t.deepEqual(await ask(await a.find('passes'), 'p'), ['p', 1]);
  // an actor of a asks r, and r is in the message as well
  const both = await query(await a.find('q'), (replyTo: Any) => ({ replyTo, value: { r, replyTo } }), patience);
  t.is(digestOf((both as [string, [{ r: unknown }]])[1][0].r), digestOf(r));
});

test.serial(
  'a ref in a multicast answers from every replica: one if it is asked of one, the first if of all',
  async (t) => {
    const hub = memoryHub();
    const logs = ['a', 'b', 'c'].map(() => rememberingLogger());
    const nodes = ['a', 'b', 'c'].map((name, i) => system(t, hub, name, { logger: logs[i]!.logger }));
    type Message = Asked & { readonly all: boolean };
    const f = (state: number, { replyTo, value, all }: Message, ctx: Context) => {
      if (all || ctx.mine) dispatch(replyTo, [value, ctx.me.name]);
      return state + 1;
    };
    const refs = nodes.map((node) => spawnReplicated(node, f, 'g', { initialState: 0 }));
    await Promise.all(refs.map((ref) => viewOf(ref, 3)));
    const kept = keeper(nodes[0] as Any, 'kept');
    for (const ref of refs) dispatch(ref, { replyTo: kept.ref, value: 1, all: false });
    await eventually(() => kept.got.length === 3, 'one answer to each');
    t.deepEqual(kept.got.map((answer) => (answer as string[])[1]).sort(), ['a', 'b', 'c']);
    for (const ref of refs) {
      const answer = await query(ref, (replyTo: Any): Message => ({ replyTo, value: 2, all: true }), patience);
      t.is((answer as unknown[])[0], 2);
    }
    dispatch(refs[1] as GroupRef<Message>, { replyTo: kept.ref, value: 3, all: true });
    await eventually(() => kept.got.length === 6, 'an answer from each');
    for (const { lines } of logs)
      t.deepEqual(
        lines.filter((line) => line.startsWith('warn')),
        [],
      );
  },
);

test.serial('refs in a state survive its transfer, and states that hold them are equal everywhere', async (t) => {
  const hub = memoryHub();
  const [a, b] = (await homes(t, 2, hub)) as [Home, Home];
  await a.publish('x', echo(a.system, 'x'));
  await b.publish('y', echo(b.system, 'y'));
  await b.publish('system', b.system);
  await b.publish('nobody', new Nobody());
  await a.publish('directory', a.directory as Any);
  const late = home(t, hub, 'c');
  await viewOf(late.directory, 3);
  t.deepEqual(await ask(await late.find('x'), 1), [1, 0]);
  t.deepEqual(await ask(await late.find('y'), 2), [2, 0]);
  t.is(await late.find('directory'), late.directory as Any);
  await late.publish('z', echo(late.system, 'z'));
  t.deepEqual(await ask(await a.find('z'), 3), [3, 0]);
  await b.find('z');
  const digests = await Promise.all([a, b, late].map(({ directory }) => read(directory, digestOf)));
  t.is(new Set(digests).size, 1);
  // another actor is another state, and plain data is no ref
  t.not(digestOf(await a.find('x')), digestOf(await a.find('y')));
  const x = inside(await a.find('x'));
  t.not(digestOf(x), digestOf({ ...x }));
});

test.serial('a ref that goes from a to b to c and back to a is the ref of the actor again', async (t) => {
  const [a, b, c] = (await homes(t, 3)) as [Home, Home, Home];
  const last = keeper(a.system, 'last');
  await a.publish('last', last.ref);
  const lastAtC = await c.find('last');
  await c.publish(
    'c',
    spawn(c.system as Ref<never>, (_state: unknown, ref: Any) => dispatch(lastAtC, ref), 'c') as Any,
  );
  const c1 = await b.find('c');
  await b.publish('b', spawn(b.system as Ref<never>, (_state: unknown, ref: Any) => dispatch(c1, ref), 'b') as Any);
  dispatch(await a.find('b'), last.ref);
  await eventually(() => last.got.length === 1, 'the way round');
  t.is(last.got[0], last.ref);
});

test.serial('a query rejects at once when the node of the actor leaves, and so do later ones', async (t) => {
  const [a, b, c] = (await homes(t, 3)) as [Home, Home, Home];
  await c.publish('silent', keeper(c.system, 'silent').ref);
  await a.publish('stays', keeper(a.system, 'stays').ref);
  const silent = await a.find('silent');
  const open = [ask(silent), ask(silent)].map((asked) => t.throwsAsync(asked, { instanceOf: Unreachable }));
  const timedOut = await t.throwsAsync(ask(silent, 1, 20), { message: 'Query Timeout' });
  t.false(timedOut instanceof Unreachable);
  await leaveDomain(c.system);
  for (const error of await Promise.all(open)) {
    t.regex(error?.message ?? '', /c#\d+ is not in the domain any more; it may have got the message/);
    t.true(error?.maybeDone);
  }
  const error = await t.throwsAsync(ask(silent), { instanceOf: Unreachable });
  t.false(error?.maybeDone);
  dispatch(silent, 1);
  stop(silent);
  t.is(a.lines.filter((line) => /^warn dead letter: (dispatch|stop) to c#\d+:\/\/silent/.test(line)).length, 2);
  t.is(a.statistics()['queries'], 0);
  // who has left reaches nobody
  const stays = await b.find('stays');
  const unanswered = t.throwsAsync(ask(stays), { instanceOf: Unreachable });
  await leaveDomain(b.system);
  t.true((await unanswered)?.maybeDone);
  const out = await t.throwsAsync(ask(stays), { instanceOf: Unreachable });
  t.regex(out?.message ?? '', /this node is not in its domain; it did not get the message/);
});

test.serial('after an exclusion refs of the earlier life are dead, at once and for good; new ones work', async (t) => {
  let cut = false;
  const addresses = new Map<string, string>();
  const away = ({ from, to }: Packet) => cut && (from === addresses.get('c') || to === addresses.get('c'));
  const hub = memoryHub((packet) => (away(packet) ? { kind: 'drop' } : { kind: 'pass' }));
  const [a, b, c] = (await homes(t, 3, hub)) as [Home, Home, Home];
  for (const { name, address } of hosts.get(inside(a.system).name)?.domain.value?.nodes ?? [])
    addresses.set(name, address);
  const kept = keeper(c.system, 'kept');
  const x = echo(c.system, 'x');
  await c.publish('kept', kept.ref);
  await c.publish('x', x);
  const y = keeper(a.system, 'y');
  await a.publish('y', y.ref);
  const [keptAtA, xAtA, yAtC] = [await a.find('kept'), await a.find('x'), await c.find('y')];
  dispatch(keptAtA, 'before');
  await eventually(() => kept.got.length === 1, 'a message before');
  const first = domain(c.system).self;

  cut = true;
  const open = t.throwsAsync(ask(keptAtA), { instanceOf: Unreachable });
  const openAtC = t.throwsAsync(ask(yAtC), { instanceOf: Unreachable });
  await Promise.all([viewOf(a.directory, 2), viewOf(b.directory, 2)]);
  t.true((await open)?.maybeDone);
  dispatch(xAtA, 'gone');
  t.false((await t.throwsAsync(ask(xAtA), { instanceOf: Unreachable }))?.maybeDone);
  cut = false;
  await Promise.all([a, b, c].map(({ directory }) => viewOf(directory, 3)));
  t.true((await openAtC)?.maybeDone);
  t.not(domain(c.system as Ref<never>).self, first);
  t.true(c.lines.some((line) => /^warn .* starts anew as .*; refs to its actors that others hold are dead/.test(line)));

  dispatch(keptAtA, 'to an earlier life');
  await t.throwsAsync(ask(xAtA), { instanceOf: Unreachable });
  // c itself does not take them for its own: they mean the same everywhere
  const old = await c.find('kept');
  t.not(old, kept.ref);
  await t.throwsAsync(ask(old), { instanceOf: Unreachable });
  t.is(await read(c.directory, digestOf), await read(a.directory, digestOf));
  t.deepEqual(kept.got, ['before']);
  await c.publish('x2', x);
  t.deepEqual(await ask(await a.find('x2'), 1), [1, 0]);
  t.deepEqual(await ask(await b.find('x2'), 2), [2, 1]);
  dispatch(yAtC, 'from the new life');
  await eventually(() => y.got.includes('from the new life'), 'a message of the new life');
});

test.serial('10,000 messages arrive in order, both ways', async (t) => {
  const [a, b] = (await homes(t, 2)) as [Home, Home];
  const kept = [keeper(a.system, 'kept'), keeper(b.system, 'kept')];
  await a.publish('a', kept[0]!.ref);
  await b.publish('b', kept[1]!.ref);
  const [atB, atA] = [await a.find('b'), await b.find('a')];
  const count = 10_000;
  for (let i = 0; i < count; i++) {
    dispatch(atB, i);
    dispatch(atA, { i });
  }
  await eventually(() => kept.every(({ got }) => got.length >= count), 'all');
  t.deepEqual(
    kept[1]!.got,
    Array.from({ length: count }, (_, i) => i),
  );
  t.deepEqual(
    kept[0]!.got,
    Array.from({ length: count }, (_, i) => ({ i })),
  );
});

test.serial('what cannot travel is an error at the sender, and nothing is left behind', async (t) => {
  const hub = memoryHub();
  const [a, b] = (await homes(t, 2, hub, { limits: { messageBytesMax: 2 ** 21 } })) as [Home, Home];
  await a.publish('x', echo(a.system, 'x'));
  const x = await b.find('x');
  const boom = new Error('boom');
  const factory = () => {
    throw boom;
  };
  t.is(
    t.throws(() => query(x, factory, 1000)),
    boom,
    'as nact does',
  );
  const f = t.throws(() => dispatch(x, { deep: [() => 1] }), { instanceOf: NotEncodable });
  t.is(f?.path, 'message.deep[0]');
  const asked = t.throws(() => ask(x, Symbol('s')), { instanceOf: NotEncodable });
  t.is(asked?.path, 'message.value');
  const sender = t.throws(() => dispatch(x, 1, { from: () => 1 }), { instanceOf: NotEncodable });
  t.is(sender?.path, 'sender.from');
  const large = t.throws(() => dispatch(x, new Uint8Array(2 ** 21)), { instanceOf: MessageTooLarge });
  t.is(large?.limit, 2 ** 21);
  t.throws(() => ask(x, 'x'.repeat(2 ** 21)), { instanceOf: MessageTooLarge });

  const stray = start({ name: 'in-no-domain' });
  const elsewhere = system(t, memoryHub(), 'z', { domain: 'another' });
  t.teardown(() => stop(stray));
  const no = t.throws(() => dispatch(x, { ref: stray }), { instanceOf: NotEncodable });
  t.regex(
    no?.message ?? '',
    /message\.ref cannot be sent: it is a ref of system 'in-no-domain', which is in no domain/,
  );
  const other = t.throws(() => multicast(b.directory, { name: 'z', ref: elsewhere }), { instanceOf: NotEncodable });
  t.regex(other?.message ?? '', /message\.ref cannot be sent: .*, which is in domain 'another': nodes of 'd'/);

  t.throws(() => spawn(x as Ref<never>, () => 1, 'below'), { instanceOf: NotLocal });
  t.throws(() => spawnMember(x as Ref<never>, () => 1, 'below'), { instanceOf: NotLocal });
  const [back] = (await ask(x, new Uint8Array(2 ** 21 - 200))) as [Uint8Array];
  t.is(back.length, 2 ** 21 - 200, 'just below the limit');
  t.is(b.statistics()['queries'], 0);
  t.is(hosts.get(inside(b.system as Ref<never>).name)?.life.strangers.size, 0);
});

test.serial('what is sent faster than it gets away is bounded, and what is above that fails loudly', async (t) => {
  const [a, b] = (await homes(t, 2)) as [Home, Home];
  const kept = keeper(a.system, 'kept');
  await a.publish('kept', kept.ref);
  const remote = await b.find('kept');
  const megabyte = new Uint8Array(2 ** 20);
  for (let i = 0; i < 70; i++) dispatch(remote, megabyte);
  const error = await t.throwsAsync(ask(remote, megabyte), { instanceOf: Unreachable });
  t.regex(error?.message ?? '', /too much waits to be sent to its node already; it did not get the message/);
  await eventually(() => kept.got.length >= 64, 'what was within the bound');
  dispatch(remote, 'after');
  await eventually(() => kept.got.at(-1) === 'after', 'what came later');
  t.is(kept.got.length, 65);
  t.is(b.lines.filter((line) => /^warn dead letter: dispatch .*too much waits/.test(line)).length, 3);
});

test.serial(
  'what waits for a node that is about to join goes out when it has; nobody waits for one that never was',
  async (t) => {
    const hub = memoryHub();
    const [a, b] = (await homes(t, 2, hub)) as [Home, Home];
    const joining = system(t, hub, 'c');
    const kept = keeper(joining, 'kept');
    // the node is in the process: its refs are there before it is in the domain
    await a.publish('kept', kept.ref);
    const remote = await b.find('kept');
    for (let i = 0; i < 10; i++) dispatch(remote, i);
    await ready(joining);
    await eventually(() => kept.got.length === 10, 'what was sent before it was in');
    t.deepEqual(kept.got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

    const never = system(t, memoryHub(), 'e');
    await a.publish('never', keeper(never, 'never').ref);
    const error = await t.throwsAsync(ask(await b.find('never')), { instanceOf: Unreachable });
    t.regex(error?.message ?? '', /it is not in the domain; it did not get the message/);
  },
);

test.serial('malformed calls of another node are logged and dropped', async (t) => {
  const [a] = (await homes(t, 1)) as [Home];
  const host = hosts.get(inside(a.system).name)!;
  const kept = keeper(a.system, 'kept');
  const self = host.life.id;
  const calls: unknown[] = [
    7,
    [],
    [2, 'dispatch', kept.ref, encodeValue(1), undefined, 0],
    [1, 'nonsense', kept.ref],
    [1, 'dispatch', 'kept', encodeValue(1), undefined, 0],
    [1, 'dispatch', kept.ref, 1, undefined, 0],
    [1, 'dispatch', kept.ref, encodeValue(1), undefined, 'x'],
    [1, 'dispatch', kept.ref, new Uint8Array([0xff]), undefined, 0],
    [1, 'dispatch', new Nobody(), encodeValue(1), undefined, 0],
    [1, 'stop', new Nobody()],
    [1, 'dead', 'x', 1],
    [1, 'dead', 1, 'no such query'],
  ];
  for (const call of calls) receiveRemote(host, 'z#1' as NodeId, encodeValue(call, host.refs));
  for (const bytes of [[], [0xff], [0xd9, 0x9c, 0xa8, 0x82, 0x61, 0x78, 0x61, 0x79]])
    receiveRemote(host, 'z#1' as NodeId, new Uint8Array(bytes));
  t.is(a.statistics()['deadLetters'], calls.length - 1 + 3);
  t.true(a.lines.some((line) => /^warn dead letter: call to z#1/.test(line)));
  receiveRemote(host, self, encodeValue([1, 'dispatch', kept.ref, encodeValue('whole'), undefined, 0], host.refs));
  await eventually(() => kept.got.length > 0, 'one that is whole');
  t.deepEqual(kept.got, ['whole']);
});
