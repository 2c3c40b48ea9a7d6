/** Requests: who asks a group gets the replies, and each request takes effect once, whatever dies between. */
import test from 'ava';
import { explain } from '../../lib/explain.js';
import {
  type Asked,
  type Network,
  act,
  actorOf,
  ask,
  at,
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
} from './network.js';

/** Members a, b, c and the client k, which is no member. */
function served(settings = undefined as typeof plain | undefined): Network {
  const net = grouped(['a', 'b', 'c'], {}, settings);
  start(net, 'k');
  runUntil(net, () => at(net, 'k').node.domain?.nodes.length === 4, 'k is in the domain');
  return net;
}

function ended(net: Network, asked: Asked): NonNullable<ReturnType<Asked['end']>> {
  runUntil(net, () => asked.end() !== undefined, 'the request has ended', 8000);
  return asked.end() as NonNullable<ReturnType<Asked['end']>>;
}

function contactOf(net: Network, client = 'k'): string {
  const to = [...at(net, client).node.asks.open.values()][0]?.contact?.node ?? '';
  return to.slice(0, to.indexOf('#'));
}

test('a member that asks all has the replies of all', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const asked = ask(net, 'b', 'how', { as: 'member' });
  t.is(ended(net, asked).outcome, 'ok');
  t.deepEqual(asked.replies(), { a: 'a: how', b: 'b: how', c: 'c: how' });
});

test('so has a node that is no member, and the request takes effect like any multicast', (t) => {
  const net = served();
  const asked = ask(net, 'k', 'how');
  t.is(ended(net, asked).outcome, 'ok');
  t.deepEqual(asked.replies(), { a: 'a: how', b: 'b: how', c: 'c: how' });
  t.deepEqual(texts(actorOf(at(net, 'a'))), ['how']);
});

for (const settings of [undefined, plain]) {
  const kind = settings ? 'plain' : 'replicated';

  test(`${kind}: the contact dies when all have delivered and the client does not know: it takes effect once`, (t) => {
    const net = served(settings);
    net.rule = ({ holds, to }) => (holds.includes('link') && to === 'at-k' ? 'drop' : 'pass');
    const asked = ask(net, 'k', 'how', { replies: 1 });
    const contact = contactOf(net);
    runUntil(net, () => ['a', 'b', 'c'].every((name) => actorOf(at(net, name)).deliveries.length === 1), 'delivered');
    crash(net, contact);
    net.rule = () => 'pass';
    t.is(ended(net, asked).outcome, 'ok');
    const rest = ['a', 'b', 'c'].filter((name) => name !== contact);
    runUntil(net, () => isQuiet(net), 'all is quiet');
    for (const name of rest) {
      const { deliveries } = actorOf(at(net, name));
      t.is(deliveries.filter(({ request }) => !request?.repeated).length, 1, name);
    }
  });

  test(`${kind}: those who served it all die, and one who joined knows that it was served`, (t) => {
    const net = grouped(['a'], {}, settings);
    start(net, 'k');
    runUntil(net, () => at(net, 'k').node.domain?.nodes.length === 2, 'k is in the domain');
    for (const name of ['p', 'q', 'b']) start(net, name);
    runUntil(net, () => at(net, 'k').node.domain?.nodes.length === 5, 'the others are in the domain');
    net.rule = ({ holds, to, from }) => (from === 'at-a' && holds.includes('link') && to === 'at-k' ? 'drop' : 'pass');
    const asked = ask(net, 'k', 'how', { replies: 1, timeout: 8000 });
    runUntil(net, () => actorOf(at(net, 'a')).deliveries.length === 1, 'a has delivered it');
    join(net, 'b', 'g', settings);
    runUntil(net, () => isQuietAt(net, 'b'), 'b is in');
    crash(net, 'a');
    const end = ended(net, asked);
    t.is(end.outcome, 'ok');
    t.deepEqual(asked.replies(), { b: 'a: how' });
    t.true(actorOf(at(net, 'b')).deliveries.every(({ request }) => request?.repeated));
  });
}

