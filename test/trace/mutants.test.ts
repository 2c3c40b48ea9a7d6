/** The good trace, broken in one place: the property that this concerns must say so, by name. */
import test from 'ava';
import type { CheckOptions } from '../../lib/trace/check.js';
import { check } from '../../lib/trace/check.js';
import type { Property } from '../../lib/trace/finding.js';
import { properties } from '../../lib/trace/finding.js';
import type { Traced } from '../../lib/trace/format.js';
import type { RecordOf } from './good.js';
import { goodOptions, goodTrace } from './good.js';

/** One way to break a trace. */
interface Mutant {
  readonly property: Property;
  readonly what: string;
  readonly mutate: (records: Traced[]) => Traced[];
  readonly options?: CheckOptions;
}

/** Picks a record: of this kind, with these fields. */
type Pick<E extends Traced['e']> = Partial<RecordOf<E>>;

function find<E extends Traced['e']>(records: readonly Traced[], e: E, fields: Pick<E>): number {
  const wanted = Object.entries(fields);
  const at = records.findIndex(
    (record) => record.e === e && wanted.every(([key, value]) => record[key as keyof Traced] === value),
  );
  if (at < 0) throw new Error(`the good trace has no ${e} ${JSON.stringify(fields)}`);
  return at;
}

/** Alters one record. */
function alter<E extends Traced['e']>(e: E, fields: Pick<E>, change: Partial<RecordOf<E>>) {
  return (records: Traced[]): Traced[] => {
    const at = find(records, e, fields);
    return records.with(at, { ...records[at]!, ...change });
  };
}

function drop<E extends Traced['e']>(e: E, fields: Pick<E>) {
  return (records: Traced[]): Traced[] => records.toSpliced(find(records, e, fields), 1);
}

function duplicate<E extends Traced['e']>(e: E, fields: Pick<E>) {
  return (records: Traced[]): Traced[] => {
    const at = find(records, e, fields);
    return records.toSpliced(at, 0, records[at]!);
  };
}

/** Moves one record behind another one, or to the end. */
function moveBehind<E extends Traced['e'], F extends Traced['e']>(e: E, fields: Pick<E>, f?: F, other?: Pick<F>) {
  return (records: Traced[]): Traced[] => {
    const record = records[find(records, e, fields)]!;
    const without = drop(e, fields)(records);
    const to = f === undefined ? without.length : find(without, f, other ?? {}) + 1;
    return without.toSpliced(to, 0, record);
  };
}

function append(record: Traced) {
  return (records: Traced[]): Traced[] => [...records, record];
}

/** Alters all records that a view has, at whomever. */
function alterView(g: string, v: string, change: Partial<RecordOf<'view'>>) {
  return (records: Traced[]): Traced[] =>
    records.map((record) =>
      record.e === 'view' && record.g === g && record.v === v ? { ...record, ...change } : record,
    );
}

/** Alters all deliveries of a request in `cart`. */
function alterServings(id: string, repeated: boolean) {
  return (records: Traced[]): Traced[] =>
    records.map((record) =>
      record.e === 'deliver' && record.g === 'cart' && record.id === id ? { ...record, repeated } : record,
    );
}

function compose(...mutations: ((records: Traced[]) => Traced[])[]) {
  return (records: Traced[]): Traced[] => mutations.reduce((mutated, mutate) => mutate(mutated), records);
}

const [a, b, c, d] = ['a#1', 'b#2', 'c#3', 'd#4'] as const;
const abc = [a, b, c];

