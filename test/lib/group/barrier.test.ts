/** Barriers: the last of their view, at all who go on or at none, though the window is small and members come and go. */
import test from 'ava';
import { eachOf } from '../../../lib/deliveries.js';
import {
  type Network,
  act,
  actorOf,
  at,
  crash,
  grouped,
  isQuiet,
  join,
  multicast,
  plain,
  release,
  run,
  runUntil,
  start,
  texts,
} from '../network.js';

const barrier = { order: 'barrier' } as const;

/** What each living member has delivered in its order, views as `|members`. */
function story(net: Network, name: string): string[] {
  return actorOf(at(net, name)).items.flatMap((item) => {
    if (item.kind === 'view') return [`|${item.view.members.map((member) => member.name).join('')}`];
    if (item.kind !== 'deliveries') return [];
    return eachOf(item).map(({ payload }) => new TextDecoder().decode(payload));
  });
}

function hasAll(net: Network, ...wanted: string[]): boolean {
  return [...net.members.values()].every((member) => wanted.every((text) => texts(actorOf(member)).includes(text)));
}

test('a barrier ends its view, the rest of it is before, and what its sender says next is after', (t) => {
  const net = grouped(['a', 'b', 'c'], {}, plain);
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).items.length = 0;
  multicast(net, 'b', 'first', { order: 'fifo' });
  multicast(net, 'b', 'barrier', barrier);
  multicast(net, 'b', 'last', { order: 'fifo' });
  multicast(net, 'c', 'total', { order: 'total' });
  runUntil(net, () => hasAll(net, 'barrier', 'last') && isQuiet(net), 'all is delivered');
  for (const name of ['a', 'b', 'c']) {
    const told = story(net, name);
    t.deepEqual(told.slice(-3), ['barrier', '|abc', 'last'], name);
    t.deepEqual(told.slice(0, -3).sort(), ['first', 'total']);
    const found = actorOf(at(net, name)).deliveries.find(({ order }) => order === 'barrier');
    t.deepEqual([found?.position, found?.uniform, found?.mine], [2, true, name === 'b']);
    const view = actorOf(at(net, name)).views.at(-1);
    t.deepEqual([view?.joined, view?.left, view?.position], [[], [], 2]);
  }
  t.is(actorOf(at(net, 'b')).stable, 3);
});

test('one view serves the barriers of all members, which come by rank', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const before = actorOf(at(net, 'a')).views.length;
  for (const name of ['c', 'b', 'a']) multicast(net, name, `of ${name}`, barrier);
  runUntil(net, () => hasAll(net, 'of a', 'of b', 'of c') && isQuiet(net), 'all barriers');
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['of a', 'of b', 'of c'], name);
  t.is(actorOf(at(net, 'a')).views.length, before + 1);
});

test('barriers of one member take a view each, in the order of sending', (t) => {
  const net = grouped(['a', 'b']);
  const before = actorOf(at(net, 'a')).views.length;
  for (const text of ['one', 'two', 'three']) multicast(net, 'b', text, barrier);
  runUntil(net, () => hasAll(net, 'three') && isQuiet(net), 'all barriers');
  for (const name of ['a', 'b']) t.deepEqual(texts(actorOf(at(net, name))), ['one', 'two', 'three']);
  t.is(actorOf(at(net, 'a')).views.length, before + 3);
});

test('a member alone has barriers too', (t) => {
  const net = grouped(['a']);
  multicast(net, 'a', 'barrier', barrier);
  runUntil(net, () => hasAll(net, 'barrier') && isQuiet(net), 'it is delivered');
  t.is(actorOf(at(net, 'a')).stable, 1);
});

test('a barrier of many windows goes through, behind a full one and in small datagrams', (t) => {
  const net = grouped(['a', 'b', 'c'], { windowBytes: 8 * 1024, datagramBytesMax: 1500 });
  // every ninth datagram is lost
  let count = 0;
  net.rule = ({ by }) => (by !== 'stream' && count++ % 9 === 0 ? 'drop' : 'pass');
  const big = 'x'.repeat(100_000);
  for (let i = 0; i < 30; i++) multicast(net, 'b', `${i} ${'y'.repeat(900)}`);
  multicast(net, 'b', big, barrier);
  multicast(net, 'b', 'after');
  for (let i = 0; i < 30; i++) multicast(net, 'c', `c ${i}`);
  runUntil(net, () => hasAll(net, big, 'after') && isQuiet(net), 'all is delivered', 60_000);
  for (const name of ['a', 'b', 'c']) {
    t.deepEqual(texts(actorOf(at(net, name))), texts(actorOf(at(net, 'a'))));
    const { deliveries } = actorOf(at(net, name));
    const place = deliveries.findIndex(({ order }) => order === 'barrier');
    const view = deliveries[place]?.view.id ?? 0;
    t.true(deliveries.slice(place + 1).every((delivery) => delivery.view.id > view));
  }
});

