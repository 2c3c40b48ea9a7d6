/** Nodes find each other: they found one domain, join it, come back to it, and two domains that meet become one. */
import test from 'ava';
import { gather } from '../../lib/membership/batch.js';
import { multicastSent, receive } from '../../lib/membership/membership.js';
import type { DomainState } from '../../lib/membership/state.js';
import type { Process } from './world.js';
import { World, calm, letters } from './world.js';

const kinds = ({ outputs }: Process) => outputs.map((output) => output.kind);
const isIn = (process: Process) => process.membership.phase.kind === 'member';

test('a node that hears of nobody founds a domain, after the time of discovery and no sooner', (t) => {
  const w = new World(1);
  const a = w.start('a');
  w.run(399);
  t.is(a.membership.phase.kind, 'seeking');
  w.run(2);
  t.deepEqual(kinds(a), ['installed', 'joined']);
  const [first] = a.outputs;
  t.true(first?.kind === 'installed' && first.decree === null && first.state.number === 1);
});

test('a node that hears a busy domain, and is not heard, founds none until that is silent', (t) => {
  const w = new World(1);
  w.startAll(['a', 'b']);
  w.until('two', () => w.settled(), 2000);
  w.rule = ({ from }) => (from.name === 'c' ? 'drop' : 'pass');
  const c = w.start('c');
  for (let i = 0; i < 100; i++) {
    // data: so much that a heartbeat is due only every half timeout, which is longer than the time of discovery
    for (const process of [w.get('a'), w.get('b')]) {
      multicastSent(process.membership, w.now);
      w.hear(process, 'c', process.membership.state?.number ?? 0);
    }
    w.run(20);
    t.is(c.membership.phase.kind, 'seeking');
  }
  w.crash('a');
  w.crash('b');
  w.until('a domain of its own', () => isIn(c), 1000);
  t.pass();
});

test('nodes that start at the same instant found one domain, every time', (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const w = new World(seed);
    const names = letters(2 + (seed % 6));
    w.weather = { ...calm, delayMax: 1 + (seed % 30) };
    if (seed % 2 === 0) w.startAll(names);
    else for (const name of names) w.at(w.below(600), () => w.start(name));
    w.run(600);
    w.until('one domain of all', () => w.settled(names), 1500);
    t.is(w.chains.size, 1, `seed ${seed}`);
  }
});

test('a node that stands still while it looks for a domain founds none beside that of the others', (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const w = new World(seed);
    const names = letters(2 + (seed % 3));
    w.startAll(names);
    // the oldest from its start on, or all for a while: less than the others take one that looks for a domain to live on
    if (seed % 2 === 0) w.stall('a', 50 * (1 + (seed % 20)));
    else for (const name of names) w.at(w.below(500), () => w.stall(name, w.below(300)));
    w.run(1600);
    w.until('one domain of all', () => w.settled(names), 3000);
    t.is(w.chains.size, 1, `seed ${seed}`);
  }
});

test('a hundred nodes that start at once are in within a second, by few decrees', (t) => {
  const w = new World(7);
  w.startAll(letters(100));
  t.true(w.until('one domain of all', () => w.settled(), 3000) < 1000);
  t.true((w.get('a').membership.state?.number ?? 0) <= 12);
});

test('a node joins a running domain and learns its state whole', (t) => {
  const w = new World(2);
  w.startAll(['a', 'b', 'c']);
  w.until('three', () => w.settled(), 2000);
  w.joinGroup('a', 'red');
  w.run(200);
  const d = w.start('d');
  t.true(w.until('four', () => w.settled(), 1000) < 300);
  const [installed, joined] = d.outputs;
  t.true(installed?.kind === 'installed' && installed.decree === null && installed.state.groups.has('red'));
  t.is(joined?.kind, 'joined');
});

test('a join survives the loss of a third of all packets', (t) => {
  const w = new World(3);
  w.weather = { ...calm, loss: 0.33 };
  w.startAll(['a', 'b']);
  w.until('two', () => w.settled(), 10_000);
  w.start('c');
  w.until('three', () => w.settled(), 10_000);
  t.pass();
});

test('a joiner that misses its welcome is told again', (t) => {
  const w = new World(14);
  w.startAll(['a', 'b']);
  w.until('two', () => w.settled(), 2000);
  w.rule = ({ message }) => (message.kind === 'welcome' ? 'drop' : 'pass');
  w.start('c');
  w.run(1500);
  t.is(w.get('a').membership.state?.nodes.length, 3);
  w.rule = () => 'pass';
  t.true(w.until('three', () => w.settled(), 2000) < 500);
});

test('a restart at the same address is let in well before the timeout', (t) => {
  for (const victim of ['b', 'c']) {
    const w = new World(4);
    w.startAll(['a', 'b', 'c']);
    w.until('three', () => w.settled(), 2000);
    w.crash(victim);
    w.start(victim);
    t.true(w.until('three again', () => w.settled(), 2000) < 700, victim);
    t.deepEqual(
      w.get(victim).outputs.map((output) => output.kind),
      ['installed', 'joined'],
    );
  }
});

test('a restart of the oldest at the same address is let in as well', (t) => {
  const w = new World(5);
  const [a] = w.startAll(['a', 'b', 'c']);
  w.until('three', () => w.settled(), 2000);
  w.crash('a');
  const again = w.start('a');
  t.true(w.until('three again', () => w.settled(), 2000) < 800);
  t.not(again.membership.id, a?.membership.id);
});

test('a restart under the same name elsewhere waits until the old life is excluded', (t) => {
  const w = new World(6);
  w.startAll(['a', 'b', 'c']);
  w.until('three', () => w.settled(), 2000);
  w.crash('b');
  w.start('b', 'elsewhere');
  w.until('three again', () => w.settled(), 3000);
  t.is(w.get('a').membership.state?.nodes.find((node) => node.name === 'b')?.address, 'elsewhere');
});