function isQuietAt(net: Network, name: string): boolean {
  return actorOf(at(net, name)).status === 'active';
}

test('who dies is waited for no more', (t) => {
  const net = served();
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).reply = name === 'c' ? null : () => name;
  const asked = ask(net, 'k', 'how');
  runUntil(net, () => Object.keys(asked.replies()).length === 2, 'two have replied');
  crash(net, 'c');
  const end = ended(net, asked);
  t.is(end.outcome, 'ok');
  t.deepEqual(
    end.missing.map(({ member, why }) => [member.slice(0, 1), why]),
    [['c', 'failed']],
  );
});

test('its time is up when somebody who lives keeps silent', (t) => {
  const net = served();
  actorOf(at(net, 'c')).reply = null;
  const asked = ask(net, 'k', 'how', { timeout: 300 });
  runUntil(net, () => Object.keys(asked.replies()).length === 2, 'two have replied');
  const member = ask(net, 'a', 'me too', { as: 'member' });
  run(net, 50);
  t.deepEqual(explain(at(net, 'a').node, 'g'), [{ what: 'replies', who: [at(net, 'c').node.self] }]);
  t.is(member.end(), undefined);
  const end = ended(net, asked);
  t.is(end.outcome, 'timeout');
  t.true(end.maybeDone);
  t.is(end.got.length, 2);
});

test('a request that is refused for good has not taken effect; one that is refused for now comes again', (t) => {
  const net = served();
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = { why: 'not you', again: false };
  const end = ended(net, ask(net, 'k', 'how'));
  t.is(end.outcome, 'refused');
  t.is(end.why, 'not you');
  t.false(end.maybeDone);
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = { why: 'busy', again: true };
  const again = ask(net, 'k', 'once more');
  run(net, 200);
  t.is(again.end(), undefined);
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = null;
  t.is(ended(net, again).outcome, 'ok');
  t.deepEqual(texts(actorOf(at(net, 'a'))), ['once more']);
});

test('one that is refused for now comes again behind those that its contact has in hand', (t) => {
  const net = served();
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = 'later';
  ask(net, 'k', 'one', { timeout: 60_000 });
  const contact = contactOf(net);
  run(net, 20);
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = { why: 'busy', again: true };
  ask(net, 'k', 'two', { timeout: 60_000 });
  run(net, 200);
  const [one, ...again] = actorOf(at(net, contact)).requests;
  t.true(one !== undefined && again.length > 1);
  // were it to come by itself, it would overtake the first, should that be refused for now as well
  t.true(again.every(({ previous }) => previous === one?.number));
});

test('one that wants no reply has ended when the group has it', (t) => {
  const net = served();
  const end = ended(net, ask(net, 'k', 'do', { replies: 0 }));
  t.is(end.outcome, 'ok');
  t.is(actorOf(at(net, 'b')).deliveries[0]?.request?.wantsReply, false);
});

test('what is served is forgotten with its client', (t) => {
  const net = served();
  ended(net, ask(net, 'k', 'how'));
  t.is(at(net, 'a').node.groups.get('g')?.served.size, 1);
  crash(net, 'k');
  runUntil(net, () => at(net, 'a').node.domain?.nodes.length === 3, 'k is out of the domain');
  multicast(net, 'a', 'm');
  start(net, 'd');
  runUntil(net, () => at(net, 'd').node.domain?.nodes.length === 4, 'd is in the domain');
  join(net, 'd');
  runUntil(net, () => isQuiet(net), 'd is in the group');
  t.is(at(net, 'a').node.groups.get('g')?.served.size, 0);
});

