/** What is lost is asked for and sent again, once where once is enough; when all is stable, nothing is sent at all. */
import test from 'ava';
import { explain } from '../../../lib/explain.js';
import { gauge } from '../../../lib/inspect.js';
import {
  type Network,
  actorOf,
  at,
  createNetwork,
  grouped,
  isQuiet,
  isTogether,
  join,
  multicast,
  run,
  runUntil,
  start,
  texts,
} from '../network.js';

/** How many packets hold each kind of section, while `millis` pass. */
function countKinds(net: Network, millis: number): Map<string, number> {
  const counts = new Map<string, number>();
  const { rule } = net;
  net.rule = (sent) => {
    for (const kind of sent.holds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return rule(sent);
  };
  run(net, millis);
  net.rule = rule;
  return counts;
}

test('when all is stable and known to be, a group sends nothing at all', (t) => {
  const net = grouped(['a', 'b', 'c']);
  for (const name of ['a', 'b', 'c']) for (const uniform of [false, true]) multicast(net, name, name, { uniform });
  runUntil(net, () => isQuiet(net), 'all is stable');
  run(net, 100);
  const counts = countKinds(net, 10_000);
  t.deepEqual([...counts.keys()], ['heartbeat'], 'the domain lives, the group is silent');
});

test('an idle receiver acknowledges once, after a short delay', (t) => {
  const net = grouped(['a', 'b', 'c']);
  run(net, 100);
  multicast(net, 'a', 'one', { order: 'fifo' });
  const counts = countKinds(net, 500);
  // two receivers, two packets each: one for each of the others
  t.true((counts.get('row') ?? 0) <= 4, `${counts.get('row') ?? 0}`);
  t.is(counts.get('nak'), undefined);
  t.true(isQuiet(net));
});

test('while data flows both ways, acknowledgements ride on it', (t) => {
  const net = grouped(['a', 'b']);
  const counts = new Map<string, number>();
  net.rule = ({ holds }) => {
    for (const kind of holds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return 'pass';
  };
  for (let i = 0; i < 200; i++) {
    multicast(net, 'a', 'a', { order: 'fifo' });
    multicast(net, 'b', 'b', { order: 'fifo' });
    run(net, 2);
  }
  t.is(counts.get('data'), 400);
  t.true((counts.get('row') ?? 0) < 8, `${counts.get('row') ?? 0} rows for 400 frames`);
});

test('two hundred groups that are idle cost no more packets than one', (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const rates = [1, 200].map((groups) => {
    const net = createNetwork();
    for (const name of names) start(net, name);
    runUntil(net, () => names.every((name) => at(net, name).node.domain?.nodes.length === 4), 'a domain of four');
    const list = Array.from({ length: groups }, (_, i) => `g${i}`);
    for (const name of names) for (const group of list) join(net, name, group);
    runUntil(net, () => list.every((group) => isTogether(net, group)), 'all are in all groups', 20_000);
    for (const group of list) for (const name of names) multicast(net, name, 'hello', { group });
    runUntil(net, () => list.every((group) => isQuiet(net, group)), 'all is stable', 20_000);
    for (const group of list) t.is(actorOf(at(net, 'd'), group).deliveries.length, 4);
    run(net, 500);
    net.sent = 0;
    run(net, 10_000);
    return net.sent / 10;
  });
  const [one = 0, many = 0] = rates;
  t.true(one > 0);
  t.true(Math.abs(many - one) <= one / 10, `${one} packets/s with one group, ${many} with 200`);
});

test('a lost frame is asked for and sent again, once', (t) => {
  const net = grouped(['a', 'b', 'c']);
  let lost = 0;
  net.rule = ({ to, holds }) => (to === 'at-c' && holds.includes('data') && lost++ === 0 ? 'drop' : 'pass');
  multicast(net, 'a', 'lost', { order: 'fifo' });
  multicast(net, 'a', 'kept', { order: 'fifo' });
  const counts = countKinds(net, 50);
  t.deepEqual(texts(actorOf(at(net, 'c'))), ['lost', 'kept']);
  t.is(counts.get('nak'), 1);
  t.true(isQuiet(net));
});

test('a lost last frame, which no gap shows, arrives all the same', (t) => {
  const net = grouped(['a', 'b', 'c']);
  let lost = 0;
  net.rule = ({ from, holds }) => (from === 'at-a' && holds.includes('data') && lost++ < 2 ? 'drop' : 'pass');
  multicast(net, 'a', 'lost for both', { order: 'fifo' });
  runUntil(net, () => isQuiet(net) && lost > 1, 'it is stable', 500);
  for (const name of ['b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['lost for both']);
});

test('a gap is filled by another member when its sender does not answer', (t) => {
  const net = grouped(['a', 'b', 'c'], { timeout: 5000 });
  let lost = 0;
  net.rule = ({ from, to, holds }) => {
    if (from === 'at-a' && to === 'at-c' && holds.includes('data')) return lost++ === 0 ? 'drop' : 'pass';
    return to === 'at-a' && holds.includes('nak') ? 'drop' : 'pass';
  };
  multicast(net, 'a', 'lost', { order: 'fifo' });
  multicast(net, 'a', 'kept', { order: 'fifo' });
  runUntil(net, () => texts(actorOf(at(net, 'c'))).length === 2, 'c has it from b', 500);
  t.deepEqual(texts(actorOf(at(net, 'c'))), ['lost', 'kept']);
});

test('several members that miss the same frame do not each get an answer of their own', (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const net = grouped(names);
  let first = true;
  net.rule = ({ from, holds }) => (from === 'at-a' && holds.includes('data') && first ? 'drop' : 'pass');
  multicast(net, 'a', 'lost', { order: 'fifo' });
  first = false;
  multicast(net, 'a', 'kept', { order: 'fifo' });
  net.sent = 0;
  const counts = countKinds(net, 20);
  t.is(counts.get('nak'), 5);
  // the first answer to one member, the second to all, and no third
  t.is(counts.get('data'), 1 + 5);
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of names) t.deepEqual(texts(actorOf(at(net, name))), ['lost', 'kept'], name);
});

test('who waits for whom can be asked while something is unstable, and is nothing afterwards', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ from }) => (from === 'at-c' ? 'drop' : 'pass');
  multicast(net, 'a', 'm');
  run(net, 20);
  t.deepEqual(explain(at(net, 'a').node, 'g'), [{ what: 'acknowledgements', who: [at(net, 'c').node.self] }]);
  t.true(gauge(at(net, 'a').node).unstable > 0);
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.deepEqual(explain(at(net, 'a').node, 'g'), []);
});

