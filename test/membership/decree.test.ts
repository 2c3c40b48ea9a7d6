/** What decrees make of the domain’s state, and which of its nodes are a quorum. */
import test from 'ava';
import type { DomainId, NodeId } from '../../lib/ids.js';
import { applyDecree } from '../../lib/membership/decree.js';
import { isQuorum, keepsQuorum } from '../../lib/membership/quorum.js';
import type { Change, DomainState, GroupSettings, GroupState, Rules } from '../../lib/membership/state.js';

const settings: GroupSettings = { kind: 'plain', order: 'fifo', codec: 'none' };
const idOf = (name: string) => `${name}#${name.charCodeAt(0)}` as NodeId;
const join = (name: string, address = name, version = 1): Change => ({
  kind: 'join',
  name,
  incarnation: name.charCodeAt(0),
  address,
  weight: 1,
  process: '',
  metadata: '',
  publicKey: '',
  version,
});
const leave = (name: string): Change => ({ kind: 'leave', node: idOf(name) });
const exclude = (name: string): Change => ({ kind: 'exclude', node: idOf(name), cause: 'failed', dead: false });
const enter = (group: string, name: string, as = settings): Change => ({
  kind: 'group-join',
  group,
  node: idOf(name),
  settings: as,
});
const withdraw = (group: string, name: string): Change => ({ kind: 'group-leave', group, node: idOf(name) });

function after(state: DomainState, ...changes: Change[]): DomainState {
  return applyDecree(state, { number: state.number + 1, changes });
}

const rules: Rules = { quorum: 'majority', minimumWeight: 0, heartbeat: 0, timeout: 0 };

function domainOf(...names: string[]): DomainState {
  const [founder, ...others] = names as [string, ...string[]];
  const info = {
    id: idOf(founder),
    name: founder,
    incarnation: founder.charCodeAt(0),
    address: founder,
    weight: 1,
    process: '',
    metadata: '',
    publicKey: '',
    version: 1,
    joined: 1,
  };
  const founded: DomainState = {
    id: idOf(founder) as string as DomainId,
    number: 1,
    rules,
    version: 1,
    nodes: [info],
    groups: new Map(),
  };
  return others.reduce((state, name) => after(state, join(name)), founded);
}

const spell = (state: DomainState) => state.nodes.map((node) => node.name).join('');

test('nodes are kept by age, with the decree that let them in', (t) => {
  const state = domainOf('a', 'b', 'c');
  t.is(spell(state), 'abc');
  t.deepEqual(
    state.nodes.map((node) => Number(node.joined)),
    [1, 2, 3],
  );
  t.is(spell(after(state, leave('a'), join('d'))), 'bcd');
});

test('what cannot be applied is ignored', (t) => {
  const state = domainOf('a', 'b');
  for (const change of [join('a'), join('c', 'b'), leave('x'), exclude('x'), enter('red', 'x'), withdraw('red', 'a')]) {
    const { nodes, groups } = after(state, change);
    t.deepEqual({ nodes, groups }, { nodes: state.nodes, groups: state.groups });
  }
});

test('a name is free again in the decree that removes who had it', (t) => {
  const state = after(domainOf('a', 'b'), exclude('b'), {
    kind: 'join',
    name: 'b',
    incarnation: 200,
    address: 'b',
    weight: 1,
    process: '',
    metadata: '',
    publicKey: '',
    version: 1,
  });
  t.is(state.nodes[1]?.id, 'b#200' as NodeId);
});

test('the domain speaks what all its nodes and those just gone can, and nobody comes in who cannot', (t) => {
  const mixed = after(domainOf('a'), join('b', 'b', 2), join('c', 'c', 3));
  t.is(mixed.version, 1);
  const without = after(mixed, exclude('a'));
  t.is(without.version, 1, 'who is removed reads of it');
  const risen = after(without, join('d', 'd', 4));
  t.is(risen.version, 2);
  t.is(after(risen, join('e', 'e', 1)).nodes.length, 3, 'too old by now');
  t.is(after(risen, join('e', 'e', 2)).nodes.length, 4);
  t.is(after(after(risen, leave('b')), enter('g', 'c')).version, 3);
});

