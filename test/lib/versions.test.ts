/** Nodes of different versions of the protocol in one domain: what is said in which version, and who is refused. */
import test from 'ava';
import type { Versions } from '../../lib/membership/protocol.js';
import {
  type Network,
  type Packet,
  act,
  actorOf,
  at,
  crash,
  createNetwork,
  isQuiet,
  isTogether,
  join,
  multicast,
  run,
  runUntil,
  start,
} from './network.js';

const old: Versions = { least: 1, most: 1 };
const both: Versions = { least: 1, most: 2 };
const young: Versions = { least: 2, most: 3 };

/** A network that notes the versions of packets, and of those that hold more than what all versions have in common. */
function observed(): { readonly net: Network; readonly seen: Set<number> } {
  const net = createNetwork();
  const seen = new Set<number>();
  const lasting = ['hello', 'invitation', 'refusal', 'expired', 'heartbeat', 'offer', 'challenge'];
  net.rule = ({ holds, bytes }: Packet) => {
    if (holds.some((kind) => !lasting.includes(kind))) seen.add(bytes[2] as number);
    return 'pass';
  };
  return { net, seen };
}

function enter(net: Network, name: string, versions: Versions): void {
  start(net, name, { versions });
  const size = net.members.size;
  runUntil(net, () => at(net, name).node.domain?.nodes.length === size, `${name} is in the domain`);
  join(net, name);
  runUntil(net, () => isQuiet(net) && isTogether(net), `${name} is in the group`);
}

/** Everybody sends, and all get the same. */
function traffic(net: Network): string[] {
  for (const name of net.members.keys()) multicast(net, name, `by ${name}`, { order: 'total' });
  runUntil(net, () => isQuiet(net), 'all is stable');
  run(net, 100);
  const states = [...net.members.values()].map((member) => JSON.stringify(actorOf(member).state));
  return [...new Set(states)];
}

const versionAt = (net: Network, name: string): number | undefined => at(net, name).node.domain?.version;

test('a domain speaks what its oldest can read, and more as of the decree after they have gone', (t) => {
  const { net, seen } = observed();
  enter(net, 'a', old);
  enter(net, 'b', both);
  enter(net, 'c', both);
  t.is(traffic(net).length, 1);
  t.deepEqual([...seen], [1]);
  crash(net, 'a');
  runUntil(net, () => at(net, 'b').node.domain?.nodes.length === 2, 'without the oldest');
  t.is(versionAt(net, 'b'), 1, 'the decree that removes it is one that it can read');
  t.is(traffic(net).length, 1);
  t.deepEqual([...seen], [1]);
  enter(net, 'd', both);
  t.is(versionAt(net, 'd'), 2);
  seen.clear();
  t.is(traffic(net).length, 1);
  t.deepEqual([...seen], [2]);
});

test('who leaves gracefully is told of it though the others go on in a version that it cannot read', (t) => {
  const { net } = observed();
  enter(net, 'x', old);
  enter(net, 'y', both);
  enter(net, 'z', both);
  const leaver = at(net, 'x');
  act(net, leaver, { kind: 'leave-domain' });
  runUntil(net, () => leaver.told.some(({ kind }) => kind === 'left'), 'it has left');
  net.members.delete('x');
  enter(net, 'w', both);
  t.is(versionAt(net, 'y'), 2);
  t.is(traffic(net).length, 1);
});

for (const [who, versions, domain, why] of [
  ['an old node', old, both, /speaks version 2 of the protocol, this node version 1: upgrade this node/],
  ['a young node', young, old, /speaks version 1 of the protocol, this node versions 2 to 3: first upgrade the nodes/],
] as const) {
  test(`${who} that cannot speak the domain's version is refused, and the domain goes on`, (t) => {
    const { net } = observed();
    enter(net, 'a', domain);
    enter(net, 'b', domain);
    const refused = start(net, 'c', { versions });
    runUntil(net, () => refused.told.some(({ kind }) => kind === 'refused'), 'it is refused');
    const told = refused.told.find((effect) => effect.kind === 'refused');
    t.regex(told?.why ?? '', why);
    net.members.delete('c');
    t.is(traffic(net).length, 1);
    t.is(at(net, 'a').node.domain?.nodes.length, 2);
  });
}

test('a node that was cut off while the domain took up a version that it cannot read begins anew, and is refused', (t) => {
  const { net } = observed();
  for (const [name, versions] of [
    ['o', old],
    ['p', both],
    ['q', both],
    ['r', both],
  ] as const)
    enter(net, name, versions);
  const cut = at(net, 'o');
  const whole = net.rule;
  net.rule = (packet) => (packet.from === cut.address || packet.to === cut.address ? 'drop' : whole(packet));
  runUntil(net, () => at(net, 'p').node.domain?.nodes.length === 3, 'without it');
  crash(net, 'r');
  runUntil(net, () => at(net, 'p').node.domain?.nodes.length === 2, 'without another');
  t.is(versionAt(net, 'p'), 2);
  net.rule = whole;
  runUntil(net, () => cut.told.some(({ kind }) => kind === 'restart'), 'it gives up', 60_000);
});
