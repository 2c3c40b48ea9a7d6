/** The checker accepts a good trace, having put every property to the test, and what virtual synchrony allows besides. */
import test from 'ava';
import { check } from '../../lib/trace/check.js';
import { properties } from '../../lib/trace/finding.js';
import type { Traced } from '../../lib/trace/format.js';
import { deliver, goodOptions, goodTrace, install, letter, multicast, send, write, writing } from './good.js';

const [a, b, c, d] = ['a#1', 'b#2', 'c#3', 'd#4'] as const;

test('a good trace violates nothing and puts every property to the test', (t) => {
  const report = check(goodTrace(), { ...goodOptions, expect: properties });
  t.deepEqual(report.violations, []);
  t.true(report.ok);
  for (const property of properties) t.true(report.antecedents[property] > 0, property);
  t.deepEqual(report.contaminated, []);
  t.deepEqual(report.untraced, []);
});

test('how the records of different processes are interleaved does not matter', (t) => {
  const records = goodTrace();
  const byProcess = [d, c, b, a].flatMap((p) => records.filter((record) => record.p === p));
  const one = check(records, goodOptions);
  const other = check(byProcess, goodOptions);
  t.deepEqual(other.violations, []);
  t.deepEqual(other.antecedents, one.antecedents);
});

test('every prefix of a good trace is good: processes may be killed at any time', (t) => {
  const records = goodTrace();
  for (let i = 0; i <= records.length; i++) t.deepEqual(check(records.slice(0, i)).violations, [], `${i} records`);
});

test('without a trace of a sender, nothing is said about what it sent', (t) => {
  const report = check(goodTrace().filter((record) => record.p !== c));
  t.deepEqual(report.violations, []);
  t.deepEqual(report.untraced, [c]);
});

test('liveness is only checked when the run is said to have come to rest', (t) => {
  const records = goodTrace();
  const early = records.slice(0, records.length - 20);
  t.true(check(early).ok);
  t.false(check(early, { quiesced: true, alive: [a, b, d] }).ok);
});

test('liveBy bounds when the last views were installed', (t) => {
  t.true(check(goodTrace(), { ...goodOptions, liveBy: 1000 }).ok);
  t.deepEqual(names(check(goodTrace(), { ...goodOptions, liveBy: 10 })), ['LIVE-VIEW']);
});

test('an expected property that was never tried is violated', (t) => {
  const report = check([], { expect: ['VSYNC', 'FIFO'] });
  t.deepEqual(names(report), ['VSYNC', 'FIFO']);
  t.true(check([]).ok);
});

test('a plain total multicast in another place at a process that dies is a contamination, not a violation', (t) => {
  const report = check(divergence(false));
  t.deepEqual(report.violations, []);
  t.is(report.contaminated.length, 1);
  t.like(report.contaminated[0], { process: c, id: 'c#3:1', position: 1, instead: 'a#1:1' });
});

test('a uniform one never may', (t) => {
  const report = check(divergence(true));
  t.true(names(report).includes('TOTAL-POS'));
});

test('an excluded process may be contaminated too', (t) => {
  const records = divergence(false);
  records.push({ e: 'excluded', v: '2', why: 'not heard', t: 99, p: c });
  const report = check(records, { quiesced: true, alive: [a, b, c] });
  t.deepEqual(report.violations, []);
  t.is(report.contaminated.length, 1);
});

test('two domains founded at once have numbers of their own', (t) => {
  const w = writing();
  install(w, { g: '$domain', k: 1, m: [a], prev: null });
  install(w, { g: 'chat', k: 2, m: [a], prev: null });
  multicast(w, { g: 'chat', id: 'a#1:1', v: 2, o: 'total', pos: 1 }, [a]);
  const other = writing();
  install(other, { g: '$domain', k: 1, m: [b], prev: null });
  install(other, { g: 'chat', k: 2, m: [b], prev: null });
  multicast(other, { g: 'chat', id: 'b#2:1', v: 2, o: 'total', pos: 1 }, [b]);
  const elsewhere = other.records.map((record) => (record.e === 'view' ? { ...record, dom: 'b#2' } : record));
  t.deepEqual(check([...w.records, ...elsewhere]).violations, []);
  t.true(names(check([...w.records, ...other.records])).includes('PRIMARY-UNIQ'));
});

