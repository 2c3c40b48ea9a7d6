/** From one view to the next all members deliver the same, whoever dies, whatever is lost and whatever comes late. */
import test from 'ava';
import type { ViewInfo } from '../../../lib/events.js';
import { type FlushMessage, flushMessage } from '../../../lib/group/messages.js';
import { Writer } from '../../../lib/wire/bytes.js';
import { Section as Kind } from '../../../lib/wire/packet.js';
import {
  type Member,
  type Network,
  act,
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
import { headerOf, packet } from '../packets.js';

function targetOf(member: Member): number {
  return member.node.groups.get('g')?.flush?.target.id ?? 0;
}

function viewIds(member: Member): number[] {
  return actorOf(member).views.map(({ id }) => id);
}

/** Kinds of the packets sent from now on. */
function listen(net: Network): Set<string> {
  const kinds = new Set<string>();
  const { rule } = net;
  net.rule = (sent) => {
    for (const kind of sent.holds) kinds.add(kind);
    return rule(sent);
  };
  return kinds;
}

test('when all have received the same, the view is installed without a cut', (t) => {
  const net = grouped(['a', 'b', 'c']);
  multicast(net, 'c', 'm');
  runUntil(net, () => isQuiet(net), 'all is stable');
  const kinds = listen(net);
  crash(net, 'c');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 2, 'a view of two');
  t.true(kinds.has('report') && kinds.has('install'));
  t.false(kinds.has('cut') || kinds.has('have-all') || kinds.has('fetch'));
});

test('what one survivor has of the dead, all deliver before the view without it', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  const kinds = listen(net);
  const { rule } = net;
  const isRepair = (holds: readonly string[]): boolean => holds.includes('row') || holds.includes('nak');
  net.rule = (sent) => {
    rule(sent);
    return (sent.from === 'at-d' && sent.to !== 'at-c' && sent.holds.includes('data')) || isRepair(sent.holds)
      ? 'drop'
      : 'pass';
  };
  multicast(net, 'd', 'last words', { order: 'fifo' });
  run(net, 1.5);
  crash(net, 'd');
  runUntil(net, () => actorOf(at(net, 'c')).views.at(-1)?.members.length === 3, 'a view of three');
  for (const name of ['a', 'b', 'c']) {
    const { items } = actorOf(at(net, name));
    const delivered = items.findIndex((item) => item.kind === 'deliveries');
    const installed = items.findIndex(
      (item) => item.kind === 'view' && item.view.members.length === 3 && item.view.left.length > 0,
    );
    t.true(delivered >= 0 && delivered < installed, name);
  }
  for (const kind of ['cut', 'fetch', 'fetched', 'have-all']) t.true(kinds.has(kind), kind);
});

/** Three members; d joins; only the coordinator installs that view, then dies. Its installs to the others are held. */
function coordinatorDies(net: Network, isHeld: (to: string) => boolean): number {
  net.rule = ({ to, holds }) => (holds.includes('install') && isHeld(to) ? 'hold' : 'pass');
  start(net, 'd');
  join(net, 'd');
  runUntil(net, () => actorOf(at(net, 'a')).views.at(-1)?.members.length === 4, 'a has installed the view');
  run(net, 2);
  const first = viewIds(at(net, 'a')).at(-1) ?? 0;
  crash(net, 'a');
  return first;
}

test('a late install of an older target is ignored by whoever has reported for a newer one', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const first = coordinatorDies(net, () => true);
  runUntil(
    net,
    () => ['b', 'c', 'd'].every((name) => targetOf(at(net, name)) > first),
    'they know of a newer target',
    9000,
  );
  const reported = ['b', 'c', 'd'].map((name) => viewIds(at(net, name)).length);
  t.true(release(net, ({ to, from }) => from === 'at-a' && to !== 'at-b') >= 2);
  t.deepEqual(
    ['b', 'c', 'd'].map((name) => viewIds(at(net, name)).length),
    reported,
  );
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'the newer view is installed');
  for (const name of ['b', 'c', 'd']) t.false(viewIds(at(net, name)).includes(first), name);
  multicast(net, 'd', 'after');
  runUntil(net, () => isQuiet(net) && texts(actorOf(at(net, 'b'))).length > 0, 'it goes on');
});

