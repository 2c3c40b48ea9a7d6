/** Group keys: who is in the domain has the present one, who is gone has none of later, and what waits for one is not lost. */
import test from 'ava';
import type { DomainId, NodeId } from '../../lib/ids.js';
import { incarnationOf, nodeId } from '../../lib/ids.js';
import { formerKeyMillis, streamBacklogBytesMax } from '../../lib/limits.js';
import type { DomainState, NodeInfo } from '../../lib/membership/state.js';
import { Section, tagOf } from '../../lib/wire/packet.js';
import { GroupKeys } from '../../transport/group-key.js';
import { KeyPair } from '../../transport/key-agreement.js';
import { Rekeying, type Clock } from '../../transport/rekeying.js';
import { open, packet } from '../lib/packets.js';
import { Thief } from './thief.js';

type Heard = readonly { readonly kind: number; readonly text: string }[];

interface Node {
  readonly id: NodeId;
  readonly address: string;
  readonly keyPair: KeyPair;
  readonly rekeying: Rekeying;
  /** Sections that came, by packet. */
  readonly heard: Heard[];
  readonly downs: string[];
  readonly warnings: string[];
  isDead: boolean;
}

const domain = 'd';
const clock: Clock = {
  now: () => performance.now(),
  after: (millis, run) => setTimeout(run, millis),
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};
const id = 'a#1' as DomainId;

/** Nodes on a network that is carried by hand, and the states that they are told of. */
class Bench {
  readonly nodes = new Map<string, Node>();
  /** Everything that was ever sent. */
  readonly recorded: Uint8Array[] = [];
  /** Whether a packet is lost. */
  isLost: (by: string, from: string, to: string, bytes: Uint8Array) => boolean = () => false;
  #under: { by: 'datagram' | 'stream'; from: Node; to: Node; bytes: Uint8Array }[] = [];
  #number = 0;
  #infos: NodeInfo[] = [];

  node(name: string): Node {
    return this.nodes.get(name) as Node;
  }