test('a trace that does not name the founding is of one domain', (t) => {
  const bare = goodTrace().map((record) => {
    if (record.e !== 'view') return record;
    const { dom: _, ...rest } = record;
    return rest as Traced;
  });
  t.deepEqual(check(bare, goodOptions).violations, []);
});

test('a joiner waits for its state over several views; then it delivers only what its state lacks', (t) => {
  t.deepEqual(check(replacedDonor([])).violations, []);
  t.true(names(check(replacedDonor(['a#1:1']))).includes('STATE'));
});

test('a joiner that is killed while it waits has not missed anything', (t) => {
  const records = replacedDonor([]);
  const state = records.findIndex((record) => record.e === 'state-in');
  const cut = records.filter((record, i) => record.p !== d || i < state);
  t.deepEqual(check(cut).violations, []);
  t.deepEqual(names(check(cut, { quiesced: true, alive: [a, b, d] })), ['STATE']);
});

test('a joiner installs views while it waits and delivers later, in the order of views', (t) => {
  const w = writing();
  install(w, { g: 'stock', k: 1, m: [a], prev: null, h: 'S0' });
  install(w, { g: 'stock', k: 2, m: [a, b], prev: 1, joined: [b], h: 'S0' });
  write(w, a, { e: 'state-out', g: 'stock', for: b, v: '2', h: 'S0' });
  multicast(w, { g: 'stock', id: 'a#1:1', v: 2, o: 'total', pos: 1 }, [a]);
  install(w, { g: 'stock', k: 3, m: [a, b, c], prev: 2, joined: [c] });
  write(w, b, { e: 'state-in', g: 'stock', from: a, v: '2', h: 'S0' });
  const early = w.records.length;
  deliver(w, { g: 'stock', id: 'a#1:1', v: 2, o: 'total', pos: 1 }, [b]);
  multicast(w, { g: 'stock', id: 'b#2:1', v: 3, o: 'total', pos: 2 }, [a, b]);
  t.deepEqual(check(w.records).violations, []);
  t.deepEqual(check(w.records.slice(0, early)).violations, [], 'killed before it delivers');
});

test('a joiner multicasts while it waits, and its views are told after that', (t) => {
  t.deepEqual(check(busyJoiner([a, b]), { quiesced: true, alive: [a, b] }).violations, []);
  // that it joined excuses nothing that came after
  t.deepEqual(names(check(busyJoiner([a]), { quiesced: true, alive: [a, b] })), [
    'VSYNC',
    'SELF-DEL',
    'TOTAL',
    'LIVE-DEL',
  ]);
});

test('an actor may be at its deliveries when the protocol has left', (t) => {
  const records = goodTrace();
  records.push({ e: 'hash', g: 'stock', v: '8', pos: 3, h: 'S3', t: 99, p: d });
  const at = records.findIndex((record) => record.e === 'answered' && record.p === d);
  records.push(...records.splice(at, 1));
  t.deepEqual(check(records, goodOptions).violations, []);
});

test('a member that resets its state in the midst of a view may miss what that state contains', (t) => {
  const w = writing();
  install(w, { g: 'stock', k: 1, m: [a, b], prev: null, h: 'S0' });
  multicast(w, { g: 'stock', id: 'a#1:1', v: 1, o: 'total', pos: 1 }, [a, b]);
  multicast(w, { g: 'stock', id: 'a#1:2', v: 1, o: 'total', pos: 2 }, [a]);
  write(w, a, { e: 'state-out', g: 'stock', for: b, v: '1', h: 'S2' });
  write(w, b, { e: 'state-in', g: 'stock', from: a, v: '1', h: 'S2' });
  multicast(w, { g: 'stock', id: 'a#1:3', v: 1, o: 'total', pos: 3 }, [a, b]);
  install(w, { g: 'stock', k: 2, m: [a, b], prev: 1, h: 'S3' });
  multicast(w, { g: 'stock', id: 'b#2:1', v: 2, o: 'total', pos: 4 }, [a, b]);
  t.deepEqual(check(w.records, { quiesced: true, alive: [a, b] }).violations, []);
});