test('a view change that comes before the last piece of a barrier sends it anew in the next view', (t) => {
  const net = grouped(['a', 'b', 'c'], { windowBytes: 8 * 1024, datagramBytesMax: 1500 });
  const big = 'x'.repeat(60_000);
  multicast(net, 'b', big, barrier);
  run(net, 2);
  t.is(at(net, 'b').node.groups.get('g')?.current?.barrier, 'none', 'it is under way');
  crash(net, 'c');
  runUntil(net, () => hasAll(net, big) && isQuiet(net), 'it is delivered', 20_000);
  for (const name of ['a', 'b']) {
    const { deliveries, views } = actorOf(at(net, name));
    t.is(deliveries.length, 1);
    t.is(deliveries[0]?.view.members.length, 2);
    t.is(views.at(-1)?.previous, deliveries[0]?.view.id);
  }
});

test('any view change will do: the view of a joiner delivers the barrier, to those of before alone', (t) => {
  const net = grouped(['a', 'b']);
  start(net, 'c');
  runUntil(net, () => at(net, 'c').node.domain?.nodes.length === 3, 'c is in the domain');
  const before = actorOf(at(net, 'a')).views.length;
  // what b asks for comes when the view has ended already
  net.rule = ({ from, holds }) => (from === 'at-b' && holds.includes('request') ? 'hold' : 'pass');
  multicast(net, 'b', 'barrier', barrier);
  run(net, 5);
  join(net, 'c');
  runUntil(net, () => texts(actorOf(at(net, 'b'))).length === 1 && isQuiet(net), 'it is delivered');
  net.rule = () => 'pass';
  t.true(release(net) > 0);
  run(net, 300);
  t.is(actorOf(at(net, 'a')).views.length, before + 1, 'one view for both');
  t.deepEqual(texts(actorOf(at(net, 'c'))), []);
  t.deepEqual(actorOf(at(net, 'c')).state, actorOf(at(net, 'a')).state);
  t.is(actorOf(at(net, 'c')).views[0]?.position, 1);
});

test('a transfer of state that is under way goes on through the view of a barrier', (t) => {
  const net = grouped(['a', 'b']);
  net.chunkBytes = 64 * 1024;
  for (const name of ['a', 'b']) actorOf(at(net, name)).state?.push('x'.repeat(4 * 1024 * 1024));
  start(net, 'c');
  runUntil(net, () => at(net, 'c').node.domain?.nodes.length === 3, 'c is in the domain');
  join(net, 'c');
  const joiner = actorOf(at(net, 'c'));
  runUntil(net, () => joiner.items.filter(({ kind }) => kind === 'state').length >= 3, 'c has a part of the state');
  net.rule = ({ to, holds }) => (to === 'at-c' && holds.includes('link') ? 'hold' : 'pass');
  multicast(net, 'a', 'barrier', barrier);
  runUntil(net, () => texts(actorOf(at(net, 'a'))).length === 1, 'the barrier is delivered');
  t.true(joiner.state === null, 'the state is still on its way');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => joiner.state !== null && isQuiet(net), 'the state is there', 20_000);
  t.is(joiner.items.filter((item) => item.kind === 'state' && item.first).length, 1, 'it did not begin again');
  t.deepEqual(texts(joiner), ['barrier']);
  t.deepEqual(joiner.views.length, 2);
  t.true(JSON.stringify(joiner.state) === JSON.stringify(actorOf(at(net, 'b')).state));
});

test('a leaver goes when its barrier is delivered', (t) => {
  const net = grouped(['a', 'b']);
  const leaver = actorOf(at(net, 'b'));
  multicast(net, 'b', 'barrier', barrier);
  act(net, at(net, 'b'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => leaver.status === 'left' && isQuiet(net), 'b has left');
  t.deepEqual(texts(leaver), ['barrier']);
  t.deepEqual(texts(actorOf(at(net, 'a'))), ['barrier']);
  t.is(leaver.stable, 1);
});

test('a barrier whose past died with its senders is dropped, by everybody', (t) => {
  const net = grouped(['a', 'b', 'c', 'd', 'e']);
  // d alone gets what e says, and b and c what d says of it
  net.rule = ({ from, to, holds }) => {
    if (holds.includes('nak')) return 'drop';
    return from === 'at-e' && to !== 'at-d' && holds.includes('data') ? 'drop' : 'pass';
  };
  multicast(net, 'e', 'lost', { order: 'causal' });
  run(net, 1.5);
  t.deepEqual(texts(actorOf(at(net, 'd'))), ['lost']);
  multicast(net, 'd', 'orphan', barrier);
  run(net, 1.5);
  const heldAt = (name: string): number => at(net, name).node.groups.get('g')?.current?.streams[3]?.pending.length ?? 0;
  for (const name of ['a', 'b', 'c']) t.is(heldAt(name), 1, `${name} has it`);
  crash(net, 'd');
  crash(net, 'e');
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'a view of three', 10_000);
  multicast(net, 'b', 'later');
  runUntil(net, () => hasAll(net, 'later') && isQuiet(net), 'they go on');
  for (const name of ['a', 'b', 'c']) {
    t.deepEqual(texts(actorOf(at(net, name))), ['later'], name);
    t.is(actorOf(at(net, name)).deliveries[0]?.position, 1);
  }
});
