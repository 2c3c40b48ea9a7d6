/** Whoever crashes, sleeps or is cut off, and whenever: nodes agree on one chain of decrees, and a quorum goes on. */
import test from 'ava';
import type { ControlMessage } from '../../lib/membership/membership.js';
import { isQuorate } from '../../lib/membership/membership.js';
import type { Decree, DomainState } from '../../lib/membership/state.js';
import type { Process } from './world.js';
import { World, letters, plain } from './world.js';

const kinds = ({ outputs }: Process) => outputs.map((output) => output.kind);
const numberOf = (w: World, name: string) => w.get(name).membership.state?.number ?? 0;
const isOneOf = (message: ControlMessage, ...these: ControlMessage['kind'][]) => these.includes(message.kind);

/** A settled domain whose ages follow the alphabet. */
function domainOf(count: number, seed = 1): World {
  const w = new World(seed);
  w.restarts = false;
  for (const name of letters(count)) {
    w.start(name);
    w.until('in', () => w.settled(), 2000);
  }
  w.run(300);
  return w;
}

test('a crash of the youngest, the oldest or one between is decided soon after the timeout', (t) => {
  for (const victim of ['a', 'b', 'e']) {
    const w = domainOf(5);
    w.crash(victim);
    const took = w.until('four', () => w.settled(), 3000);
    t.true(took > 800 && took < 1300, `${victim}: ${took}`);
  }
});

test('two nodes survive the loss of the younger; the younger alone waits', (t) => {
  const w = domainOf(2);
  w.crash('b');
  w.until('one', () => w.settled(), 3000);
  const v = domainOf(2);
  v.crash('a');
  v.run(20_000);
  t.is(numberOf(v, 'b'), 2);
  t.false(isQuorate(v.get('b').membership));
  t.true(v.get('b').membership.suspects.size === 1);
});

test('five nodes, a join, then the coordinator and the first to accept die: nothing had been installed', (t) => {
  const w = domainOf(5);
  const before = numberOf(w, 'a');
  w.rule = ({ from, message }, to) =>
    from.name === 'a' && isOneOf(message, 'accept') && to.name !== 'b' ? 'drop' : 'pass';
  w.start('f');
  w.run(400);
  t.is(w.get('b').membership.instance.acceptor.accepted?.decree.changes[0]?.kind, 'join');
  for (const name of letters(5)) t.is(numberOf(w, name), before);
  w.crash('a');
  w.crash('b');
  w.rule = () => 'pass';
  w.until('four', () => w.settled(['c', 'd', 'e', 'f']), 8000);
  t.pass();
});

test('what one node has installed before it died is what the others install', (t) => {
  const w = domainOf(5);
  const number = numberOf(w, 'a') + 1;
  // a quorum votes for the join, a alone learns that it is decided, and dies; b has not even voted
  w.rule = ({ message }, to) => {
    if (message.kind === 'accept' && (to.name === 'b' || to.name === 'e')) return 'drop';
    return isOneOf(message, 'decided', 'welcome', 'decrees') ? 'drop' : 'pass';
  };
  w.watch = (process, output) => {
    if (process.name === 'a' && output.kind === 'installed') w.crash('a');
  };
  w.start('f');
  w.until('a installs and dies', () => !w.processes.has('a'), 1000);
  w.rule = () => 'pass';
  w.until('five', () => w.settled(['b', 'c', 'd', 'e', 'f']), 8000);
  const chain = [...w.chains.values()][0];
  t.true(chain?.get(number)?.nodes.some((node) => node.name === 'f'));
});

test('what arrives while a decree is being proposed waits for the next', (t) => {
  const w = domainOf(5);
  let hearing = 'b';
  w.rule = ({ from, message }, to) => {
    if (isOneOf(message, 'decided', 'welcome', 'decrees')) return 'drop';
    return from.name === 'a' && message.kind === 'accept' && to.name !== hearing ? 'drop' : 'pass';
  };
  w.watch = (process, output) => {
    if (process.name === 'a' && output.kind === 'installed') w.crash('a');
  };
  w.joinGroup('b', 'red');
  w.until('b accepts', () => w.get('b').membership.instance.acceptor.accepted !== null, 1000);
  w.joinGroup('d', 'blue');
  w.run(50);
  hearing = 'c';
  w.until('a decides and dies', () => !w.processes.has('a'), 2000);
  w.rule = () => 'pass';
  w.until('four', () => w.settled(['b', 'c', 'd', 'e']), 8000);
  t.deepEqual([...(w.get('b').membership.state?.groups.keys() ?? [])], ['red', 'blue']);
});