test('a joiner forgets the clients that are gone in the same place as the others, after what it holds', (t) => {
  const net = grouped(['a', 'b']);
  for (const name of ['k', 'c', 'd']) start(net, name);
  runUntil(net, () => [...net.members.values()].every(({ node }) => node.domain?.nodes.length === 5), 'all are in');
  net.rule = ({ holds, to }) => (holds.includes('link') && to === 'at-k' ? 'drop' : 'pass');
  net.chunkBytes = 8;
  ask(net, 'k', 'how', { replies: 1, timeout: 60_000 });
  t.is(contactOf(net), 'b');
  runUntil(net, () => texts(actorOf(at(net, 'a'))).length === 1, 'a has delivered it');
  // c has what was served, and a first chunk of the state, but not the rest
  let passed = 0;
  net.rule = ({ holds, to, from }) => {
    if (!holds.includes('link')) return 'pass';
    if (from === 'at-a' && to === 'at-c') return passed++ === 0 ? 'pass' : 'hold';
    return to === 'at-k' ? 'drop' : 'pass';
  };
  join(net, 'c');
  runUntil(net, () => actorOf(at(net, 'c')).items.some(({ kind }) => kind === 'state'), 'c has a part of the state');
  crash(net, 'b');
  runUntil(net, () => texts(actorOf(at(net, 'a'))).length === 2, 'it was delivered again');
  crash(net, 'k');
  runUntil(net, () => at(net, 'a').node.domain?.nodes.length === 3, 'the client is out');
  join(net, 'd');
  runUntil(net, () => at(net, 'c').node.groups.get('g')?.current?.view.members.length === 3, 'd is in the view');
  t.is(actorOf(at(net, 'c')).state, null, 'c still waits for its state');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'all is quiet', 8000);
  t.is(actorOf(at(net, 'a')).state?.length, 1);
  t.deepEqual(actorOf(at(net, 'c')).state, actorOf(at(net, 'a')).state);
  t.deepEqual(actorOf(at(net, 'd')).state, actorOf(at(net, 'a')).state);
  for (const name of ['a', 'c', 'd']) t.is(at(net, name).node.groups.get('g')?.served.size, 0, name);
});

test('a request of a client that is gone takes no effect, though its second contact has it in hand', (t) => {
  const net = grouped(['a', 'b', 'c']);
  for (const name of ['k', 'x']) start(net, name);
  runUntil(net, () => [...net.members.values()].every(({ node }) => node.domain?.nodes.length === 5), 'all are in');
  net.rule = ({ holds, to }) => (holds.includes('link') && to === 'at-k' ? 'drop' : 'pass');
  ask(net, 'k', 'how', { replies: 1, timeout: 60_000 });
  const contact = contactOf(net);
  const rest = ['a', 'b', 'c'].filter((name) => name !== contact);
  runUntil(net, () => rest.every((name) => texts(actorOf(at(net, name))).length === 1), 'all have delivered it');
  // the view without the contact never comes about, only one from which the client is gone
  net.rule = ({ holds, to }) =>
    holds.includes('report') || (holds.includes('link') && to === 'at-k') ? 'drop' : 'pass';
  crash(net, contact);
  const isQueued = () => rest.some((name) => (at(net, name).node.groups.get('g')?.queue.length ?? 0) > 0);
  runUntil(net, isQueued, 'another has it in hand');
  crash(net, 'k');
  runUntil(net, () => at(net, rest[0] as string).node.domain?.nodes.length === 3, 'the client is out');
  join(net, 'x');
  const targets = (name: string) => at(net, name).node.groups.get('g')?.targets.length ?? 0;
  runUntil(net, () => rest.every((name) => targets(name) === 2), 'there is a later view to come');
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'all is quiet', 8000);
  for (const name of rest) t.is(actorOf(at(net, name)).state?.length, 1, name);
});

