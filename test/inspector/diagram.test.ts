/** The diagram's history and geometry, without a page. */
import test from 'ava';
import type { Seen } from '../../actors/inspector/format.js';
import { heat } from '../../actors/inspector/page/heat.js';
import {
  beganAt,
  createHistory,
  forget,
  groupsIn,
  isSettled,
  lacking,
  take,
  type History,
} from '../../actors/inspector/page/history.js';
import { layOut, spellTime } from '../../actors/inspector/page/layout.js';

function view(
  t: number,
  p: string,
  v: number,
  m: string[],
  left: [string, 'failed' | 'left'][] = [],
  joined: string[] = [],
): Seen {
  const rest = { primary: true, prev: null, joined, left, dom: 'a#1' };
  return { t, p, e: 'view', g: 'g', v: String(v), k: v, m, ...rest };
}

function send(t: number, id: string, v: string | null = '1'): Seen {
  return { t, p: id.split(':')[0] as string, e: 'send', g: 'g', id, o: 'total', u: false, v, h: '' };
}

function deliver(t: number, p: string, id: string, pos: number): Seen {
  return { t, p, e: 'deliver', g: 'g', id, v: '1', o: 'total', u: false, pos, h: '' };
}

function historyOf(...records: Seen[]): History {
  const history = createHistory();
  for (const record of records) take(history, record);
  return history;
}

const all = ['a#1', 'b#2', 'c#3'];
const frame = { group: 'g', from: 0, to: 1000, origin: null, length: 500, breadth: 300 };

test('a multicast goes from its sender to each who has delivered it, and to each of whom it is known that it has received it', (t) => {
  const history = historyOf(
    ...all.map((p) => view(100, p, 1, all)),
    send(200, 'a#1:1'),
    deliver(300, 'a#1', 'a#1:1', 7),
    deliver(400, 'b#2', 'a#1:1', 7),
    { t: 500, p: 'c#3', e: 'received', g: 'g', id: 'a#1:1' },
  );
  const { lanes, arrows, bars, hidden } = layOut(history, frame, new Map());
  t.deepEqual(
    lanes.map(({ name, v }) => [name, v]),
    [
      ['a', 50],
      ['b', 150],
      ['c', 250],
    ],
  );
  t.is(hidden, 0);
  t.is(arrows.length, 1);
  t.deepEqual(arrows[0]?.from, { u: 100, v: 50 });
  t.deepEqual(
    arrows[0]?.to.map(({ u, v, kind }) => [u, v, kind]),
    [
      [150, 50, 'delivered'],
      [200, 150, 'delivered'],
      [250, 250, 'received'],
    ],
  );
  t.is(bars.length, 1);
  t.true(bars[0]?.points.every(({ u, isSeen }) => u === 50 && isSeen));
  t.deepEqual(lacking(history, arrows[0]!.multicast), []);
});

test('a view that one process alone was seen to install is a bar across all members, seen at that one', (t) => {
  const history = historyOf(view(100, 'a#1', 1, all));
  const { bars } = layOut(history, frame, new Map());
  t.deepEqual(
    bars[0]?.points.map(({ isSeen }) => isSeen),
    [true, false, false],
  );
});

test('who fails ends where it was last seen, and is no member of the next view', (t) => {
  const two = ['a#1', 'b#2'];
  const history = historyOf(
    ...all.map((p) => view(100, p, 1, all)),
    deliver(450, 'c#3', 'a#1:1', 1),
    ...two.map((p) => view(600, p, 2, two, [['c#3', 'failed']])),
    { ...view(590, 'a#1', 9, two, [['c#3', 'failed']]), g: '$domain' } as Seen,
  );
  const { lanes, bars } = layOut(history, frame, new Map());
  const c = lanes.find(({ name }) => name === 'c');
  t.deepEqual(c?.end, { u: 225, how: 'failed' });
  t.deepEqual(c?.member, [{ from: 50, to: 225 }]);
  t.is(bars.at(-1)?.view.cause, 'failed: c');
  t.deepEqual(lanes.find(({ name }) => name === 'a')?.member, [{ from: 50, to: 500 }]);
});