  /** The next state: these nodes by age; who is new joins by it. */
  state(...names: string[]): DomainState {
    this.#number += 1;
    const joined = names
      .filter((name) => !this.#infos.some((info) => info.name === name))
      .map((name) => this.#join(name));
    this.#infos = [...this.#infos.filter(({ name }) => names.includes(name)), ...joined];
    const rules = { quorum: 'majority', minimumWeight: 0, heartbeat: 0, timeout: 0 } as const;
    return { id, number: this.#number, rules, version: 1, nodes: this.#infos, groups: new Map() };
  }

  /** Tells these nodes, or all in it, of a state, and carries what comes of that. */
  tell(state: DomainState, names: readonly string[] = state.nodes.map(({ name }) => name)): void {
    for (const name of names) this.node(name).rekeying.follow(state);
    this.carry();
  }

  #join(name: string): NodeInfo {
    const incarnation = this.nodes.size + 1;
    const keyPair = new KeyPair();
    const self = nodeId(name, incarnation);
    const send = (by: 'datagram' | 'stream', way: string, to: string | null, bytes: Uint8Array): void => {
      if (node.isDead) return;
      this.recorded.push(bytes.slice());
      for (const other of this.nodes.values()) {
        if (other === node || (to !== null && other.address !== to)) continue;
        if (!this.isLost(way, name, other.id, bytes))
          this.#under.push({ by, from: node, to: other, bytes: bytes.slice() });
      }
    };
    const node: Node = {
      id: self,
      address: `at-${name}`,
      keyPair,
      heard: [],
      downs: [],
      warnings: [],
      isDead: false,
      rekeying: new Rekeying({
        domain,
        self,
        keyPair,
        clock,
        transport: {
          multicast(bytes) {
            send('datagram', 'multicast', null, bytes);
            return false;
          },
          unicast: (to, bytes) => send('datagram', 'unicast', to, bytes),
          stream: (to, bytes) => send('stream', 'stream', to, bytes),
        },
        take: (_, bytes) => {
          const text = (body: Uint8Array) => Buffer.from(body).toString();
          node.heard.push(open(bytes).sections.map(({ kind, body }) => ({ kind, text: text(body) })));
        },
        streamDown: (to) => node.downs.push(to),
        warn: (message) => node.warnings.push(message),
      }),
    };
    this.nodes.set(name, node);
    const { publicKey } = keyPair;
    const own = { weight: 1, process: '', metadata: '', publicKey, version: 1, joined: this.#number };
    return { id: self, name, incarnation, address: node.address, ...own };
  }

  /** A packet as the core of a node would make it. */
  packet(name: string, ...sections: readonly (readonly [number, string])[]): Uint8Array {
    const source = incarnationOf(this.node(name).id);
    const header = { version: 1, domain: tagOf(domain), source, destination: 0, founding: 7, number: this.#number };
    return packet(
      header,
      sections.map(([kind, text]) => ({ kind, body: Buffer.from(text) })),
    );
  }

  /** A node says something to all. */
  say(name: string, ...sections: readonly (readonly [number, string])[]): void {
    this.node(name).rekeying.multicast(this.packet(name, ...sections));
  }

  /** Delivers what is under way, and what comes of it. */
  carry(): void {
    for (let next = this.#under.shift(); next; next = this.#under.shift()) {
      if (!next.to.isDead) next.to.rekeying.receive(next.by, next.bytes, next.from.address);
    }
  }

  /** What a node was told of users since it was last asked. */
  told(name: string): string[] {
    const all = this.node(name).heard.splice(0).flat();
    return all.filter(({ kind }) => kind === Section.data || kind === Section.link).map(({ text }) => text);
  }

  /** A node dies, and somebody has all that it had. */
  rob(name: string, ...states: DomainState[]): Thief {
    const { id: own, keyPair } = this.node(name);
    const thief = new Thief(own, keyPair);
    for (const state of states) thief.learn(state);
    return thief;
  }

  /** Of what was recorded from here on: how much was opened, and how much was not. */
  stolen(thief: Thief, from = 0): { opened: number; shut: number } {
    thief.collect(this.recorded);
    const all = this.recorded.slice(from).map((bytes) => thief.steal(bytes));
    const count = (isOpen: boolean) => all.filter((one) => one !== null && (one.payload !== null) === isOpen).length;
    return { opened: count(true), shut: count(false) };
  }

  close(): void {
    for (const { rekeying } of this.nodes.values()) rekeying.close();
  }
}

/** Waits for something that timers bring about. */
async function until(bench: Bench, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    bench.carry();
  }
}

const data = (text: string) => [Section.data, text] as const;

test('who is gone opens what was said before, and nothing after, whatever it has', (t) => {
  const bench = new Bench();
  const first = bench.state('a', 'b', 'x');
  bench.tell(first);
  for (const name of ['a', 'b', 'x']) bench.say(name, data(`before, by ${name}`));
  bench.carry();
  t.deepEqual(bench.told('x'), ['before, by a', 'before, by b']);
  const from = bench.recorded.length;
  const second = bench.state('a', 'b');
  bench.tell(second);
  for (const name of ['a', 'b']) bench.say(name, data(`after, by ${name}`));
  bench.carry();
  t.deepEqual(bench.told('b'), ['before, by a', 'before, by x', 'after, by a']);
  t.deepEqual(bench.told('x'), [], 'it got it all, and has no key for it');
  const thief = bench.rob('x', first, second);
  t.deepEqual(
    [bench.stolen(thief), bench.stolen(thief, from)],
    [
      { opened: 3, shut: 2 },
      { opened: 0, shut: 2 },
    ],
  );
  t.is(thief.keys, 1);
  // the check can fail: who is still there opens them all
  t.deepEqual(bench.stolen(bench.rob('b', first, second)), { opened: 5, shut: 0 });
  bench.close();
});

test('the oldest, gone, opens nothing after either; it had drawn the keys of before', (t) => {
  const bench = new Bench();
  const first = bench.state('x', 'a', 'b');
  bench.tell(first);
  bench.say('a', data('before'));
  bench.carry();
  const from = bench.recorded.length;
  const second = bench.state('a', 'b');
  bench.tell(second);
  bench.say('b', data('after'));
  bench.carry();
  t.deepEqual(bench.told('a'), ['after']);
  const thief = bench.rob('x', first, second);
  t.deepEqual(
    [bench.stolen(thief), bench.stolen(thief, from)],
    [
      { opened: 1, shut: 1 },
      { opened: 0, shut: 1 },
    ],
  );
  bench.close();
});

test('from the state without somebody until the key of that is there, only what is not of users goes', async (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'b', 'x'));
  const state = bench.state('a', 'b');
  // b learns of it first
  bench.tell(state, ['b']);
  bench.node('a').heard.length = 0;
  bench.say('b', [Section.row, 'a row'], data('one'), [Section.control, 'a vote'], [Section.link, 'two']);
  bench.say('b', data('three'));
  bench.carry();
  const plain = [
    { kind: Section.row, text: 'a row' },
    { kind: Section.control, text: 'a vote' },
  ];
  t.deepEqual(bench.node('a').heard, [plain, []], 'and a sign of life');
  t.regex(bench.node('b').rekeying.obstacle ?? '', /waits for the group key of a#1/);
  bench.tell(state, ['a']);
  await until(bench, () => bench.node('b').rekeying.obstacle === null);
  t.deepEqual(bench.told('a'), ['one', 'two', 'three']);
  t.deepEqual(bench.told('x'), []);
  bench.close();
});

test('what comes under a key that is not there yet, or of a node that is not known yet, waits', (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'b', 'x'));
  const state = bench.state('a', 'b', 'c');
  bench.isLost = (_by, _from, to) => to.startsWith('b');
  bench.tell(state, ['a', 'c']);
  bench.isLost = () => false;
  bench.say('a', data('one'), [Section.row, 'a row']);
  bench.say('c', data('two'));
  bench.carry();
  t.deepEqual(bench.node('b').heard, [[{ kind: Section.row, text: 'a row' }]], 'what is not sealed does not wait');
  bench.tell(state, ['b']);
  // what b had missed was given again, since it asked
  return until(bench, () => bench.node('b').rekeying.obstacle === null).then(() => {
    t.deepEqual(bench.told('b'), ['one', 'two']);
    bench.close();
  });
});

