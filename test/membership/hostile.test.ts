/** What nodes say that are no honest ones does not make the control plane work, say or remember without end. */
import test from 'ava';
import { incarnationOf, type Incarnation } from '../../lib/ids.js';
import {
  answersPerHeartbeat,
  challengesMax,
  decreeBytesMax,
  joinsPerDecreeMax,
  joinsPerSecondMax,
  nodesMax,
  peersMax,
  sightingsMax,
} from '../../lib/limits.js';
import type { ControlMessage, MembershipOutput } from '../../lib/membership/membership.js';
import { gather } from '../../lib/membership/batch.js';
import { learn } from '../../lib/membership/learning.js';
import { heard, receive } from '../../lib/membership/membership.js';
import { changeBytes, messageBytes } from '../../lib/membership/messages.js';
import type { Change } from '../../lib/membership/state.js';
import { World, plain, type Process } from './world.js';

function pair(): { w: World; a: Process; b: Process } {
  const w = new World(3);
  const [a] = w.startAll(['a', 'b']);
  w.until('two', () => w.settled(), 2000);
  return { w, a: a ?? w.get('a'), b: w.get('b') };
}

/** Has somebody say something to a process; what it does about it. */
function tell(w: World, to: Process, incarnation: Incarnation, message: ControlMessage): MembershipOutput[] {
  const from = { incarnation, address: `at-${incarnation}` };
  const out: MembershipOutput[] = [];
  heard(to.membership, from, { tag: 0, number: 0, isToAll: true }, w.now, out);
  receive(to.membership, from, message, w.now, out);
  return out;
}

function domainOf({ membership: { state } }: Process) {
  if (state === null) throw new Error('no domain');
  return state;
}

test('of a flood of offers so many join within a second, and others in the next', (t) => {
  const w = new World(3);
  const a = w.start('a');
  w.until('one', () => w.settled(), 2000);
  w.run(1000);
  const { membership: m } = a;
  const { id: domain, number: seen, rules } = domainOf(a);
  for (let incarnation = 1_000_001; incarnation <= 1_001_000; incarnation++) {
    const who = {
      incarnation,
      name: `n${incarnation}`,
      address: `at-${incarnation}`,
      weight: 1,
      process: '',
      metadata: '',
      publicKey: '',
      version: 1,
      least: 1,
    };
    tell(w, a, incarnation, { kind: 'offer', domain, ...who, rules, seen, hears: [], proof: 0 });
  }
  t.is(m.offers.size, 1000);
  // each decree is learned at once, as if there were a quorum for it
  const joinsAt = (now: number): number => {
    let count = 0;
    for (const offer of m.offers.values()) offer.lastAt = now;
    for (let decree = gather(m, domainOf(a), now); decree !== null; decree = gather(m, domainOf(a), now)) {
      const joins = decree.changes.filter(({ kind }) => kind === 'join').length;
      t.true(joins > 0 && joins <= joinsPerDecreeMax);
      count += joins;
      learn(m, decree, now, []);
    }
    return count;
  };
  const now = w.now + m.options.heartbeat;
  t.is(joinsAt(now), joinsPerSecondMax);
  t.true(m.wakeAt <= now + 1000, 'it is looked again');
  t.is(joinsAt(now + 900), 0);
  t.is(joinsAt(now + 1000), joinsPerSecondMax);
  t.is(domainOf(a).nodes.length, 1 + 2 * joinsPerSecondMax);
});

test('who asks for decrees again and again is answered now and then', (t) => {
  const { w, a, b } = pair();
  for (let i = 0; i < 5; i++) w.joinGroup('a', `g${i}`);
  w.run(1000);
  const asks = { kind: 'ask', domain: domainOf(a).id, after: 1 } as const;
  let answers = 0;
  const heartbeats = 2;
  for (let millis = 0; millis < 100 * heartbeats; millis++) {
    for (let i = 0; i < 20; i++) {
      const out = tell(w, a, incarnationOf(b.membership.id), asks);
      answers += out.filter(({ kind }) => kind === 'send').length;
    }
    w.now += 1;
  }
  t.true(answers >= heartbeats, `${answers}`);
  t.true(answers <= heartbeats * (answersPerHeartbeat + 1), `${answers} answers`);
});

test('peers, domains, seekers and offers that are made up are remembered up to a limit', (t) => {
  const { w, a } = pair();
  const seeker = w.start('c');
  for (let i = 1; i <= 2 * peersMax; i++) {
    const incarnation = 1_000_000 + i;
    const id = `x#${incarnation}`;
    const heartbeat = { kind: 'heartbeat', domain: id as never, number: 1, size: 1, suspected: [] } as const;
    for (const to of [a, seeker]) {
      tell(w, to, incarnation, { ...heartbeat, lag: 0, strangers: [] });
      tell(w, to, incarnation, { kind: 'hello', name: 'x', address: `at-${incarnation}`, padding: new Uint8Array(0) });
    }
  }
  for (const { membership } of [a, seeker]) {
    t.true(membership.peers.size <= peersMax, `${membership.peers.size} peers`);
    t.true(membership.sightings.size <= sightingsMax);
  }
  const { phase } = seeker.membership;
  t.true(phase.kind === 'seeking' && phase.candidates.size <= nodesMax);
  t.is(domainOf(a).nodes.length, 2);
});

