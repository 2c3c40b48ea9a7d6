/** Asking one's own group: how many reply, who is missing and why, and how every ask ends. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dispatch, query, type Ref } from 'nact';
import { firstValueFrom, lastValueFrom, take, toArray } from 'rxjs';
import {
  ask,
  AskFailed,
  AskTimedOut,
  GroupFull,
  InvalidOption,
  leave,
  leaveDomain,
  memoryHub,
  MessageTooLarge,
  multicast,
  NotAMember,
  NotEncodable,
  OrderTooWeak,
  read,
  spawnMember,
  spawnReplicated,
  WouldDeadlock,
  type Context,
  type GroupRef,
  type MemoryHub,
  type Replies,
} from '../../actors/index.js';
import { cuttable, eventually, rememberingLogger, system, viewOf } from './systems.js';

/** Adds up, and replies with who is asked and the sum. */
const sum = (state: number, message: number, ctx: Context<number, string>) => {
  ctx.reply(`${ctx.me.name}: ${state + message}`);
  return state + message;
};

type Sum = GroupRef<number, number, string>;

/** Members that add up, one on each node of these names. */
async function sums(
  t: ExecutionContext,
  hub: MemoryHub,
  names: readonly string[],
  f: typeof sum | ((state: number, message: number, ctx: Context<number, string>) => Promise<number>) = sum,
): Promise<Sum[]> {
  const refs = names.map((name) => spawnReplicated(system(t, hub, name), f, 'g', { initialState: 0 }));
  await Promise.all(refs.map((ref) => viewOf(ref, names.length)));
  return refs;
}

const namesIn = (replies: Replies) => replies.map(({ member }) => member.name).sort();
const valuesIn = (replies: Replies<string>) => replies.map(({ value }) => value).sort();
const missingFrom = ({ missing }: Pick<Replies, 'missing'>) => missing.map(({ member, why }) => [member.name, why]);