test('a late install of an older target is ignored though its sender coordinates the newer one as well', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  net.rule = ({ to, holds }) =>
    to === 'at-b' && (holds.includes('install') || holds.includes('finish')) ? 'hold' : 'pass';
  crash(net, 'd');
  runUntil(net, () => net.held.length > 0, 'a has installed the first view');
  const first = targetOf(at(net, 'b'));
  const before = viewIds(at(net, 'b'));
  crash(net, 'c');
  runUntil(net, () => targetOf(at(net, 'b')) > first, 'b has reported for the second');
  t.true(release(net, ({ holds }) => holds.includes('install')) > 0);
  t.deepEqual(viewIds(at(net, 'b')), before, 'not by the late install');
  runUntil(net, () => net.held.some(({ holds }) => holds.includes('finish')), 'a asks b to finish the first');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'the second is installed');
  t.deepEqual(viewIds(at(net, 'b')), [...before, first, viewIds(at(net, 'a')).at(-1)]);
});

test('what is not acknowledged by the dead is stable with the view without it', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ from, holds }) => (from === 'at-c' && holds.includes('row') ? 'drop' : 'pass');
  multicast(net, 'a', 'm');
  run(net, 100);
  t.is(actorOf(at(net, 'a')).stable, 0);
  crash(net, 'c');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 2, 'a view of two');
  t.is(actorOf(at(net, 'a')).stable, 1);
});

test('a view that one of them has installed is finished by all that were in it, with what was said in it', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const first = coordinatorDies(net, (to) => to !== 'at-c');
  t.true(viewIds(at(net, 'c')).includes(first));
  multicast(net, 'c', 'said in it', { order: 'fifo' });
  run(net, 2);
  net.rule = () => 'pass';
  net.held = [];
  runUntil(net, () => isQuiet(net), 'the newer view is installed', 9000);
  for (const name of ['b', 'c', 'd']) t.true(viewIds(at(net, name)).includes(first), name);
  for (const name of ['b', 'c']) {
    const [delivery] = actorOf(at(net, name)).deliveries;
    t.is(delivery?.view.id, first, name);
  }
  t.deepEqual(actorOf(at(net, 'd')).state, actorOf(at(net, 'b')).state);
});

test('nothing new is sent between a report and the install; it is sent in the next view', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ holds }) => (holds.includes('install') ? 'hold' : 'pass');
  crash(net, 'c');
  runUntil(net, () => actorOf(at(net, 'b')).status === 'changing', 'b has reported');
  const kinds = listen(net);
  multicast(net, 'b', 'later');
  run(net, 5);
  t.false(kinds.has('data'));
  t.deepEqual(texts(actorOf(at(net, 'b'))), []);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'a view of two');
  for (const name of ['a', 'b']) {
    t.deepEqual(texts(actorOf(at(net, name))), ['later'], name);
    t.is(actorOf(at(net, name)).deliveries[0]?.view.members.length, 2, name);
  }
});

for (const kind of ['report', 'cut', 'have-all', 'install', 'fetch', 'fetched']) {
  test(`a lost '${kind}' is repeated`, (t) => {
    const net = grouped(['a', 'b', 'c']);
    let lost = 0;
    net.rule = ({ from, holds }) => {
      if (holds.includes('row') || holds.includes('nak')) return 'drop';
      if (from === 'at-c' && holds.includes('data')) return lost++ === 0 ? 'pass' : 'drop';
      return 'pass';
    };
    multicast(net, 'c', 'm', { order: 'fifo' });
    run(net, 1.5);
    crash(net, 'c');
    let dropped = 0;
    net.rule = ({ holds }) =>
      holds.includes(kind) && dropped++ < 2 ? 'drop' : holds.includes('row') ? 'drop' : 'pass';
    runUntil(net, () => actorOf(at(net, 'b')).views.at(-1)?.members.length === 2, 'a view of two');
    t.true(dropped > 1);
    for (const name of ['a', 'b']) t.deepEqual(texts(actorOf(at(net, name))), ['m'], name);
  });
}

