/**
 * Links that are gone for good, in any shape, one way or both: what comes of it is one primary that stays as it is, and no
 * series of exclusions and returns.
 */
import test from 'ava';
import { World, letters } from './world.js';

const timeout = 1000;
/** By then it has to be over, and for so long it is watched afterwards. */
const settleMillis = 30 * timeout;
const watchMillis = 45 * timeout;

/** Whether packets get from the one to the other, by place in the alphabet. */
type Link = (from: number, to: number) => boolean;

interface Outcome {
  /** Decrees of any domain while it was watched, and lives that began then. */
  readonly decrees: number;
  readonly starts: number;
  /** The largest number of nodes that agree on a state of just themselves. */
  readonly largest: number;
  readonly seed: number;
}

/** What becomes of a settled domain in which only these links are left. */
function outcomeOf(count: number, seed: number, link: Link): Outcome {
  const w = new World(seed);
  const names = letters(count);
  for (const name of names) {
    w.start(name);
    w.until('in', () => w.settled(), 3000);
  }
  w.run(500);
  w.rule = ({ from }, to) => (link(names.indexOf(from.name), names.indexOf(to.name)) ? 'pass' : 'drop');
  w.run(settleMillis);
  const lives = new Set([...w.processes.values()]);
  let decrees = 0;
  w.watch = (_process, output) => {
    if (output.kind === 'installed') decrees += 1;
  };
  w.run(watchMillis);
  const all = [...w.processes.values()];
  const sizes = all.map(({ membership: m }) => {
    const state = m.phase.kind === 'member' ? m.state : null;
    const peers = all.filter((other) => other.membership.state?.number === state?.number);
    const agree = state?.nodes.every((node) => peers.some((peer) => peer.membership.id === node.id)) ?? false;
    return agree ? (state?.nodes.length ?? 0) : 0;
  });
  return { decrees, starts: all.filter((each) => !lives.has(each)).length, largest: Math.max(...sizes), seed };
}

const isCalm = ({ decrees }: Outcome) => decrees === 0;

test('a bridge: two halves that see each other through one node only', (t) => {
  t.timeout(120_000);
  for (const count of [3, 4, 5]) {
    for (let bridge = 0; bridge < count; bridge++) {
      const side = (i: number) => (i < bridge ? i : i - 1) % 2;
      const outcome = outcomeOf(count, 1, (i, j) => i === bridge || j === bridge || side(i) === side(j));
      t.true(isCalm(outcome) && outcome.largest >= 2, `${count} ${bridge} ${JSON.stringify(outcome)}`);
    }
  }
});

test('a ring: each sees its neighbours only', (t) => {
  t.timeout(120_000);
  for (const count of [4, 5, 6]) {
    const outcome = outcomeOf(count, 2, (i, j) => [1, count - 1].includes((i - j + count) % count));
    t.true(isCalm(outcome), JSON.stringify(outcome));
  }
});

test('a single link that is gone, in one direction or both', (t) => {
  t.timeout(120_000);
  for (let a = 0; a < 4; a++) {
    for (let b = 0; b < 4; b++) {
      if (a === b) continue;
      const oneWay = outcomeOf(4, 3, (i, j) => i !== a || j !== b);
      t.true(isCalm(oneWay) && oneWay.largest === 3, `${a} ${b} ${JSON.stringify(oneWay)}`);
      if (a > b) continue;
      const twoWay = outcomeOf(4, 3, (i, j) => !(i === a && j === b) && !(i === b && j === a));
      t.true(isCalm(twoWay) && twoWay.largest === 3, `${a} ${b} ${JSON.stringify(twoWay)}`);
    }
  }
});

test('a node that hears everybody and is heard by nobody, and the other way round', (t) => {
  t.timeout(120_000);
  for (const victim of [0, 1, 4]) {
    for (const mute of [true, false]) {
      const outcome = outcomeOf(5, 4, (i, j) => (mute ? i : j) !== victim);
      t.true(isCalm(outcome) && outcome.largest === 4, `${victim} ${mute} ${JSON.stringify(outcome)}`);
    }
  }
});

test('links that are gone by chance, each in one direction', (t) => {
  t.timeout(120_000);
  const restless: Outcome[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    const count = 3 + (seed % 4);
    const share = [0.1, 0.25, 0.5][seed % 3] as number;
    let word = Math.imul(seed, 0x9e3779b1) >>> 0;
    const gone = new Set<string>();
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) {
        word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
        if (word / 2 ** 32 < share) gone.add(`${i} ${j}`);
      }
    }
    const outcome = outcomeOf(count, seed, (i, j) => !gone.has(`${i} ${j}`));
    if (!isCalm(outcome)) restless.push(outcome);
  }
  t.deepEqual(restless, []);
});
