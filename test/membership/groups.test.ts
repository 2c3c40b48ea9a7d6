/**
 * Groups in the domain’s state: joining, leaving and coming back, settings that differ, the minimum of nodes, the dead.
 */
import test from 'ava';
import type { DomainState } from '../../lib/membership/state.js';
import { World, letters, plain } from './world.js';

const stateOf = (w: World, name: string) => w.get(name).membership.state as DomainState;
const membersOf = (w: World, group: string) =>
  stateOf(w, 'a')
    .groups.get(group)
    ?.members.map(({ node }) => node.slice(0, 1)) ?? [];

function domainOf(count: number, settings = {}): World {
  const w = new World(count, settings);
  for (const name of letters(count)) {
    w.start(name);
    w.until('in', () => w.settled(), 2000);
  }
  return w;
}

test('members join in order of age, and a view is the number of the decree that made it', (t) => {
  const w = domainOf(3);
  w.joinGroup('b', 'red');
  w.run(100);
  w.joinGroup('a', 'red');
  w.run(100);
  t.deepEqual(membersOf(w, 'red'), ['b', 'a']);
  const group = stateOf(w, 'c').groups.get('red');
  const number: number = stateOf(w, 'c').number;
  t.is(Number(group?.view), number);
  t.is(Number(group?.members[1]?.joined), number);
});

test('a thousand groups take a handful of decrees', (t) => {
  const w = domainOf(2);
  const before = stateOf(w, 'a').number;
  for (let i = 0; i < 1000; i++) w.joinGroup('b', `group ${i}`);
  w.until('all', () => stateOf(w, 'a').groups.size === 1000, 3000);
  t.true(stateOf(w, 'a').number - before < 10);
  t.is(new Set([...stateOf(w, 'a').groups.values()].map(({ id }) => id)).size, 1000);
});

test('a member that differs is refused and told what was agreed', (t) => {
  const w = domainOf(2);
  w.joinGroup('a', 'red', plain);
  w.run(200);
  w.joinGroup('b', 'red', { ...plain, order: 'total' });
  const refusal = w.get('b').outputs.at(-1);
  t.true(refusal?.kind === 'group-refused' && refusal.why.includes('fifo') && refusal.why.includes('total'));
  w.run(1000);
  t.deepEqual(membersOf(w, 'red'), ['a']);
});

test('of two that create a group at once with different settings one is refused', (t) => {
  const w = domainOf(3);
  w.joinGroup('b', 'red', plain);
  w.joinGroup('c', 'red', { ...plain, kind: 'replicated' });
  w.run(1000);
  t.is(membersOf(w, 'red').length, 1);
  const refused = ['b', 'c'].filter((name) => w.get(name).outputs.some((output) => output.kind === 'group-refused'));
  t.is(refused.length, 1);
});

test('who leaves a group and joins it again at once is another member', (t) => {
  for (const name of ['a', 'b']) {
    const w = domainOf(2);
    w.joinGroup(name, 'red');
    w.run(200);
    const first = stateOf(w, 'a').groups.get('red');
    w.leaveGroup(name, 'red');
    w.joinGroup(name, 'red');
    w.run(500);
    const second = stateOf(w, 'a').groups.get('red');
    t.is(second?.members.length, 1);
    t.true((second?.members[0]?.joined ?? 0) > (first?.members[0]?.joined ?? 0));
    t.not(second?.id, first?.id);
  }
});

test('a group join that is taken back does not come back with a late packet', (t) => {
  const w = new World(1);
  w.startAll(['a', 'b']);
  w.until('two', () => w.settled(), 2000);
  w.weather = { loss: 0.1, duplication: 0.5, delayMin: 0.1, delayMax: 150 };
  for (let i = 0; i < 30; i++) {
    w.joinGroup('b', 'red');
    w.run(w.below(300));
    w.leaveGroup('b', 'red');
    w.run(w.below(300));
  }
  w.run(2000);
  const number = stateOf(w, 'a').number;
  t.deepEqual(membersOf(w, 'red'), []);
  w.run(3000);
  t.is(stateOf(w, 'a').number, number);
});

