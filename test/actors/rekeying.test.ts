/** The option `rekey` over real sockets: who is excluded reads nothing on, whatever it has; the others lose nothing for it. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dispatch, type Ref } from 'nact';
import {
  domain,
  DomainRefused,
  InvalidOption,
  leaveDomain,
  memory,
  memoryHub,
  multicast,
  read,
  ready,
  spawnMember,
  spawnReplicated,
  tcp,
  udpMulticast,
  views,
  deliveries,
  type GroupRef,
  type GroupsOptions,
} from '../../actors/index.js';
import { hosts, type Host } from '../../actors/host.js';
import type { DomainState } from '../../lib/membership/state.js';
import { takeApart } from '../../lib/wire/parts.js';
import type { Transport, TransportFactory } from '../../transport/transport.js';
import { Thief } from '../transport/thief.js';
import { append, eventually, freshDomain, system, viewOf } from './systems.js';

type Net = 'udp' | 'tcp' | 'memory';
type List = GroupRef<string, readonly string[]>;

/** A network on which everything that who has the domain's key could read is recorded, and nodes can be made mute: they hear, and are not heard. */
class Wire {
  readonly recorded: Uint8Array[] = [];
  readonly mute = new Set<string>();
  /** Whether something that a node sends is lost. */
  isLost: (name: string, bytes: Uint8Array) => boolean = () => false;
  readonly #open: TransportFactory;
  readonly #domain = freshDomain();
  readonly #t: ExecutionContext;

  constructor(t: ExecutionContext, net: Net) {
    this.#t = t;
    this.#open = openerOf(net);
    // so that they can leave
    t.teardown(() => this.mute.clear());
  }

  node(name: string, options: Partial<GroupsOptions> = {}): Ref<unknown> {
    return system(this.#t, memoryHub(), name, {
      domain: this.#domain,
      transport: this.#tapped(name),
      key: 'ab'.repeat(32),
      rekey: true,
      quorum: 'majority',
      detector: { heartbeat: 50, timeout: 600, discovery: 100 },
      ...options,
    });
  }

  host(name: string): Host {
    for (const host of hosts.values()) {
      if (host.options.domain === this.#domain && host.options.name === name) return host;
    }
    throw new Error(`no ${name}`);
  }

  /** The states of the domain as a node gets to know them from now on. */
  statesAt(name: string): DomainState[] {
    const states: DomainState[] = [];
    this.host(name).domain.subscribe((state) => state && states.push(state));
    return states;
  }

  /** Whoever takes over all that a node has now. */
  rob(name: string): Thief {
    const { id, rekeying } = this.host(name).life;
    if (!rekeying) throw new Error(`${name} has no group keys`);
    return new Thief(id, rekeying.keyPair);
  }

  #tapped(name: string): TransportFactory {
    return async (domainName, handlers, ring) => {
      const below = await this.#open(domainName, handlers, ring);
      const passes = (bytes: Uint8Array): boolean => {
        if (this.isLost(name, bytes) || this.mute.has(name)) return false;
        this.recorded.push(bytes.slice());
        return true;
      };
      return Object.assign(Object.create(below) as Transport, {
        multicast: (bytes: Uint8Array) => passes(bytes) && below.multicast(bytes),
        unicast: (to: string, bytes: Uint8Array) => passes(bytes) && below.unicast(to, bytes),
        stream: (to: string, bytes: Uint8Array) => passes(bytes) && below.stream(to, bytes),
      });
    };
  }
}

function openerOf(net: Net): TransportFactory {
  if (net === 'udp') return udpMulticast();
  if (net === 'memory') return memory(memoryHub());
  const seeds: string[] = [];
  return async (name, handlers, ring) => {
    const opened = await tcp({ seeds: [...seeds] })(name, handlers, ring);
    seeds.push(opened.address);
    return opened;
  };
}

const isOfKeys = (bytes: Uint8Array) => takeApart(bytes).parts.some(({ purpose }) => purpose === 'keys');

const list = (node: Ref<unknown>): List => spawnReplicated(node, append as never, 'g', { initialState: [] }) as never;
const contents = (ref: List) => read(ref, (state) => state);

