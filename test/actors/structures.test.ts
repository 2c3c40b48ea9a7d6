/** The group's table of structures: the same at all members through joins, kills, resets and new lives; bounded; and cheap. */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { dispatch, type Ref } from 'nact';
import {
  memoryHub,
  multicast,
  read,
  ready,
  spawnMember,
  spawnReplicated,
  status,
  type GroupRef,
  type Packet,
} from '../../actors/index.js';
import { NotDecodable, NotEncodable } from '../../actors/errors.js';
import { memberOf } from '../../actors/host.js';
import {
  createTable,
  define,
  definition,
  foundTable,
  openTable,
  packTable,
  takeWanted,
  unpackTable,
  type StructureTable,
} from '../../actors/structures.js';
import { decodeWith, encodeValue, encodeWith } from '../../actors/values.js';
import { noRefs } from '../../actors/wire-format.js';
import { eventually, first, rememberingLogger, system, viewOf } from './systems.js';

function opened(epoch = 300): StructureTable {
  const table = createTable();
  foundTable(table);
  openTable(table, epoch);
  return table;
}

/** Sends it often enough, and has delivered what is proposed. */
function teach(table: StructureTable, value: unknown, times = 8): void {
  for (let i = 0; i < times; i++) encodeWith(table, value, noRefs);
  for (const keys of takeWanted(table)) define(table, definition(table, keys));
}

const put = { type: 'put', sku: 'tea', n: 5 };

test('an object that comes often takes its values and three bytes', (t) => {
  const table = opened(17);
  t.is(encodeWith(table, put, noRefs).length, 21);
  teach(table, put);
  const bytes = encodeWith(table, put, noRefs);
  t.is(bytes.length, 12);
  t.deepEqual(decodeWith(table, bytes, noRefs), put);
  t.deepEqual(Object.keys(decodeWith(table, bytes, noRefs) as object), ['type', 'sku', 'n']);
  t.is(encodeWith(table, [put, put], noRefs).length, 2 + 1 + 2 * 13);
  t.is(encodeValue(put).length, 21);
});

test('whatever is sent arrives, with a table that grows meanwhile', (t) => {
  const key = fc.constantFrom('a', 'b', 'c', 'type', 'a b', 'constructor', '0');
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.integer(),
      fc.string({ maxLength: 4 }),
      fc.constantFrom<unknown>(undefined, -0, 1n, new Date(1), new Map([['m', { a: 1, b: 2 }]]), Uint8Array.of(1)),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
  const table = opened();
  fc.assert(
    fc.property(value, (sent) => {
      const bytes = encodeWith(table, sent, noRefs);
      t.true(isDeepStrictEqual(decodeWith(table, bytes, noRefs), sent));
      for (const keys of takeWanted(table)) define(table, definition(table, keys));
      t.true(isDeepStrictEqual(decodeWith(table, bytes, noRefs), sent));
    }),
    { numRuns: 2000 },
  );
  // it comes to a dozen or so
  t.true(table.reader.structures.length > 3);
});

test('arbitrary bytes are a value or refused, with a table too', (t) => {
  const table = opened(1);
  teach(table, put);
  teach(table, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i])));
  const marked = fc
    .tuple(
      fc.constantFrom([0x1d, 1, 0], [0x1d, 1, 1], [0x1e, 1], [0x1e, 1, 0xd9, 0xe0, 0, 0x83], [0x1d]),
      fc.uint8Array(),
    )
    .map(([start, rest]) => Uint8Array.from([...start, ...rest]));
  fc.assert(
    fc.property(marked, (bytes) => {
      try {
        decodeWith(table, bytes, noRefs);
      } catch (error) {
        if (!(error instanceof NotDecodable)) throw error;
      }
      t.pass();
    }),
    { numRuns: 5000 },
  );
  const bytes = encodeWith(table, { ...put, sku: [put, 'x'.repeat(5000)] }, noRefs);
  for (let length = 0; length < bytes.length; length += length < 60 ? 1 : 500)
    t.throws(() => decodeWith(table, bytes.slice(0, length), noRefs), { instanceOf: NotDecodable });
});

test('a structure that is not known, or of another table, is refused', (t) => {
  const table = opened(300);
  teach(table, put);
  const whole = encodeWith(table, put, noRefs);
  const inside = encodeWith(table, [put], noRefs);
  for (const other of [createTable(), opened(300), opened(301)]) {
    if (other.epoch === 301) teach(other, put);
    for (const bytes of [whole, inside])
      t.throws(() => decodeWith(other, bytes, noRefs), { instanceOf: NotDecodable, message: /structure/ });
  }
});

