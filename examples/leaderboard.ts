/**
 * A leaderboard that every process holds: reads cost nothing, writes go to all, and what must happen once (the
 * announcement of a new leader) happens at one replica.
 *
 *     node leaderboard.js NAME [SCORES]
 *
 * Start it several times with different names. Each process submits some scores, waits until they count everywhere, and
 * prints the board that it has then.
 */
import { dispatch, start } from 'nact';
import { groups, leaveDomain, multicast, read, spawnReplicated } from 'nact-groups';

type Board = ReadonlyMap<string, number>;
type Score = { readonly player: string; readonly points: number };

const [name = 'anonymous', scores = '3'] = process.argv.slice(2);
const domain = process.env['DOMAIN'] ?? 'arcade';
const system = start(groups({ domain, name }));

const leaderOf = (board: Board) => [...board].reduce((a, b) => (b[1] > a[1] ? b : a), ['nobody', -Infinity])[0];

const board = spawnReplicated(
  system,
  (state: Board, { player, points }: Score, ctx) => {
    const next = new Map(state).set(player, Math.max(points, state.get(player) ?? 0));
    // every replica gets here; one of them says it
    if (ctx.mine && leaderOf(next) !== leaderOf(state)) console.log(`new leader: ${leaderOf(next)} with ${points}`);
    return next;
  },
  'leaderboard',
  { initialState: new Map() as Board },
);

// a dispatch is enough for most; a receipt tells when every member has the message
dispatch(board, { player: name, points: 1 });
for (let i = 1; i <= Number(scores); i++) await multicast(board, { player: name, points: 10 * i }).stable;

console.log(`${name} sees ${await read(board, (state) => JSON.stringify([...state].sort()))}`);
process.once('SIGTERM', () => void leaveDomain(system));