for (const net of ['udp', 'tcp'] as const) {
  test.serial(
    `${net}: all that the excluded has and hears opens what was said before, and nothing after`,
    async (t) => {
      const wire = new Wire(t, net);
      const nodes: Ref<unknown>[] = [];
      for (const name of ['a', 'b', 'x']) {
        nodes.push(wire.node(name));
        await ready(nodes.at(-1) as Ref<unknown>);
      }
      const refs = nodes.map(list) as [List, List, List];
      await Promise.all(refs.map((ref) => viewOf(ref, 3)));
      const states = wire.statesAt('a');
      const thief = wire.rob('x');
      const heard: string[] = [];
      deliveries(refs[2]).subscribe((delivery) => heard.push(delivery.message));
      await Promise.all(refs.map((ref, i) => multicast(ref, `before ${i}`).stable));
      const [a, b] = refs;
      wire.mute.add('x');
      await Promise.all([viewOf(a, 2), viewOf(b, 2)]);
      const gone = states.find((state) => state.nodes.length === 2)?.number ?? NaN;
      await Promise.all([a, b].map((ref, i) => multicast(ref, `after ${i} ${'x'.repeat(100_000)}`).stable));
      // a joiner gets the state, over streams, and reads on
      const c = list(wire.node('c'));
      await viewOf(c, 3);
      await multicast(c, 'of c').stable;
      t.deepEqual(await contents(c), await contents(a));
      t.is((await contents(c)).length, 6);
      for (const state of states) thief.learn(state);
      thief.collect(wire.recorded);
      const stolen = wire.recorded.flatMap((bytes) => thief.steal(bytes) ?? []);
      const text = (isOpen: boolean) =>
        Buffer.concat(stolen.map(({ payload }) => (isOpen && payload) || Buffer.alloc(0)));
      for (let i = 0; i < 3; i++) t.true(text(true).includes(`before ${i}`), 'the check can fail');
      t.false(text(true).includes('after'));
      const [before, after] = [
        stolen.filter(({ number }) => number < gone),
        stolen.filter(({ number }) => number >= gone),
      ];
      t.true(before.every(({ payload }) => payload !== null));
      t.true(after.length > 0 && after.every(({ payload }) => payload === null));
      // nor has what it runs
      t.deepEqual(heard.sort(), ['before 0', 'before 1', 'before 2']);
    },
  );
}

test.serial('the oldest is killed while it gives the key for who was before it; a joiner reads on', async (t) => {
  const wire = new Wire(t, 'memory');
  const names = ['a', 'b', 'c', 'd', 'x'];
  const nodes: Ref<unknown>[] = [];
  for (const name of names) {
    nodes.push(wire.node(name));
    await ready(nodes.at(-1) as Ref<unknown>);
  }
  const refs = nodes.map(list);
  await Promise.all(refs.map((ref) => viewOf(ref, 5)));
  let given = 0;
  wire.isLost = (name, bytes) => {
    // the first of the others gets it, and then no more comes
    if (name === 'a' && isOfKeys(bytes) && ++given === 2) wire.mute.add('a');
    return false;
  };
  wire.mute.add('x');
  const left = refs.slice(1, 4);
  await Promise.all(left.map((ref) => viewOf(ref, 3)));
  await Promise.all(left.map((ref, i) => multicast(ref, `after ${i}`).stable));
  const e = list(wire.node('e'));
  await viewOf(e, 4);
  t.is((await contents(e)).length, 3);
  t.true(given >= 2);
});