test('the limits of depth and of items hold for records', (t) => {
  const table = opened();
  let deep: unknown = 1;
  for (let i = 0; i < 100; i++) deep = { only: deep };
  teach(table, { only: 1 });
  t.deepEqual(decodeWith(table, encodeWith(table, deep, noRefs), noRefs), deep);
  t.throws(() => encodeWith(table, { only: deep }, noRefs), { instanceOf: NotEncodable });
  const record = [0xd9, 0xe0, 0x00, 0x81];
  const deeper = Uint8Array.from([0x1e, 0xac, 0x02, ...Array.from({ length: 300 }, () => record).flat(), 1]);
  t.throws(() => decodeWith(table, deeper, noRefs), { instanceOf: NotDecodable, message: /deeply/ });
});

test('a table is bounded, and so is what is counted', (t) => {
  const table = opened();
  for (let i = 0; i < 3000; i++) teach(table, { [`key${i}`]: 1, n: 2 });
  t.is(table.reader.structures.length, 1024);
  t.true(packTable(table).length < 200_000);
  const other = opened();
  for (let i = 0; i < 100_000; i++) encodeWith(other, { [`key${i}`]: 1 }, noRefs);
  t.true(other.candidates <= 256);
  t.deepEqual(takeWanted(other), []);
  teach(other, Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, i])), 100);
  teach(other, { ['x'.repeat(2000)]: 1 }, 100);
  t.is(other.reader.structures.length, 0);
});

test('a key that cannot be sent does not get into a table, and does not spoil what is sent after it', (t) => {
  const table = opened();
  for (let i = 0; i < 20; i++) t.throws(() => encodeWith(table, { ['\ud800']: 1 }, noRefs));
  for (let i = 0; i < 20; i++) t.throws(() => encodeWith(table, JSON.parse('{"__proto__":1}'), noRefs));
  t.deepEqual(takeWanted(table), []);
});

test('definitions are the same for all who take them in the same order, and for a joiner', (t) => {
  const one = opened(5);
  const other = opened(5);
  const proposals = [['a'], ['b', 'a'], ['a'], ['a', 'b'], ['b', 'a'], ['__proto__'], [], ['a', 'a']].map((keys) =>
    definition(one, keys),
  );
  proposals.push(definition(opened(6), ['other']));
  for (let i = 0; i < 10; i++) encodeWith(other, { a: 1, b: 2 }, noRefs);
  for (const table of [one, other]) for (const bytes of proposals) define(table, bytes);
  const joiner = opened(9);
  teach(joiner, put);
  unpackTable(joiner, packTable(other));
  const plain = ({ reader }: StructureTable) => reader.structures.map((keys) => [...keys]);
  t.deepEqual(plain(one), [['a'], ['b', 'a'], ['a', 'b']]);
  t.deepEqual(plain(other), plain(one));
  t.deepEqual(plain(joiner), plain(one));
  t.is(joiner.epoch, 5);
});

interface Order {
  readonly sku: string;
  readonly n: number;
  readonly tags: readonly { readonly tag: string }[];
}

type Orders = readonly Order[];
const collect = (state: Orders, order: Order): Orders => [...state, order];
const order = (sku: string, n: number): Order => ({ sku, n, tags: [{ tag: sku }] });
const tableOf = (ref: Ref<never>) => memberOf(ref).structures as StructureTable;
const structuresOf = (ref: Ref<never>) => tableOf(ref).reader.structures.map((keys) => keys.join());

function sendMany(ref: GroupRef<Order, Orders>, sku: string, count: number): void {
  for (let i = 0; i < count; i++) dispatch(ref, order(sku, i));
}

async function settled(t: { deepEqual(a: unknown, b: unknown): void }, refs: readonly GroupRef<Order, Orders>[]) {
  for (const ref of refs) await multicast(ref, order('end', 0)).stable;
  for (const ref of refs) await read(ref, () => 0, { linearizable: true });
  const states = await Promise.all(refs.map((ref) => read(ref, (state) => state)));
  for (const state of states) t.deepEqual(state, states[0]);
  for (const ref of refs) t.deepEqual(structuresOf(ref), structuresOf(refs[0] as GroupRef<Order, Orders>));
  return states[0] as Orders;
}

test.serial('members agree on the structures; a joiner has them with the state', async (t) => {
  const hub = memoryHub();
  const { logger, lines } = rememberingLogger();
  const nodes = ['a', 'b', 'c'].map((name) => system(t, hub, name, { logger }));
  const props = { initialState: [] as Orders };
  const [a, b] = nodes.slice(0, 2).map((node) => spawnReplicated(node, collect, 'g', props)) as [
    GroupRef<Order, Orders>,
    GroupRef<Order, Orders>,
  ];
  await Promise.all([viewOf(a, 2), viewOf(b, 2)]);
  sendMany(a, 'tea', 20);
  sendMany(b, 'tea', 20);
  await settled(t, [a, b]);
  t.deepEqual([...structuresOf(a)].sort(), ['sku,n,tags', 'tag']);
  const c = spawnReplicated(nodes[2] as Ref<unknown>, collect, 'g', props);
  // told at once, before there is a table here
  sendMany(c, 'early', 20);
  await viewOf(c, 3);
  sendMany(a, 'x', 30);
  sendMany(c, 'y', 30);
  t.is((await settled(t, [a, b, c])).length, 20 * 3 + 60 + 5);
  t.is(tableOf(c).epoch, tableOf(a).epoch);
  t.deepEqual(
    lines.filter((line) => line.includes('decoded')),
    [],
  );
});