test('a contact that left and came back before the client knew has nothing in hand: the request goes there again', (t) => {
  const net = served();
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = 'later';
  const asked = ask(net, 'k', 'how', { replies: 1, timeout: 4000 });
  const contact = contactOf(net);
  run(net, 20);
  net.rule = ({ to }) => (to === 'at-k' ? 'drop' : 'pass');
  act(net, at(net, contact), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => !at(net, contact).node.groups.has('g'), 'the contact is out');
  join(net, contact);
  runUntil(net, () => actorOf(at(net, contact)).status === 'active', 'the contact is in again');
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = null;
  net.rule = () => 'pass';
  t.is(ended(net, asked).outcome, 'ok');
});

test('refused by the second contact, it may have been let in by the first', (t) => {
  const net = served();
  net.rule = ({ holds, to }) => (holds.includes('link') && to === 'at-k' ? 'drop' : 'pass');
  const asked = ask(net, 'k', 'how', { replies: 1 });
  const contact = contactOf(net);
  runUntil(net, () => ['a', 'b', 'c'].every((name) => actorOf(at(net, name)).deliveries.length === 1), 'delivered');
  for (const name of ['a', 'b', 'c']) actorOf(at(net, name)).refuses = { why: 'not you', again: false };
  crash(net, contact);
  for (const name of ['a', 'b', 'c']) if (name !== contact) actorOf(at(net, name)).reply = null;
  net.rule = ({ holds, from, to }) => (holds.includes('link') && to === 'at-k' && from === 'at-x' ? 'drop' : 'pass');
  const end = ended(net, asked);
  t.true(end.maybeDone);
  t.not(end.outcome, 'refused');
});

test('who is not expected is no part of all', (t) => {
  const net = served();
  start(net, 'd');
  runUntil(net, () => at(net, 'k').node.domain?.nodes.length === 5, 'd is in the domain');
  join(net, 'd');
  runUntil(net, () => isQuiet(net), 'd is in the group');
  const asked = ask(net, 'k', 'how', { timeout: 3000 });
  const contact = contactOf(net);
  const [left = '', replies = '', silent = ''] = ['a', 'b', 'c', 'd'].filter((name) => name !== contact);
  actorOf(at(net, silent)).reply = null;
  net.rule = ({ holds, from, to }) =>
    holds.includes('link') && from === `at-${contact}` && to === 'at-k' ? 'drop' : 'pass';
  runUntil(net, () => Object.keys(asked.replies()).length === 2, 'two have replied');
  act(net, at(net, left), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => !at(net, left).node.groups.has('g'), 'one has left');
  crash(net, contact);
  const end = ended(net, asked);
  t.is(end.outcome, 'timeout', `${replies} replied, ${silent} did not`);
});

test('one that waits for its state is no contact', (t) => {
  const net = grouped(['a']);
  const clients = ['k', 'm', 'l', 'n'];
  for (const name of [...clients, 'b']) start(net, name);
  const knowAll = (): boolean => clients.every((name) => at(net, name).node.domain?.nodes.length === 6);
  runUntil(net, knowAll, 'all are in the domain');
  net.rule = ({ holds, from, to }) => (holds.includes('link') && from === 'at-a' && to === 'at-b' ? 'hold' : 'pass');
  join(net, 'b');
  run(net, 100);
  t.is(actorOf(at(net, 'b')).status, 'transferring');
  const asked = clients.map((name) => ask(net, name, 'how', { replies: 1, timeout: 2000 }));
  t.true(clients.some((name) => contactOf(net, name) === 'b'));
  for (const each of asked) t.is(ended(net, each).outcome, 'ok');
});

test('who is refused by the group has no ask that stays open', (t) => {
  const net = grouped(['a']);
  start(net, 'b');
  runUntil(net, () => at(net, 'b').node.domain?.nodes.length === 2, 'b is in the domain');
  join(net, 'b', 'g', plain);
  const end = ended(net, ask(net, 'b', 'how', { as: 'member', timeout: 100_000 }));
  t.is(end.outcome, 'failed');
  t.false(end.maybeDone);
});