const mutants: readonly Mutant[] = [
  {
    property: 'SELF-INCL',
    what: 'a view without its holder',
    mutate: alter('view', { g: 'chat', p: a }, { m: [b, c] }),
  },
  { property: 'SELF-INCL', what: 'a member twice', mutate: alterView('chat', '3', { m: [...abc, a] }) },
  { property: 'SELF-INCL', what: 'two lives of one node', mutate: alterView('chat', '3', { m: [...abc, 'a#9'] }) },
  { property: 'VIEW-MONO', what: 'an old view again', mutate: duplicate('view', { g: 'chat', p: a, v: '7' }) },
  { property: 'VIEW-MONO', what: 'a number that falls', mutate: alterView('chat', '8', { k: 6 }) },
  { property: 'VIEW-MONO', what: 'an id that falls', mutate: alterView('chat', '8', { v: '6' }) },
  { property: 'VIEW-AGREE', what: 'another order', mutate: alter('view', { g: 'chat', p: b }, { m: [b, a, c] }) },
  { property: 'VIEW-AGREE', what: 'another member', mutate: alter('view', { g: 'chat', p: b }, { m: [a, b] }) },
  { property: 'VIEW-AGREE', what: 'another flag', mutate: alter('view', { g: 'chat', p: b }, { primary: false }) },
  {
    property: 'PRIMARY-UNIQ',
    what: 'two primary states of one number, under two ids',
    mutate: alter('view', { g: '$domain', p: b, v: '8' }, { m: [b, d], v: '8b' }),
  },
  { property: 'PRIMARY-CHAIN', what: 'a minority goes on', mutate: alterView('$domain', '8', { m: [b] }) },
  {
    property: 'PRIMARY-CHAIN',
    what: 'half without the oldest goes on',
    mutate: alterView('$domain', '8', { m: [c, d], left: [] }),
  },
  {
    property: 'PRIMARY-ONLY',
    what: 'a delivery in a minority',
    mutate: alterView('chat', '8', { primary: false }),
  },
  { property: 'NO-DUP', what: 'a delivery twice', mutate: duplicate('deliver', { p: b, id: 'a#1:1', g: 'chat' }) },
  { property: 'NO-DUP', what: 'a send twice', mutate: duplicate('send', { id: 'a#1:1', g: 'chat' }) },
  { property: 'NO-DUP', what: 'a transmission twice', mutate: duplicate('xmit', { id: 'b#2:4' }) },
  { property: 'NO-CREATE', what: 'out of nothing', mutate: drop('send', { id: 'a#1:1', g: 'chat' }) },
  { property: 'NO-CREATE', what: 'another payload', mutate: alter('deliver', { p: b, id: 'a#1:1' }, { h: 'other' }) },
  { property: 'NO-CREATE', what: 'another order', mutate: alter('deliver', { p: b, id: 'a#1:1' }, { o: 'causal' }) },
  { property: 'NO-CREATE', what: 'another uniformity', mutate: alter('deliver', { p: b, id: 'a#1:1' }, { u: true }) },
  {
    property: 'NO-CREATE',
    what: 'another request',
    mutate: alter('deliver', { p: b, id: 'c#3:1', g: 'cart' }, { r: 'a#1:9' }),
  },
  {
    property: 'NO-CREATE',
    what: 'from outside the view',
    mutate: alter('deliver', { p: b, id: 'a#1:1' }, { id: 'z#9:1' }),
  },
  {
    property: 'NO-CREATE',
    what: 'before it is sent',
    mutate: moveBehind('send', { id: 'a#1:1', g: 'chat' }, 'deliver', { p: a, id: 'a#1:1', g: 'chat' }),
  },
  { property: 'NO-CREATE', what: 'under a false name', mutate: alter('send', { id: 'a#1:1', g: 'chat' }, { p: b }) },
  {
    property: 'SENDING-VIEW',
    what: 'sent in another view',
    mutate: alter('send', { id: 'd#4:2', g: 'chat' }, { v: '7' }),
  },
  {
    property: 'SENDING-VIEW',
    what: 'delivered in another view',
    mutate: moveBehind('deliver', { p: b, id: 'a#1:6' }, 'view', { p: b, g: 'chat', v: '8' }),
  },
  {
    property: 'SENDING-VIEW',
    what: 'labelled with another view',
    mutate: alter('deliver', { p: b, id: 'd#4:2', g: 'chat' }, { v: '7' }),
  },
  { property: 'SENDING-VIEW', what: 'a view never installed', mutate: drop('view', { p: b, g: 'chat', v: '7' }) },
  {
    property: 'SENDING-VIEW',
    what: 'transmitted while blocked',
    mutate: moveBehind('send', { id: 'a#1:6' }, 'blocked', { p: a, v: '7' }),
  },
  {
    property: 'SENDING-VIEW',
    what: 'queued, transmitted while blocked',
    mutate: moveBehind('xmit', { id: 'b#2:4' }, 'blocked', { p: b, v: '3' }),
  },
  { property: 'SENDING-VIEW', what: 'never transmitted', mutate: drop('xmit', { id: 'b#2:4' }) },
  { property: 'VSYNC', what: 'one delivery less', mutate: drop('deliver', { p: b, id: 'a#1:2' }) },
  { property: 'VSYNC', what: 'one less at the end', mutate: drop('deliver', { p: b, id: 'a#1:7' }) },
  { property: 'SELF-DEL', what: 'its own not delivered', mutate: drop('deliver', { p: a, id: 'a#1:2', g: 'chat' }) },
  { property: 'FIFO', what: 'a gap', mutate: drop('deliver', { p: b, id: 'a#1:1', g: 'chat' }) },
  {
    property: 'FIFO',
    what: 'two the wrong way round',
    mutate: moveBehind('deliver', { p: b, id: 'a#1:1', g: 'chat' }, 'deliver', { p: b, id: 'a#1:2', g: 'chat' }),
  },
  {
    property: 'FIFO',
    what: 'a gap at one who then dies',
    mutate: drop('deliver', { p: c, id: 'a#1:2', g: 'chat' }),
  },
  {
    property: 'FIFO',
    what: 'transmitted the wrong way round',
    mutate: compose(alter('send', { id: 'a#1:1', g: 'chat' }, { v: null }), (records) => {
      const at = find(records, 'send', { id: 'a#1:2', g: 'chat' });
      return records.toSpliced(at + 1, 0, { e: 'xmit', g: 'chat', id: 'a#1:1', v: '3', t: 0, p: a });
    }),
  },
  {
    property: 'CAUSAL',
    what: 'an answer before the question',
    mutate: moveBehind('deliver', { p: c, id: 'a#1:3', g: 'chat' }, 'deliver', { p: c, id: 'b#2:1', g: 'chat' }),
  },
  {
    property: 'CAUSAL',
    what: 'a total one before what its sender sent earlier',
    mutate: moveBehind('deliver', { p: c, id: 'b#2:1', g: 'chat' }, 'deliver', { p: c, id: 'b#2:2', g: 'chat' }),
  },
  { property: 'CAUSAL', what: 'an answer without the question', mutate: drop('deliver', { p: c, id: 'a#1:3' }) },
  {
    property: 'CAUSAL',
    what: 'a letter, through others, before what it follows',
    mutate: moveBehind('deliver', { p: b, id: 'a#1:9' }, 'told', { p: b, from: d }),
  },
  {
    property: 'CAUSAL',
    what: 'a letter before what was queued when it was told',
    mutate: moveBehind('told', { p: a, from: b, n: 2 }, 'view', { p: a, g: 'chat', v: '7' }),
  },
  {
    property: 'CAUSAL',
    what: 'a letter in a view that is older than what it follows',
    mutate: moveBehind('told', { p: a, from: b, n: 2 }, 'blocked', { p: a, v: '3' }),
  },
  { property: 'LETTERS', what: 'a letter twice', mutate: duplicate('told', { p: b, from: d }) },
  { property: 'LETTERS', what: 'one that was not told', mutate: drop('tell', { p: d, to: a }) },
  { property: 'LETTERS', what: 'a gap', mutate: drop('told', { p: a, from: b, n: 2 }) },
  { property: 'LETTERS', what: 'a gap where it is told', mutate: drop('tell', { p: b, to: a, n: 2 }) },
  {
    property: 'LETTERS',
    what: 'the wrong way round',
    mutate: moveBehind('told', { p: a, from: b, n: 3 }, 'told', { p: a, from: b, n: 4 }),
  },
  { property: 'LETTERS', what: 'the last one lost', mutate: drop('told', { p: a, from: b, n: 4 }) },
  {
    property: 'LETTERS',
    what: 'handed out before it is told',
    mutate: moveBehind('tell', { p: b, to: a, n: 3 }, 'told', { p: b, from: a }),
  },
  {
    property: 'TOTAL',
    what: 'another order at one who goes on',
    mutate: compose(
      moveBehind('deliver', { p: b, id: 'a#1:1', g: 'stock' }, 'deliver', { p: b, id: 'b#2:1', g: 'stock' }),
      alter('deliver', { p: b, id: 'a#1:1', g: 'stock' }, { pos: 2 }),
      alter('deliver', { p: b, id: 'b#2:1', g: 'stock' }, { pos: 1 }),
    ),
  },
  { property: 'TOTAL', what: 'a gap in the positions', mutate: alter('deliver', { p: b, id: 'a#1:6' }, { pos: 8 }) },
  {
    property: 'TOTAL',
    what: 'no position',
    mutate: alter('deliver', { p: b, id: 'a#1:6' }, { pos: undefined as never }),
  },
  {
    property: 'TOTAL',
    what: 'a barrier without a position',
    mutate: alter('deliver', { p: b, id: 'c#3:2', g: 'chat' }, { pos: undefined as never }),
  },
  {
    property: 'TOTAL',
    what: 'time that goes back',
    mutate: (records) =>
      records.map((r) => (r.e === 'deliver' && r.id === 'c#3:1' && r.g === 'stock' ? { ...r, time: 1003 } : r)),
  },
  {
    property: 'TOTAL',
    what: 'a joiner that begins elsewhere',
    mutate: alter('deliver', { p: d, id: 'd#4:1', g: 'chat' }, { pos: 1 }),
  },
  {
    property: 'TOTAL',
    what: 'positions that start anew in a view',
    mutate: (records) => records.map((r) => (r.e === 'deliver' && r.id === 'a#1:7' ? { ...r, pos: 1 } : r)),
  },
  {
    property: 'TOTAL-POS',
    what: 'two in one position',
    mutate: alter('deliver', { p: b, id: 'a#1:6', g: 'chat' }, { pos: 5 }),
  },
  {
    property: 'TOTAL-POS',
    what: 'another time at a position',
    mutate: alter('deliver', { p: b, id: 'b#2:1', g: 'stock' }, { time: 1003 }),
  },
  {
    property: 'TOTAL-POS',
    what: 'a uniform one elsewhere at one who then dies',
    mutate: alter('deliver', { p: c, id: 'a#1:5', g: 'chat' }, { pos: 6 }),
  },
  {
    property: 'UNIFORM',
    what: 'lost with the dead',
    mutate: (records) => records.filter((r) => !(r.e === 'deliver' && r.id === 'a#1:5' && r.p !== c)),
  },
  { property: 'UNIFORM', what: 'lost by one', mutate: drop('deliver', { p: b, id: 'a#1:5', g: 'chat' }) },
  { property: 'UNIFORM', what: 'lost by one at the end', mutate: drop('deliver', { p: b, id: 'a#1:7', g: 'chat' }) },
  {
    property: 'UNIFORM',
    what: 'a member that passes the view by',
    mutate: (records) =>
      records.filter((r) => !(r.p === b && (r.e === 'view' || r.e === 'deliver') && r.g === 'chat' && r.v === '7')),
  },
  {
    property: 'BARRIER',
    what: 'one that slips through',
    mutate: moveBehind('deliver', { p: b, id: 'b#2:1' }, 'deliver', { p: b, id: 'c#3:2', g: 'chat' }),
  },
  {
    property: 'BARRIER',
    what: 'one in the midst of its view, at everybody',
    mutate: compose(
      ...abc.map((p) => moveBehind('deliver', { p, id: 'a#1:4' }, 'deliver', { p, id: 'c#3:2', g: 'chat' })),
    ),
  },
  {
    property: 'BARRIER',
    what: 'one that slips through at who then dies',
    mutate: compose(
      (records) => records.filter((r) => !(r.p === c && r.e === 'view' && r.g === 'chat' && r.v !== '3')),
      moveBehind('deliver', { p: c, id: 'b#2:3' }, 'deliver', { p: c, id: 'c#3:2', g: 'chat' }),
    ),
  },
  { property: 'UNIFORM', what: 'a barrier lost by one', mutate: drop('deliver', { p: b, id: 'c#3:2', g: 'chat' }) },
  {
    property: 'STATE',
    what: 'another state at install',
    mutate: alter('view', { p: b, g: 'stock', v: '8' }, { h: 'X' }),
  },
  { property: 'STATE', what: 'another state on arrival', mutate: alter('state-in', { p: d }, { h: 'X' }) },
  { property: 'STATE', what: 'a state that nobody gave', mutate: drop('state-out', { for: d }) },
  { property: 'STATE', what: 'another state at a position', mutate: alter('hash', { p: b }, { h: 'X' }) },
  { property: 'STATE', what: 'a joiner without state', mutate: drop('state-in', { p: b }) },
  {
    property: 'STATE',
    what: 'a state of a view it was not in',
    mutate: compose(alter('state-in', { p: d }, { v: '6' }), alter('state-out', { for: d }, { v: '6' })),
  },
  {
    property: 'ONCE',
    what: 'applied twice by a member, and by one whose state contains it',
    mutate: alterServings('b#2:1', false),
  },
  {
    property: 'ONCE',
    what: 'repeated at one and not at the other',
    mutate: alter('deliver', { p: d, id: 'b#2:1', g: 'cart' }, { repeated: false }),
  },
  { property: 'ONCE', what: 'ended well and applied by nobody', mutate: alterServings('c#3:1', true) },
  {
    property: 'ONCE',
    what: 'lost by one that goes on',
    mutate: drop('deliver', { p: b, id: 'c#3:1', g: 'cart' }),
  },
  {
    property: 'RPC',
    what: 'a reply of who joined when it was over',
    mutate: alter('asked', { r: 'a#1:3' }, { got: [b, c, d] }),
  },
  { property: 'RPC', what: 'a reply from a member that gave none', mutate: drop('answered', { p: b, r: 'a#1:3' }) },
  {
    property: 'RPC',
    what: 'a member forgotten from outside',
    mutate: alter('asked', { r: 'a#1:3' }, { got: [c], missing: [b] }),
  },
  {
    property: 'RPC',
    what: 'a member that nobody speaks of',
    mutate: alter('asked', { r: 'a#1:4' }, { missing: [] }),
  },
  {
    property: 'RPC',
    what: 'a member without a reply although it applied it',
    mutate: alterServings('b#2:1', false),
  },
  {
    property: 'RPC',
    what: 'less replies than wanted',
    mutate: compose(
      alter('ask', { r: 'a#1:1' }, { want: 'majority' }),
      alter('asked', { r: 'a#1:1' }, { got: [a], missing: [b, c] }),
    ),
  },
  { property: 'RPC', what: 'a member here and not', mutate: alter('asked', { r: 'a#1:1' }, { missing: [b] }) },
  {
    property: 'RPC',
    what: 'an answer before the question',
    mutate: moveBehind('deliver', { p: b, id: 'c#3:1', g: 'cart' }, 'answered', { p: b, r: 'a#1:3' }),
  },
  { property: 'RPC', what: 'a reply twice', mutate: alter('asked', { r: 'a#1:1' }, { got: [a, b, b, c] }) },
  { property: 'RPC', what: 'a reply from outside', mutate: alter('asked', { r: 'a#1:1' }, { got: [...abc, d] }) },
  { property: 'RPC', what: 'a reply that was not given', mutate: drop('answered', { p: b, r: 'a#1:1' }) },
  { property: 'RPC', what: 'a member forgotten', mutate: alter('asked', { r: 'a#1:1' }, { got: [a, b] }) },
  { property: 'RPC', what: 'an ask that never ends', mutate: drop('asked', { r: 'a#1:2' }) },
  { property: 'RPC', what: 'an ask that ends twice', mutate: duplicate('asked', { r: 'a#1:2' }) },
  { property: 'RPC', what: 'an end without an ask', mutate: drop('ask', { r: 'a#1:2' }) },
  { property: 'RPC', what: 'an answer twice', mutate: duplicate('answered', { p: b, r: 'a#1:1' }) },
  { property: 'LIVE-VIEW', what: 'somebody stays behind', mutate: drop('view', { p: b, g: '$domain', v: '9' }) },
  {
    property: 'LIVE-VIEW',
    what: 'somebody stays behind in a group',
    mutate: drop('view', { p: b, g: 'stock', v: '9' }),
  },
  {
    property: 'LIVE-VIEW',
    what: 'the dead are still in the view',
    mutate: (records) => records,
    options: { ...goodOptions, alive: [a] },
  },
  {
    property: 'LIVE-VIEW',
    what: 'somebody lives and is in no view',
    mutate: append({ e: 'start', domain: 'shop', protocol: 1, t: 1, p: 'e#5' }),
    options: { ...goodOptions, alive: [a, b, 'e#5'] },
  },
  { property: 'LIVE-DEL', what: 'an own multicast lost', mutate: drop('deliver', { p: a, id: 'a#1:7', g: 'chat' }) },
  {
    property: 'LIVE-DEL',
    what: 'one never transmitted',
    mutate: append({ e: 'send', g: 'chat', id: 'a#1:8', o: 'fifo', u: false, v: null, h: 'h', t: 99, p: a }),
  },
  {
    property: 'DRAIN',
    what: 'something left',
    mutate: append({
      e: 'gauge',
      unstable: 0,
      unstableBytes: 0,
      queued: 0,
      reorder: 3,
      reassembly: 0,
      rss: 0,
      lagMs: 0,
      t: 99,
      p: a,
    }),
  },
  { property: 'BOUND', what: 'too much', mutate: alter('gauge', { p: a }, { unstable: 101 }) },
  {
    property: 'AFTER-LEAVE',
    what: 'a delivery after leaving',
    mutate: moveBehind('deliver', { p: d, id: 'd#4:2', g: 'chat' }, 'left', { p: d, g: 'chat' }),
  },
  {
    property: 'AFTER-LEAVE',
    what: 'a transmission after leaving',
    mutate: moveBehind('send', { id: 'd#4:1', g: 'stock' }, 'left', { p: d, g: 'stock' }),
  },
  {
    property: 'AFTER-LEAVE',
    what: 'a view after leaving',
    mutate: moveBehind('view', { p: d, g: 'chat', v: '8' }, 'left', { p: d, g: '$domain' }),
  },
  {
    property: 'AFTER-LEAVE',
    what: 'a delivery after exclusion from everything',
    mutate: (records) => {
      const at = find(records, 'deliver', { p: d, id: 'd#4:2', g: 'chat' });
      return records.toSpliced(at, 0, { e: 'excluded', v: '8', why: 'not heard', t: 1, p: d });
    },
  },
];

test('every property has a mutant', (t) => {
  const covered = new Set(mutants.map((mutant) => mutant.property));
  t.deepEqual(
    properties.filter((property) => !covered.has(property)),
    [],
  );
});

for (const { property, what, mutate, options } of mutants) {
  test(`${property}: ${what}`, (t) => {
    const { violations } = check(mutate(goodTrace()), options ?? goodOptions);
    const names = [...new Set(violations.map((violation) => violation.property))];
    t.true(names.includes(property), `found only ${names.join(', ')}`);
    for (const violation of violations)
      t.true(violation.sentence.length > 0 && !violation.sentence.includes('undefined'));
  });
}
