/** A joiner gets exactly the state of the group at its view, though donors die, streams break and members come back. */
import test from 'ava';
import { linkMessageBytesMax, linkWindowBytes, stateChunksMax } from '../../../lib/limits.js';
import {
  type Network,
  act,
  actorOf,
  at,
  breakStream,
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

/** A group whose state takes many chunks: more than a link takes at once. */
function withState(names: readonly string[], multicasts = 120): Network {
  const net = grouped(names);
  net.chunkBytes = 128 * 1024;
  for (const name of names) actorOf(at(net, name)).state?.push('x'.repeat(2 * linkWindowBytes));
  for (let i = 0; i < multicasts; i++) multicast(net, names[i % names.length] as string, `${i}`);
  runUntil(net, () => isQuiet(net), 'all is stable');
  return net;
}

/** Runs until d has taken in some of its state and not all. */
function halfway(net: Network): void {
  const joiner = actorOf(at(net, 'd'));
  runUntil(net, () => joiner.items.filter(({ kind }) => kind === 'state').length >= 5, 'd has a part of its state');
  if (joiner.state !== null) throw new Error('the transfer is over');
}

function donorOf(net: Network): string {
  const replica = at(net, 'd').node.groups.get('g')?.replica;
  if (replica?.kind !== 'transferring') throw new Error('no transfer');
  return [...net.members.values()].find(({ node }) => node.self === replica.token.donor)?.name ?? 'nobody';
}

/** Every living member has the same state, and it has all that the survivors have sent. */
function statesAgree(net: Network): boolean {
  const states = [...net.members.values()].map((member) => JSON.stringify(actorOf(member).state));
  return states.length > 0 && states.every((state) => state === states[0] && state !== 'null');
}

/** Nothing of a transfer is left at any member. */
function nothingIsLeft(net: Network): boolean {
  return [...net.members.values()].every((member) => {
    const group = member.node.groups.get('g');
    return group?.giving.size === 0 && group.replica.kind === 'present' && actorOf(member).snapshots.size === 0;
  });
}

test('a joiner gets the state as of its first view, and what is multicast meanwhile comes after it', (t) => {
  const net = withState(['a', 'b', 'c']);
  start(net, 'd');
  join(net, 'd');
  for (let i = 0; i < 40; i++) {
    multicast(net, 'b', `meanwhile ${i}`);
    run(net, 5);
  }
  runUntil(net, () => isQuiet(net), 'd has its state');
  t.true(statesAgree(net));
  runUntil(net, () => nothingIsLeft(net), 'nothing is left of the transfer', 100);
  const { items } = actorOf(at(net, 'd'));
  const kinds = items
    .map(({ kind }) => kind)
    .filter((kind) => kind === 'state' || kind === 'view' || kind === 'deliveries');
  t.true(kinds.filter((kind) => kind === 'state').length > 10);
  t.true(kinds.lastIndexOf('state') < kinds.indexOf('view') && kinds.indexOf('view') < kinds.indexOf('deliveries'));
  const states = items.filter((item) => item.kind === 'state');
  t.deepEqual(
    states.map(({ first }) => first),
    states.map((_, i) => i === 0),
  );
  t.deepEqual(
    states.map(({ last }) => last),
    states.map((_, i) => i === states.length - 1),
  );
});

test('a donor that dies is replaced, and the joiner ends with exactly the state of the group', (t) => {
  const net = withState(['a', 'b', 'c']);
  start(net, 'd');
  join(net, 'd');
  let i = 0;
  net.rule = ({ holds }) => {
    if (holds.includes('link')) i++;
    return 'pass';
  };
  halfway(net);
  for (const name of ['a', 'b', 'c']) multicast(net, name, 'before the death');
  const donor = donorOf(net);
  crash(net, donor);
  for (const name of ['a', 'b', 'c']) if (name !== donor) multicast(net, name, 'after the death');
  runUntil(net, () => isQuiet(net), 'd has its state');
  t.true(statesAgree(net));
  runUntil(net, () => nothingIsLeft(net), 'nothing is left of the transfer', 100);
  const firsts = actorOf(at(net, 'd')).items.filter((item) => item.kind === 'state' && item.first);
  t.is(firsts.length, 2, 'it started over, once');
  t.true(i > 5);
});

test('donors that die one after another are replaced until one lives long enough', (t) => {
  const net = withState(['a', 'b', 'c', 'e', 'f', 'g', 'h']);
  start(net, 'd');
  join(net, 'd');
  for (let deaths = 0; deaths < 3; deaths++) {
    const started = (): number =>
      actorOf(at(net, 'd')).items.filter((item) => item.kind === 'state' && item.first).length;
    runUntil(net, () => started() > deaths, 'a transfer has begun');
    const donor = donorOf(net);
    for (const name of net.members.keys()) if (name !== 'd') multicast(net, name, `${deaths}`);
    crash(net, donor);
    run(net, 1);
  }
  runUntil(net, () => isQuiet(net), 'd has its state', 10_000);
  t.true(statesAgree(net));
  runUntil(net, () => nothingIsLeft(net), 'nothing is left of the transfer', 100);
});

test('a transfer whose donor lives goes on across a view change, it does not start over', (t) => {
  const net = withState(['a', 'b', 'c']);
  start(net, 'd');
  join(net, 'd');
  halfway(net);
  const donor = donorOf(net);
  const other = ['a', 'b', 'c'].find((name) => name !== donor) as string;
  net.rule = ({ holds }) => (holds.includes('link') ? 'hold' : 'pass');
  crash(net, other);
  runUntil(net, () => actorOf(at(net, donor)).views.at(-1)?.members.length === 3, 'a view without it');
  t.is(donorOf(net), donor);
  t.true(net.held.length > 0);
  net.rule = () => 'pass';
  release(net);
  multicast(net, donor, 'after');
  runUntil(net, () => isQuiet(net), 'd has its state');
  t.true(statesAgree(net));
  runUntil(net, () => nothingIsLeft(net), 'nothing is left of the transfer', 100);
  t.is(actorOf(at(net, 'd')).items.filter((item) => item.kind === 'state' && item.first).length, 1);
  t.deepEqual(
    actorOf(at(net, 'd')).views.map(({ members }) => members.length),
    [4, 3],
    'both views, after the state',
  );
});

test('a broken stream in the middle of a transfer loses and doubles nothing', (t) => {
  const net = withState(['a', 'b', 'c']);
  start(net, 'd');
  join(net, 'd');
  for (let breaks = 0; breaks < 3; breaks++) {
    halfway(net);
    breakStream(net, donorOf(net), 'd');
    run(net, 5);
  }
  runUntil(net, () => isQuiet(net), 'd has its state');
  t.true(statesAgree(net));
  const { items } = actorOf(at(net, 'd'));
  t.is(items.filter((item) => item.kind === 'state' && item.first).length, 1);
});

test('a donor waits for a joiner that is slow with its state', (t) => {
  const net = withState(['a', 'b', 'c']);
  start(net, 'd');
  const joiner = actorOf(at(net, 'd'));
  joiner.consumes = false;
  join(net, 'd');
  const chunks = () => joiner.items.filter((item) => item.kind === 'state');
  runUntil(net, () => chunks().length === stateChunksMax, 'the most that may wait for an actor');
  run(net, 3000);
  t.is(chunks().length, stateChunksMax);
  t.is(joiner.state, null);
  joiner.consumes = true;
  for (const { token } of chunks()) act(net, at(net, 'd'), { kind: 'state-taken', group: 'g', token });
  runUntil(net, () => isQuiet(net), 'd has its state');
  t.true(chunks().length > stateChunksMax + 10);
  t.true(statesAgree(net));
  runUntil(net, () => nothingIsLeft(net), 'nothing is left of the transfer', 100);
});

test('a joiner that dies is forgotten by its donor', (t) => {
  const net = withState(['a', 'b', 'c']);
  start(net, 'd');
  join(net, 'd');
  halfway(net);
  const [snapshot] = [...actorOf(at(net, donorOf(net))).snapshots.values()];
  crash(net, 'd');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 3, 'a view without d');
  runUntil(net, () => nothingIsLeft(net), 'nothing is left of the transfer', 100);
  t.true(statesAgree(net));
  t.true(snapshot !== undefined && snapshot.at < snapshot.text.length, 'the rest of the state is not asked for');
});