test.serial('a reset, and a node that comes back as a new life, start with the table of the group', async (t) => {
  let isolated = '';
  const hub = memoryHub(({ from, to }: Packet) => ({
    kind: isolated !== '' && (from === isolated) !== (to === isolated) ? 'drop' : 'pass',
  }));
  const { logger, lines } = rememberingLogger();
  const nodes = [];
  for (const name of ['a', 'b', 'c']) {
    const node = system(t, hub, name, { logger });
    await ready(node);
    nodes.push(node);
  }
  let fails = 0;
  const refs = nodes.map((node, i) =>
    spawnReplicated(
      node,
      (state: Orders, msg: Order) => {
        if (i === 1 && msg.sku === 'crash' && fails++ === 0) throw new Error('once');
        return collect(state, msg);
      },
      'g',
      { initialState: [] as Orders, onCrash: (_msg, _error, ctx) => ctx.reset },
    ),
  ) as [GroupRef<Order, Orders>, GroupRef<Order, Orders>, GroupRef<Order, Orders>];
  const [a, b, c] = refs;
  await Promise.all(refs.map((ref) => viewOf(ref, 3)));
  sendMany(a, 'tea', 30);
  sendMany(c, 'tea', 30);
  await settled(t, refs);
  t.is(structuresOf(b).length, 2);
  // b leaves and joins while its own messages go on, some of them encoded before
  sendMany(b, 'before', 10);
  dispatch(a, order('crash', 0));
  const timer = setInterval(() => sendMany(b, 'during', 3), 2);
  await first(status(b), (value) => value === 'joining');
  await first(status(b), (value) => value === 'active');
  clearInterval(timer);
  await settled(t, refs);
  t.is(fails, 1);
  isolated = 'memory:3';
  await viewOf(a, 2);
  sendMany(c, 'lost', 30);
  sendMany(a, 'other', 30);
  isolated = '';
  await viewOf(a, 3);
  sendMany(c, 'back', 30);
  const state = await settled(t, refs);
  t.is(state.filter(({ sku }) => sku === 'back').length, 30);
  t.deepEqual(
    lines.filter((line) => line.includes('decoded')),
    [],
  );
});

test.serial("plain groups have a table too; FIFO multicasts, and a codec of one's own, go without", async (t) => {
  const hub = memoryHub();
  const nodes = ['a', 'b'].map((name) => system(t, hub, name));
  const spawn = (group: string, props: object) =>
    nodes.map((node) => spawnMember(node, collect, group, { initialState: [] as Orders, ...props })) as [
      GroupRef<Order, Orders>,
      GroupRef<Order, Orders>,
    ];
  const encoded: number[] = [];
  const codec = {
    name: 'marked json',
    encode: (message: unknown) => {
      const bytes = Buffer.from(`\x1f\x01${JSON.stringify(message)}`);
      encoded.push(bytes.length);
      return bytes;
    },
    decode: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes.subarray(2)).toString()) as unknown,
  };
  for (const [group, props, structures] of [
    ['total', {}, ['sku,n,tags', 'tag']],
    ['causal', { order: 'causal' }, ['sku,n,tags', 'tag']],
    ['fifo', { order: 'fifo' }, []],
    ['codec', { codec }, undefined],
  ] as const) {
    const [a, b] = spawn(group, props);
    await Promise.all([viewOf(a, 2), viewOf(b, 2)]);
    sendMany(a, 'one', 40);
    await multicast(a, order('one', 40)).stable;
    sendMany(b, 'two', 40);
    await multicast(b, order('two', 40)).stable;
    for (const ref of [a, b]) {
      await eventually(() => read(ref, (state) => state.length === 82), `all of ${group}`);
      t.deepEqual(
        await read(ref, (state) => [...state].sort((x, y) => x.sku.localeCompare(y.sku) || x.n - y.n)),
        ['one', 'two'].flatMap((sku) => Array.from({ length: 41 }, (_, n) => order(sku, n))),
      );
      if (structures) t.deepEqual([...structuresOf(ref)].sort(), structures);
      else t.is(memberOf(ref).structures, undefined);
    }
  }
  t.is(encoded.length, 82);
});
