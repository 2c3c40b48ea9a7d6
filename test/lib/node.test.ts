/** What a node does with packets that no honest peer sends: nothing but count them. */
import test from 'ava';
import fc from 'fast-check';
import { incarnationOf } from '../../lib/ids.js';
import { statistics } from '../../lib/inspect.js';
import { nextTick, step } from '../../lib/node.js';
import { Section as Kind } from '../../lib/wire/packet.js';
import { everyKind, kinds } from './every-kind.js';
import {
  type Member,
  type Network,
  type Packet,
  actorOf,
  at,
  grouped,
  inject,
  isQuiet,
  isTogether,
  join,
  multicast,
  run,
  runUntil,
  start,
  texts,
} from './network.js';
import { type Section, body, cutOff, flip, headerOf, open, packet } from './packets.js';

const huge = Number.MAX_SAFE_INTEGER;
const names = ['a', 'b', 'c'] as const;

/** Malformed, foreign and unknown packets so far. */
function dropped({ node }: Member): number {
  return node.dropped.malformed + node.dropped.foreign + node.dropped.unknown;
}

/** Views, deliveries and status of every member: what garbage must not change. */
function outcome(net: Network): unknown {
  return names.map((name) => {
    const { views, deliveries, status, state } = actorOf(at(net, name));
    return [views.length, deliveries.length, status, state];
  });
}

/** Traffic of all members reaches all of them. */
function trafficGoesOn(net: Network, text: string): boolean {
  const before = names.map((name) => actorOf(at(net, name)).deliveries.length);
  for (const name of names)
    for (const order of ['fifo', 'causal', 'total'] as const) multicast(net, name, text, { order });
  const isStable = (name: string): boolean => actorOf(at(net, name)).stable === actorOf(at(net, name)).sent;
  runUntil(net, () => names.every(isStable), 'all is stable');
  run(net, 100);
  const states = names.map((name) => JSON.stringify(actorOf(at(net, name)).state?.toSorted()));
  return names.every((name, i) => {
    const { deliveries } = actorOf(at(net, name));
    return deliveries.length === (before[i] as number) + 9 && states[i] === states[0];
  });
}

/** Group id and view id of `g`. */
function groupOf({ node }: Member): { id: number; view: number } {
  const group = node.groups.get('g');
  if (!group?.current) throw new Error('no view');
  return { id: group.id, view: group.current.view.id };
}

/** Sections that are no use to anybody, of every kind. Each is right up to the value that is not. */
function badSections(victim: Member): Section[] {
  const { id, view } = groupOf(victim);
  const other = victim.node.groups.get('g')?.current?.rank === 1 ? 2 : 1;
  const frame = (rank: number, first: number, rest: readonly number[]): Uint8Array =>
    body(id, view, 0, rank, first, 1, Uint8Array.from(rest));
  return [
    { kind: Kind.data, body: body(id, view) },
    { kind: Kind.data, body: frame(3, 1, [0, 0, 1, 0, 2, 0]) },
    { kind: Kind.data, body: frame(1024, 1, [0, 0, 1, 0, 2, 0]) },
    { kind: Kind.data, body: frame(other, 0, [0, 0, 1, 0, 2, 0]) },
    // 65535 records in two bytes, records longer than the frame, unknown kinds, bytes left over
    { kind: Kind.data, body: frame(other, 100, [0, 0, 0xff, 0xff, 2, 0]) },
    { kind: Kind.data, body: frame(other, 100, [0, 0, 1, 0, 2, 0xff, 0xff, 0xff, 0x7f]) },
    { kind: Kind.data, body: frame(other, 100, [0, 0, 1, 0, 7, 0]) },
    { kind: Kind.data, body: frame(other, 100, [0, 0, 1, 0, 2, 0, 0]) },
    // an assignment for a rank outside the view
    { kind: Kind.data, body: frame(other, 100, [0, 0, 1, 0, 3, 2, 9, 1]) },
    // a number that none can have, bytes behind no records
    { kind: Kind.data, body: frame(other, huge, [0, 0, 1, 0, 2, 0]) },
    { kind: Kind.data, body: frame(other, 100, [0, 0, 0, 0, 9]) },
    // 255 row entries in no bytes
    { kind: Kind.data, body: frame(other, 100, [0, 255]) },
    { kind: Kind.row, body: body(id, view, Uint8Array.of(0), 0, 0) },
    { kind: Kind.row, body: body(id, view, Uint8Array.of(0), 0, 0, 0, 4, 0, 1, 2, 0) },
    { kind: Kind.row, body: body(id, view, Uint8Array.of(0), 0, 0, 0, 0, 9) },
    { kind: Kind.nak, body: body(id, view, 0, 3, 1, 1, 1) },
    { kind: Kind.nak, body: body(id, view, 0, Uint8Array.of(0), other, 1, 1, 1, 9) },
    { kind: Kind.nak, body: body(id, view, 0, huge, 1, 1, huge) },
    { kind: Kind.nak, body: body(id, view, 0, 1, huge) },
    { kind: Kind.nak, body: body(id, view, 0, 1, 64, 1) },
    { kind: Kind.flush, body: body(id, Uint8Array.of(9)) },
    { kind: Kind.flush, body: body(id, Uint8Array.of(0), 1, 1, Uint8Array.of(0), huge) },
    { kind: Kind.flush, body: body(id, Uint8Array.of(1), 1, 1, 1025) },
    { kind: Kind.flush, body: body(id, Uint8Array.of(2), view + 1, view, 9) },
    { kind: Kind.control, body: Uint8Array.of(255) },
    { kind: Kind.control, body: new Uint8Array(0) },
    { kind: Kind.link, body: new Uint8Array(0) },
    { kind: Kind.linkAck, body: new Uint8Array(0) },
    { kind: 0, body: body(id) },
    { kind: 99, body: body(id) },
  ];
}