test('when all who had the state are gone, the oldest joiner founds the group anew, and says so', (t) => {
  const net = withState(['a']);
  start(net, 'b');
  start(net, 'd');
  runUntil(
    net,
    () => [...net.members.values()].every(({ node }) => node.domain?.nodes.length === 3),
    'a domain of three',
  );
  net.rule = ({ to, holds }) => (to === 'at-b' && holds.includes('link') ? 'drop' : 'pass');
  join(net, 'b');
  join(net, 'd');
  halfway(net);
  crash(net, 'a');
  runUntil(net, () => isQuiet(net), 'a view of two');
  t.true(statesAgree(net));
  t.deepEqual(actorOf(at(net, 'b')).state, []);
  const found = [...net.members.values()].flatMap((member) =>
    actorOf(member).items.filter(({ kind }) => kind === 'found'),
  );
  t.deepEqual(found, [{ kind: 'found', loud: true }]);
  multicast(net, 'd', 'anew');
  runUntil(net, () => isQuiet(net) && texts(actorOf(at(net, 'b'))).length > 0, 'it goes on');
  t.true(statesAgree(net));
});

test('a donor is asked for no more than a window and a chunk of state at a time', (t) => {
  const net = grouped(['a']);
  net.chunkBytes = 512 * 1024;
  actorOf(at(net, 'a')).state?.push('x'.repeat(20 * 1024 * 1024));
  let most = 0;
  net.rule = ({ from, holds }) => {
    for (const link of at(net, 'a').node.links.values()) most = Math.max(most, link.bytes);
    return from === 'at-d' && holds.includes('link-ack') && net.now % 7 < 3 ? 'drop' : 'pass';
  };
  start(net, 'd');
  join(net, 'd');
  runUntil(net, () => isQuiet(net), 'd has its state', 60_000);
  t.true(statesAgree(net));
  t.true(most > linkWindowBytes / 2 && most <= linkWindowBytes + linkMessageBytesMax, `${most}`);
});

