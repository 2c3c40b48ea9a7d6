/**
 * What a sender puts on the wire: fragments and shared datagrams, and what it holds back, for the window, for a slow
 * actor, without a quorum.
 */
import test from 'ava';
import { gauge } from '../../../lib/inspect.js';
import { defaults } from '../../../lib/options.js';
import {
  act,
  actorOf,
  at,
  consume,
  crash,
  grouped,
  isQuiet,
  join,
  multicast,
  multicastEvent,
  nameOfDelivery,
  run,
  runUntil,
  start,
  texts,
  type Network,
} from '../network.js';

/** Bytes that are not the same anywhere. */
function filler(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = seed; i < length; i++) bytes[i] = (x = (Math.imul(x, 1664525) + 1013904223) >>> 0) >>> 24;
  return bytes;
}

test('a multicast of 16 MiB goes in fragments and arrives whole, in datagrams within the limit', (t) => {
  const net = grouped(['a', 'b']);
  const payload = filler(defaults.messageBytesMax);
  let largest = 0;
  let mostUnstable = 0;
  net.rule = ({ bytes }) => {
    largest = Math.max(largest, bytes.length);
    mostUnstable = Math.max(mostUnstable, gauge(at(net, 'a').node).unstableBytes);
    return 'pass';
  };
  multicast(net, 'a', payload);
  runUntil(net, () => isQuiet(net), 'it is stable', 60_000);
  for (const name of ['a', 'b']) {
    const [delivery] = actorOf(at(net, name)).deliveries;
    t.true(delivery !== undefined && Buffer.compare(delivery.payload, payload) === 0, name);
  }
  t.true(largest <= defaults.datagramBytesMax, `${largest}`);
  t.true(mostUnstable <= defaults.windowBytes + 2 * defaults.datagramBytesMax, `${mostUnstable}`);
});

test('multicasts around the size of a datagram arrive whole and in order, small ones share datagrams', (t) => {
  const limit = 1500;
  const net = grouped(['a', 'b', 'c'], { datagramBytesMax: limit });
  net.rule = ({ by, bytes }) => {
    if (by !== 'stream') t.true(bytes.length <= limit);
    return 'pass';
  };
  const member = at(net, 'b');
  const sizes = [0, 1, ...Array.from({ length: 40 }, (_, i) => 1380 + 4 * i), 2800, 2900, 3000, 9000, 0, 1];
  for (const order of ['fifo', 'causal', 'total'] as const) {
    act(
      net,
      member,
      ...sizes.map((size, i) => multicastEvent(member, filler(size, i + 1), { order, uniform: i % 5 === 0 })),
    );
  }
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of ['a', 'b', 'c']) {
    for (const order of ['fifo', 'causal', 'total'] as const) {
      const got = actorOf(at(net, name)).deliveries.filter((each) => each.order === order);
      t.deepEqual(
        got.map(({ payload }) => payload.length),
        sizes,
        `${name} ${order}`,
      );
      t.true(
        got.every(({ payload }, i) => Buffer.compare(payload, filler(sizes[i] ?? 0, i + 1)) === 0),
        `${name} ${order}`,
      );
    }
  }
  net.sent = 0;
  act(net, member, ...Array.from({ length: 100 }, (_, i) => multicastEvent(member, `${i}`)));
  t.true(net.sent <= 2, `100 small multicasts of one batch went out in ${net.sent} packets`);
});

test('a multicast of which only fragments are out when the view changes is sent anew in the next, once', (t) => {
  const net = grouped(['a', 'b', 'c'], { datagramBytesMax: 1500, windowBytes: 8000 });
  const payload = filler(60_000);
  const before = actorOf(at(net, 'a')).views.length;
  multicast(net, 'b', 'first');
  multicast(net, 'b', payload);
  multicast(net, 'b', 'last');
  run(net, 3);
  t.true((at(net, 'b').node.groups.get('g')?.queue.first?.offset ?? 0) > 0, 'it is under way');
  crash(net, 'c');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.length > before, 'all is stable');
  const names = actorOf(at(net, 'a')).deliveries.map(nameOfDelivery);
  t.is(names.length, 3);
  t.deepEqual(actorOf(at(net, 'b')).deliveries.map(nameOfDelivery), names);
  const [first, whole, last] = actorOf(at(net, 'a')).deliveries;
  t.true(whole !== undefined && Buffer.compare(whole.payload, payload) === 0);
  t.true((whole?.view.id ?? 0) > (first?.view.id ?? 0), 'in the view in which it was sent');
  t.is(whole?.view.id, last?.view.id);
});

test('a receiver that has fragments of a dead sender forgets them with the view', (t) => {
  const net = grouped(['a', 'b', 'c'], { datagramBytesMax: 1500, windowBytes: 8000 });
  multicast(net, 'c', filler(60_000));
  run(net, 2);
  t.true(gauge(at(net, 'a').node).reassembly > 0);
  crash(net, 'c');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 2, 'a view without c');
  t.is(gauge(at(net, 'a').node).reassembly, 0);
  t.deepEqual(actorOf(at(net, 'a')).deliveries, []);
});