test('what a letter follows comes first, also if it was passed on by a node that is in no group', (t) => {
  const told = check(letterByThird([a, b]), { quiesced: true, alive: [a, b, c, d] });
  t.deepEqual(told.violations, []);
  const early = check(letterByThird([a]));
  t.deepEqual(sentences(early), [
    'c#3 delivers b#2:1 before a#1:1, which its sender had before it',
    'b#2 is handed letter 1 of d#4 before a#1:1, which it follows',
  ]);
});

test('a letter may follow what is lost with the dead', (t) => {
  const w = writing();
  install(w, { g: 'chat', k: 1, m: [a, b, c], prev: null });
  multicast(w, { g: 'chat', id: 'a#1:1', v: 1, o: 'causal' }, [a]);
  write(w, a, { e: 'tell', to: b, n: 1 });
  install(w, { g: 'chat', k: 2, m: [b, c], prev: 1, left: [[a, 'failed']] });
  write(w, b, { e: 'told', from: a, n: 1 });
  multicast(w, { g: 'chat', id: 'b#2:1', v: 2, o: 'causal' }, [b, c]);
  t.deepEqual(check(w.records, { quiesced: true, alive: [b, c] }).violations, []);
});

test('a joiner is handed letters while it waits for its state; what it then says follows them', (t) => {
  const records = (first: boolean): Traced[] => {
    const w = writing();
    const asked = { g: 'stock', id: 'a#1:1', v: 2, o: 'total', pos: 1 } as const;
    const reply = { g: 'stock', id: 'b#2:1', v: 2, o: 'total', pos: 2 } as const;
    install(w, { g: 'stock', k: 1, m: [a, c], prev: null, h: 'S0' });
    install(w, { g: 'stock', k: 2, m: [a, c, b], prev: 1, joined: [b] }, [a, c]);
    multicast(w, asked, [a]);
    letter(w, a, b, 1);
    send(w, reply);
    if (first) deliver(w, asked, [c]);
    deliver(w, reply, [c]);
    if (!first) deliver(w, asked, [c]);
    write(w, a, { e: 'state-out', g: 'stock', for: b, v: '2', h: 'S0' });
    write(w, b, { e: 'state-in', g: 'stock', from: a, v: '2', h: 'S0' });
    install(w, { g: 'stock', k: 2, m: [a, c, b], prev: 1, joined: [b] }, [b]);
    deliver(w, asked, [b]);
    deliver(w, reply, [b]);
    return w.records;
  };
  t.deepEqual(check(records(true)).violations, []);
  t.true(names(check(records(false))).includes('CAUSAL'));
});

test('a member that joins has applied what its state contains', (t) => {
  const twice = goodTrace().map((record) =>
    record.e === 'deliver' && record.id === 'b#2:1' && record.g === 'cart' ? { ...record, repeated: false } : record,
  );
  t.deepEqual(
    sentences(check(twice, goodOptions)).filter((sentence) => sentence.includes('applies')),
    ['b#2 applies request a#1:4 twice', 'd#4 applies request a#1:4, which its state contains'],
  );
});

test('a request that all have lost with their state is applied again', (t) => {
  const w = writing();
  const request = { o: 'total', u: true, pos: 1, r: 'd#4:1' } as const;
  write(w, d, { e: 'ask', g: 'cart', r: 'd#4:1', id: null, want: 1 });
  install(w, { g: 'cart', k: 1, m: [a], prev: null });
  multicast(w, { ...request, g: 'cart', id: 'a#1:1', v: 1 }, [a]);
  install(w, { g: 'cart', k: 3, m: [b], prev: null, joined: [b] });
  multicast(w, { ...request, g: 'cart', id: 'b#2:1', v: 3 }, [b]);
  write(w, b, { e: 'answered', g: 'cart', r: 'd#4:1' });
  write(w, d, { e: 'asked', g: 'cart', r: 'd#4:1', outcome: 'ok', got: [b], missing: [] });
  t.deepEqual(check(w.records, { quiesced: true, alive: [b, d] }).violations, []);
});