test('whoever leaves and comes back on the same node is a new member with the state of now', (t) => {
  const net = withState(['a', 'b', 'c']);
  act(net, at(net, 'c'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => actorOf(at(net, 'c')).status === 'left', 'c has left');
  multicast(net, 'a', 'while c was away');
  actorOf(at(net, 'c')).state = null;
  join(net, 'c');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 3, 'c is back');
  t.true(statesAgree(net));
  multicast(net, 'c', 'back');
  runUntil(net, () => isQuiet(net) && texts(actorOf(at(net, 'a'))).includes('back'), 'c is heard');
  t.true(statesAgree(net));
});

test('many joiners at once get the state from several donors', (t) => {
  const net = withState(['a', 'b', 'c']);
  const donors = new Set<string>();
  net.rule = ({ from, holds }) => {
    if (holds.includes('link')) donors.add(from);
    return 'pass';
  };
  for (const name of ['d', 'e', 'f', 'g', 'h', 'i']) {
    start(net, name);
    join(net, name);
  }
  runUntil(net, () => isQuiet(net), 'all have it');
  t.true(statesAgree(net));
  t.true(donors.size > 1);
});

test('members of a plain group have no state of their own, but are given what the protocol has to pass on', (t) => {
  const net = grouped(['a', 'b'], {}, plain);
  multicast(net, 'a', 'm', { order: 'fifo' });
  runUntil(net, () => isQuiet(net), 'all is stable');
  const kinds = new Set(actorOf(at(net, 'b')).items.map(({ kind }) => kind));
  t.true(kinds.has('state'));
  t.deepEqual(texts(actorOf(at(net, 'b'))), ['m']);
});