test('an acceptor learns the decree before the one it votes on, or does not vote', (t) => {
  const w = domainOf(3);
  const { id: domain, number } = w.get('c').membership.state as DomainState;
  const node = w.get('a').membership.id;
  const decree = (at: number, group: string): Decree => ({
    number: at,
    changes: [{ kind: 'group-join', group, node, settings: plain }],
  });
  const ballot = { round: 0, rank: 0 };
  const c = w.get('c').membership;
  const accept = { kind: 'accept', domain, ballot } as const;
  w.inject('a', 'c', {
    ...accept,
    number: number + 3,
    decree: decree(number + 3, 'x'),
    previous: decree(number + 2, 'y'),
  });
  t.is(c.state?.number, number);
  t.is(c.instance.acceptor.accepted, null);
  w.inject('a', 'c', {
    ...accept,
    number: number + 2,
    decree: decree(number + 2, 'x'),
    previous: decree(number + 1, 'y'),
  });
  t.is(c.state?.number, number + 1);
  t.true(c.state?.groups.has('y'));
  t.is(c.instance.acceptor.accepted?.decree.number, number + 2);
});

test('the vote of the excluded node for its exclusion counts', (t) => {
  const w = domainOf(4);
  // a proposes to exclude d, b accepts, a dies without having heard of it
  w.rule = ({ from, message }, to) => {
    if (from.name === 'd' || to.name === 'd') return 'drop';
    if (message.kind === 'accept' && to.name !== 'b') return 'drop';
    return message.kind === 'accepted' ? 'drop' : 'pass';
  };
  w.until('b has accepted', () => w.get('b').membership.instance.acceptor.accepted !== null, 3000);
  w.crash('a');
  w.rule = () => 'pass';
  const d = w.get('d');
  w.until('two', () => w.settled(['b', 'c']) && !d.alive, 8000);
  t.deepEqual(kinds(d).slice(-2), ['excluded', 'restart']);
});

test('an excluded node that alone knows the decree tells the others before it starts again', (t) => {
  const w = domainOf(4);
  const number = numberOf(w, 'a') + 1;
  // a and b vote, a decides, only d hears of it
  w.rule = ({ from, message }, to) => {
    if (message.kind === 'decided' || message.kind === 'decrees') return to.name === 'd' ? 'pass' : 'drop';
    if (from.name === 'd') return 'drop';
    return message.kind === 'accept' && to.name !== 'b' ? 'drop' : 'pass';
  };
  w.watch = (process, output) => {
    if (process.name === 'a' && output.kind === 'installed') w.at(w.now + 5, () => w.crash('a'));
  };
  const d = w.get('d');
  w.until('d knows', () => d.membership.phase.kind === 'departing', 5000);
  t.is(numberOf(w, 'b'), number - 1);
  t.is(numberOf(w, 'c'), number - 1);
  let known = 0;
  w.watch = (process, output) => {
    if (output.kind === 'restart') known = Math.max(numberOf(w, 'b'), numberOf(w, 'c'));
  };
  w.rule = () => 'pass';
  w.until('two', () => w.settled(['b', 'c']) && !d.alive, 8000);
  t.deepEqual(kinds(d).slice(-2), ['excluded', 'restart']);
  t.is(known, number);
});

test('a leaver stays until a quorum of those who stay knows, not only until they have voted', (t) => {
  const w = domainOf(3);
  const number = numberOf(w, 'a') + 1;
  w.rule = ({ message }) => (isOneOf(message, 'decided', 'decrees', 'prepare') ? 'drop' : 'pass');
  const a = w.get('a');
  w.leave('a');
  w.run(700);
  t.is(a.membership.state?.number, number);
  t.not(w.get('b').membership.instance.acceptor.accepted, null);
  t.false(kinds(a).includes('left'));
  w.rule = () => 'pass';
  w.until('a has left', () => kinds(a).includes('left'), 2000);
  t.true([numberOf(w, 'b'), numberOf(w, 'c')].includes(number));
  w.until('two', () => w.settled(['b', 'c']), 2000);
});

test('the younger of two does not go on without the older, even if the older would vote for it', (t) => {
  const w = domainOf(2);
  w.rule = ({ from, message }) => (from.name === 'a' && message.kind === 'heartbeat' ? 'drop' : 'pass');
  const b = w.get('b');
  w.until('b is excluded', () => kinds(b).includes('restart'), 20_000);
  t.true(w.settled(['a']));
});

test('a new member that alone knows of its join brings it to the others', (t) => {
  const w = domainOf(2);
  w.rule = ({ message }, to) =>
    isOneOf(message, 'decided', 'welcome', 'decrees') && to.name !== 'c' ? 'drop' : 'pass';
  w.watch = (process, output) => {
    if (process.name === 'a' && output.kind === 'installed') w.at(w.now + 1, () => w.crash('a'));
  };
  const c = w.start('c');
  w.until('c is in', () => c.membership.phase.kind === 'member', 3000);
  t.is(numberOf(w, 'b'), 2);
  w.rule = () => 'pass';
  w.until('two', () => w.settled(['b', 'c']), 5000);
});

