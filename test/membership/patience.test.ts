/** Loss, jitter and garbage collections exclude nobody; a process that is silent for good is out after the timeout. */
import test from 'ava';
import { isQuorate } from '../../lib/membership/membership.js';
import { World, letters } from './world.js';

const loss = 0.05;
const jitter = 50;
const collection = 500;

/** A domain whose network loses and delays, whatever the times of its detector. */
function domainOf(count: number, seed: number, settings = {}): World {
  const w = new World(seed, settings);
  for (const name of letters(count)) {
    w.start(name);
    w.until('in', () => w.settled(), 3000);
  }
  w.weather = { loss, duplication: 0.01, delayMin: 0.1, delayMax: jitter };
  w.run(1000);
  return w;
}

/** Two minutes, in which each process stands still for half a second every few seconds. */
function standStill(w: World): void {
  const end = w.now + 120_000;
  for (const name of w.processes.keys()) {
    const again = (): void => {
      if (w.now >= end) return;
      if (w.processes.get(name)?.stalled === false) w.stall(name, collection);
      w.at(w.now + 1000 + w.below(8000), again);
    };
    w.at(w.now + w.below(8000), again);
  }
  w.run(120_000);
}

test('5 % loss, 50 ms of jitter and collections of 500 ms exclude nobody in two minutes', (t) => {
  t.timeout(120_000);
  for (let seed = 1; seed <= 3; seed++) {
    const w = domainOf(5, seed);
    const before = w.get('a').membership.state?.number;
    standStill(w);
    t.is(w.get('a').membership.state?.number, before, `seed ${seed}`);
    t.true(w.settled());
  }
});

test('a timeout that is too short for its network grows, and excludes hardly anybody any more', (t) => {
  t.timeout(120_000);
  const decrees = (timeoutMax: number): number => {
    let count = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const w = domainOf(5, seed, { heartbeat: 20, timeout: 80, timeoutMax });
      const before = w.get('a').membership.state?.number ?? 0;
      w.run(120_000);
      count += (w.get('a').membership.state?.number ?? 0) - before;
    }
    return count;
  };
  const [fixed, adaptive] = [decrees(80), decrees(1000)];
  t.log(`${fixed} decrees with a fixed timeout, ${adaptive} with one that adapts`);
  t.true(fixed > 50);
  t.true(5 * adaptive <= fixed);
});

test('a process that stands still for good is out soon after the timeout, also after a lossy hour', (t) => {
  t.timeout(120_000);
  const w = domainOf(5, 9);
  w.restarts = false;
  w.run(60_000);
  w.stall('c', 60_000);
  const rest = ['a', 'b', 'd', 'e'];
  const took = w.until('four', () => w.settled(rest), 5000);
  t.true(took > 700 && took < 1800, `${took}`);
});

test('who stood still for longer than the timeout goes on once it has heard a quorum, and with the state that it had', (t) => {
  for (const [span, doubts] of [
    [collection, 0],
    [30_000, 2],
  ] as const) {
    const w = new World(3);
    for (const name of letters(3)) {
      w.start(name);
      w.until('in', () => w.settled(), 3000);
    }
    const before = w.get('a').membership.state?.number;
    const changes: string[] = [];
    w.watch = ({ name }, { kind }) => {
      if (kind === 'quorate') changes.push(name);
    };
    for (const name of ['b', 'c']) w.stall(name, span + 100);
    w.stall('a', span);
    w.run(span + 50);
    t.is(isQuorate(w.get('a').membership), doubts === 0);
    w.run(500);
    for (const name of letters(3)) {
      t.true(isQuorate(w.get(name).membership), name);
      t.is(changes.filter((one) => one === name).length, doubts, name);
    }
    t.is(w.get('a').membership.state?.number, before);
  }
});

test('the oldest of two is a quorum by itself when it wakes up, the younger is not', (t) => {
  const w = new World(4);
  for (const name of ['a', 'b']) {
    w.start(name);
    w.until('in', () => w.settled(), 3000);
  }
  w.stall('b', 60_000);
  w.stall('a', 30_000);
  w.run(30_010);
  t.true(isQuorate(w.get('a').membership));
  t.is(w.get('a').membership.state?.nodes.length, 2);
});