test('whoever joins gets the key, also if unicasts are eaten', async (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a'));
  bench.say('a', data('alone'));
  bench.isLost = (by) => by === 'unicast';
  bench.tell(bench.state('a', 'b', 'c'));
  bench.say('a', data('one'));
  bench.say('b', data('two'));
  await until(bench, () => ['b', 'c'].every((name) => bench.node(name).rekeying.obstacle === null));
  t.deepEqual(bench.told('c').sort(), ['one', 'two']);
  t.deepEqual(bench.told('b'), ['one']);
  bench.isLost = () => false;
  bench.tell(bench.state('a', 'b', 'c', 'd'));
  bench.say('d', data('three'));
  bench.carry();
  t.deepEqual(bench.told('b'), ['three']);
  bench.close();
});

test('the oldest dies while it gives the key: who has it and who has not use that of the next', async (t) => {
  const bench = new Bench();
  const first = bench.state('a', 'b', 'c', 'd', 'x');
  bench.tell(first);
  const second = bench.state('a', 'b', 'c', 'd');
  bench.isLost = (_by, from, to) => from === 'a' && !to.startsWith('c');
  bench.tell(second);
  bench.isLost = () => false;
  bench.node('a').isDead = true;
  const [b, c] = [bench.node('b'), bench.node('c')];
  t.not(b.rekeying.obstacle, null);
  t.is(c.rekeying.obstacle, null);
  bench.say('b', data('held'));
  bench.say('c', data('under the key of a'));
  bench.carry();
  t.deepEqual(bench.told('d'), []);
  const third = bench.state('b', 'c', 'd');
  bench.tell(third);
  await until(bench, () => ['b', 'c', 'd'].every((name) => bench.node(name).rekeying.obstacle === null));
  bench.say('c', data('under that of b'));
  bench.carry();
  t.deepEqual(bench.told('d'), ['held', 'under that of b'], 'what nobody could open is for the core to send again');
  for (const gone of ['x', 'a']) {
    const thief = bench.rob(gone, first, second, third);
    thief.collect(bench.recorded);
    const last = bench.recorded.map((bytes) => thief.steal(bytes)).filter((one) => one?.number === third.number);
    t.is(last.length, 2, 'what was held leaves as of the state in which it leaves');
    t.true(last.every((one) => one?.payload === null));
  }
  bench.close();
});

test('two are gone in quick succession: only the key of the second counts', (t) => {
  const bench = new Bench();
  const first = bench.state('a', 'b', 'x', 'y');
  bench.tell(first);
  const second = bench.state('a', 'b', 'y');
  bench.isLost = (_by, _from, to) => to.startsWith('b');
  bench.tell(second);
  bench.say('b', data('held'));
  bench.isLost = () => false;
  const third = bench.state('a', 'b');
  bench.tell(third);
  t.is(bench.node('b').rekeying.obstacle, null);
  t.deepEqual(bench.told('a'), ['held']);
  for (const name of ['x', 'y']) t.is(bench.stolen(bench.rob(name, first, second, third)).opened, 0);
  bench.close();
});

