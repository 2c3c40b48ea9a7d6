/** What `nact-groups watch` prints, from snapshots. */
import test from 'ava';
import type { GroupSeen, NodeSeen, Rates, Snapshot } from '../../actors/inspector/format.js';
import { columns, hasColours, paintFor, plain, printable } from '../../actors/tools/terminal.js';
import { changesBetween } from '../../actors/tools/watch-changes.js';
import { changeLine, watchScreen } from '../../actors/tools/watch-screen.js';

function node(name: string, incarnation: number, more: Partial<NodeSeen> = {}): NodeSeen {
  const id = `${name}#${incarnation}`;
  return { id, name, address: '127.0.0.1:5', weight: 1, suspected: false, silence: 12, lag: 0, metadata: {}, ...more };
}

function group(name: string, view: string, members: string[], causes: [string, string][] = []): GroupSeen {
  const views = causes.map(([id, cause]) => ({ id, members, cause, at: 0 }));
  return { name, kind: 'replicated', order: 'total', view, members, own: null, views };
}

const base: Snapshot = {
  ...{ domain: 'shop', self: 'w#9', lookers: ['w#9'], number: 4, phase: 'running', lack: null },
  nodes: [node('a', 1), node('b', 2), node('w', 9, { silence: null, weight: 0 })],
  groups: [group('stock', '3', ['a#1', 'b#2'], [['3', 'joined: b']])],
  ...{ groupsOmitted: 0, matrix: null },
};

const rates: Rates = {
  ...{ at: 0, multicasts: 1234, bytes: 56_000, byGroup: { stock: 1234 }, deliveries: 0, packets: 90, views: 0 },
  ...{ delivery: null, stability: null, unstableBytes: 0, lag: 0 },
};

test('the screen shows nodes, groups, views and rates, and keeps to its room', (t) => {
  const lines = watchScreen(base, rates, { columns: 100, rows: 40, paint: plain });
  const text = lines.join('\n');
  t.regex(text, /^shop · state 4 · 3 nodes · 1 groups$/m);
  t.regex(text, /^1,234 multicasts\/s · 56 kB\/s · 90 packets\/s$/m);
  t.regex(text, /^a {5}heard +12 ms +0 ms +1 +127\.0\.0\.1:5$/m);
  t.regex(text, /^w +this one/m);
  t.regex(text, /^stock +replicated, total +3 +1,234 +2 +a b +joined: b$/m);
  const small = watchScreen(base, rates, { columns: 30, rows: 6, paint: plain });
  t.is(small.length, 6);
  t.true(small.every((line) => [...line].length <= 30));
  t.regex(small.at(-1) ?? '', /more lines/);
});

test('what others have named does not move the cursor', (t) => {
  const evil = { ...base, domain: 'shop\u001b[2J', nodes: [node('x\u0007\u009b1m', 3)] };
  const text = watchScreen(evil, null, { columns: 200, rows: 40, paint: plain }).join('');
  t.notRegex(text, /[\u0000-\u001f\u007f-\u009f]/);
  t.is(printable('a\u001bb'), 'a\\x1bb');
});

test('changes: everything at first, then what is new, with the views between two looks in their order', (t) => {
  const first = changesBetween(null, base);
  t.deepEqual(
    first.map(({ event }) => event),
    ['phase', 'node', 'node', 'node', 'view'],
  );
  t.deepEqual(changesBetween(base, base), []);
  const causes: [string, string][] = [
    ['6', 'joined: c'],
    ['5', 'failed: b'],
    ['3', 'joined: b'],
  ];
  const later: Snapshot = {
    ...base,
    lack: 'b cannot be heard',
    nodes: [node('a', 1, { suspected: true }), node('c', 7), node('w', 9)],
    groups: [group('stock', '6', ['a#1', 'c#7'], causes)],
  };
  t.deepEqual(
    changesBetween(base, later).map((change) => changeLine(change)),
    [
      'wedged: b cannot be heard',
      'node a#1 suspected',
      'node c#7 joined',
      'node b#2 gone',
      'view 5 of stock: a c (failed: b)',
      'view 6 of stock: a c (joined: c)',
    ],
  );
  t.deepEqual(changesBetween(later, { ...base, groups: [] }).at(-1), { event: 'group-ended', group: 'stock' });
});

test('colours are for terminals, and not with NO_COLOR', (t) => {
  const terminal = { isTTY: true };
  t.true(hasColours(terminal, {}));
  t.false(hasColours({}, {}));
  t.false(hasColours(terminal, { NO_COLOR: '1' }));
  t.true(hasColours(terminal, { NO_COLOR: '' }));
  t.false(hasColours(terminal, { TERM: 'dumb' }));
  t.is(paintFor({}, {})('bad', 'x'), 'x');
  t.is(paintFor(terminal, {})('bad', 'x'), '\u001b[31mx\u001b[39m');
});

test('columns are as wide as they need to be', (t) => {
  t.deepEqual(
    columns(
      [
        ['a', '1'],
        ['bcd', '1000'],
      ],
      new Set([1]),
    ),
    ['a       1', 'bcd  1000'],
  );
});