/** Sections that are well-formed and of no consequence: another view, a view to come, another group. */
function strangeSections(victim: Member): Section[] {
  const { id, view } = groupOf(victim);
  const records = Uint8Array.from([0, 0, 1, 0, 2, 1, 65]);
  return [
    { kind: Kind.data, body: body(id, view - 1, 0, 1, 1, 1, records) },
    { kind: Kind.data, body: body(id, view + 1, 0, 1, 1, 1, records) },
    { kind: Kind.row, body: body(id, view - 1, Uint8Array.of(0), 9, 9, 9, 0) },
    { kind: Kind.row, body: body(id, view + 1, Uint8Array.of(0), 9, 9, 9, 0) },
    { kind: Kind.nak, body: body(id, view - 1, 0, 1, 1, 1, huge) },
    { kind: Kind.nak, body: body(id, view, 0, 1, 1, 1, huge) },
    { kind: Kind.data, body: body(id + 1, view, 0, 1, 1, 1, records) },
    // a cut, an install, a have-all of a target that there is not
    { kind: Kind.flush, body: body(id, Uint8Array.of(1), view + 1, view, 3, 9, 9, 9, 3, 0, 1, 2) },
    { kind: Kind.flush, body: body(id, Uint8Array.of(2), view + 1, view) },
    { kind: Kind.flush, body: body(id, Uint8Array.of(3), view + 1, view, 3, 9, 9, 9, 0, 0, 0, 0) },
  ];
}

test('random datagrams are counted and change nothing', (t) => {
  const net = grouped(names);
  trafficGoesOn(net, 'before');
  const before = outcome(net);
  const victim = at(net, 'b');
  const { version, domain, source, number, founding } = headerOf(at(net, 'a'));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 10 }), fc.boolean(), (noise, kind, hasHeader) => {
      const bytes = hasHeader
        ? packet({ version, domain, source, destination: 0, founding, number }, [{ kind, body: noise }])
        : noise;
      t.notThrows(() => inject(net, victim, bytes));
      t.notThrows(() => inject(net, victim, Uint8Array.of(0x4e, 0x47, 1, ...noise)));
    }),
    { numRuns: 2000 },
  );
  t.true(dropped(victim) > 1000);
  t.deepEqual(outcome(net), before);
  t.true(trafficGoesOn(net, 'after'));
});

test('sections with counts, ranks and lengths that cannot be are malformed, each of them', (t) => {
  const net = grouped(names);
  trafficGoesOn(net, 'before');
  const before = outcome(net);
  for (const name of names) {
    const victim = at(net, name);
    const peer = at(net, name === 'a' ? 'b' : 'a');
    for (const [i, section] of badSections(victim).entries()) {
      const counted = victim.node.dropped.malformed;
      t.notThrows(() => inject(net, victim, packet(headerOf(peer), [section]), peer.address), `${name} ${i}`);
      t.is(victim.node.dropped.malformed, counted + 1, `${name}: section ${i} counts as malformed`);
    }
  }
  t.deepEqual(outcome(net), before);
  t.true(trafficGoesOn(net, 'after'));
});

