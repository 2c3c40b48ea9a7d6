/** What nodes say that are no honest ones does not make the control plane work, say or remember without end. */
import test from 'ava';
import { incarnationOf, type Incarnation } from '../../lib/ids.js';
import {
  answersPerHeartbeat,
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
import { changeBytes } from '../../lib/membership/messages.js';
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
    tell(w, a, incarnation, { kind: 'offer', domain, ...who, rules, seen, hears: [] });
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
      tell(w, to, incarnation, { kind: 'hello', name: 'x', address: `at-${incarnation}` });
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