test('a way that eats large datagrams is got around: what is lost comes over the stream, what is new in small ones', (t) => {
  const net = grouped(['a', 'b', 'c'], { timeout: 5000 });
  let largest = 0;
  net.rule = ({ by, from, to, bytes }) => {
    if (by !== 'stream') largest = Math.max(largest, bytes.length);
    return by !== 'stream' && bytes.length > 1280 && (from === 'at-a' || to === 'at-a') ? 'drop' : 'pass';
  };
  const large = 'x'.repeat(40_000);
  multicast(net, 'a', large);
  multicast(net, 'b', large);
  runUntil(net, () => isQuiet(net), 'all is stable', 3000);
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), [large, large], name);
  largest = 0;
  multicast(net, 'a', large);
  const counts = countKinds(net, 500);
  t.is(counts.get('nak'), undefined, 'nothing is lost any more');
  t.true(isQuiet(net));
  t.true(largest <= 1280);
  t.is(texts(actorOf(at(net, 'c'))).length, 3);
  // later they are tried again: the path may have changed
  run(net, 31_000);
  net.rule = ({ bytes }) => {
    largest = Math.max(largest, bytes.length);
    return 'pass';
  };
  multicast(net, 'a', large);
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.true(largest > 30_000);
});

test('requests for what is missing that get lost as datagrams go over the stream', (t) => {
  const net = grouped(['a', 'b'], { timeout: 5000 });
  let first = true;
  net.rule = ({ by, from, holds }) => {
    if (first && from === 'at-a' && holds.includes('data')) return 'drop';
    return by === 'unicast' && from === 'at-b' && holds.includes('nak') ? 'drop' : 'pass';
  };
  multicast(net, 'a', 'lost', { order: 'fifo' });
  first = false;
  multicast(net, 'a', 'kept', { order: 'fifo' });
  runUntil(net, () => isQuiet(net), 'all is stable', 2000);
  t.deepEqual(texts(actorOf(at(net, 'b'))), ['lost', 'kept']);
});