test('what is malformed at its end has no effect at its beginning', (t) => {
  const net = grouped(names);
  trafficGoesOn(net, 'before');
  const [victim, peer] = [at(net, 'c'), at(net, 'b')];
  const { id, view } = groupOf(victim);
  const { current } = victim.node.groups.get('g') ?? {};
  const rows = () => names.map((_, rank) => current?.stability.received(1, rank));
  const before = rows();
  const more = 1000;
  const flags = Uint8Array.of(1);
  const data = (...rest: (number | Uint8Array)[]) => ({
    kind: Kind.data,
    body: body(id, view, 0, 1, 100, 1, flags, ...rest),
  });
  const row = (...rest: number[]) => ({ kind: Kind.row, body: body(id, view, flags, ...rest) });
  for (const section of [
    // b has received a thousand of a's, and is behind; then a record that is none, a byte too many, or what c never sent
    data(Uint8Array.of(1), 0, more, Uint8Array.of(1, 0, 7, 0)),
    row(more, 0, 0, 1, 0, 9),
    data(Uint8Array.of(2), 0, more, 2, more, Uint8Array.of(0, 0)),
    row(more, 0, more, 0),
  ]) {
    const counted = victim.node.dropped.malformed;
    inject(net, victim, packet(headerOf(peer), [section]), peer.address);
    t.is(victim.node.dropped.malformed, counted + 1);
    t.deepEqual(rows(), before);
    t.is(current?.paused[1], 0);
  }
  t.true(trafficGoesOn(net, 'after'));
});

test('sections of other views and other groups change nothing, now or after the next view', (t) => {
  const net = grouped(names);
  trafficGoesOn(net, 'before');
  const before = outcome(net);
  for (const name of names) {
    const peer = at(net, name === 'a' ? 'b' : 'a');
    for (const section of strangeSections(at(net, name))) {
      t.notThrows(() => inject(net, at(net, name), packet(headerOf(peer), [section]), peer.address));
    }
  }
  t.deepEqual(outcome(net), before);
  t.true(trafficGoesOn(net, 'after'));
  start(net, 'd');
  join(net, 'd');
  runUntil(net, () => isQuiet(net), 'a view of four, in which nothing is left of it');
  t.true(trafficGoesOn(net, 'in the next view'));
});

test('a malformed frame for a view to come does no harm when the view comes', (t) => {
  const net = grouped(names);
  const { id, view } = groupOf(at(net, 'a'));
  for (const name of names) {
    const peer = at(net, name === 'a' ? 'b' : 'a');
    for (let ahead = 1; ahead < 8; ahead++) {
      const bad = body(id, view + ahead, 0, 700, 1, 1, Uint8Array.of(0, 0, 0));
      inject(net, at(net, name), packet(headerOf(peer), [{ kind: Kind.data, body: bad }]), peer.address);
    }
  }
  start(net, 'd');
  runUntil(net, () => at(net, 'd').node.domain?.nodes.length === 4, 'd is in the domain');
  join(net, 'd');
  runUntil(net, () => isTogether(net), 'the view of four is installed everywhere');
  t.is(actorOf(at(net, 'd')).views.at(-1)?.members.length, 4);
  t.true(trafficGoesOn(net, 'after'));
});

test('packets to another incarnation, of another domain, of oneself or of a stranger are dropped and counted', (t) => {
  const net = grouped(names);
  trafficGoesOn(net, 'before');
  const before = outcome(net);
  const victim = at(net, 'b');
  const header = headerOf(at(net, 'a'));
  const { id, view } = groupOf(victim);
  const section = { kind: Kind.data, body: body(id, view, 0, 0, 1000, 1, Uint8Array.of(0, 0, 1, 0, 0, 1, 65)) };
  const cases = [
    ['foreign', { ...header, destination: incarnationOf(victim.node.self) + 1 }],
    ['foreign', { ...header, domain: header.domain ^ 1 }],
    ['foreign', { ...header, source: incarnationOf(victim.node.self) }],
    ['unknown', { ...header, source: 999_999 }],
  ] as const;
  for (const [counter, forged] of cases) {
    const counted = victim.node.dropped[counter];
    inject(net, victim, packet(forged, [section]), 'at-a');
    t.is(victim.node.dropped[counter], counted + 1, counter);
  }
  const { droppedForeign, droppedUnknown, droppedMalformed } = statistics(victim.node);
  t.is((droppedForeign ?? 0) + (droppedUnknown ?? 0) + (droppedMalformed ?? 0), dropped(victim));
  t.deepEqual(outcome(net), before);
  t.true(trafficGoesOn(net, 'after'));
});

