/** What compiles and what must not: refs carry their message's and their state's type. The test is the build. */
import test from 'ava';
import { dispatch, query, spawn, start, stop, type ActorSystemRef, type Plugin, type Ref } from 'nact';
import {
  ask,
  groupRef,
  multicast,
  read,
  spawnMember,
  spawnReplicated,
  type Context,
  type GroupRef,
} from '../../actors/index.js';

type Stock = Record<string, number>;
type Change = { type: 'take' | 'put'; sku: string; n: number };

export function compiles(stock: GroupRef<Change, Stock>, plain: Ref<Change>, plugin: Plugin, unknown: unknown): void {
  dispatch(stock, { type: 'put', sku: 'tea', n: 5 });
  dispatch(plain, { type: 'put', sku: 'tea', n: 5 });
  multicast(stock, { type: 'take', sku: 'tea', n: 5 }, { uniform: true });
  void read(stock, (state) => state['tea']).then((n: number | undefined) => n);

  // @ts-expect-error a wrong type
  dispatch(stock, { type: 'put', sku: 'tea', n: '5' });
  // @ts-expect-error a wrong literal
  dispatch(plain, { type: 'pour', sku: 'tea', n: 5 });
  // @ts-expect-error fields are missing
  dispatch(stock, { type: 'put' });
  const wide = { type: 'put', sku: 'tea', n: 4 };
  // @ts-expect-error the literal was widened
  dispatch(stock, wide);
  // @ts-expect-error anything
  dispatch(stock, unknown);
  // @ts-expect-error a wrong message
  multicast(stock, { type: 'put', sku: 5, n: 5 });
  // @ts-expect-error the state holds numbers
  const wrong: Promise<string | undefined> = read(stock, (state) => state['tea']);
  void wrong;
  // @ts-expect-error a ref of other messages
  const other: Ref<string> = stock;
  void other;

  const named = start({ name: 'x' }, plugin);
  const system: ActorSystemRef = start(plugin);
  for (const parent of [named, system]) {
    const child = spawn(
      parent,
      (state: number, msg: { replyTo: Ref<number> }) => (dispatch(msg.replyTo, state), state),
    );
    void query(child, (replyTo: Ref<number>) => ({ replyTo }), 5).then((n: number) => n);
    stop(child);
  }
  asks(stock, system);
  const list = spawnReplicated(system, (state: readonly number[], msg: number) => [...state, msg], 'list', {
    initialState: [],
  });
  void read(list, (state) => state.map((n) => n.toFixed()));
  spawnMember(system, async (state: number, msg: string, ctx) => (ctx.mine ? state + msg.length : state), 'plain', {
    initialState: 0,
    onView: (state, view) => state + view.members.length,
  });
  // @ts-expect-error the initial state is not a state
  spawnReplicated(system, (state: Stock, _msg: Change) => state, 'stock', { initialState: 5 });
}

function asks(stock: GroupRef<Change, Stock>, system: ActorSystemRef): void {
  const change: Change = { type: 'put', sku: 'tea', n: 5 };
  const counted = spawnReplicated(
    system,
    (state: number, msg: string, ctx: Context<string, number>) => {
      ctx.reply(state + msg.length);
      // @ts-expect-error replies are numbers
      ctx.reply(msg);
      return state;
    },
    'counted',
    { initialState: 0, accept: ({ message, from }) => message.length > from.name.length || 'too short' },
  );
  // what the function replies, its ref knows
  void ask(counted, 'x', { replies: 'all' }).then((replies) => replies.map(({ value }) => value.toFixed()));
  ask(counted, 'x', { replies: 2, timeout: 50 }).replies.subscribe(({ member, value }) => [member.name, value + 1]);
  // @ts-expect-error a wrong message
  void ask(counted, 5, { replies: 'one' });
  // @ts-expect-error numbers, not strings
  void ask<string>(counted, 'x', { replies: 'one' });
  // @ts-expect-error how many?
  void ask(counted, 'x', {});
  // @ts-expect-error some is not a number
  void ask(counted, 'x', { replies: 'some' });

  // where it does not know, whoever asks says it
  void ask(stock, change, { replies: 'one' }).then(([reply]): unknown => reply?.value);
  void ask<number>(stock, change, { replies: 'one' }).then(([reply]): number | undefined => reply?.value);
  // @ts-expect-error a wrong message
  void ask(stock, { type: 'pour' }, { replies: 'one' });
  void ask(stock, change, { replies: 'all' }).then(({ missing }) =>
    missing.map(({ member, why }) => member.name + why),
  );

  const outside = groupRef<Change, Stock, number>(system, 'stock', { timeout: 100 });
  dispatch(outside, change);
  void multicast(outside, change).stable;
  void ask(outside, change, { replies: 'majority' }).then(([reply]): number | undefined => reply?.value);
  // @ts-expect-error a wrong message
  dispatch(outside, { type: 'pour' });
}

test('the types hold', (t) => {
  t.is(typeof compiles, 'function');
});
