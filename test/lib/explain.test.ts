/** What `explain` says in each state in which nothing moves: what is waited for, and for whom. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { explain } from '../../lib/explain.js';
import type { Waiting } from '../../lib/explain.js';
import { type Network, actorOf, at, grouped, isQuiet, join, multicast, run, runUntil, start } from './network.js';

/** What `name` says that it waits for, by name instead of id. */
function waiting(net: Network, name: string): Waiting[] {
  return explain(at(net, name).node, 'g').map(({ what, who }) => ({
    what,
    who: who.map((id) => id.replace(/#.*/, '')) as never,
  }));
}

function says(t: ExecutionContext, net: Network, name: string, what: RegExp, who: readonly string[]): void {
  const all = waiting(net, name);
  const found = all.find((line) => what.test(line.what));
  t.deepEqual(found?.who as readonly string[] | undefined, who, JSON.stringify(all));
}

/** Nothing gets from these to those. */
function part(net: Network, from: readonly string[], to: readonly string[], holds?: string): void {
  net.rule = (packet) => {
    const isCut = from.includes(packet.from.replace('at-', '')) && to.includes(packet.to.replace('at-', ''));
    return isCut && (holds === undefined || packet.holds.includes(holds)) ? 'drop' : 'pass';
  };
}

test('credit: a member whose actor is behind', (t) => {
  const net = grouped(['a', 'b', 'c'], { backlogBytesMax: 100 });
  actorOf(at(net, 'b')).consumes = false;
  for (let i = 0; i < 50; i++) multicast(net, 'a', 'something or other');
  run(net, 100);
  multicast(net, 'a', 'waits');
  run(net, 100);
  says(t, net, 'a', /^credit/, ['b']);
});

test('order: the sequencer, which is not heard', (t) => {
  const net = grouped(['a', 'b', 'c'], { timeout: 2000, timeoutMax: 2000 });
  part(net, ['a'], ['b', 'c']);
  multicast(net, 'b', 'unordered');
  run(net, 100);
  says(t, net, 'c', /^the order of what has arrived/, ['a']);
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.deepEqual(waiting(net, 'c'), []);
});

test('order: a multicast that is ordered and has not come', (t) => {
  const net = grouped(['a', 'b', 'c'], { timeout: 2000, timeoutMax: 2000 });
  // what b sends is lost to c, and so is that c asks for it
  net.rule = ({ from, to, holds }) =>
    to === 'at-c' && (from === 'at-b' || holds.includes('piece')) ? 'drop' : holds.includes('nak') ? 'drop' : 'pass';
  multicast(net, 'b', 'lost to c');
  run(net, 20);
  says(t, net, 'c', /^multicasts that are ordered and did not arrive/, ['b']);
});

test('uniform: members that have not received it', (t) => {
  const net = grouped(['a', 'b', 'c'], { timeout: 2000, timeoutMax: 2000 });
  part(net, ['c'], ['a', 'b']);
  multicast(net, 'a', 'surely', { uniform: true });
  run(net, 100);
  says(t, net, 'a', /^a uniform multicast/, ['c']);
  says(t, net, 'a', /^acknowledgements/, ['c']);
});

test('a flush: at its coordinator whoever has not reported, at the others the coordinator', (t) => {
  const net = grouped(['a', 'b', 'c'], { timeout: 2000, timeoutMax: 2000 });
  part(net, ['c'], ['a', 'b'], 'report');
  start(net, 'd');
  join(net, 'd');
  runUntil(net, () => at(net, 'b').node.groups.get('g')?.flush !== null, 'a flush');
  run(net, 100);
  says(t, net, 'a', /^reports for view/, ['c']);
  says(t, net, 'b', /^the install of view/, ['a']);
});

test('a state: its donor', (t) => {
  const net = grouped(['a', 'b'], { timeout: 2000, timeoutMax: 2000 });
  net.rule = ({ holds }) => (holds.includes('link') || holds.includes('piece') ? 'drop' : 'pass');
  start(net, 'c');
  join(net, 'c');
  runUntil(net, () => at(net, 'c').node.groups.get('g')?.replica.kind === 'transferring', 'a transfer');
  run(net, 50);
  const [line] = waiting(net, 'c').filter(({ what }) => what.startsWith('the state as of view'));
  t.is(line?.who.length, 1);
  t.true(['a', 'b'].includes(String(line?.who[0])));
});

test('a quorum: whoever cannot be heard', (t) => {
  const net = grouped(['a', 'b', 'c']);
  part(net, ['a', 'b'], ['c']);
  run(net, 1000);
  says(t, net, 'c', /^a quorum/, ['a', 'b']);
});