test('a run has packets of every kind that the other tests mutilate', (t) => {
  const seen = new Set<string>();
  everyKind((_, { holds }) => holds.forEach((kind) => seen.add(kind)));
  for (const kind of kinds) t.true(seen.has(kind), kind);
});

/** Attacks the receivers of a run's packets, just before they get them: up to `max` packets that hold each kind. */
function attacked(max: number, attack: (net: Network, victim: Member, packet: Packet) => void): Network {
  const counts = new Map<string, number>();
  return everyKind((net, sent) => {
    const victim = [...net.members.values()].find(({ address }) => address === sent.to);
    const isNew = sent.holds.some((kind) => (counts.get(kind) ?? 0) < max);
    if (!victim || !isNew) return;
    for (const kind of sent.holds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    attack(net, victim, sent);
  });
}

/** One event of a step, without the end of a batch: the attack comes while another member's batch is carried out. */
function receive(net: Network, victim: Member, { by, from }: Packet, bytes: Uint8Array): void {
  step(victim.node, { kind: by === 'stream' ? 'stream' : 'datagram', bytes, from }, net.now);
}

test('packets of every kind, cut off anywhere, change nothing: the run ends as it does without them', (t) => {
  let [tries, counted] = [0, 0];
  const net = attacked(4, (net, victim, sent) => {
    // a packet that is cut off between two sections is a packet: only what is cut off within the last one is no packet
    const { sections } = open(sent.bytes);
    const whole = sent.bytes.length - (sections.at(-1)?.body.length ?? 0) - 4;
    for (const bytes of cutOff(sent.bytes)) {
      if (bytes.length === whole) continue;
      const before = victim.node.dropped.malformed;
      if (sections.length === 1) t.notThrows(() => receive(net, victim, sent, bytes), sent.holds.join());
      else if (bytes.length > whole) continue;
      tries++;
      counted += victim.node.dropped.malformed - before;
    }
  });
  t.true(tries > 1000);
  t.true(counted > tries * 0.7, `${counted} of ${tries}`);
  for (const name of ['a', 'b']) {
    t.deepEqual(texts(actorOf(at(net, name))).slice(-2), ['lost once', 'last words'], name);
    t.is(actorOf(at(net, name)).views.at(-1)?.members.length, 3, name);
  }
  t.deepEqual(actorOf(at(net, 'd')).state, actorOf(at(net, 'a')).state);
});

/** Ends a run that is of no more use. */
const done = new Error('done');

/** One run for each kind of packet: the first few of them are flipped in every bit, as their receiver gets them. */
for (const kind of kinds) {
  test(`no flipped bit of a packet with '${kind}' has any effect but on what the packet says`, (t) => {
    let tries = 0;
    let left = 2;
    const attack = (net: Network, { to, holds, bytes, by, from }: Packet): void => {
      const victim = [...net.members.values()].find(({ address }) => address === to);
      if (!victim || !holds.includes(kind)) return;
      left--;
      for (let bit = 0; bit < Math.min(bytes.length, 400) * 8; bit++) {
        tries++;
        const event = { kind: by === 'stream' ? 'stream' : 'datagram', bytes: flip(bytes, bit), from } as const;
        t.notThrows(() => step(victim.node, event, net.now), `bit ${bit}`);
      }
      // it still knows what to do next, and does it
      t.notThrows(() => step(victim.node, { kind: 'tick' }, Math.max(net.now, nextTick(victim.node))));
    };
    // what a flipped bit makes of a packet may be believed: from here on this run is no use any more
    try {
      everyKind((net, sent) => {
        if (left > 0) attack(net, sent);
        else throw done;
      });
    } catch (error) {
      t.true(error === done || /not within/.test(String(error)), String(error));
    }
    t.true(tries > 0);
  });
}