test('a multicast that waited begins when it was transmitted, one that only was delivered with its first delivery', (t) => {
  const history = historyOf(view(1, 'a#1', 1, all), send(10, 'a#1:1', null), deliver(700, 'b#2', 'c#3:5', 2), {
    ...{ t: 300, p: 'a#1', e: 'xmit', g: 'g', id: 'a#1:1', v: '1' },
  });
  const [queued, other] = [...history.multicasts.values()];
  t.is(beganAt(queued!), 300);
  t.is(beganAt(other!), 700);
  t.deepEqual(lacking(history, queued!), ['b#2', 'c#3']);
  t.false(isSettled(history, queued!));
  take(history, view(800, 'a#1', 2, all));
  t.true(isSettled(history, queued!));
});

test('what is over is forgotten, the view that stands is not; groups come by how much was said', (t) => {
  const history = historyOf(view(10, 'a#1', 1, all), view(20, 'a#1', 2, all), send(30, 'a#1:1'), send(900, 'a#1:2'), {
    ...view(15, 'a#1', 1, all),
    g: 'quiet',
  } as Seen);
  t.deepEqual(groupsIn(history), ['g', 'quiet']);
  forget(history, 500);
  t.deepEqual(
    [...history.multicasts.values()].map(({ id }) => id),
    ['a#1:2'],
  );
  t.deepEqual([...(history.views.get('g')?.keys() ?? [])], ['2']);
  t.is(layOut(history, { ...frame, from: 600 }, new Map()).lanes.length, 3);
});

test('a state goes from its donor to the joiner; a violation stands where it was found', (t) => {
  const history = historyOf(
    view(100, 'a#1', 1, ['a#1', 'b#2']),
    { t: 200, p: 'a#1', e: 'state-out', g: 'g', for: 'b#2', v: '1', h: '' },
    { t: 300, p: 'b#2', e: 'state-in', g: 'g', from: 'a#1', v: '1', h: '' },
  );
  const found = [{ t: 300, process: 'b#2', number: 0, text: 'STATE: other' }];
  const { transfers, spots } = layOut(history, { ...frame, breadth: 200 }, new Map(), found);
  t.deepEqual(transfers, [{ from: { u: 100, v: 50 }, to: { u: 150, v: 150 } }]);
  t.deepEqual(
    spots.map(({ kind, at }) => [kind, at.u]),
    [
      ['state-out', 100],
      ['state-in', 150],
      ['violation', 150],
    ],
  );
});

test('too many multicasts: the last are drawn, the others counted; ticks are few, counted back from now or on from where a trace begins', (t) => {
  const history = historyOf(view(0, 'a#1', 1, all), ...Array.from({ length: 500 }, (_, i) => send(i, `a#1:${i}`)));
  const { arrows, hidden, ticks } = layOut(history, frame, new Map());
  t.is(arrows.length + hidden, 500);
  t.is(hidden, 100);
  t.is(arrows.at(-1)?.multicast.id, 'a#1:499');
  t.is(ticks[0]?.label, 'now');
  t.true(ticks.length >= 2 && ticks.length <= 12);
  const counted = layOut(history, { ...frame, from: 350, origin: 100 }, new Map()).ticks;
  t.deepEqual(
    counted.map(({ label }) => label),
    ['400 ns', '600 ns', '800 ns'],
  );
});

test('the matrix is warm where somebody is behind', (t) => {
  const cells = heat({
    members: ['a#1', 'b#2'],
    received: [
      [500, 40],
      [100, 40],
    ],
  });
  t.deepEqual(cells[0]?.[1], { received: 40, behind: 0, level: 0, isOwn: false });
  t.deepEqual(cells[1]?.[0], { received: 100, behind: 400, level: 3, isOwn: false });
  t.true(cells[1]?.[1]?.isOwn);
});

test('times have three digits that count, and a unit', (t) => {
  t.deepEqual([1, 1500, 2_345_678, 12_345_678_901].map(spellTime), ['1 ns', '1.5 µs', '2.35 ms', '12.3 s']);
});