/** A flush message from one member to another, made up. */
function forge(net: Network, from: string, to: string, message: FlushMessage): void {
  const w = new Writer();
  w.varint(at(net, to).node.groups.get('g')?.id ?? 0);
  flushMessage.write(w, message);
  inject(
    net,
    at(net, to),
    packet(headerOf(at(net, from)), [{ kind: Kind.flush, body: w.take() }]),
    at(net, from).address,
  );
}

test('reports and installs that contradict themselves or the view stop nobody, and the flush is completed', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  net.rule = ({ from, holds }) => (from === 'at-b' && holds.includes('report') ? 'hold' : 'pass');
  const base = viewIds(at(net, 'a')).at(-1) ?? 0;
  crash(net, 'd');
  runUntil(net, () => net.held.length > 0, 'a waits for the report of b');
  const target = targetOf(at(net, 'a'));
  const install = at(net, 'b').node.groups.get('g')?.lastInstall;
  if (!install) return t.fail();
  const report = {
    kind: 'report',
    target,
    installed: base,
    install,
    row: [0, 0, 0, 0],
    hasState: true,
    waitsFor: null,
    inVain: false,
  } as const;
  const record = { ...install, target, base, cut: [0, 0, 0, 0], transfers: [] };
  const transfer = { joiner: 900, donor: 0, view: target };
  t.notThrows(() => {
    forge(net, 'b', 'a', { ...report, install: null });
    forge(net, 'b', 'a', { ...report, installed: base + 1000 });
    forge(net, 'b', 'a', { ...report, installed: base + 1000, install: { ...install, target: base + 1000 } });
    forge(net, 'b', 'a', { ...report, row: [0, 0, 0, 0, 9] });
    forge(net, 'a', 'b', { kind: 'install', record: { ...record, cut: [] } });
    forge(net, 'a', 'b', { kind: 'install', record: { ...record, cut: [0, 0, 0, 0, 1] } });
    forge(net, 'a', 'b', { kind: 'install', record: { ...record, transfers: [transfer] } });
    forge(net, 'a', 'b', {
      kind: 'install',
      record: { ...record, transfers: [{ ...transfer, joiner: 1, donor: 900 }] },
    });
    forge(net, 'a', 'b', { kind: 'finish', target, record: { ...record, founder: 900 } });
    // neither is the coordinator's to say
    forge(net, 'c', 'b', { kind: 'install', record });
    forge(net, 'c', 'b', { kind: 'cut', target, base, cut: [9, 9, 9, 9], holders: [0, 1, 2, 0] });
  });
  t.is(targetOf(at(net, 'b')), target, 'b has not installed anything');
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 3, 'a view of three');
  return;
});

test('a view says who joined, who left and why, and which view came before', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  act(net, at(net, 'b'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => isTogetherWithout(net, 3), 'b has left');
  const left = actorOf(at(net, 'a')).views.at(-1) as ViewInfo;
  t.deepEqual(
    left.left.map(({ member, cause }) => [member.name, cause]),
    [['b', 'left']],
  );
  crash(net, 'c');
  runUntil(net, () => isTogetherWithout(net, 2), 'c is gone');
  const failed = actorOf(at(net, 'a')).views.at(-1) as ViewInfo;
  t.deepEqual(
    failed.left.map(({ member, cause }) => [member.name, cause]),
    [['c', 'failed']],
  );
  t.is(failed.previous, left.id);
  t.true(failed.id > left.id);
  join(net, 'b');
  runUntil(net, () => isTogetherWithout(net, 3), 'b is back');
  const back = actorOf(at(net, 'a')).views.at(-1) as ViewInfo;
  t.deepEqual(
    back.joined.map(({ name }) => name),
    ['b'],
  );
  t.deepEqual(
    back.members.map(({ name }) => name),
    ['a', 'd', 'b'],
    'the youngest, since it is a new member',
  );
});

