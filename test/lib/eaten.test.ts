/**
 * A path carries some traffic and not other. Whatever it eats, into one node and out of it, what waits for that is repaired
 * another way, or the node goes: nothing waits for ever while heartbeats look well.
 */
import test from 'ava';
import { explain } from '../../lib/explain.js';
import { statistics } from '../../lib/inspect.js';
import {
  type Network,
  type Packet,
  act,
  actorOf,
  ask,
  at,
  crash,
  grouped,
  isQuiet,
  join,
  multicast,
  runUntil,
  start,
} from './network.js';

const kinds = ['multicast', 'unicast', 'stream', 'large'] as const;
type Kind = (typeof kinds)[number];
type Kinds = readonly Kind[];

const subsets: readonly Kinds[] = Array.from({ length: 1 << kinds.length }, (_, bits) =>
  kinds.filter((__, i) => (bits & (1 << i)) !== 0),
);

function isEaten(eaten: Kinds, { by, bytes }: Packet): boolean {
  return eaten.includes(by) || (by !== 'stream' && bytes.length > 1400 && eaten.includes('large'));
}

function eat(net: Network, name: string, into: Kinds, outOf: Kinds): void {
  const address = `at-${name}`;
  // a stream needs both directions
  const noStreams = into.includes('stream') || outOf.includes('stream');
  net.rule = (packet) => {
    const [isIn, isOut] = [packet.to === address, packet.from === address];
    if (noStreams && packet.by === 'stream' && (isIn || isOut)) return 'drop';
    return (isIn && isEaten(into, packet)) || (isOut && isEaten(outOf, packet)) ? 'drop' : 'pass';
  };
}

/** Lets time pass until all is quiet; without the node, if the others go on without it. */
function settle(net: Network, one: string, what: string): void {
  const isOut = (): boolean =>
    [...net.members.values()].every(({ name, node }) => {
      return name === one || (node.domain !== null && !node.domain.nodes.some((info) => info.name === one));
    });
  const limit = 30_000;
  runUntil(
    net,
    () => {
      if (isOut()) net.members.delete(one);
      return isQuiet(net);
    },
    what,
    limit,
  );
}

const large = new Uint8Array(40_000).fill(7);

/** Everything that a group does while the way of one member eats something. */
function play(one: string, into: Kinds, outOf: Kinds): Network {
  const net = grouped(['a', 'b', 'c', 'd']);
  eat(net, one, into, outOf);
  for (const name of ['a', 'b', 'c', 'd']) {
    multicast(net, name, `small ${name}`);
    multicast(net, name, large, { uniform: true });
  }
  settle(net, one, 'multicasts are stable');
  const asker = net.members.has(one) ? one : 'd';
  const asked = ask(net, asker, 'still there?', { timeout: 60_000 });
  const isAnswered = (): boolean => asked.end() !== undefined || !net.members.has(asker);
  settle(net, one, 'requests are served');
  runUntil(net, isAnswered, 'an answer', 30_000);
  crash(net, one === 'c' ? 'd' : 'c');
  settle(net, one, 'a view without the crashed');
  start(net, 'e');
  runUntil(net, () => at(net, 'e').node.domain !== null, 'a node is let in', 30_000);
  join(net, 'e');
  multicast(net, [...net.members.keys()][0] as string, large);
  settle(net, one, 'a joiner has the state');
  return net;
}

for (const one of ['a', 'b']) {
  for (const [i, into] of subsets.entries()) {
    for (const [j, outOf] of subsets.entries()) {
      // what one direction eats, or both alike; and some of all others
      const isAlike = i === 0 || j === 0 || i === j;
      if (!isAlike && (i * subsets.length + j) % 7 !== 0) continue;
      test(`${one}: into it [${into.join(' ')}] is eaten, out of it [${outOf.join(' ')}]`, (t) => {
        const net = play(one, into, outOf);
        const states = [...net.members.values()].map((member) => actorOf(member).state);
        for (const state of states) t.deepEqual(state, states[0]);
        const isHeard = !into.includes('multicast') && !outOf.includes('multicast');
        t.is(net.members.has(one), isHeard, 'nobody is excluded with whom all can be repaired');
      });
    }
  }
}

test('a coordinator that hears no multicast excludes nobody, though votes reach it', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  eat(net, 'a', ['multicast'], []);
  runUntil(net, () => at(net, 'b').node.domain?.nodes.length === 3, 'somebody is out', 5000);
  t.deepEqual(
    at(net, 'b').node.domain?.nodes.map(({ name }) => name),
    ['b', 'c', 'd'],
  );
});

test('when the path is whole again, large datagrams and streams are used again, and the past is forgotten', (t) => {
  const net = grouped(['a', 'b', 'c']);
  eat(net, 'b', [], ['stream', 'large']);
  const { node } = at(net, 'b');
  multicast(net, 'b', large);
  settle(net, 'b', 'a large multicast is stable');
  t.is(node.out.datagramBytesMax, 1200);
  const { smallFor } = node.out;
  runUntil(net, () => node.out.datagramBytesMax > 1200, 'larger ones are tried again', 31_000);
  multicast(net, 'b', large);
  settle(net, 'b', 'another is stable');
  t.is(node.out.datagramBytesMax, 1200);
  t.true(node.out.smallFor > smallFor, 'longer the second time');
  net.rule = () => 'pass';
  const sent = node.out.datagramBytesMost;
  runUntil(net, () => node.out.datagramBytesMax === sent, 'larger ones are tried once more', 61_000);
  multicast(net, 'b', large);
  settle(net, 'b', 'a last one is stable');
  t.is(node.out.datagramBytesMax, sent);
  runUntil(net, () => node.out.smallFor < smallFor, 'the past is forgotten', 200_000);
});

test('explain names what a path eats: the gap and its sender, or the link', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const [a, b] = [at(net, 'a').node, at(net, 'b').node];
  // nothing that holds data or pieces gets to b
  net.rule = ({ by, to, holds }) => {
    const isData = by === 'stream' || holds.includes('data') || holds.includes('piece');
    return to === 'at-b' && isData ? 'drop' : 'pass';
  };
  multicast(net, 'a', large);
  const lossy = (node: typeof a): string[] =>
    explain(node, 'g').flatMap(({ what, who }) => (what.startsWith('a lossy path') ? [`${what}: ${who.join()}`] : []));
  runUntil(net, () => lossy(b).length > 0, 'b knows of the gap');
  t.regex(
    lossy(b)[0] ?? '',
    new RegExp(`^a lossy path: records 1 to 2 of its stream, asked for .* times, .*: ${a.self}$`),
  );
  ask(net, 'a', 'and letters?', { timeout: 60_000 });
  act(net, at(net, 'a'), { kind: 'direct', group: 'g', to: b.self, payload: large });
  runUntil(net, () => lossy(a).length > 0, 'a knows of the link', 10_000);
  t.regex(lossy(a)[0] ?? '', new RegExp(`^a lossy path: message \\d+ on the link, .*: ${b.self}$`));
  t.is(statistics(a)['datagramBytesMax'], 1200);
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net) && lossy(a).length + lossy(b).length === 0, 'nothing is waited for', 10_000);
});