/** A node gives the others a key as of a state that it makes up, in which it is the oldest. */
function forge(bench: Bench, name: string, state: DomainState, to: string): void {
  const { id: self, keyPair } = bench.node(name);
  const forger = new Rekeying({
    ...{ domain, self, keyPair, clock, streamDown: () => {}, warn: () => {}, take: () => {} },
    transport: {
      multicast: () => true,
      stream: () => {},
      unicast: (_, bytes) => bench.node(to).rekeying.receive('datagram', bytes, ''),
    },
  });
  forger.follow(state);
  bench.carry();
}

const epochAt = (bench: Bench, name: string) => bench.node(name).rekeying.statistics()['groupKeyEpoch'];

test('a key of who is not the oldest is not taken', (t) => {
  const bench = new Bench();
  const first = bench.state('a', 'b', 'x');
  bench.tell(first);
  const nodes = [...first.nodes].reverse();
  const forged = (number: number) => ({ ...first, number, nodes });
  for (const number of [1, 2, 50]) {
    forge(bench, 'x', forged(number), 'b');
    t.is(epochAt(bench, 'b'), 1, `as of ${number}`);
  }
  bench.tell(bench.state('a', 'b'));
  t.is(epochAt(bench, 'b'), 2);
  for (const number of [2, 3, 50]) forge(bench, 'x', forged(number), 'b');
  bench.tell(bench.state('a', 'b', 'c'));
  bench.say('a', data('after'));
  bench.carry();
  t.deepEqual([epochAt(bench, 'b'), bench.told('b')], [2, ['after']]);
  bench.close();
});

test('a key that the oldest gives for a time when it is gone is not taken', (t) => {
  const bench = new Bench();
  const first = bench.state('x', 'a', 'b');
  bench.tell(first);
  forge(bench, 'x', { ...first, number: 2 }, 'b');
  t.is(epochAt(bench, 'b'), 1);
  bench.isLost = (_by, from) => from === 'a';
  bench.tell(bench.state('a', 'b'));
  t.is(epochAt(bench, 'b'), 1, 'it waits for that of a');
  t.not(bench.node('b').rekeying.obstacle, null);
  bench.close();
});

test('a joiner does not take the key of who has not heard yet that somebody is gone', (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'x'));
  bench.tell(bench.state('a', 'x', 'b'), ['a']);
  // the first state that b learns
  const state = bench.state('a', 'b');
  bench.tell(state, ['b']);
  t.not(bench.node('b').rekeying.obstacle, null);
  bench.tell(state, ['a']);
  t.is(bench.node('b').rekeying.obstacle, null);
  bench.close();
});

test('payload in the clear, or under a key of who is gone, is refused; the rest of its packet is not', (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'b', 'x'));
  bench.node('b').heard.length = 0;
  bench.node('b').rekeying.receive('datagram', bench.packet('a', [Section.row, 'a row'], data('forged')), 'at-a');
  t.deepEqual(bench.node('b').heard, [[{ kind: Section.row, text: 'a row' }]]);
  t.is(bench.node('b').rekeying.statistics()['payloadsRefused'], 1);
  bench.say('a', data('real'));
  const sealed = bench.recorded.at(-1) as Uint8Array;
  bench.carry();
  t.deepEqual(bench.told('b'), ['real']);
  for (let i = 0; i < sealed.length; i++) {
    const flipped = sealed.slice();
    flipped[i] = (flipped[i] as number) ^ (1 << (i % 8));
    bench.node('b').rekeying.receive('datagram', flipped, 'at-a');
    bench.node('b').rekeying.receive('datagram', sealed.slice(0, i), 'at-a');
  }
  t.deepEqual(bench.told('b'), [], 'nothing that was changed or cut');
  bench.close();
});

