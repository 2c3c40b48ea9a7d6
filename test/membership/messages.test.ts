/** Control messages are read back as they were written; truncated or changed ones are a message or refused. */
import test from 'ava';
import type { DomainId, NodeId } from '../../lib/ids.js';
import { controlMessage } from '../../lib/membership/messages.js';
import type { ControlMessage } from '../../lib/membership/messages.js';
import type { Change, Decree, DomainState } from '../../lib/membership/state.js';
import { Malformed, Reader, Writer } from '../../lib/wire/bytes.js';

const a = 'a#17' as NodeId;
const b = 'bé#18' as NodeId;
const domain = 'a#17' as DomainId;
const settings = { kind: 'replicated', order: 'total', codec: 'cbor/1' } as const;
const ballot = { round: 3, rank: 1 };
const changes: readonly Change[] = [
  {
    kind: 'join',
    name: 'bé',
    incarnation: 18,
    address: '127.0.0.1:4000',
    weight: 2,
    process: 'p 1',
    metadata: '{"role":"é"}',
    publicKey: '',
    version: 2,
  },
  { kind: 'leave', node: a },
  { kind: 'exclude', node: b, cause: 'failed', dead: true },
  { kind: 'group-join', group: 'red', node: a, settings },
  { kind: 'group-leave', group: 'red', node: a },
  { kind: 'group-barrier', group: 'red', node: a, view: 5 },
];
const decree: Decree = { number: 8, changes };
const state: DomainState = {
  id: domain,
  number: 8,
  rules: { quorum: 'verified-deaths', minimumWeight: 1.5, heartbeat: 100, timeout: 1000 },
  version: 1,
  nodes: [
    {
      id: a,
      name: 'a',
      incarnation: 17,
      address: 'x',
      weight: 1,
      process: '',
      metadata: '',
      publicKey: 'k',
      version: 1,
      joined: 1,
    },
    {
      id: b,
      name: 'bé',
      incarnation: 18,
      address: 'y',
      weight: 0,
      process: 'q',
      metadata: 'm',
      publicKey: 'k',
      version: 2,
      joined: 2,
    },
  ],
  groups: new Map([['red', { id: 20480, name: 'red', settings, view: 5, members: [{ node: b, joined: 5 }] }]]),
};

/** One of each kind. */
const samples: readonly ControlMessage[] = [
  { kind: 'hello', name: 'a', address: 'x', padding: new Uint8Array(3) },
  { kind: 'invitation', domain, number: 8, size: 2, proposer: a, address: 'x' },
  { kind: 'challenge', domain, number: 2 ** 40 },
  { kind: 'refusal', domain, why: 'taken' },
  { kind: 'expired', domain },
  { kind: 'welcome', state, decrees: [decree] },
  { kind: 'heartbeat', domain, number: 8, size: 2, suspected: [18], lag: 250, strangers: [19, 20] },
  {
    kind: 'offer',
    domain,
    incarnation: 18,
    name: 'bé',
    address: 'y',
    weight: 3,
    process: '',
    metadata: '{}',
    publicKey: '',
    version: 3,
    least: 2,
    rules: state.rules,
    seen: 1,
    hears: [18, 21],
    proof: 7,
  },
  { kind: 'request', domain, at: 8, changes },
  { kind: 'group-refusal', domain, group: 'g', why: 'not you' },
  { kind: 'prepare', domain, number: 9, ballot, previous: decree },
  { kind: 'promise', domain, number: 9, ballot, accepted: { ballot, decree } },
  { kind: 'accept', domain, number: 9, ballot, decree, previous: null },
  { kind: 'accepted', domain, number: 9, ballot },
  { kind: 'rejected', domain, number: 9, ballot },
  { kind: 'decided', domain, decree },
  { kind: 'force', domain, number: 8, nodes: ['a', 'bé'], founder: a },
  { kind: 'ask', domain, after: 3 },
  { kind: 'decrees', domain, decrees: [decree, decree] },
  { kind: 'forgotten', domain, number: 8, member: 'out' },
];

function write(message: ControlMessage): Uint8Array {
  const w = new Writer();
  controlMessage.write(w, message);
  return w.take();
}

const read = (bytes: Uint8Array) => controlMessage.read(new Reader(bytes));

/** Whether the bytes are read as something, or refused in the one way that is allowed. */
function isReadOrRefused(bytes: Uint8Array): boolean {
  try {
    read(bytes);
    return true;
  } catch (error) {
    return error instanceof Malformed;
  }
}

test('every message comes back as it was', (t) => {
  for (const message of samples) t.deepEqual(read(write(message)), message);
});

test('a state in which something is twice is refused', (t) => {
  const [first, second] = state.nodes;
  const red = state.groups.get('red');
  if (!first || !second || !red) throw new Error('no samples');
  const blue = { ...red, name: 'blue', id: 20481 };
  const groups = (...list: readonly (typeof red)[]) => new Map(list.map((each, i) => [String(i), each]));
  t.notThrows(() => read(write({ kind: 'welcome', state: { ...state, groups: groups(red, blue) }, decrees: [] })));
  const twice: readonly Partial<DomainState>[] = [
    { nodes: [first, { ...second, incarnation: first.incarnation }] },
    { nodes: [first, { ...second, name: first.name }] },
    { groups: groups(red, { ...blue, name: red.name }) },
    { groups: groups(red, { ...blue, id: red.id }) },
    { groups: groups({ ...red, members: [...red.members, ...red.members] }) },
  ];
  for (const bad of twice) {
    const bytes = write({ kind: 'welcome', state: { ...state, ...bad }, decrees: [] });
    t.throws(() => read(bytes), { instanceOf: Malformed, message: /twice/ });
  }
});

test('a truncated message is refused', (t) => {
  for (const message of samples) {
    const bytes = write(message);
    for (let length = 0; length < bytes.length; length++) {
      t.throws(() => read(bytes.slice(0, length)), { instanceOf: Malformed }, `${message.kind} cut to ${length}`);
    }
  }
});

test('a message with any byte changed is read or refused, nothing else', (t) => {
  for (const message of samples) {
    const bytes = write(message);
    for (let i = 0; i < bytes.length; i++) {
      for (let value = 0; value < 256; value++) {
        const changed = bytes.slice();
        changed[i] = value;
        if (!isReadOrRefused(changed)) t.fail(`${message.kind}: byte ${i} to ${value}`);
      }
    }
  }
  t.pass();
});

test('no group has barriers for its order', (t) => {
  const enter = {
    kind: 'group-join',
    group: 'red',
    node: a,
    settings: { ...settings, order: 'barrier' as never },
  } as const;
  const bytes = write({ kind: 'decided', domain, decree: { number: 9, changes: [enter] } });
  t.throws(() => read(bytes), { instanceOf: Malformed });
});

test('states that cannot be are refused', (t) => {
  const twice = { ...state, nodes: [...state.nodes, ...state.nodes] };
  t.throws(() => read(write({ kind: 'welcome', state: twice, decrees: [] })), { instanceOf: Malformed });
  const nobody = { ...state, nodes: [], groups: new Map() };
  t.throws(() => read(write({ kind: 'welcome', state: nobody, decrees: [] })), { instanceOf: Malformed });
});