test('the proposer may die at any moment of a decree', (t) => {
  for (let seed = 0; seed < 150; seed++) {
    const w = domainOf(5, seed);
    w.weather = { loss: seed % 3 === 0 ? 0.2 : 0, duplication: 0.1, delayMin: 1, delayMax: 20 };
    w.leave(letters(5)[1 + (seed % 4)] as string);
    w.start('f');
    w.run(40 + w.below(150));
    w.crash('a');
    w.until('four', () => w.settled() && w.processes.size === 4, 10_000);
  }
  t.pass();
});

test('two proposers at once come to an end', (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const w = domainOf(5, seed);
    // b and c both believe that it is up to them, and everybody hears both
    w.rule = ({ from, message }, to) => {
      if (message.kind !== 'heartbeat') return 'pass';
      return from.name === 'a' || (from.name === 'b' && to.name === 'c') ? 'drop' : 'pass';
    };
    w.run(3000 + w.below(4000));
    w.rule = () => 'pass';
    w.until('one domain', () => w.settled([...w.processes.keys()]), 15_000);
  }
  t.pass();
});

test('three of five go on, two wait and come back with new incarnations', (t) => {
  const w = domainOf(5);
  w.restarts = true;
  const [d, e] = [w.get('d'), w.get('e')];
  w.partition(['a', 'b', 'c'], ['d', 'e']);
  w.until('three', () => w.settled(['a', 'b', 'c']), 3000);
  w.run(5000);
  for (const process of [d, e]) {
    t.false(isQuorate(process.membership));
    t.is(process.membership.state?.nodes.length, 5);
  }
  w.heal();
  t.true(w.until('five', () => w.settled(letters(5)), 5000) < 2500);
  for (const process of [d, e]) t.deepEqual(kinds(process).slice(-2), ['excluded', 'restart']);
});

test('of two halves the one with the oldest goes on', (t) => {
  const w = domainOf(4);
  w.restarts = true;
  w.partition(['a', 'd'], ['b', 'c']);
  w.until('two', () => w.settled(['a', 'd']), 3000);
  t.false(isQuorate(w.get('b').membership));
  w.heal();
  w.until('four', () => w.settled(letters(4)), 5000);
});

test('a node that slept through its exclusion suspects nobody before it has read what is queued', (t) => {
  const w = domainOf(3);
  w.restarts = true;
  const a = w.get('a');
  w.stall('a', 6000);
  w.until('two', () => w.settled(['b', 'c']), 3000);
  w.run(6000);
  t.deepEqual(kinds(a).slice(-2), ['excluded', 'restart']);
  t.false(kinds(a).includes('suspect'));
  w.until('three', () => w.settled(letters(3)), 5000);
});

test('a pause below the timeout has no consequence', (t) => {
  const w = domainOf(3);
  for (const name of letters(3)) {
    w.stall(name, 800);
    w.run(2000);
  }
  t.true(w.settled());
  for (const name of letters(3)) t.false(kinds(w.get(name)).includes('suspect'));
});

test('of two nodes that have long not heard each other the younger goes, and not at once', (t) => {
  const w = domainOf(5);
  w.rule = ({ from }, to) => (['b', 'd'].includes(from.name) && ['b', 'd'].includes(to.name) ? 'drop' : 'pass');
  const d = w.get('d');
  w.run(3000);
  t.is(w.get('a').membership.state?.nodes.length, 5);
  w.until('d goes', () => kinds(d).includes('excluded'), 3000);
  w.run(500);
  t.true(w.settled(['a', 'b', 'c', 'e']));
});

test('one opinion is not enough, that of most others is', (t) => {
  const w = domainOf(5);
  w.rule = ({ from }, to) => (from.name === 'e' && to.name === 'd' ? 'drop' : 'pass');
  w.run(2500);
  t.is(w.get('a').membership.state?.nodes.length, 5);
  w.rule = ({ from }, to) => (from.name === 'e' && to.name !== 'a' ? 'drop' : 'pass');
  const e = w.get('e');
  w.until('e goes', () => kinds(e).includes('excluded'), 1500);
});

test('a node that alone does not hear the oldest does not take over', (t) => {
  const w = domainOf(3);
  w.rule = ({ from }, to) => (from.name === 'a' && to.name === 'b' ? 'drop' : 'pass');
  const b = w.get('b');
  w.run(2500);
  t.is(w.get('a').membership.state?.nodes.length, 3);
  w.rule = ({ from, message }, to) =>
    from.name === 'a' && to.name === 'b' && message.kind === 'heartbeat' ? 'drop' : 'pass';
  w.until('b goes', () => kinds(b).includes('excluded'), 5000);
  w.run(100);
  t.true(w.settled(['a', 'c']));
});

test('a node that misses decrees fetches them', (t) => {
  const w = domainOf(4);
  w.rule = ({ message }, to) => (to.name === 'd' && message.kind !== 'heartbeat' ? 'drop' : 'pass');
  for (let i = 0; i < 20; i++) {
    w.joinGroup('b', `g${i}`);
    w.run(50);
  }
  const lag = numberOf(w, 'a') - numberOf(w, 'd');
  t.true(lag >= 15);
  w.rule = () => 'pass';
  w.until('d has them', () => w.settled(), 1000);
});