test.serial(
  'load goes on while nodes are excluded one after the other: nothing is lost, nobody else goes',
  async (t) => {
    const wire = new Wire(t, 'udp');
    const names = ['a', 'b', 'c', 'd', 'x', 'y'];
    const nodes = names.map((name) => wire.node(name));
    const got = new Map(names.map((name) => [name, [] as string[]]));
    const refs = nodes.map((node) => spawnMember(node, (state: null, _: string) => state, 'g', { order: 'total' }));
    refs.forEach((ref, i) => deliveries(ref).subscribe(({ message }) => got.get(names[i] as string)?.push(message)));
    await Promise.all(refs.map((ref) => viewOf(ref, 6)));
    const left = refs.slice(0, 4);
    const seen: number[] = [];
    views(left[1] as GroupRef<string>).subscribe(({ members }) => seen.push(members.length));
    let sent = 0;
    const timer = setInterval(() => {
      for (const ref of left) for (let i = 0; i < 20; i++) dispatch(ref as never, `${sent++}` as never);
    }, 5);
    wire.mute.add('x');
    setTimeout(() => wire.mute.add('y'), 60);
    // a key that comes with the decree holds nobody up: so for a while none comes
    let lostUntil = 0;
    wire.isLost = (_, bytes) => {
      const now = performance.now();
      if (isOfKeys(bytes)) lostUntil ||= now + 300;
      return isOfKeys(bytes) && now < lostUntil;
    };
    await Promise.all(left.map((ref) => viewOf(ref, 4)));
    const sentByThen = sent;
    await eventually(() => sent > sentByThen + 400, 'load after the view');
    clearInterval(timer);
    await Promise.all(left.map((ref) => multicast(ref, 'last').stable));
    await eventually(() => names.slice(0, 4).every((name) => got.get(name)?.length === sent + 4), 'everything');
    const lists = names.slice(0, 4).map((name) => got.get(name));
    for (const each of lists) t.deepEqual(each, lists[0]);
    t.is(new Set(lists[0]).size, sent + 1);
    const own =
      lists[0]?.filter((text) => text !== 'last' && Math.floor(Number(text) / 20) % 4 === 0).map(Number) ?? [];
    t.deepEqual(
      own,
      [...own].sort((p, q) => p - q),
      'in the order of its sender',
    );
    t.true(seen.length <= 3 && seen.at(-1) === 4, String(seen));
    const held = nodes.slice(1, 4).map((node) => domain(node).statistics()['payloadsHeld'] as number);
    t.true(Math.max(...held) > 0, 'something was held back');
  },
);

test.serial(
  'one that was excluded and lives on reads nothing until it is let in anew; who leaves reads nothing on',
  async (t) => {
    const wire = new Wire(t, 'memory');
    const banned = new Set<string>();
    const authorize: GroupsOptions['authorize'] = ({ kind, node: { name } }) =>
      kind !== 'join' || !banned.has(name) || 'banned';
    const nodes = ['a', 'b', 'x', 'l'].map((name) => wire.node(name, { authorize }));
    const [a, b, x, l] = nodes.map(list) as [List, List, List, List];
    await Promise.all([a, b, x, l].map((ref) => viewOf(ref, 4)));
    const thief = wire.rob('l');
    const states = wire.statesAt('a');
    const excluded = wire.host('x');
    const heard: string[] = [];
    deliveries(x).subscribe((delivery) => heard.push(delivery.message));
    banned.add('x');
    wire.mute.add('x');
    await viewOf(a, 3);
    await multicast(a, 'one').stable;
    wire.mute.clear();
    await eventually(() => excluded.phase === 'refused', 'x wants in again, and is refused');
    await leaveDomain(nodes[3] as Ref<never>);
    await viewOf(b, 2);
    await multicast(b, 'two').stable;
    for (const state of states) thief.learn(state);
    thief.collect(wire.recorded);
    const opened = wire.recorded.flatMap((bytes) => thief.steal(bytes)?.payload ?? []);
    t.true(Buffer.concat(opened).includes('one'));
    t.false(Buffer.concat(opened).includes('two'));
    t.deepEqual(heard, []);
    banned.clear();
    const again = list(wire.node('x2', { authorize }));
    await viewOf(again, 3);
    t.deepEqual(await contents(again), ['one', 'two']);
  },
);

test.serial(
  'a node that says another thing about it than its domain is refused, and told why; one without a key at once',
  async (t) => {
    const wire = new Wire(t, 'udp');
    await ready(wire.node('a'));
    await t.throwsAsync(ready(wire.node('b', { rekey: false })), { instanceOf: DomainRefused, message: /rekey: true/ });
    const other = new Wire(t, 'udp');
    await ready(other.node('a', { rekey: false }));
    await t.throwsAsync(ready(other.node('b')), { instanceOf: DomainRefused, message: /leave out its option rekey/ });
    const hub = memoryHub();
    for (const [options, words] of [
      [{ rekey: true }, /rekey: true takes a key.*NACT_GROUPS_KEY/],
      [{ rekey: 'yes' as never }, /rekey must be true or false, not yes/],
    ] as const) {
      t.throws(() => system(t, hub, 'x', options), { instanceOf: InvalidOption, message: words });
    }
    const naked: TransportFactory = async (name, handlers) => {
      const opened = await memory(hub)(name, handlers);
      return Object.assign(Object.create(opened) as Transport, { isLocal: false });
    };
    const node = system(t, hub, 'y', { transport: naked, insecure: true, key: 'ab'.repeat(32), rekey: true });
    await t.throwsAsync(ready(node), { instanceOf: InvalidOption, message: /rekey: true takes a transport under/ });
  },
);
