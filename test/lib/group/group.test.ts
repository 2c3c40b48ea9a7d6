/**
 * A group as its users see it: numbers and receipts of multicasts, leaving and coming back, exclusion, direct messages.
 */
import test from 'ava';
import { ProtocolBug } from '../../../lib/assert.js';
import { step } from '../../../lib/node.js';
import {
  act,
  actorOf,
  at,
  grouped,
  isQuiet,
  isTogether,
  join,
  multicast,
  multicastEvent,
  release,
  replicated,
  run,
  runUntil,
  start,
  texts,
} from '../network.js';

test('multicasts are numbered from one without a gap; anything else is a bug of the runner', (t) => {
  const net = grouped(['a']);
  const event = multicastEvent(at(net, 'a'), 'm');
  if (event.kind !== 'multicast') return t.fail();
  t.throws(() => step(at(net, 'a').node, { ...event, message: 2 }, net.now), { instanceOf: ProtocolBug });
  t.notThrows(() => step(at(net, 'a').node, event, net.now));
  t.throws(() => step(at(net, 'a').node, event, net.now), { instanceOf: ProtocolBug });
  return;
});

test('what was multicast before the first view is sent in it', (t) => {
  const net = grouped(['a', 'b']);
  start(net, 'c');
  join(net, 'c');
  multicast(net, 'c', 'early', { uniform: true });
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'c')).stable === 1, 'it is stable');
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['early'], name);
});

test('a leaver goes when all it has multicast is stable and delivered, and all others have it', (t) => {
  const net = grouped(['a', 'b', 'c'], { windowBytes: 4000 });
  net.rule = ({ from, holds }) => (from === 'at-b' && holds.includes('data') ? 'hold' : 'pass');
  for (let i = 0; i < 30; i++) multicast(net, 'c', `${i}`);
  act(net, at(net, 'c'), { kind: 'leave-group', group: 'g' });
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => actorOf(at(net, 'c')).status === 'left', 'c has left');
  runUntil(net, () => isQuiet(net), 'a view without c');
  const all = Array.from({ length: 30 }, (_, i) => `${i}`);
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), all, name);
  t.is(actorOf(at(net, 'c')).stable, 30);
  t.is(actorOf(at(net, 'c')).items.at(-1)?.kind, 'status', 'nothing comes after');
  t.true(
    at(net, 'a')
      .node.groups.get('g')
      ?.current?.view.members.every(({ node }) => node !== at(net, 'c').node.self),
  );
});

test('a leaver waits until its multicasts are delivered here, though all others have them', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // c does not learn the order
  net.rule = ({ to, holds }) => (to === 'at-c' && holds.includes('data') ? 'hold' : 'pass');
  multicast(net, 'c', 'm');
  act(net, at(net, 'c'), { kind: 'leave-group', group: 'g' });
  run(net, 300);
  const group = at(net, 'c').node.groups.get('g');
  t.deepEqual([group?.leaving, group?.stableMessage], ['draining', 1]);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => actorOf(at(net, 'c')).status === 'left', 'c has left');
  t.deepEqual(texts(actorOf(at(net, 'c'))), ['m']);
});

test('a multicast is reported as stable only when what it depends on is stable as well', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // b lacks c's multicast, which a has delivered before it sends its own
  net.rule = ({ to, holds }) => (to === 'at-b' && holds.includes('data') ? 'hold' : 'pass');
  multicast(net, 'c', 'cause', { order: 'causal' });
  run(net, 1.5);
  net.rule = ({ holds }) => (holds.includes('nak') ? 'drop' : 'pass');
  multicast(net, 'a', 'effect', { order: 'causal' });
  run(net, 50);
  const current = at(net, 'a').node.groups.get('g')?.current;
  t.is(current?.stability.stable(0), current?.streams[0]?.received, 'it is received by all');
  t.is(actorOf(at(net, 'a')).stable, 0, 'b has to wait for the other before it can deliver it');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => actorOf(at(net, 'a')).stable === 1, 'it is stable');
  t.deepEqual(texts(actorOf(at(net, 'b'))), ['cause', 'effect']);
});

test('whoever comes back continues the numbers of its multicasts', (t) => {
  const net = grouped(['a', 'b']);
  multicast(net, 'b', 'first');
  runUntil(net, () => isQuiet(net), 'it is stable');
  act(net, at(net, 'b'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => actorOf(at(net, 'b')).status === 'left', 'b has left');
  join(net, 'b');
  multicast(net, 'b', 'second');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'b')).stable === 2, 'it is stable');
  t.deepEqual(
    actorOf(at(net, 'a')).deliveries.map(({ message }) => message),
    [1, 2],
  );
});

test('progress says what was let in and what is stable, never more', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ from }) => (from === 'at-c' ? 'drop' : 'pass');
  multicast(net, 'a', 'm');
  run(net, 50);
  t.deepEqual([actorOf(at(net, 'a')).accepted, actorOf(at(net, 'a')).stable], [1, 0]);
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is stable');
  run(net, 10);
  t.deepEqual([actorOf(at(net, 'a')).accepted, actorOf(at(net, 'a')).stable], [1, 1]);
});