test('who has left is not missed, also if the group has begun anew and it is back', (t) => {
  const w = writing();
  const ask = { g: 'chat', id: 'a#1:1', v: 1, o: 'total', pos: 1, r: 'a#1:1' } as const;
  install(w, { g: '$domain', k: 1, m: [a], prev: null });
  install(w, { g: 'chat', k: 1, m: [a], prev: null });
  write(w, a, { e: 'ask', g: 'chat', r: 'a#1:1', id: 'a#1:1', want: 1 });
  multicast(w, ask, [a]);
  install(w, { g: '$domain', k: 2, m: [a], prev: 1 });
  write(w, a, { e: 'left', g: 'chat' });
  write(w, a, { e: 'asked', g: 'chat', r: 'a#1:1', outcome: 'ok', got: [], missing: [a] });
  install(w, { g: '$domain', k: 3, m: [a], prev: 2 });
  install(w, { g: 'chat', k: 3, m: [a], prev: null, joined: [a] });
  t.deepEqual(check(w.records, { quiesced: true, alive: [a] }).violations, []);
});

test('a member leaves a group and comes back as a new member', (t) => {
  const w = writing();
  install(w, { g: 'chat', k: 1, m: [a, b], prev: null, joined: [a, b] });
  multicast(w, { g: 'chat', id: 'b#2:1', v: 1, o: 'total', pos: 1 }, [a, b]);
  write(w, b, { e: 'left', g: 'chat' });
  install(w, { g: 'chat', k: 2, m: [a], prev: 1, left: [[b, 'left']] });
  multicast(w, { g: 'chat', id: 'a#1:1', v: 2, o: 'total', pos: 2 }, [a]);
  install(w, { g: 'chat', k: 3, m: [a, b], prev: 2, joined: [b] });
  multicast(w, { g: 'chat', id: 'b#2:2', v: 3, o: 'total', pos: 3 }, [a, b]);
  t.deepEqual(check(w.records, { quiesced: true, alive: [a, b] }).violations, []);
});

test('a member that came back multicasts while it waits for its state', (t) => {
  const w = writing();
  install(w, { g: 'stock', k: 1, m: [a, b], prev: null, h: 'S0' });
  write(w, b, { e: 'left', g: 'stock' });
  install(w, { g: 'stock', k: 2, m: [a], prev: 1, left: [[b, 'left']], h: 'S0' });
  install(w, { g: 'stock', k: 3, m: [a, b], prev: 2, joined: [b], h: 'S0' }, [a]);
  write(w, a, { e: 'state-out', g: 'stock', for: b, v: '3', h: 'S0' });
  const own = { g: 'stock', id: 'b#2:1', v: 3, o: 'total', pos: 1 } as const;
  send(w, own);
  deliver(w, own, [a]);
  t.deepEqual(check(w.records).violations, [], 'killed while it waits');
  write(w, b, { e: 'state-in', g: 'stock', from: a, v: '3', h: 'S0' });
  install(w, { g: 'stock', k: 3, m: [a, b], prev: 2, joined: [b] }, [b]);
  deliver(w, own, [b]);
  t.deepEqual(check(w.records, { quiesced: true, alive: [a, b] }).violations, []);
});

test('a group that everybody left begins anew', (t) => {
  const w = writing();
  install(w, { g: 'chat', k: 1, m: [a], prev: null, joined: [a] });
  multicast(w, { g: 'chat', id: 'a#1:1', v: 1, o: 'total', pos: 1 }, [a]);
  write(w, a, { e: 'left', g: 'chat' });
  install(w, { g: 'chat', k: 2, m: [b], prev: null, joined: [b] });
  multicast(w, { g: 'chat', id: 'b#2:1', v: 2, o: 'total', pos: 1 }, [b]);
  t.deepEqual(check(w.records).violations, []);
});

test('a group that everybody left begins anew although one of them is back and dies before it installs', (t) => {
  const w = writing();
  install(w, { g: 'chat', k: 1, m: [a, c], prev: null, joined: [a, c] });
  multicast(w, { g: 'chat', id: 'a#1:1', v: 1, o: 'total', pos: 1 }, [a, c]);
  for (const p of [a, c]) write(w, p, { e: 'left', g: 'chat' });
  install(w, { g: 'chat', k: 2, m: [b, c], prev: null, joined: [b, c] }, [b]);
  multicast(w, { g: 'chat', id: 'b#2:1', v: 2, o: 'total', pos: 1 }, [b]);
  install(w, { g: 'chat', k: 3, m: [b], prev: 2, left: [[c, 'failed']] });
  t.deepEqual(check(w.records).violations, []);
});