test.serial('all, a majority, one and so many members reply, each with the state after the message', async (t) => {
  const [a] = (await sums(t, memoryHub(), ['a', 'b', 'c', 'd'])) as [Sum];
  const all = await ask(a, 5, { replies: 'all' });
  t.deepEqual(valuesIn(all), ['a: 5', 'b: 5', 'c: 5', 'd: 5']);
  t.deepEqual(all.missing, []);
  t.true(Array.isArray(all));
  t.regex(all[0]?.member.id ?? '', /^[abcd]#\d+$/);
  t.is((await ask(a, 1, { replies: 'majority' })).length, 3);
  t.is((await ask(a, 1, { replies: 'one' })).length, 1);
  t.is((await ask(a, 1, { replies: 2 })).length, 2);
  t.deepEqual(valuesIn(await ask(a, 1, { replies: 'all', uniform: true })), ['a: 9', 'b: 9', 'c: 9', 'd: 9']);
  const { missing, ...more } = await ask(a, 1, { replies: 9 });
  t.is(Object.keys(more).length, 4, 'more than there are is all');
  t.deepEqual(missing, []);
  t.is(await read(a, (state) => state), 10);
});

test.serial('replies come on a stream, as they come, and also to who looks late', async (t) => {
  const later: (() => void)[] = [];
  const slow = (state: number, message: number, ctx: Context<number, string>) => {
    if (ctx.me.name === 'c') later.push(() => ctx.reply('c'));
    else ctx.reply(ctx.me.name);
    return state + message;
  };
  const [a] = (await sums(t, memoryHub(), ['a', 'b', 'c'], slow)) as [Sum];
  const asked = ask(a, 1, { replies: 'all' });
  const seen: string[] = [];
  asked.replies.subscribe(({ value }) => seen.push(value));
  await eventually(() => seen.length === 2 && later.length === 1, 'two replies');
  t.deepEqual(seen.sort(), ['a', 'b']);
  const late = lastValueFrom(asked.replies.pipe(toArray()));
  later[0]?.();
  t.deepEqual(namesIn(await asked), ['a', 'b', 'c']);
  t.deepEqual((await late).length, 3);
  t.deepEqual((await firstValueFrom(asked.replies.pipe(toArray()))).length, 3, 'after the end');
});

test.serial('a member that is killed while it is waited for is waited for no more', async (t) => {
  const { hub, cut } = cuttable(t);
  const mute = (state: number, message: number, ctx: Context<number, string>) => {
    if (ctx.me.name !== 'c') ctx.reply(ctx.me.name);
    return state + message;
  };
  const [a, , c] = (await sums(t, hub, ['a', 'b', 'c'], mute)) as [Sum, Sum, Sum];
  const asked = ask(a, 1, { replies: 'all', timeout: 10_000 });
  await firstValueFrom(asked.replies.pipe(take(2), toArray()));
  cut(c);
  const replies = await asked;
  t.deepEqual(namesIn(replies), ['a', 'b']);
  t.deepEqual(missingFrom(replies), [['c', 'failed']]);
});

test.serial('a member that leaves while it is waited for is missing, and says why', async (t) => {
  const mute = (state: number, message: number, ctx: Context<number, string>) => {
    if (ctx.me.name !== 'b') ctx.reply(ctx.me.name);
    return state + message;
  };
  const [a, b] = (await sums(t, memoryHub(), ['a', 'b'], mute)) as [Sum, Sum];
  const asked = ask(a, 1, { replies: 'all', timeout: 10_000 });
  await firstValueFrom(asked.replies);
  await leave(b);
  t.deepEqual(missingFrom(await asked), [['b', 'left the group']]);
});

test.serial(
  'after its time an ask ends, and tells what came, who is missing, and that it may have been done',
  async (t) => {
    const waiting: (() => void)[] = [];
    const late = (state: number, message: number, ctx: Context<number, string>) => {
      if (ctx.me.name === 'a') ctx.reply('a');
      else waiting.push(() => ctx.reply('b'));
      return state + message;
    };
    const [a] = (await sums(t, memoryHub(), ['a', 'b'], late)) as [Sum];
    const asked = ask(a, 1, { replies: 'all', timeout: 100 });
    const streamed = lastValueFrom(asked.replies.pipe(toArray()));
    const error = await t.throwsAsync(asked, { instanceOf: AskTimedOut });
    t.deepEqual(namesIn(Object.assign([...(error?.replies ?? [])], { missing: [] })), ['a']);
    t.deepEqual(missingFrom(error), [['b', 'has not replied yet']]);
    t.true(error?.mayHaveTakenEffect);
    t.is(error?.timeout, 100);
    t.is(await t.throwsAsync(streamed), error, 'the stream ends alike');
    await eventually(() => waiting.length === 1, 'b has it');
    // too late: nobody is disturbed
    waiting[0]?.();
    t.is((await ask(a, 1, { replies: 1 })).length, 1);
    t.is(await read(a, (state) => state), 2);
  },
);

test.serial(
  'an ask ends in time also if the group cannot be joined, and before the node is in its domain',
  async (t) => {
    const hub = memoryHub();
    const alone = system(t, hub, 'a', { minimumNodes: 2 });
    const ref = spawnReplicated(alone, sum, 'g', { initialState: 0 });
    const error = await t.throwsAsync(ask(ref, 1, { replies: 'one', timeout: 50 }), { instanceOf: AskTimedOut });
    t.deepEqual(error?.missing, []);
    await viewOf(spawnReplicated(system(t, hub, 'b'), sum, 'g', { initialState: 0 }), 2);
    t.is(await read(ref, (state) => state), 1, 'it took effect later');
    const never = system(t, memoryHub(), 'c', { transport: () => new Promise(() => undefined) });
    const waits = spawnReplicated(never, sum, 'g', { initialState: 0 });
    await t.throwsAsync(ask(waits, 1, { replies: 'one', timeout: 50 }), { instanceOf: AskTimedOut });
  },
);

test.serial(
  'a member whose function throws is missing, with what it threw; if all do, nobody has replied',
  async (t) => {
    const hub = memoryHub();
    const fussy = (state: number, message: number, ctx: Context<number, string>) => {
      if (message === 13 || (message === 12 && ctx.me.name === 'b')) throw new Error('no such number');
      ctx.reply(ctx.me.name);
      return state + message;
    };
    const props = { initialState: 0, onCrash: (_m: unknown, _e: unknown, ctx: { resume: symbol }) => ctx.resume };
    const [a, b] = ['a', 'b'].map((name) => spawnMember(system(t, hub, name), fussy, 'g', props)) as [Sum, Sum];
    await Promise.all([viewOf(a, 2), viewOf(b, 2)]);
    const replies = await ask(a, 12, { replies: 'all' });
    t.deepEqual(namesIn(replies), ['a']);
    t.deepEqual(missingFrom(replies), [['b', 'its function threw: no such number']]);
    const error = await t.throwsAsync(ask(a, 13, { replies: 'all' }), { instanceOf: AskFailed });
    t.is(error?.missing.length, 2);
    t.deepEqual(error?.replies, []);
  },
);

test.serial('a reply that cannot be sent is an error where it is made, and the asker is told', async (t) => {
  const hub = memoryHub();
  const caught: unknown[] = [];
  const replier = (state: number, message: number, ctx: Context) => {
    try {
      ctx.reply(message === 1 ? { deep: [() => 1] } : new Uint8Array(200_000));
    } catch (error) {
      caught.push(error);
    }
    return state;
  };
  const options = { limits: { messageBytesMax: 100_000 } };
  const a = spawnReplicated(system(t, hub, 'a', options), replier, 'g', { initialState: 0 });
  const failed = await t.throwsAsync(ask(a, 1, { replies: 'all' }), { instanceOf: AskFailed });
  t.regex(failed?.missing[0]?.why ?? '', /deep\[0\]/);
  await t.throwsAsync(ask(a, 2, { replies: 'all' }), { instanceOf: AskFailed, message: /200\d+ bytes/ });
  t.true(caught[0] instanceof NotEncodable && caught[1] instanceof MessageTooLarge);
});

test.serial('a reply counts once, may come later, and is nothing if nobody asked', async (t) => {
  const hub = memoryHub();
  const { logger, lines } = rememberingLogger();
  const replier = async (state: number, message: number, ctx: Context<number, string>) => {
    if (message > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      setTimeout(() => {
        ctx.reply('first');
        ctx.reply('second');
      }, 5);
    } else ctx.reply('to nobody');
    return state + message;
  };
  const a = spawnReplicated(system(t, hub, 'a', { logger }), replier, 'g', { initialState: 0 });
  dispatch(a, 0);
  await multicast(a, 0).delivered;
  t.deepEqual(valuesIn(await ask(a, 1, { replies: 'all' })), ['first']);
  t.true(lines.some((line) => line.startsWith('debug a second reply')));
});

test.serial("a reply answers nact's query, at the one replica that has its sender", async (t) => {
  const [a, b] = (await sums(t, memoryHub(), ['a', 'b'])) as [Sum, Sum];
  t.is(await query(a as Ref<number>, () => 3, 5000), 'a: 3' as never);
  t.is(await query(b as Ref<number>, () => 4, 5000), 'b: 7' as never);
});

test.serial('every replica is told the same of who asked', async (t) => {
  const hub = memoryHub();
  const clients: unknown[] = [];
  const note = (state: number, message: number, ctx: Context) => {
    clients.push([ctx.me.name, message, ctx.client?.name ?? null, ctx.from.name]);
    ctx.reply(0);
    return state;
  };
  const [a] = (await sums(t, hub, ['a', 'b'], note)) as [Sum];
  await ask(a, 1, { replies: 'all' });
  await multicast(a, 2).stable;
  await eventually(() => clients.length === 4, 'both at both');
  t.deepEqual(clients.sort(), [
    ['a', 1, 'a', 'a'],
    ['a', 2, null, 'a'],
    ['b', 1, 'a', 'a'],
    ['b', 2, null, 'a'],
  ]);
});

test.serial('members of a plain group reply from their own states; any order can be asked in', async (t) => {
  const hub = memoryHub();
  const f = (state: number, _message: number, ctx: Context<number, number>) => (ctx.reply(state), state + 1);
  const [a, b] = ['a', 'b'].map((name, i) =>
    spawnMember(system(t, hub, name), f, 'g', { initialState: 10 * i, order: 'fifo' }),
  ) as [GroupRef<number, number, number>, GroupRef<number, number, number>];
  await Promise.all([viewOf(a, 2), viewOf(b, 2)]);
  for (const [i, order] of (['fifo', 'causal', 'total', 'barrier'] as const).entries()) {
    const values = (await ask(b, 0, { replies: 'all', order })).map(({ value }) => value);
    t.deepEqual(
      values.sort((x, y) => x - y),
      [i, 10 + i],
      order,
    );
  }
});

test.serial("a group's own function must not await an ask of its group; of another it may", async (t) => {
  const node = system(t, memoryHub(), 'a');
  const caught: unknown[] = [];
  const other = spawnReplicated(node, sum, 'other', { initialState: 0 });
  const own: GroupRef<number, number, string> = spawnReplicated(
    node,
    async (state: number, message: number, ctx: Context<number, string>) => {
      if (message === 1) await ask(own, 2, { replies: 'all' }).catch((error: unknown) => caught.push(error));
      const [reply] = await ask(other, message, { replies: 'all' });
      ctx.reply(`of the other ${reply?.value ?? 'nothing'}`);
      return state + message;
    },
    'own',
    { initialState: 0 },
  );
  t.deepEqual(valuesIn(await ask(own, 1, { replies: 'all' })), ['of the other a: 1']);
  t.true(caught[0] instanceof WouldDeadlock);
  t.is(await read(own, (state) => state), 1, 'nothing was sent');
});

test.serial('a function that turns out to be asynchronous is told, too', async (t) => {
  const caught: unknown[] = [];
  async function handle(state: number): Promise<number> {
    await ask(ref, 1, { replies: 'all', timeout: 1000 }).catch((error: unknown) => caught.push(error));
    return state;
  }
  const ref: GroupRef<number, number, number> = spawnReplicated(
    system(t, memoryHub(), 'a'),
    (state: number, message: number, ctx: Context<number, number>) => {
      ctx.reply(state);
      return message === 0 ? handle(state) : state + message;
    },
    'g',
    { initialState: 0 },
  );
  for (let i = 0; i < 200; i++) dispatch(ref, 1);
  await multicast(ref, 0).stable;
  await eventually(() => caught.length === 1, 'an error');
  t.true(caught[0] instanceof WouldDeadlock);
});

test.serial('what cannot be asked is an error, and nothing is sent', async (t) => {
  const node = system(t, memoryHub(), 'a', { limits: { queueLengthMax: 10 } });
  const ref = spawnReplicated(node, (state: number, _message: unknown) => state + 1, 'g', { initialState: 0 });
  await viewOf(ref, 1);
  for (const replies of [0, -1, 1.5, 'some', undefined]) {
    await t.throwsAsync(ask(ref, 1, { replies: replies as never }), { instanceOf: InvalidOption });
  }
  for (const timeout of [0, -1, NaN, Infinity, '5']) {
    await t.throwsAsync(ask(ref, 1, { replies: 1, timeout: timeout as never }), { instanceOf: InvalidOption });
  }
  await t.throwsAsync(
    ask(ref, () => 1, { replies: 1 }),
    { instanceOf: NotEncodable },
  );
  await t.throwsAsync(ask(ref, 1, { replies: 1, order: 'fifo' }), { instanceOf: OrderTooWeak });
  t.is(await read(ref, (state) => state), 0);
  const unanswered = Array.from({ length: 10 }, () => ask(ref, 1, { replies: 1, timeout: 200 }));
  const full = await t.throwsAsync(ask(ref, 1, { replies: 1 }), { instanceOf: GroupFull });
  t.is(full?.queued, 10);
  for (const asked of unanswered) await t.throwsAsync(asked, { instanceOf: AskTimedOut });
  await leave(ref);
  await t.throwsAsync(ask(ref, 1, { replies: 1 }), { instanceOf: NotAMember });
});

test.serial('asks that wait end with the node', async (t) => {
  const mute = (state: number, message: number) => state + message;
  const [a] = (await sums(t, memoryHub(), ['a', 'b'], mute)) as [Sum];
  const asked = ask(a, 1, { replies: 'all', timeout: 10_000 });
  await eventually(async () => (await read(a, (state) => state)) === 1, 'its delivery');
  void leaveDomain(a);
  const error = await t.throwsAsync(asked, { instanceOf: AskFailed });
  t.true(error?.mayHaveTakenEffect);
  await t.throwsAsync(ask(a, 1, { replies: 'all' }), { instanceOf: NotAMember });
});

test.serial('whoever leaves the group goes on waiting for the others to reply', async (t) => {
  const waiting: (() => void)[] = [];
  const late = (state: number, message: number, ctx: Context<number, string>) => {
    waiting.push(() => ctx.reply(ctx.me.name));
    return state + message;
  };
  const [a] = (await sums(t, memoryHub(), ['a', 'b'], late)) as [Sum];
  const asked = ask(a, 1, { replies: 'all', timeout: 10_000 });
  await eventually(() => waiting.length === 2, 'both deliveries');
  await leave(a);
  for (const reply of waiting) reply();
  const replies = await asked;
  t.deepEqual(namesIn(replies), ['b']);
  t.deepEqual(missingFrom(replies), [['a', 'left the group']]);
});
