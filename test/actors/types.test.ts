/** What compiles and what must not: refs carry their message's and their state's type. The test is the build. */
import test from 'ava';
import { dispatch, query, spawn, start, stop, type ActorSystemRef, type Plugin, type Ref } from 'nact';
import { multicast, read, spawnMember, spawnReplicated, type GroupRef } from '../../actors/index.js';

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

test('the types hold', (t) => {
  t.is(typeof compiles, 'function');
});
