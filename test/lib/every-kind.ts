/** A run of a few nodes in which packets of every kind are sent. */
import {
  type Network,
  type Packet,
  at,
  crash,
  grouped,
  isQuiet,
  join,
  multicast,
  run,
  runUntil,
  start,
} from './network.js';

const names = ['a', 'b', 'c'] as const;

/**
 * A run in which packets of every kind are sent: a join with its transfer, loss, a crash with unequal rows. `watch`
 * sees each packet just before it is sent.
 */
export function everyKind(watch: (net: Network, packet: Packet) => void): Network {
  const net = grouped(names);
  let isLossy = false;
  net.rule = (sent) => {
    watch(net, sent);
    const fromTo = `${sent.from} ${sent.to}`;
    if (sent.holds.some((kind) => kind === 'cut' || kind === 'fetch')) isLossy = false;
    const isLost =
      isLossy && fromTo !== 'at-c at-b' && sent.holds.some((kind) => ['data', 'row', 'nak'].includes(kind));
    return isLost ? 'drop' : 'pass';
  };
  for (const name of names) multicast(net, name, name);
  run(net, 50);
  start(net, 'd');
  runUntil(net, () => at(net, 'd').node.domain?.nodes.length === 4, 'd is in the domain');
  join(net, 'd');
  runUntil(net, () => isQuiet(net), 'd is in the group');
  const { rule } = net;
  let lost = 0;
  net.rule = (sent) => (sent.holds.includes('data') && sent.to === 'at-a' && lost++ < 1 ? 'drop' : rule(sent));
  multicast(net, 'b', 'lost once');
  runUntil(net, () => isQuiet(net), 'the gap is filled');
  net.rule = rule;
  isLossy = true;
  multicast(net, 'c', 'last words');
  run(net, 1.5);
  crash(net, 'c');
  runUntil(net, () => isQuiet(net), 'a view without c');
  return net;
}

/** The kinds of packets in it. */
export const kinds = [
  ...['data', 'row', 'nak', 'report', 'cut', 'have-all', 'fetch', 'fetched', 'install', 'link', 'link-ack'],
  ...['heartbeat', 'hello', 'invitation', 'offer', 'request', 'accept', 'accepted', 'decided', 'welcome'],
];