test('unstable bytes stay within the window while nobody acknowledges; the rest goes out afterwards', (t) => {
  const windowBytes = 20_000;
  const net = grouped(['a', 'b'], { windowBytes, datagramBytesMax: 1500 });
  net.rule = ({ from }) => (from === 'at-b' ? 'drop' : 'pass');
  const member = at(net, 'a');
  const count = 300;
  for (let i = 0; i < count; i++) multicast(net, 'a', filler(500, i + 1), { order: 'fifo' });
  run(net, 100);
  const { unstableBytes, queued } = gauge(member.node);
  const least = windowBytes / 4;
  t.true(unstableBytes >= least && unstableBytes <= least + 1500 + 512, `${unstableBytes}`);
  t.true(queued > count / 2);
  t.is(actorOf(member).accepted, count - queued);
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.deepEqual(
    actorOf(at(net, 'b')).deliveries.map(({ message }) => message),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  t.is(actorOf(member).stable, count);
});

/** The most that each node had under way in so many milliseconds, while all of `senders` had more to send than fits. */
function mostUnderWay(net: Network, senders: readonly string[], millis: number): Map<string, number> {
  const most = new Map<string, number>();
  for (let i = 0; i < millis; i++) {
    for (const name of senders) {
      for (let { queued } = gauge(at(net, name).node); queued < 200; queued++) multicast(net, name, filler(500));
    }
    run(net, 1);
    for (const name of senders) most.set(name, Math.max(most.get(name) ?? 0, at(net, name).node.host.window.unstable));
  }
  return most;
}

test('who sends alone comes to have the whole window, and those who send at the same time share it', (t) => {
  const windowBytes = 40_000;
  const frame = 1500 + 512;
  const net = grouped(['a', 'b'], { windowBytes, datagramBytesMax: 1500 });
  const alone = mostUnderWay(net, ['a'], 100).get('a') ?? 0;
  t.true(alone > windowBytes - frame && alone <= windowBytes + frame, `${alone}`);
  // b begins with a quarter while a has all, and then each has half
  mostUnderWay(net, ['a', 'b'], 50);
  for (const [name, bytes] of mostUnderWay(net, ['a', 'b'], 100)) {
    // an eighth more goes with frames that have to be sent
    const most = (windowBytes / 2) * 1.125 + frame;
    t.true(bytes > windowBytes / 2 - frame && bytes <= most, `${name}: ${bytes}`);
  }
  runUntil(net, () => isQuiet(net), 'all is stable');
});

/** Bytes that b has received of a, and rows that it has sent, in so many milliseconds in which a always has more to send. */
function flow(net: Network, millis: number, groups: readonly string[] = ['g']): { bytes: number; rows: number } {
  let rows = 0;
  net.rule = ({ from, to, holds }) => {
    if (from === 'at-b' && to === 'at-a' && holds.includes('row')) rows++;
    return 'pass';
  };
  const received = () => sum(groups.map((group) => actorOf(at(net, 'b'), group).deliveries.length)) * 500;
  const before = received();
  for (let i = 0; i < millis; i++) {
    while (gauge(at(net, 'a').node).queued < 400)
      for (const group of groups) multicast(net, 'a', filler(500), { group });
    run(net, 1);
  }
  net.rule = () => 'pass';
  return { bytes: received() - before, rows };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

test('who has the whole window is acknowledged twice in each, who has the least of it not more often', (t) => {
  const windowBytes = 160_000;
  const net = grouped(['a', 'b', 'c', 'd'], { windowBytes, datagramBytesMax: 1500 });
  flow(net, 100);
  const alone = flow(net, 200);
  // what counts is told in powers of the square root of two, and a frame's 1,500 bytes count 512 more
  const [least, most] = [windowBytes / 2 / Math.SQRT2 / 1.4, windowBytes / 2];
  const each = alone.bytes / alone.rows;
  t.true(each > least && each < most, `${each} bytes for each row`);
  runUntil(net, () => isQuiet(net), 'all is stable');
});

test('a sender whose window is smaller than those of the others does not wait for their delay', (t) => {
  const windowBytes = 20_000;
  const net = grouped(['a'], { windowBytes, datagramBytesMax: 1500 });
  start(net, 'b', { windowBytes: 40 * windowBytes });
  join(net, 'b');
  runUntil(net, () => isQuiet(net), 'b is in');
  flow(net, 100);
  // a window takes a millisecond there and one back
  const { bytes } = flow(net, 100);
  t.true(bytes > (100 / 3) * windowBytes * 0.5, `${bytes}`);
});

test('nor does one that shares its window among several groups', (t) => {
  const windowBytes = 160_000;
  const net = grouped(['a', 'b'], { windowBytes, datagramBytesMax: 1500 });
  const groups = ['g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'];
  for (const group of groups.slice(1)) for (const name of ['a', 'b']) join(net, name, group);
  runUntil(net, () => isQuiet(net), 'they are in');
  flow(net, 100, groups);
  const { bytes } = flow(net, 100, groups);
  t.true(bytes > (100 / 3) * windowBytes * 0.5, `${bytes}`);
});

test('senders wait for an actor that is behind, and go on when it has caught up', (t) => {
  const backlogBytesMax = 10_000;
  const net = grouped(['a', 'b'], { backlogBytesMax, windowBytes: 8000, datagramBytesMax: 1500 });
  const slow = actorOf(at(net, 'b'));
  slow.consumes = false;
  for (let i = 0; i < 100; i++) multicast(net, 'a', filler(1000, i + 1));
  run(net, 1000);
  t.true(slow.unconsumed > backlogBytesMax && slow.unconsumed <= backlogBytesMax + 2 * 8000, `${slow.unconsumed}`);
  t.true(gauge(at(net, 'a').node).queued > 50);
  t.is(gauge(at(net, 'b').node).unstable, 0, 'a slow actor does not delay stability');
  slow.consumes = true;
  consume(net, 'b');
  runUntil(net, () => isQuiet(net), 'all is delivered');
  t.is(slow.deliveries.length, 100);
});

test('without a quorum nothing new is sent', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = () => 'drop';
  runUntil(net, () => actorOf(at(net, 'a')).status === 'wedged', 'a is alone');
  multicast(net, 'a', 'alone');
  run(net, 500);
  t.deepEqual(texts(actorOf(at(net, 'a'))), []);
  t.is(gauge(at(net, 'a').node).queued, 1);
});

test('a causal multicast waits for what its sender had delivered', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // c does not hear a, so it gets the answer before what is answered
  net.rule = ({ from, to, holds }) => (from === 'at-a' && to === 'at-c' && holds.includes('data') ? 'hold' : 'pass');
  multicast(net, 'a', 'question', { order: 'causal' });
  run(net, 1.5);
  t.deepEqual(texts(actorOf(at(net, 'b'))), ['question']);
  multicast(net, 'b', 'answer', { order: 'causal' });
  run(net, 1.2);
  t.deepEqual(texts(actorOf(at(net, 'c'))), [], 'the answer waits for the question');
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.deepEqual(texts(actorOf(at(net, 'c'))), ['question', 'answer']);
});