test('a name that a living node has is refused, with that node named', (t) => {
  for (const taken of ['a', 'b']) {
    const w = new World(8);
    w.startAll(['a', 'b', 'c']);
    w.until('three', () => w.settled(), 2000);
    const second = w.start(taken, 'elsewhere', 'second');
    w.run(2000);
    const refusal = second.outputs.at(-1);
    t.true(refusal?.kind === 'refused' && refusal.why.includes(w.get(taken).membership.id));
    t.true(w.settled(['a', 'b', 'c']));
  }
});

test('a node whose offer came to nothing comes back as another, and does not found with it', (t) => {
  const w = new World(9);
  w.start('a');
  w.run(1000);
  w.rule = ({ message }) => (message.kind === 'welcome' || message.kind === 'decided' ? 'drop' : 'pass');
  const b = w.start('b');
  w.until('an offer', () => b.membership.phase.kind === 'joining', 1000);
  w.crash('a');
  w.rule = () => 'pass';
  w.until('b founds', () => w.settled(['b']), 10_000);
  t.deepEqual(kinds(b), ['restart']);
  t.not(w.get('b').membership.id, b.membership.id);
});

test('an incarnation that was in and out without knowing is not let in again', (t) => {
  const w = new World(10);
  w.startAll(['a', 'c']);
  w.until('two', () => w.settled(), 2000);
  // b is let in but never told, and so silent, and so excluded
  w.rule = ({ message, from }, to) =>
    (to.name === 'b' && (message.kind === 'welcome' || message.kind === 'decrees')) ||
    (from.name === 'b' && to.name === 'c') ||
    (from.name === 'b' && to.name === 'a' && w.now > 1500)
      ? 'drop'
      : 'pass';
  const b = w.start('b');
  w.until('b is in', () => w.get('a').membership.state?.nodes.length === 3, 2000);
  w.until('b is out', () => w.get('a').membership.state?.nodes.length === 2, 5000);
  w.rule = () => 'pass';
  w.until('b comes back', () => w.settled(['a', 'b', 'c']), 6000);
  t.deepEqual(kinds(b), ['restart']);
  t.not(w.get('b').membership.id, b.membership.id);
});

test('two domains that meet become one: the smaller dissolves', (t) => {
  const w = new World(11);
  w.partition(['a', 'b'], ['c', 'd', 'e']);
  const first = w.startAll(letters(5));
  w.run(2000);
  t.is(w.chains.size, 2);
  const larger = w.get('c').membership.state?.id;
  w.heal();
  w.until('one domain of all', () => w.settled(letters(5)), 8000);
  t.is(w.get('a').membership.state?.id, larger);
  for (const process of first.slice(0, 2)) t.deepEqual(kinds(process).slice(-2), ['excluded', 'restart']);
  for (const process of first.slice(2)) t.true(isIn(process));
});

test('of two domains of one size the younger dissolves', (t) => {
  const w = new World(12);
  w.partition(['a', 'b'], ['c', 'd']);
  w.startAll(['a', 'b', 'c', 'd']);
  w.run(2000);
  const older = w.get('a').membership.state?.id;
  w.heal();
  w.until('one domain of all', () => w.settled(letters(4)), 8000);
  t.is(w.get('d').membership.state?.id, older);
});

test('an older state does not exclude a joiner', (t) => {
  const w = new World(13);
  w.startAll(['a', 'b', 'z']);
  w.until('three', () => w.settled(), 2000);
  const old = w.get('a').membership.state;
  if (old === null) throw new Error('a is in');
  w.rule = ({ message }) => (message.kind === 'accept' ? 'drop' : 'pass');
  const c = w.start('c');
  w.until('an offer', () => c.membership.phase.kind === 'joining', 1000);
  w.inject('a', 'c', { kind: 'welcome', state: old, decrees: [] });
  w.run(500);
  t.deepEqual(kinds(c), []);
  t.is(c.membership.phase.kind, 'joining');
  w.rule = () => 'pass';
  w.until('four', () => w.settled(), 3000);
  t.deepEqual(kinds(c), ['installed', 'joined']);
});

test('a node that differs in having a public key is refused, and not proposed by who knows it from before it was the proposer', (t) => {
  for (const [own, joiners] of [
    ['k', ''],
    ['', 'k'],
  ] as const) {
    const settings = { publicKey: own as string };
    const w = new World(5, settings);
    w.startAll(['a', 'b', 'c']);
    w.until('three', () => w.settled(), 2000);
    settings.publicKey = joiners;
    const d = w.start('d');
    w.until('refused', () => !d.alive, 2000);
    const refusal = d.outputs.at(-1);
    t.true(refusal?.kind === 'refused' && refusal.why.includes('rekey'), String(refusal?.kind));

    const { membership: m } = w.get('b');
    const state = m.state as DomainState;
    for (const publicKey of [joiners, own]) {
      const who = {
        incarnation: 999,
        name: 'e',
        address: 'at-e',
        weight: 1,
        process: '',
        metadata: '',
        publicKey,
        version: 1,
        least: 1,
      };
      const offer = {
        kind: 'offer',
        domain: state.id,
        ...who,
        rules: state.rules,
        seen: state.number,
        hears: [],
        proof: 0,
      } as const;
      m.offers.clear();
      receive(m, { incarnation: 999, address: 'at-e' }, offer, w.now, []);
      const decree = gather(m, state, w.now + 20);
      t.is(decree?.changes.length ?? 0, publicKey === own ? 1 : 0);
    }
  }
});
