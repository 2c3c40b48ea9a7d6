/**
 * A replicated actor in twenty lines. Start it in several terminals: one replicated stock. Kill any of them, and the rest
 * go on.
 */
/* eslint @typescript-eslint/no-unnecessary-type-assertion: off */
import { start, dispatch } from 'nact';
import { groups, spawnReplicated, read, views } from 'nact-groups';

const system = start(groups({ domain: 'shop' }));

type Stock = Record<string, number>;
type Change = { type: 'take' | 'put'; sku: string; n: number };

// prettier-ignore
const stock = spawnReplicated(system, (state: Stock, msg: Change) =>
  ({ ...state, [msg.sku]: (state[msg.sku] ?? 0) + (msg.type === 'put' ? msg.n : -msg.n) }),
  'stock', { initialState: {} as Stock });

// prettier-ignore
views(stock).subscribe(view => console.log(view.id, view.members.map(m => m.name), view.cause));
// prettier-ignore
dispatch(stock, { type: 'put', sku: 'tea', n: 5 }); // every replica applies it, in one order
// prettier-ignore
console.log(await read(stock, state => state.tea)); // local: no message; sees this node's own earlier multicasts
