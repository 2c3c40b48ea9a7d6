/**
 * A search that is split over the members by rank. Of the pieces that are not done, each member takes those whose number falls
 * to its rank; as rank and size are those of the view, the pieces of a member that dies fall to the others with the next view.
 *
 *     node search.js NAME [PIECES]
 *
 * What is searched for are numbers whose SHA-256 begins with five zeros in hexadecimal.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { start } from 'nact';
import { groups, leaveDomain, multicast, read, spawnReplicated, views, type View } from 'nact-groups';

type Search = { readonly done: ReadonlySet<number>; readonly found: readonly number[] };
type Result = { readonly piece: number; readonly found: readonly number[] };

const [name = 'anonymous', pieces = '200'] = process.argv.slice(2);
const system = start(groups({ domain: process.env['DOMAIN'] ?? 'search', name }));

const search = spawnReplicated(
  system,
  ({ done, found }: Search, result: Result) => {
    // two members may have done one piece, one of them in an earlier view: the first counts
    if (done.has(result.piece)) return { done, found };
    return { done: new Set(done).add(result.piece), found: [...found, ...result.found] };
  },
  'search',
  { initialState: { done: new Set<number>(), found: [] } },
);

let view: View | undefined;
views(search).subscribe((next) => {
  view = next;
  console.log(`${next.cause}: ${name} takes ${next.rank + 1} of ${next.members.length}`);
});

const size = 20_000;
const isFound = (n: number) => createHash('sha256').update(String(n)).digest('hex').startsWith('00000');
const numbersOf = (piece: number) => Array.from({ length: size }, (_, i) => piece * size + i);
const all = Array.from({ length: Number(pieces) }, (_, piece) => piece);

/** The first piece that is this member's to do; undefined: the others have the rest. */
function next({ done }: Search): number | undefined {
  const { rank, members } = view ?? { rank: 0, members: [0] };
  return all.filter((piece) => !done.has(piece)).find((piece) => piece % members.length === rank);
}

for (;;) {
  const { piece, left, found } = await read(search, (state) => ({
    piece: next(state),
    left: all.length - state.done.size,
    found: state.found,
  }));
  if (left === 0) {
    console.log(`found: ${[...found].sort((a, b) => a - b).join(' ')}`);
    break;
  }
  if (piece === undefined) await delay(20);
  else await multicast(search, { piece, found: numbersOf(piece).filter(isFound) }).delivered;
}
process.once('SIGTERM', () => void leaveDomain(system));