test('a joiner that comes while multicasts are queued is in the view in which they are sent', (t) => {
  const net = grouped(['a', 'b']);
  start(net, 'c');
  join(net, 'c');
  for (let i = 0; i < 50; i++) {
    multicast(net, 'a', `a${i}`);
    multicast(net, 'b', `b${i}`);
    run(net, 3);
  }
  runUntil(net, () => isQuiet(net), 'all is stable');
  const [a, b, c] = ['a', 'b', 'c'].map((name) => actorOf(at(net, name)).state);
  t.is(a?.length, 100);
  t.deepEqual(b, a);
  t.deepEqual(c, a);
});

test('what waits and is small goes with frames that have to be sent, also if the window is full', (t) => {
  const net = grouped(['a', 'b', 'c'], { windowBytes: 40_000, datagramBytesMax: 1500 });
  net.rule = ({ from }) => (from === 'at-c' ? 'drop' : 'pass');
  for (let i = 0; i < 100; i++) multicast(net, 'a', filler(300, i + 1));
  run(net, 10);
  const fromA = (): number => actorOf(at(net, 'b')).deliveries.filter(({ from }) => from.name === 'a').length;
  const before = fromA();
  t.true(before < 50, `c acknowledges nothing, and the window is full after ${before}`);
  for (let i = 0; i < 5; i++) {
    multicast(net, 'b', `${i}`);
    run(net, 2);
  }
  t.true(fromA() > before, 'with assignments of what b sends');
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.is(fromA(), 100);
});

test('in a view of many all streams are acknowledged, though not all in each frame', (t) => {
  const names = Array.from({ length: 36 }, (_, i) => `n${i}`);
  const net = grouped(names);
  // only what rides on data
  net.rule = ({ holds }) => (holds.includes('row') && !holds.includes('data') ? 'drop' : 'pass');
  for (let round = 0; round < 8; round++) {
    for (const name of names) multicast(net, name, `${name} ${round}`);
    run(net, 2);
  }
  for (const name of names) t.true(actorOf(at(net, name)).stable > 0, name);
});

test('an acknowledgement that is lost is told again, also while others go on sending', (t) => {
  const net = grouped(['a', 'b', 'c']);
  let isLossy = true;
  net.rule = ({ from, to }) => (isLossy && from === 'at-b' && to === 'at-a' ? 'drop' : 'pass');
  const talk = (): void => {
    for (const name of ['b', 'c']) multicast(net, name, 'and on', { order: 'fifo' });
    run(net, 1);
  };
  multicast(net, 'a', 'once', { order: 'fifo' });
  for (let i = 0; i < 10; i++) talk();
  isLossy = false;
  for (let i = 0; i < 100; i++) talk();
  t.is(actorOf(at(net, 'a')).stable, 1);
});