test('a member of a minority that comes back is excluded, and told what became of its multicasts', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const isolated = ({ from, to }: { from: string; to: string }): boolean => from === 'at-c' || to === 'at-c';
  net.rule = (sent) => (isolated(sent) ? 'drop' : 'pass');
  multicast(net, 'c', 'out, and heard by nobody');
  runUntil(net, () => actorOf(at(net, 'c')).status === 'wedged', 'c knows that it is alone');
  multicast(net, 'c', 'later');
  runUntil(net, () => actorOf(at(net, 'a')).views.at(-1)?.members.length === 2, 'a view without c');
  net.rule = () => 'pass';
  runUntil(net, () => actorOf(at(net, 'c')).status === 'excluded', 'c is told');
  const failed = actorOf(at(net, 'c')).items.find((item) => item.kind === 'failed');
  t.deepEqual(failed && [failed.first, failed.last], [1, 2]);
  t.true((failed?.maybeDelivered ?? 0) >= 1, 'the first went out');
  runUntil(net, () => at(net, 'c').told.some(({ kind }) => kind === 'restart'), 'c is to start again');
  t.is(at(net, 'c').node.host.window.unstable, 0);
  t.deepEqual(texts(actorOf(at(net, 'a'))), []);
});

test('messages from member to member arrive once, in order and with their sender', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const to = at(net, 'b').node.self;
  for (let i = 0; i < 20; i++) {
    act(net, at(net, 'a'), { kind: 'direct', group: 'g', to, payload: Uint8Array.of(i) });
    if (i % 5 === 0) act(net, at(net, 'a'), { kind: 'stream-down', to: 'at-b' });
  }
  act(net, at(net, 'b'), { kind: 'direct', group: 'g', to, payload: Uint8Array.of(99) });
  run(net, 3000);
  const got = actorOf(at(net, 'b')).items.filter((item) => item.kind === 'direct');
  t.deepEqual(
    got.filter(({ from }) => from.name === 'a').map(({ payload }) => payload[0]),
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.deepEqual(
    got.filter(({ from }) => from.name === 'b').map(({ payload }) => payload[0]),
    [99],
  );
  t.deepEqual(
    actorOf(at(net, 'c')).items.filter(({ kind }) => kind === 'direct'),
    [],
  );
});

test('what was multicast before the first view is sent before the member leaves', (t) => {
  const net = grouped(['a']);
  start(net, 'b');
  join(net, 'b');
  multicast(net, 'b', 'one word');
  act(net, at(net, 'b'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => actorOf(at(net, 'b')).status === 'left', 'b has left');
  t.deepEqual(texts(actorOf(at(net, 'a'))), ['one word']);
});

test('a message to an earlier membership of a node is nobody’s', (t) => {
  const net = grouped(['a', 'b']);
  const b = at(net, 'b');
  const directs = (): number => actorOf(b).items.filter(({ kind }) => kind === 'direct').length;
  net.rule = ({ holds }) => (holds.includes('link') ? 'hold' : 'pass');
  act(net, at(net, 'a'), { kind: 'direct', group: 'g', to: b.node.self, payload: Uint8Array.of(1) });
  act(net, b, { kind: 'leave-group', group: 'g' });
  runUntil(net, () => actorOf(b).status === 'left', 'b has left');
  join(net, 'b');
  run(net, 5);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'b is back');
  t.is(directs(), 0);
  act(net, at(net, 'a'), { kind: 'direct', group: 'g', to: b.node.self, payload: Uint8Array.of(2) });
  runUntil(net, () => directs() === 1, 'the next one arrives');
});

test('who joins, leaves before it is in, and joins again is in anew, though the first join still came about', (t) => {
  const net = grouped(['a', 'x']);
  const b = start(net, 'b');
  runUntil(net, () => at(net, 'a').node.domain?.nodes.length === 3 && b.node.domain !== null, 'b is in the domain');
  net.rule = ({ holds, to }) => (to === b.address && holds.includes('decided') ? 'hold' : 'pass');
  join(net, 'b');
  runUntil(net, () => at(net, 'x').node.domain?.groups.get('g')?.members.length === 3, 'the others know that b is in');
  act(net, b, { kind: 'leave-group', group: 'g' });
  t.is(actorOf(b).status, 'left');
  net.rule = ({ holds, from }) => (from === b.address && holds.includes('request') ? 'hold' : 'pass');
  release(net);
  const held = (): number | undefined =>
    b.node.domain?.groups.get('g')?.members.find(({ node }) => node === b.node.self)?.joined;
  runUntil(net, () => held() !== undefined, 'b knows that it is in');
  const first = held();
  join(net, 'b');
  start(net, 'c');
  runUntil(net, () => b.node.domain?.nodes.length === 4, 'there is another decree before b has left');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => actorOf(b).status === 'active' && isTogether(net), 'b is in');
  t.true((held() ?? 0) > (first ?? 0));
  multicast(net, 'b', 'm');
  runUntil(net, () => texts(actorOf(at(net, 'a'))).includes('m'), 'a has what b multicasts');
});

test('a node that leaves its domain enters no group any more: it would never be gone', (t) => {
  const net = grouped(['a', 'b']);
  const leaver = at(net, 'b');
  act(net, leaver, { kind: 'leave-domain' }, { kind: 'join-group', group: 'h', settings: replicated });
  runUntil(net, () => leaver.told.some(({ kind }) => kind === 'left'), 'it is gone');
  t.false(leaver.node.groups.has('h'));
});
