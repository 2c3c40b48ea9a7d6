/** Who is tethered to whom, and what a broken tether and a probe count for. */
import test from 'ava';
import type { Found } from '../../lib/events.js';
import { noteProbe, tetherBroke } from '../../lib/membership/membership.js';
import { World, letters } from './world.js';

/** A settled domain with tethers, and what a probe of an address finds. */
function tethered(count: number, find: (w: World, address: string) => Found | null = whatIsThere) {
  const w = new World(7);
  w.restarts = false;
  const tethers = new Map<string, readonly string[]>();
  const probes: string[] = [];
  w.watch = (process, output) => {
    if (output.kind === 'tether') tethers.set(process.name, output.to);
    if (output.kind !== 'probe') return;
    probes.push(`${process.name} ${output.to}`);
    w.at(w.now + 0.2, () => {
      const found = find(w, output.to);
      if (found !== null) w.step(process, () => noteProbe(process.membership, output.to, found, w.now));
    });
  };
  const names = letters(count);
  for (const name of names) {
    w.start(name);
    w.until('in', () => w.settled(), 2000);
  }
  w.run(300);
  /** Breaks the tethers of a node in both directions, as its system does when it is killed. */
  const breakTethers = (name: string): void => {
    const address = `at-${name}`;
    for (const process of w.processes.values()) {
      const { address: own } = process;
      if (own === address) continue;
      if (!tethers.get(name)?.includes(own) && !tethers.get(process.name)?.includes(address)) continue;
      w.at(w.now + 0.1, () => w.step(process, () => tetherBroke(process.membership, address, w.now)));
    }
  };
  return { w, names, tethers, probes, breakTethers };
}

function whatIsThere(w: World, address: string): Found {
  return [...w.processes.values()].some((process) => process.address === address) ? 'somebody' : 'nobody';
}

test('in a small domain each pair has one tether, which the younger opens', (t) => {
  const { tethers } = tethered(4);
  t.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => tethers.get(name) ?? []),
    [[], ['at-a'], ['at-a', 'at-b'], ['at-a', 'at-b', 'at-c']],
  );
});

test('a crash is decided in milliseconds, whoever it is', (t) => {
  for (const victim of ['a', 'b', 'e']) {
    const { w, breakTethers } = tethered(5);
    w.crash(victim);
    breakTethers(victim);
    t.true(w.until('four', () => w.settled(), 3000) < 10, victim);
  }
});

test('in a large domain neighbours notice it, and what they report has all others look', (t) => {
  for (const victim of ['a', 'i', 'r']) {
    const { w, tethers, breakTethers } = tethered(20);
    t.true([...tethers.values()].every((to) => to.length === 3));
    w.crash(victim);
    breakTethers(victim);
    t.true(w.until('nineteen', () => w.settled(), 3000) < 20, victim);
  }
});

test('a tether that breaks while both ends live has no consequence', (t) => {
  const { w, names, probes, breakTethers } = tethered(5);
  const before = w.get('a').membership.state?.number;
  for (let i = 0; i < 20; i++) {
    for (const name of names) breakTethers(name);
    w.run(200);
  }
  t.true(probes.length >= 5 * 20);
  t.is(w.get('a').membership.state?.number, before);
  t.true([...w.processes.values()].every(({ membership }) => membership.suspects.size === 0));
});

test('silence in answer to probes is left to the timeout', (t) => {
  const { w, breakTethers } = tethered(5, () => 'silence');
  w.crash('e');
  breakTethers('e');
  const took = w.until('four', () => w.settled(), 3000);
  t.true(took > 800 && took < 1300, `${took}`);
});

test('a node that cannot be connected to is not held for dead when its tether breaks', (t) => {
  for (const hidden of ['a', 'c', 'e']) {
    const find = (w: World, address: string): Found =>
      address === `at-${hidden}` ? 'nobody' : whatIsThere(w, address);
    const { w, probes, breakTethers } = tethered(5, find);
    const before = w.get('a').membership.state?.number;
    const count = probes.length;
    breakTethers(hidden);
    w.run(3000);
    t.true(probes.length > count);
    t.is(w.get('a').membership.state?.number, before);
    t.true([...w.processes.values()].every(({ membership }) => membership.suspects.size === 0));
    // when it dies, that is left to the timeout
    w.crash(hidden);
    breakTethers(hidden);
    const took = w.until('four', () => w.settled(), 3000);
    t.true(took > 800 && took < 1300, `${took}`);
  }
});

test('a node that can be connected to later is held for dead from then on', (t) => {
  let isHidden = true;
  const { w, breakTethers } = tethered(3, (world, address) =>
    isHidden && address === 'at-c' ? 'nobody' : whatIsThere(world, address),
  );
  isHidden = false;
  w.run(6000);
  w.crash('c');
  breakTethers('c');
  t.true(w.until('two', () => w.settled(), 3000) < 10);
});

test('each node is probed once by each when it comes', (t) => {
  const { probes } = tethered(12);
  t.is(new Set(probes).size, 12 * 11);
  t.is(probes.length, 12 * 11);
});

test('an address that is taken for a moment longer is probed again', (t) => {
  let probed = -Infinity;
  const { w, breakTethers } = tethered(3, () => ((probed += 1) > 2 ? 'nobody' : 'somebody'));
  w.crash('c');
  probed = 0;
  breakTethers('c');
  t.true(w.until('two', () => w.settled(), 3000) < 60);
});

test('what the dead have sent and is read later is no sign of life', (t) => {
  const { w, breakTethers } = tethered(5);
  w.weather = { ...w.weather, delayMin: 3, delayMax: 5 };
  const e = w.get('e');
  w.crash('e');
  breakTethers('e');
  for (const name of ['a', 'b', 'c', 'd']) {
    w.at(w.now + 1, () => {
      t.true(w.get(name).membership.suspects.has(e.membership.id), name);
      const { state } = w.get(name).membership;
      w.hear(e, name, state?.number ?? 0);
      t.true(w.get(name).membership.suspects.has(e.membership.id), name);
    });
  }
  t.true(w.until('four', () => w.settled(), 3000) < 40);
});

test('a newer life at its address and a broken tether are evidence enough', (t) => {
  const { w, breakTethers } = tethered(4);
  w.crash('d');
  w.start('d');
  w.run(0.05);
  breakTethers('d');
  t.true(w.until('three and the new one', () => w.settled(), 3000) < 400);
});
