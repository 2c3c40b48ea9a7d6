/** Requests: who asks a group gets the replies, and each request takes effect once, whatever dies between. */
import test from 'ava';
import {
  type Asked,
  type Network,
  actorOf,
  ask,
  at,
  crash,
  grouped,
  isQuiet,
  join,
  multicast,
  plain,
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

function contactOf(net: Network): string {
  const to = [...at(net, 'k').node.asks.open.values()][0]?.contact ?? '';
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
