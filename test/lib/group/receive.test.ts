/**
 * What does not belong to the installed view, or comes too late for it, is not taken in, and what is kept is bounded.
 */
import test from 'ava';
import { gauge } from '../../../lib/inspect.js';
import { frameOverheadBytes, futureBytesMax } from '../../../lib/limits.js';
import { Section as Kind } from '../../../lib/wire/packet.js';
import {
  type Member,
  type Network,
  type Packet,
  actorOf,
  at,
  crash,
  grouped,
  inject,
  isQuiet,
  join,
  multicast,
  release,
  run,
  runUntil,
  start,
  texts,
} from '../network.js';
import { body, headerOf, packet } from '../packets.js';

/** What a member has received of the stream of this rank in its view. */
function received(member: Member, rank: number): number | undefined {
  return member.node.groups.get('g')?.current?.streams[rank]?.received;
}

function targetOf(member: Member): number {
  return member.node.groups.get('g')?.flush?.target.id ?? 0;
}

test('a frame of a view that is not installed is neither delivered nor acknowledged, and is not lost', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ to, holds }) => (to === 'at-b' && holds.includes('install') ? 'hold' : 'pass');
  start(net, 'd');
  join(net, 'd');
  runUntil(net, () => actorOf(at(net, 'a')).views.at(-1)?.members.length === 4, 'a has installed the view');
  multicast(net, 'a', 'new view', { uniform: true });
  const acknowledged = new Set<string>();
  const { rule } = net;
  net.rule = (sent) => {
    if (sent.holds.includes('row')) acknowledged.add(sent.from);
    return rule(sent);
  };
  run(net, 200);
  t.is(gauge(at(net, 'b').node).reorder > 0, true, 'b has it');
  t.deepEqual([...acknowledged].sort(), ['at-a', 'at-c', 'at-d']);
  t.is(at(net, 'a').node.groups.get('g')?.current?.stability.received(1, 0), 0);
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), [], `${name}: uniform, not at b yet`);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of ['a', 'b', 'c', 'd']) t.deepEqual(texts(actorOf(at(net, name))), ['new view'], name);
  const [delivery] = actorOf(at(net, 'b')).deliveries;
  t.is(delivery?.view.members.length, 4);
});

test('frames kept for a view to come are bounded', (t) => {
  const net = grouped(['a', 'b']);
  const group = at(net, 'b').node.groups.get('g');
  const view = group?.current?.view.id ?? 0;
  const bad = body(group?.id ?? 0, view + 1, 0, 0, 1, 1, new Uint8Array(50_000));
  for (let i = 0; i < 200; i++)
    inject(net, at(net, 'b'), packet(headerOf(at(net, 'a')), [{ kind: Kind.data, body: bad }]));
  t.true((group?.futureBytes ?? 0) > 0 && (group?.futureBytes ?? 0) <= futureBytesMax);
});

test('frames without records for a view to come are bounded as well', (t) => {
  const net = grouped(['a', 'b']);
  const group = at(net, 'b').node.groups.get('g');
  const header = headerOf(at(net, 'a'));
  const empty = packet(header, new Array(1000).fill({ kind: Kind.data, body: body(group?.id ?? 0, 1000) }));
  for (let i = 0; i < 100; i++) inject(net, at(net, 'b'), empty);
  t.true((group?.future.length ?? 0) <= futureBytesMax / frameOverheadBytes, `${group?.future.length ?? 0}`);
});

/** Lets packets arrive again that were taken from those held: the network may double a datagram. */
function arriveAgain(net: Network, packets: readonly Packet[]): void {
  net.held.push(...packets);
  release(net, (each) => packets.includes(each));
}

test('the answer to a fetch for an older target is thrown away, before and after the newer cut is known', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  // c's multicast reaches a only
  const isData = (holds: readonly string[]): boolean => ['data', 'row', 'nak'].some((kind) => holds.includes(kind));
  net.rule = ({ to, holds }) => (isData(holds) && to !== 'at-a' ? 'drop' : 'pass');
  multicast(net, 'c', 'm', { order: 'fifo' });
  run(net, 1.5);
  // the first target: c is gone; b fetches from a, and the answer is late
  net.rule = ({ to, holds }) => {
    if (to === 'at-b' && (holds.includes('fetched') || holds.includes('install'))) return 'hold';
    return isData(holds) ? 'drop' : 'pass';
  };
  crash(net, 'c');
  runUntil(net, () => net.held.length > 0, 'b has fetched');
  const first = targetOf(at(net, 'b'));
  const late = net.held.splice(0);
  // the second target: d is gone as well, and a lives on
  const { rule } = net;
  net.rule = (sent) => (sent.to === 'at-b' && sent.holds.includes('cut') ? 'hold' : rule(sent));
  crash(net, 'd');
  runUntil(net, () => targetOf(at(net, 'b')) > first, 'b has reported for the second target');
  arriveAgain(net, late);
  t.is(received(at(net, 'b'), 2), 0, 'void before the cut of the second target');
  // cuts of the first target, repeated
  net.held = [];
  runUntil(net, () => net.held.some(({ holds }) => holds.includes('cut')), 'a has the second cut');
  release(net, ({ holds }) => holds.includes('cut'));
  t.true(targetOf(at(net, 'b')) > first && at(net, 'b').node.groups.get('g')?.flush?.cut !== null);
  arriveAgain(net, late);
  t.is(received(at(net, 'b'), 2), 0, 'void with it');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'the second target is installed');
  for (const name of ['a', 'b']) t.deepEqual(texts(actorOf(at(net, name))), ['m'], name);
});

test('once a member has reported, nothing comes in from the stream of one who is gone, whoever sends it', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // c's multicast reaches a only; b asks a for it, and the answer is late
  net.rule = ({ from, to, holds }) => {
    if (!holds.includes('data') || to !== 'at-b') return 'pass';
    return from === 'at-c' ? 'drop' : 'hold';
  };
  multicast(net, 'c', 'late', { order: 'fifo' });
  runUntil(net, () => net.held.length > 0, 'b has asked');
  const late = net.held.splice(0);
  crash(net, 'c');
  net.rule = ({ to, holds }) => {
    if (to !== 'at-b') return 'pass';
    return ['data', 'cut', 'install', 'fetched'].some((kind) => holds.includes(kind)) ? 'hold' : 'pass';
  };
  runUntil(net, () => targetOf(at(net, 'b')) > 0, 'b has reported');
  t.true(late.length > 0 && late.every(({ from }) => from === 'at-a'));
  arriveAgain(net, late);
  t.is(received(at(net, 'b'), 2), 0);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'a view without c');
  for (const name of ['a', 'b']) t.deepEqual(texts(actorOf(at(net, name))), ['late'], `${name}: by the cut`);
});

test('a frame twice, or a row from before, changes nothing', (t) => {
  const net = grouped(['a', 'b']);
  net.rule = (sent) => {
    if (sent.holds.includes('data') || sent.holds.includes('row')) net.held.push(sent);
    return 'pass';
  };
  for (let i = 0; i < 5; i++) {
    multicast(net, 'a', `${i}`);
    run(net, 10);
  }
  net.rule = () => 'pass';
  t.true(release(net) > 5);
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.deepEqual(texts(actorOf(at(net, 'b'))), ['0', '1', '2', '3', '4']);
  t.is(at(net, 'b').node.dropped.malformed, 0);
});