test('a request that a decree has overtaken means nothing any more', (t) => {
  const w = domainOf(2);
  const { id, number: at } = stateOf(w, 'b');
  w.joinGroup('b', 'red');
  w.run(300);
  w.leaveGroup('b', 'red');
  w.run(300);
  const number = stateOf(w, 'a').number;
  const node = w.get('b').membership.id;
  w.get('a').membership.requests.clear();
  w.inject('b', 'a', {
    kind: 'request',
    domain: id,
    at,
    changes: [{ kind: 'group-join', group: 'red', node, settings: plain }],
  });
  w.run(1000);
  t.is(stateOf(w, 'a').number, number);
});

test('one new view serves the barriers of many members, whoever proposes, though requests are lost', (t) => {
  const w = domainOf(4);
  for (const name of ['a', 'b', 'c', 'd']) {
    w.joinGroup(name, 'red');
    w.run(200);
  }
  const before = stateOf(w, 'a').groups.get('red');
  for (const name of ['a', 'b', 'c']) w.endView(name, 'red');
  w.run(300);
  const next = stateOf(w, 'a').groups.get('red');
  t.deepEqual({ ...next, view: 0 }, { ...before, view: 0 }, 'the members are the same');
  const number: number = stateOf(w, 'a').number;
  t.is(number, Number(before?.view) + 1, 'one decree');
  t.is(Number(next?.view), number);
  for (const name of ['a', 'b', 'c', 'd']) t.is(w.get(name).membership.barriers.size, 0);

  // the proposer dies before it has heard of the wish
  w.restarts = false;
  w.crash('a');
  w.endView('d', 'red');
  w.until('a view without a', () => stateOf(w, 'b').groups.get('red')?.members.length === 3, 3000);
  w.run(1000);
  t.is(w.get('d').membership.barriers.size, 0, 'a view that ended otherwise will do');
  t.is(Number(stateOf(w, 'b').groups.get('red')?.view), stateOf(w, 'b').number, 'and no other is made');
});

test('who is in no such group, or speaks for another, ends no view', (t) => {
  const w = domainOf(3);
  w.joinGroup('a', 'red');
  w.run(300);
  const { number, id } = stateOf(w, 'a');
  w.endView('b', 'red');
  const changes = [
    { kind: 'group-barrier', group: 'red', node: w.get('a').membership.id, view: Number(number) },
  ] as const;
  w.inject('c', 'a', { kind: 'request', domain: id, at: number, changes });
  w.run(1000);
  t.is(stateOf(w, 'a').number, number);
  t.is(w.get('b').membership.barriers.size, 0);
});

test('no group forms before the minimum of nodes has been there once', (t) => {
  const w = new World(3, { minimumNodes: 3 });
  w.startAll(['a', 'b']);
  w.joinGroup('a', 'red');
  w.until('two', () => w.settled(), 2000);
  w.run(2000);
  t.is(stateOf(w, 'a').groups.size, 0);
  w.start('c');
  w.until('red', () => membersOf(w, 'red').length === 1, 1500);
  w.crash('c');
  w.joinGroup('b', 'blue');
  w.until('blue', () => membersOf(w, 'blue').length === 1, 3000);
  t.pass();
});

test('the dead leave their groups, and a group without members is gone', (t) => {
  const w = domainOf(3);
  w.joinGroup('b', 'red');
  w.joinGroup('c', 'red');
  w.joinGroup('c', 'blue');
  w.run(300);
  w.restarts = false;
  w.crash('c');
  w.until('two', () => w.settled(), 3000);
  t.deepEqual(membersOf(w, 'red'), ['b']);
  t.false(stateOf(w, 'a').groups.has('blue'));
});