test('a joiner may give the reply that came to it with the state, and only from one who replied', (t) => {
  const records = (donor: string): Traced[] => {
    const w = writing();
    const request = { g: 'stock', v: 1, o: 'total', u: true, r: 'd#4:1' } as const;
    install(w, { g: 'stock', k: 1, m: [a, b], prev: null, h: 'S0' });
    write(w, d, { e: 'ask', g: 'stock', r: 'd#4:1', id: null, want: 2 });
    multicast(w, { ...request, id: 'a#1:1', pos: 1 }, [a, b]);
    write(w, a, { e: 'answered', g: 'stock', r: 'd#4:1' });
    install(w, { g: 'stock', k: 2, m: [a, b, c], prev: 1, joined: [c], h: 'S1' }, [a, b]);
    write(w, donor, { e: 'state-out', g: 'stock', for: c, v: '2', h: 'S1' });
    write(w, c, { e: 'state-in', g: 'stock', from: donor, v: '2', h: 'S1' });
    install(w, { g: 'stock', k: 2, m: [a, b, c], prev: 1, joined: [c] }, [c]);
    multicast(w, { ...request, id: 'b#2:1', v: 2, pos: 2, repeated: true }, [a, b, c]);
    write(w, d, { e: 'asked', g: 'stock', r: 'd#4:1', outcome: 'ok', got: [a, c], missing: [b] });
    return w.records;
  };
  t.deepEqual(names(check(records(a))), []);
  t.deepEqual(names(check(records(b))), ['RPC']);
});

test('a member answers once in each of its lives in a group', (t) => {
  const w = writing();
  const request = { g: 'chat', o: 'total', u: true, pos: 1, r: 'b#2:1' } as const;
  install(w, { g: 'chat', k: 1, m: [a], prev: null });
  write(w, b, { e: 'ask', g: 'chat', r: 'b#2:1', id: null, want: 1 });
  multicast(w, { ...request, id: 'a#1:1', v: 1 }, [a]);
  write(w, a, { e: 'answered', g: 'chat', r: 'b#2:1' });
  write(w, a, { e: 'left', g: 'chat' });
  install(w, { g: 'chat', k: 2, m: [a], prev: null });
  multicast(w, { ...request, id: 'a#1:2', v: 2 }, [a]);
  write(w, a, { e: 'answered', g: 'chat', r: 'b#2:1' });
  t.deepEqual(names(check(w.records)), []);
  write(w, a, { e: 'answered', g: 'chat', r: 'b#2:1' });
  t.deepEqual(names(check(w.records)), ['RPC']);
});

test('an asker that leaves its group does not wait for itself', (t) => {
  const w = writing();
  install(w, { g: 'chat', k: 1, m: [a, b], prev: null });
  write(w, a, { e: 'ask', g: 'chat', r: 'a#1:1', id: 'a#1:1', want: 'all' });
  multicast(w, { g: 'chat', id: 'a#1:1', v: 1, o: 'fifo', r: 'a#1:1' }, [a, b]);
  write(w, b, { e: 'answered', g: 'chat', r: 'a#1:1' });
  const end = { e: 'asked', g: 'chat', r: 'a#1:1', outcome: 'ok', got: [b], missing: [a] } as const;
  const stays = writing();
  stays.records.push(...w.records);
  write(stays, a, end);
  t.deepEqual(names(check(stays.records)), ['RPC']);
  write(w, a, { e: 'left', g: 'chat' });
  write(w, a, end);
  t.deepEqual(names(check(w.records)), []);
});

test('what was sent with nobody left to send it for may fail', (t) => {
  const w = writing();
  install(w, { g: 'chat', k: 1, m: [a], prev: null });
  send(w, { g: 'chat', id: 'a#1:1', v: 1, o: 'fifo' }, true);
  write(w, a, { e: 'sendfail', g: 'chat', id: 'a#1:1', why: 'queue full' });
  write(w, b, { e: 'excluded', v: '3', why: 'not heard' });
  write(w, b, { e: 'asked', g: 'chat', r: 'b#2:1', outcome: 'failed', got: [], missing: [] });
  write(w, b, { e: 'sendfail', g: 'chat', id: 'b#2:1', why: 'excluded' });
  t.deepEqual(names(check(w.records, { quiesced: true, alive: [a, b] })), ['RPC']);
});