test('a request of more than a decree takes is nobody’s', (t) => {
  const { w, a, b } = pair();
  const node = b.membership.id;
  const change = (i: number): Change => ({
    kind: 'group-join',
    group: `${'g'.repeat(200)}${i}`,
    node,
    settings: plain,
  });
  const { id: domain, number: at } = domainOf(a);
  const request = (count: number): ControlMessage => ({
    kind: 'request',
    domain,
    at,
    changes: Array.from({ length: count }, (_, i) => change(i)),
  });
  const most = Math.floor(decreeBytesMax / changeBytes(change(10)));
  a.membership.requests.clear();
  tell(w, a, incarnationOf(node), request(most + 10));
  t.is(a.membership.requests.size, 0);
  tell(w, a, incarnationOf(node), request(most));
  t.is(a.membership.requests.get(node)?.changes.length, most);
});

/** What is sent on account of something that somebody says. */
function answersTo(w: World, to: Process, incarnation: Incarnation, message: ControlMessage): ControlMessage[] {
  return tell(w, to, incarnation, message).flatMap((output) => (output.kind === 'send' ? [output.message] : []));
}

/** Draws a number that a test can tell. */
function counter(): () => number {
  let number = 1000;
  return () => (number += 1);
}

test('where addresses can be forged, nobody is sent more than it was said before it has shown that it is there', (t) => {
  const w = new World(3, { challenge: counter() });
  const [a, b] = w.startAll(['a', 'b'.repeat(100)]) as [Process, Process];
  w.until('two', () => w.settled(), 3000);
  const { membership: m } = a;
  const { id: domain, number: seen, rules } = domainOf(a);
  for (const [incarnation, name] of [
    [1_000_001, 'x'],
    [1_000_002, 'y'.repeat(128)],
  ] as const) {
    const who = {
      incarnation,
      name,
      address: 'victim',
      weight: 1,
      process: '',
      metadata: '',
      publicKey: '',
      version: 1,
      least: 1,
    };
    const offer = { kind: 'offer', domain, ...who, rules, seen, hears: [], proof: 0 } as const;
    const hello = { kind: 'hello', name, address: 'victim', padding: new Uint8Array(0) } as const;
    const invited = answersTo(w, a, incarnation, hello);
    t.is(invited.length, messageBytes(hello) > 100 ? 1 : 0, 'an invitation, unless it would be larger');
    for (const invitation of invited) t.true(messageBytes(invitation) <= messageBytes(hello));
    t.deepEqual(answersTo(w, b, incarnation, offer), [offer], 'it is passed on as it is');
    for (let i = 0; i < 10; i++) {
      const [challenge, ...others] = answersTo(w, a, incarnation, { ...offer, proof: i });
      t.deepEqual(others, []);
      t.is(challenge?.kind, 'challenge');
      t.true(challenge !== undefined && messageBytes(challenge) < messageBytes(offer));
    }
    t.false(m.offers.has(incarnation));
    // refusals, too, are for who is there
    w.authorize = () => 'no'.repeat(100);
    t.deepEqual(
      answersTo(w, a, incarnation, offer).map(({ kind }) => kind),
      ['challenge'],
    );
    const { number: proof = 0 } = m.challenges.get(incarnation) ?? {};
    t.deepEqual(
      answersTo(w, a, incarnation, { ...offer, proof }).map(({ kind }) => kind),
      ['refusal'],
    );
    // what is right for one address is not for another
    const moved = answersTo(w, a, incarnation, { ...offer, address: 'elsewhere', proof });
    t.deepEqual(
      moved.map(({ kind }) => kind),
      ['challenge'],
    );
    w.authorize = () => null;
  }
  for (let i = 0; i < 2 * challengesMax; i++) {
    const who = { incarnation: 2_000_000 + i, name: `n${i}`, address: `at-${i}`, weight: 1, process: '', metadata: '' };
    tell(w, a, who.incarnation, {
      kind: 'offer',
      domain,
      ...who,
      publicKey: '',
      version: 1,
      least: 1,
      rules,
      seen,
      hears: [],
      proof: 0,
    });
  }
  t.is(m.challenges.size, challengesMax);
  t.is(m.offers.size, 0);
});

test('where addresses have to be proven, nodes found a domain and join it, through loss and a proposer that dies', (t) => {
  const sizes: [number, number][] = [];
  const w = new World(5, { challenge: counter() });
  w.weather = { ...w.weather, loss: 0.1 };
  w.watch = (_, output) => {
    if (output.kind !== 'send') return;
    const { message } = output;
    if (message.kind === 'hello') sizes.push([messageBytes(message), Infinity]);
    if (message.kind === 'invitation') sizes.push([Infinity, messageBytes(message)]);
  };
  w.startAll(['a', 'b', 'c']);
  w.until('three', () => w.settled(), 20_000);
  w.start('d');
  w.crash('a');
  w.until('without a, with d', () => w.settled(), 20_000);
  const nodes = w.get('d').membership.state?.nodes ?? [];
  t.deepEqual(nodes.map(({ name }) => name).sort(), ['b', 'c', 'd']);
  t.true(w.get('b').membership.challenges.size === 0, 'who is in has nothing to prove');
  const [hellos, invitations] = [0, 1].map((index) =>
    sizes.map((pair) => pair[index] as number).filter(Number.isFinite),
  );
  t.true(Math.min(...(hellos ?? [])) >= Math.max(...(invitations ?? [])));
});