test('decrees apply in order', (t) => {
  const state = domainOf('a', 'b');
  t.throws(() => applyDecree(state, { number: 4, changes: [] }));
  t.throws(() => applyDecree(state, { number: 2, changes: [] }));
});

test('a state is not touched by the decree that follows', (t) => {
  const state = after(domainOf('a', 'b'), enter('red', 'a'));
  const copy = structuredClone(state);
  after(state, leave('a'), join('c'), enter('red', 'b'), enter('blue', 'c'));
  t.deepEqual(state, copy);
});

test('a group changes its view when its members change, and only then', (t) => {
  const one = after(domainOf('a', 'b', 'c'), enter('red', 'b'));
  t.is(Number(one.groups.get('red')?.view), 4);
  const two = after(one, exclude('c'));
  t.is(Number(two.groups.get('red')?.view), 4);
  const three = after(two, enter('red', 'a'));
  t.is(Number(three.groups.get('red')?.view), 6);
  t.deepEqual(
    three.groups.get('red')?.members.map(({ node, joined }) => [node, Number(joined)]),
    [
      [idOf('b'), 4],
      [idOf('a'), 6],
    ],
  );
});

test('a group without members is gone, and its id is never used again', (t) => {
  const one = after(domainOf('a', 'b'), enter('red', 'a'), enter('blue', 'a'));
  const ids = [...one.groups.values()].map(({ id }) => Number(id));
  t.deepEqual(ids, [3 * 4096, 3 * 4096 + 1]);
  const two = after(one, withdraw('red', 'a'), enter('red', 'b'));
  t.is(Number(two.groups.get('red')?.id), 4 * 4096);
  t.is(after(two, exclude('b')).groups.has('red'), false);
});

test('a barrier makes a view of the same members, once for all barriers of the view before it', (t) => {
  const barrier = (name: string, view: number): Change => ({
    kind: 'group-barrier',
    group: 'red',
    node: idOf(name),
    view,
  });
  const red = after(domainOf('a', 'b', 'c'), enter('red', 'a'), enter('red', 'b'));
  const before = red.groups.get('red') as GroupState;
  const one = Number(before.view);
  const both = after(red, barrier('a', one), barrier('b', one));
  const two = Number(both.number);
  t.deepEqual(both.groups.get('red'), { ...before, view: two });
  for (const change of [barrier('a', one), barrier('a', two + 1), barrier('c', two)]) {
    t.is(after(both, change).groups.get('red')?.view, two, 'overtaken, or not of a member');
  }
  const joined = after(both, enter('red', 'c'), barrier('a', two));
  t.is(joined.groups.get('red')?.members.length, 3, 'any other change of the view does as well');
  t.is(after(both, { ...barrier('a', two), group: 'blue' } as Change).groups.get('red')?.view, two);
});

test('other settings do not join a group', (t) => {
  const one = after(domainOf('a', 'b'), enter('red', 'a'), enter('red', 'b', { ...settings, order: 'total' }));
  t.is(one.groups.get('red')?.members.length, 1);
});

test('exactly half is a quorum only with the oldest', (t) => {
  const { nodes } = domainOf('a', 'b', 'c', 'd');
  const is = (names: string) => isQuorum(nodes, (id) => names.includes(id.charAt(0)));
  t.true(is('abc') && is('bcd') && is('ab') && is('ad'));
  t.false(is('bc') || is('cd') || is('a') || is(''));
});

test('those who stay are a quorum of all but the leavers', (t) => {
  const keeps = (names: string, ...changes: Change[]) =>
    keepsQuorum(domainOf(...names.split('')), { number: names.length + 1, changes });
  t.true(keeps('ab', exclude('b')));
  t.false(keeps('ab', exclude('a')));
  t.true(keeps('ab', leave('a')));
  t.true(keeps('abcd', exclude('c'), exclude('d')));
  t.false(keeps('abcd', exclude('a'), exclude('b')));
  // b is the oldest of those who do not leave
  t.true(keeps('abcd', leave('a'), leave('c'), exclude('d')));
  t.false(keeps('abcd', leave('c'), leave('d'), exclude('a')));
  t.false(keeps('abc', leave('a'), leave('b'), leave('c')));
});