/** The properties that a report says are violated, each once. */
function names(report: ReturnType<typeof check>): string[] {
  return [...new Set(report.violations.map((violation) => violation.property))];
}

function sentences(report: ReturnType<typeof check>): string[] {
  return report.violations.map(({ sentence }) => sentence);
}

/** a multicasts and tells d, which is no member and tells b, which multicasts; these have delivered a's before it goes on. */
function letterByThird(first: readonly string[]): Traced[] {
  const w = writing();
  const one = { g: 'chat', id: 'a#1:1', v: 1, o: 'causal' } as const;
  const other = { g: 'chat', id: 'b#2:1', v: 1, o: 'causal' } as const;
  for (const p of [a, b, c, d]) write(w, p, { e: 'start', domain: 'shop', protocol: 1 });
  install(w, { g: 'chat', k: 1, m: [a, b, c], prev: null });
  multicast(w, one, first);
  letter(w, a, d, 1);
  letter(w, d, b, 1);
  send(w, other);
  if (first.includes(b)) deliver(w, one, [c]);
  deliver(w, other, [c]);
  deliver(w, one, first.includes(b) ? [] : [b, c]);
  deliver(w, other, [a, b]);
  return w.records;
}

/** c delivers its own multicast at position 1 and dies; the others, who go on, have another one there. */
function divergence(u: boolean): Traced[] {
  const w = writing();
  const chat = { g: 'chat', v: 1, o: 'total', u } as const;
  install(w, { g: 'chat', k: 1, m: [a, b, c], prev: null });
  multicast(w, { ...chat, id: 'c#3:1', pos: 1 }, [c]);
  multicast(w, { ...chat, id: 'a#1:1', pos: 1 }, [a, b]);
  install(w, { g: 'chat', k: 2, m: [a, b], prev: 1, left: [[c, 'failed']] });
  return w.records;
}

/** b joins, multicasts before it has its state, and traces that state when it has already delivered. */
function busyJoiner(deliveredAt: readonly string[]): Traced[] {
  const w = writing();
  const own = { g: 'stock', id: 'b#2:1', v: 2, o: 'total', pos: 1 } as const;
  install(w, { g: 'stock', k: 1, m: [a], prev: null, h: 'S0' });
  install(w, { g: 'stock', k: 2, m: [a, b], prev: 1, joined: [b] }, [a]);
  write(w, a, { e: 'state-out', g: 'stock', for: b, v: '2', h: 'S0' });
  send(w, own);
  install(w, { g: 'stock', k: 2, m: [a, b], prev: 1, joined: [b] }, [b]);
  deliver(w, own, deliveredAt);
  multicast(w, { g: 'stock', id: 'a#1:1', v: 2, o: 'total', pos: 2 }, deliveredAt);
  write(w, b, { e: 'state-in', g: 'stock', from: a, v: '2', h: 'S0' });
  install(w, { g: 'stock', k: 3, m: [a, b], prev: 2 });
  return w.records;
}

/** d joins; its donor dies before it has sent the state; another takes the snapshot at the next view. */
function replacedDonor(deliveredAnyway: readonly string[]): Traced[] {
  const w = writing();
  install(w, { g: 'stock', k: 1, m: [a, b, c], prev: null, h: 'S0' });
  install(w, { g: 'stock', k: 2, m: [a, b, c, d], prev: 1, joined: [d], h: 'S0' });
  write(w, c, { e: 'state-out', g: 'stock', for: d, v: '2', h: 'S0' });
  multicast(w, { g: 'stock', id: 'a#1:1', v: 2, o: 'total', pos: 1 }, [a, b]);
  multicast(w, { g: 'stock', id: 'd#4:1', v: 2, o: 'total', pos: 2 }, [a, b]);
  install(w, { g: 'stock', k: 3, m: [a, b, d], prev: 2, left: [[c, 'failed']] });
  write(w, b, { e: 'state-out', g: 'stock', for: d, v: '3', h: 'S2' });
  write(w, d, { e: 'state-in', g: 'stock', from: b, v: '3', h: 'S2' });
  for (const id of deliveredAnyway) deliver(w, { g: 'stock', id, v: 2, o: 'total', pos: 1 }, [d]);
  multicast(w, { g: 'stock', id: 'b#2:1', v: 3, o: 'total', pos: 3 }, [a, b, d]);
  return w.records;
}