test('a packet that is too short to be opened does not wait: it harms neither who gives the key nor who takes it', (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'b', 'x'));
  const state = bench.state('a', 'b', 'c');
  const cutShort = bench.packet('b', [Section.sealed, String.fromCharCode(state.number)]);
  const refused = (name: string) => bench.node(name).rekeying.statistics()['payloadsRefused'];
  for (const name of ['a', 'b']) bench.node(name).rekeying.receive('datagram', cutShort, 'at-x');
  t.deepEqual([refused('a'), refused('b')], [1, 1]);
  bench.tell(state, ['a', 'c']);
  bench.say('a', data('waits'));
  bench.carry();
  bench.tell(state, ['b']);
  return until(bench, () => bench.node('b').rekeying.obstacle === null).then(() => {
    t.deepEqual(bench.told('b'), ['waits']);
    t.deepEqual([refused('a'), refused('b')], [1, 1]);
    bench.close();
  });
});

test('what waits for a key is bounded: the oldest are dropped', async (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'b', 'x'));
  const state = bench.state('a', 'b', 'c');
  bench.isLost = (_by, _from, to) => to.startsWith('b');
  bench.tell(state, ['a', 'c']);
  bench.isLost = () => false;
  const texts = Array.from({ length: 6 }, (_, i) => String(i).repeat(1_000_000));
  for (const text of texts) bench.say('a', data(text));
  bench.carry();
  const dropped = bench.node('b').rekeying.statistics()['payloadsDropped'];
  bench.tell(state, ['b']);
  await until(bench, () => bench.node('b').rekeying.obstacle === null);
  t.deepEqual([dropped, bench.told('b').map(([digit]) => digit)], [2, ['2', '3', '4', '5']]);
  bench.close();
});

test('what is held for want of a key is bounded: datagrams are dropped, a stream is told to be down', async (t) => {
  const bench = new Bench();
  bench.tell(bench.state('a', 'b', 'x'));
  bench.tell(bench.state('a', 'b'), ['b']);
  const large = bench.packet('b', [Section.link, 'x'.repeat(1_000_000)]);
  const { rekeying, downs } = bench.node('b');
  for (let bytes = 0; bytes <= 9_000_000; bytes += large.length) rekeying.multicast(large);
  t.true((rekeying.statistics()['payloadsDropped'] as number) > 0);
  for (let bytes = 0; bytes <= streamBacklogBytesMax; bytes += large.length) rekeying.stream('at-a', large);
  await until(bench, () => downs.length > 0);
  t.deepEqual(downs, ['at-a']);
  bench.close();
});

test('a former key is taken for a while, and then not; the nonce is never the same', (t) => {
  let now = 0;
  const [a, b] = [new GroupKeys('a', () => now), new GroupKeys('b', () => now)];
  const head = Buffer.from('head');
  const nothing = new Uint8Array(0);
  const keys = [1, 2].map((epoch) => new Uint8Array(32).fill(epoch));
  for (const each of [a, b]) each.begin(1, keys[0] as Uint8Array);
  const frames = [0, 1, 2].map(() => a.seal(head, nothing, Buffer.from('hello')));
  t.is(new Set(frames.map(String)).size, 3);
  const [first, second, third] = frames.map((bytes) => bytes.subarray(head.length)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  t.is(String(Buffer.from(b.open(head, first, 'a') ?? [])), 'hello');
  t.is(b.open(Buffer.from('heat'), first, 'a'), null, 'of another packet');
  t.is(b.open(head, first, 'b'), null, 'of another sender');
  b.begin(2, keys[1] as Uint8Array);
  t.throws(() => b.begin(2, keys[1] as Uint8Array), { instanceOf: RangeError });
  now = formerKeyMillis - 1;
  t.not(b.open(head, second, 'a'), null);
  now = formerKeyMillis;
  t.is(b.open(head, third, 'a'), null);
});

test('two agree on a secret that no third has, and a public key that is none gives none', (t) => {
  const [a, b, c] = [new KeyPair(), new KeyPair(), new KeyPair()];
  const key = new Uint8Array(32).fill(7);
  const given = a.give(b.publicKey, 'context', key) as Uint8Array;
  t.deepEqual(b.take(a.publicKey, 'context', given), key);
  t.is(b.take(a.publicKey, 'another', given), null);
  t.is(b.take(c.publicKey, 'context', given), null);
  t.is(c.take(a.publicKey, 'context', given), null);
  t.is(c.take(b.publicKey, 'context', given), null);
  for (const bad of ['', 'x', '!'.repeat(43), 'A'.repeat(43), `AQ${'A'.repeat(41)}`])
    t.is(a.give(bad, 'context', key), null);
});