function isTogetherWithout(net: Network, size: number): boolean {
  return actorOf(at(net, 'a')).views.at(-1)?.members.length === size;
}

test('members that go together from view to view have delivered the same, though many things fail at once', (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const net = grouped(names, { datagramBytesMax: 1500 });
  let count = 0;
  // every seventh datagram is lost
  net.rule = ({ by }) => (by !== 'stream' && count++ % 7 === 0 ? 'drop' : 'pass');
  for (let i = 0; i < 60; i++) {
    for (const name of net.members.keys())
      multicast(net, name, `${name}${i}`, { order: (['fifo', 'causal', 'total'] as const)[i % 3]! });
    if (i === 20) crash(net, 'a');
    if (i === 22) crash(net, 'e');
    if (i === 40) crash(net, 'b');
    run(net, 40);
  }
  runUntil(net, () => isQuiet(net), 'all is stable', 20_000);
  const [first, ...others] = [...net.members.values()].map((member) => actorOf(member));
  const byView = (actor: typeof first): [number, string[]][] =>
    actor?.views.map(({ id }) => [
      id,
      actor.deliveries
        .filter(({ view }) => view.id === id)
        .map(({ from, message }) => `${from.name}${message}`)
        .sort(),
    ]) ?? [];
  for (const other of others) {
    t.deepEqual(new Map(byView(other)).get(first?.views.at(-1)?.id ?? 0), byView(first).at(-1)?.[1]);
    const shared = new Set(other.views.map(({ id }) => id));
    t.deepEqual(
      byView(other).filter(([id]) => first?.views.some((view) => view.id === id)),
      byView(first).filter(([id]) => shared.has(id)),
    );
    const ordered = (actor: typeof first): string[] =>
      actor?.deliveries
        .filter(({ order }) => order === 'total')
        .map(({ position, from, message }) => `${position} ${from.name}${message}`) ?? [];
    const common = new Set(ordered(other));
    t.deepEqual(
      ordered(first).filter((each) => common.has(each)),
      ordered(other).filter((each) => ordered(first).includes(each)),
    );
  }
});

test('what was fetched for an older target and lies behind a gap is forgotten with that target', (t) => {
  const net = grouped(['a', 'b', 'c', 'd'], { datagramBytesMax: 2000 });
  const isRepair = (holds: readonly string[]): boolean => holds.includes('row') || holds.includes('nak');
  // d's last five reach b alone; of what a and c fetch, a gets two and c the last three, behind a gap
  let answersToA = 0;
  let answersToC = 0;
  let onlyToB = false;
  net.rule = ({ from, to, holds }) => {
    if (isRepair(holds)) return 'drop';
    if (onlyToB && from === 'at-d' && holds.includes('data') && to !== 'at-b') return 'drop';
    if (!holds.includes('fetched')) return 'pass';
    if (to === 'at-a') return ++answersToA <= 2 ? 'pass' : 'drop';
    if (to === 'at-c') return ++answersToC > 2 && answersToC <= 5 ? 'pass' : 'drop';
    return 'pass';
  };
  for (let i = 1; i <= 10; i++) {
    onlyToB = i > 5;
    multicast(net, 'd', new Uint8Array(1500).fill(i), { order: 'fifo' });
    run(net, 1.2);
  }
  run(net, 1.5);
  crash(net, 'd');
  runUntil(net, () => answersToC >= 5, 'the answers of b', 20_000);
  run(net, 3);
  crash(net, 'b');
  net.rule = ({ holds }) => (isRepair(holds) ? 'drop' : 'pass');
  runUntil(net, () => actorOf(at(net, 'a')).views.at(-1)?.members.length === 2 && isQuiet(net), 'a and c', 20_000);
  t.is(actorOf(at(net, 'a')).deliveries.length, 7, 'what a had of them');
  t.is(actorOf(at(net, 'c')).deliveries.length, 7);
});
