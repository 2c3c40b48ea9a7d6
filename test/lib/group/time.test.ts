/** The time of deliveries: agreed where the order is, never going back, and a member's own elsewhere. */
import test from 'ava';
import { RecordKind, kindOf } from '../../../lib/wire/record.js';
import { Reader } from '../../../lib/wire/bytes.js';
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
  run,
  runUntil,
  start,
  texts,
} from '../network.js';

const epoch = 1_700_000_000_000;

function withClocks(clocks: Readonly<Record<string, number>>): Network {
  const net = grouped(Object.keys(clocks));
  for (const [name, wall] of Object.entries(clocks)) act(net, at(net, name), { kind: 'clock', wall });
  return net;
}

function timesAt(net: Network, name: string): number[] {
  return actorOf(at(net, name)).deliveries.map(({ time }) => time);
}

const rising = (times: readonly number[]): boolean => times.every((time, i) => time >= (times[i - 1] ?? 0));

test("a multicast has its sender's time in whole milliseconds, unless the order is ahead of it", (t) => {
  const net = withClocks({ a: epoch, b: epoch + 5000, c: epoch - 5000 });
  const sentAt: number[] = [];
  for (const name of ['a', 'b', 'a', 'c', 'b']) {
    sentAt.push(Math.floor(net.now));
    multicast(net, name, name);
    runUntil(net, () => texts(actorOf(at(net, 'c'))).length === sentAt.length && isQuiet(net), 'it is delivered');
  }
  const [first = 0, second = 0, , , fifth = 0] = sentAt;
  const of = { a: epoch + first, b: epoch + 5000 + second, later: epoch + 5000 + fifth };
  for (const name of ['a', 'b', 'c']) t.deepEqual(timesAt(net, name), [of.a, of.b, of.b, of.b, of.later], name);
});

test('a clock that is set back does not take the time back, at a joiner and after a crash neither', (t) => {
  const net = withClocks({ a: epoch, b: epoch });
  multicast(net, 'a', 'one');
  runUntil(net, () => isQuiet(net), 'it is delivered');
  for (const name of ['a', 'b']) act(net, at(net, name), { kind: 'clock', wall: epoch - 100_000 });
  start(net, 'c');
  runUntil(net, () => at(net, 'c').node.domain?.nodes.length === 3, 'c is in the domain');
  join(net, 'c');
  runUntil(net, () => isQuiet(net), 'c is in');
  t.is(actorOf(at(net, 'c')).views[0]?.time, timesAt(net, 'a')[0]);
  crash(net, 'a');
  multicast(net, 'c', 'two');
  runUntil(net, () => texts(actorOf(at(net, 'b'))).length === 2 && isQuiet(net), 'they go on', 10_000);
  t.deepEqual(timesAt(net, 'c'), timesAt(net, 'b').slice(1));
  t.is(timesAt(net, 'b')[1], timesAt(net, 'b')[0]);
});

test('what is not in the order has a time of its own, which the order does not follow', (t) => {
  const net = withClocks({ a: epoch, b: epoch + 60_000 });
  multicast(net, 'b', 'ahead', { order: 'fifo' });
  runUntil(net, () => isQuiet(net), 'it is delivered');
  multicast(net, 'a', 'plain', { order: 'fifo' });
  multicast(net, 'a', 'ordered');
  runUntil(net, () => isQuiet(net), 'they are delivered');
  for (const name of ['a', 'b']) {
    const { deliveries } = actorOf(at(net, name));
    const [ahead, ordered] = ['ahead', 'ordered'].map(
      (text) => deliveries[texts(actorOf(at(net, name))).indexOf(text)],
    );
    t.true((ordered?.time ?? Infinity) < (ahead?.time ?? 0));
    t.true(rising(deliveries.filter(({ position }) => position === 0).map(({ time }) => time)));
  }
});

test('everybody has the same times while members send, lose packets and die', (t) => {
  const net = withClocks({ a: epoch, b: epoch - 40, c: epoch + 7, d: epoch + 13, e: epoch });
  let count = 0;
  net.rule = ({ by }) => (by !== 'stream' && count++ % 7 === 0 ? 'drop' : 'pass');
  for (let i = 0; i < 40; i++) {
    for (const name of net.members.keys()) multicast(net, name, `${name}${i}`, i === 9 ? { order: 'barrier' } : {});
    if (i === 15) crash(net, 'a');
    if (i === 25) crash(net, 'd');
    run(net, 15);
  }
  runUntil(net, () => isQuiet(net), 'all is stable', 20_000);
  t.true(rising(timesAt(net, 'b')));
  for (const name of ['c', 'e']) t.deepEqual(timesAt(net, name), timesAt(net, 'b'), name);
});

test('a frame tells the time only when its millisecond has changed, and never twice', (t) => {
  const net = grouped(['a', 'b']);
  const told: number[] = [];
  net.rule = () => 'pass';
  const stream = at(net, 'b').node.groups.get('g')?.current?.streams[0];
  for (let i = 0; i < 50; i++) {
    multicast(net, 'a', `${i}`);
    if (i % 10 === 9) run(net, 1);
  }
  runUntil(
    net,
    () => stream?.received === at(net, 'a').node.groups.get('g')?.current?.streams[0]?.received,
    'b has all',
  );
  const chunks = at(net, 'b').node.groups.get('g')?.current?.streams[0]?.chunks;
  for (const chunk of chunks ?? []) {
    const r = new Reader(chunk.bytes);
    let times = 0;
    while (r.left > 0) {
      if (kindOf(r.u8()) === RecordKind.time) times++;
      r.skip(r.varint());
    }
    told.push(times);
  }
  t.true(Math.max(...told) <= 1);
});
