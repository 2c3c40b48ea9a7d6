/**
 * A run that goes well and tries everything once: two groups, `chat` (plain) and `stock` (replicated), joins with state
 * transfer, all orders with and without uniformity, a queued multicast, asks, a crash and a graceful leave; and `cart`,
 * whose clients ask through members, one of which crashes before it has told of it. Letters go through nodes that are in
 * none of the groups.
 *
 * The tests break it in one place each.
 */
import type { Traced, TraceRecord } from '../../lib/trace/format.js';
import type { CheckOptions } from '../../lib/trace/check.js';

/** A record of this kind. */
export type RecordOf<E extends Traced['e']> = Extract<Traced, { readonly e: E }>;

/** Records in the making, with a clock for each process. */
export interface Writing {
  readonly records: Traced[];
  readonly clocks: Map<string, number>;
}

/** A trace with nothing in it. */
export function writing(): Writing {
  return { records: [], clocks: new Map() };
}

/** Writes a record of a process. */
export function write(w: Writing, p: string, record: TraceRecord): void {
  const t = (w.clocks.get(p) ?? 0) + 1;
  w.clocks.set(p, t);
  w.records.push({ ...record, t, p });
}

/** What the members of a view have in common. */
export interface ViewOf {
  readonly g: string;
  readonly k: number;
  readonly m: readonly string[];
  readonly prev: number | null;
  readonly joined?: readonly string[];
  readonly left?: RecordOf<'view'>['left'];
  readonly h?: string;
  readonly primary?: boolean;
}

/** Installs a view at some of its members, by default at all. Those who join have no view before and no digest yet. */
export function install(w: Writing, view: ViewOf, at: readonly string[] = view.m): void {
  const { g, k, m, prev, joined = [], left = [], h, primary = true } = view;
  for (const p of at) {
    const joins = joined.includes(p);
    write(w, p, {
      e: 'view',
      g,
      v: String(k),
      k,
      m,
      primary,
      prev: prev === null || joins ? null : String(prev),
      joined,
      left,
      dom: 'a#1',
      ...(h === undefined || joins ? {} : { h }),
    });
  }
}

/** A multicast and where it goes. */
export interface Cast {
  readonly g: string;
  readonly id: string;
  readonly v: number;
  readonly o: RecordOf<'send'>['o'];
  readonly u?: boolean;
  readonly pos?: number;
  readonly time?: number;
  /** It is a request. */
  readonly r?: string;
  readonly repeated?: boolean;
}

/** Writes the send of a multicast; `queued`: for a later view. */
export function send(w: Writing, cast: Cast, queued = false): void {
  const { g, id, v, o, u = false, r } = cast;
  const asks = r === undefined ? {} : { r };
  write(w, senderOf(id), { e: 'send', g, id, o, u, v: queued ? null : String(v), h: `h ${id}`, ...asks });
}

/** Writes the deliveries of a multicast. */
export function deliver(w: Writing, cast: Cast, at: readonly string[]): void {
  const { g, id, v, o, u = false, pos, time, r, repeated } = cast;
  const place = { ...(pos === undefined ? {} : { pos }), ...(time === undefined ? {} : { time }) };
  const asks = { ...(r === undefined ? {} : { r }), ...(repeated === undefined ? {} : { repeated }) };
  for (const p of at) write(w, p, { e: 'deliver', g, id, v: String(v), o, u, h: `h ${id}`, ...place, ...asks });
}

/** Sends a multicast and delivers it. */
export function multicast(w: Writing, cast: Cast, at: readonly string[]): void {
  send(w, cast);
  deliver(w, cast, at);
}

/** Tells a letter and hands it out. */
export function letter(w: Writing, from: string, to: string, n: number): void {
  write(w, from, { e: 'tell', to, n });
  write(w, to, { e: 'told', from, n });
}

/** The sender in a multicast's id. */
export function senderOf(id: string): string {
  return id.slice(0, id.lastIndexOf(':'));
}

const [a, b, c, d] = ['a#1', 'b#2', 'c#3', 'd#4'] as const;
const abc = [a, b, c];

/** Who lives at the end, and the bounds that hold. */
export const goodOptions = {
  quiesced: true,
  alive: [a, b],
  limits: { unstable: 100, queued: 10 },
} satisfies CheckOptions;

/** The records of the good run, of all processes, interleaved. */
export function goodTrace(): Traced[] {
  const w = writing();
  foundAll(w);
  chatBeforeJoin(w);
  stockBeforeJoin(w);
  cartBeforeCrash(w);
  joinOfD(w);
  crashOfC(w);
  cartAfterCrash(w);
  leaveOfD(w);
  return w.records;
}

function foundAll(w: Writing): void {
  for (const p of abc) write(w, p, { e: 'start', domain: 'shop', protocol: 1 });
  install(w, { g: '$domain', k: 1, m: [a], prev: null, joined: [a] });
  install(w, { g: '$domain', k: 2, m: abc, prev: 1, joined: [b, c] });
  for (const k of [3, 4, 5]) install(w, { g: '$domain', k, m: abc, prev: k - 1 });
  install(w, { g: 'chat', k: 3, m: abc, prev: null, joined: abc });
  install(w, { g: 'cart', k: 3, m: [b, c], prev: null, joined: [b, c] });
  install(w, { g: 'stock', k: 4, m: [a], prev: null });
  install(w, { g: 'stock', k: 5, m: abc, prev: 4, joined: [b, c], h: 'S0' });
  for (const p of [b, c]) {
    write(w, a, { e: 'state-out', g: 'stock', for: p, v: '5', h: 'S0' });
    write(w, p, { e: 'state-in', g: 'stock', from: a, v: '5', h: 'S0' });
  }
}

function chatBeforeJoin(w: Writing): void {
  const chat = { g: 'chat', v: 3 };
  multicast(w, { ...chat, id: 'a#1:1', o: 'fifo' }, abc);
  multicast(w, { ...chat, id: 'a#1:2', o: 'fifo' }, abc);
  multicast(w, { ...chat, id: 'a#1:3', o: 'causal' }, abc);
  // b answers what it has seen: its multicast depends on a's
  multicast(w, { ...chat, id: 'b#2:1', o: 'causal' }, abc);
  multicast(w, { ...chat, id: 'b#2:2', o: 'total', pos: 1 }, abc);
  multicast(w, { ...chat, id: 'c#3:1', o: 'total', u: true, pos: 2 }, abc);
  multicast(w, { ...chat, id: 'b#2:3', o: 'fifo', u: true }, abc);
  write(w, a, { e: 'ask', g: 'chat', r: 'a#1:1', id: 'a#1:4', want: 'all' });
  multicast(w, { ...chat, id: 'a#1:4', o: 'fifo', r: 'a#1:1' }, abc);
  for (const p of abc) write(w, p, { e: 'answered', g: 'chat', r: 'a#1:1' });
  write(w, a, { e: 'asked', g: 'chat', r: 'a#1:1', outcome: 'ok', got: abc, missing: [] });
  write(w, b, { e: 'stable', g: 'chat', id: 'b#2:1' });
}

function stockBeforeJoin(w: Writing): void {
  const stock = { g: 'stock', v: 5 };
  multicast(w, { ...stock, id: 'a#1:1', o: 'total', pos: 1, time: 1000 }, abc);
  multicast(w, { ...stock, id: 'b#2:1', o: 'total', u: true, pos: 2, time: 1004 }, abc);
  for (const p of abc) write(w, p, { e: 'hash', g: 'stock', v: '5', pos: 2, h: 'S2' });
  write(w, a, { e: 'gauge', unstable: 2, unstableBytes: 64, queued: 1, reorder: 0, reassembly: 0, rss: 9e7, lagMs: 1 });
}

/** a is no member and asks through c. Requests and replies are letters. */
function cartBeforeCrash(w: Writing): void {
  const cart = { g: 'cart', v: 3, o: 'total', u: true } as const;
  write(w, a, { e: 'ask', g: 'cart', r: 'a#1:3', id: null, want: 'all' });
  letter(w, a, c, 1);
  multicast(w, { ...cart, id: 'c#3:1', pos: 1, r: 'a#1:3' }, [b, c]);
  for (const p of [b, c]) write(w, p, { e: 'answered', g: 'cart', r: 'a#1:3' });
  letter(w, c, a, 1);
  letter(w, b, a, 1);
  write(w, a, { e: 'asked', g: 'cart', r: 'a#1:3', outcome: 'ok', got: [c, b], missing: [] });
  // the contact dies before it has said so
  write(w, a, { e: 'ask', g: 'cart', r: 'a#1:4', id: null, want: 'all' });
  letter(w, a, c, 2);
  multicast(w, { ...cart, id: 'c#3:2', pos: 2, r: 'a#1:4' }, [b, c]);
  for (const p of [b, c]) write(w, p, { e: 'answered', g: 'cart', r: 'a#1:4' });
  write(w, c, { e: 'tell', to: a, n: 2 });
}

function joinOfD(w: Writing): void {
  const m = [...abc, d];
  write(w, d, { e: 'start', domain: 'shop', protocol: 1 });
  install(w, { g: '$domain', k: 6, m, prev: 5, joined: [d] });
  // what b multicasts follows what a has said, though d, through whom it knows, is no member
  multicast(w, { g: 'chat', id: 'a#1:9', v: 3, o: 'causal' }, [a, b]);
  letter(w, a, d, 1);
  letter(w, d, b, 1);
  multicast(w, { g: 'chat', id: 'b#2:5', v: 3, o: 'causal' }, [a, b]);
  for (const id of ['a#1:9', 'b#2:5']) deliver(w, { g: 'chat', id, v: 3, o: 'causal' }, [c]);
  send(w, { g: 'chat', id: 'c#3:2', v: 3, o: 'barrier', u: true });
  for (const p of abc) write(w, p, { e: 'blocked', g: 'chat', v: '3' });
  send(w, { g: 'chat', id: 'b#2:4', v: 7, o: 'causal' }, true);
  write(w, b, { e: 'tell', to: a, n: 2 });
  deliver(w, { g: 'chat', id: 'c#3:2', v: 3, o: 'barrier', u: true, pos: 3 }, abc);
  install(w, { g: '$domain', k: 7, m, prev: 6 });
  install(w, { g: 'chat', k: 7, m, prev: 3, joined: [d] });
  install(w, { g: 'stock', k: 7, m, prev: 5, joined: [d], h: 'S2' });
  write(w, b, { e: 'state-out', g: 'stock', for: d, v: '7', h: 'S2' });
  multicast(w, { g: 'stock', id: 'c#3:1', v: 7, o: 'total', pos: 3, time: 1004 }, abc);
  write(w, d, { e: 'state-in', g: 'stock', from: b, v: '7', h: 'S2' });
  deliver(w, { g: 'stock', id: 'c#3:1', v: 7, o: 'total', pos: 3, time: 1004 }, [d]);
  write(w, b, { e: 'xmit', g: 'chat', id: 'b#2:4', v: '7' });
  deliver(w, { g: 'chat', id: 'b#2:4', v: 7, o: 'causal' }, m);
  // only now: it was told after that was multicast
  write(w, a, { e: 'told', from: b, n: 2 });
  multicast(w, { g: 'chat', id: 'd#4:1', v: 7, o: 'total', pos: 4 }, m);
}

function crashOfC(w: Writing): void {
  const m = [a, b, d];
  const left = [[c, 'failed']] as const;
  write(w, a, { e: 'ask', g: 'chat', r: 'a#1:2', id: 'a#1:5', want: 'all' });
  // c delivers a uniform multicast and dies before it has delivered the next
  multicast(w, { g: 'chat', id: 'a#1:5', v: 7, o: 'total', u: true, pos: 5, r: 'a#1:2' }, [c, ...m]);
  multicast(w, { g: 'chat', id: 'a#1:6', v: 7, o: 'total', pos: 6 }, m);
  for (const p of [a, b, d]) write(w, p, { e: 'answered', g: 'chat', r: 'a#1:2' });
  for (const p of m) write(w, p, { e: 'suspect', who: c });
  for (const p of m) write(w, p, { e: 'blocked', g: 'chat', v: '7' });
  install(w, { g: '$domain', k: 8, m, prev: 7, left });
  install(w, { g: 'chat', k: 8, m, prev: 7, left });
  install(w, { g: 'stock', k: 8, m, prev: 7, left, h: 'S3' });
  const cart = { g: 'cart', k: 8, m: [b, d], prev: 3, joined: [d], left };
  install(w, cart, [b]);
  write(w, b, { e: 'state-out', g: 'cart', for: d, v: '8', h: 'C2' });
  write(w, d, { e: 'state-in', g: 'cart', from: b, v: '8', h: 'C2' });
  install(w, cart, [d]);
  write(w, a, { e: 'asked', g: 'chat', r: 'a#1:2', outcome: 'ok', got: [a, b, d], missing: [c] });
  multicast(w, { g: 'stock', id: 'd#4:1', v: 8, o: 'total', pos: 4 }, m);
  multicast(w, { g: 'chat', id: 'd#4:2', v: 8, o: 'causal' }, m);
}

/** a asks b for what c did not tell of; d has joined since, and has it with its state. */
function cartAfterCrash(w: Writing): void {
  letter(w, b, a, 3);
  letter(w, a, b, 1);
  const again = { g: 'cart', v: 8, o: 'total', u: true, pos: 3, id: 'b#2:1', r: 'a#1:4' } as const;
  multicast(w, { ...again, repeated: true }, [b, d]);
  letter(w, b, a, 4);
  letter(w, d, a, 1);
  write(w, a, { e: 'asked', g: 'cart', r: 'a#1:4', outcome: 'ok', got: [b], missing: [d] });
}

function leaveOfD(w: Writing): void {
  const m = [a, b];
  const left = [[d, 'left']] as const;
  for (const g of ['chat', 'stock', 'cart', '$domain']) write(w, d, { e: 'leave', g });
  for (const g of ['chat', 'stock', 'cart', '$domain']) write(w, d, { e: 'left', g });
  install(w, { g: '$domain', k: 9, m, prev: 8, left });
  install(w, { g: 'chat', k: 9, m, prev: 8, left });
  install(w, { g: 'stock', k: 9, m, prev: 8, left, h: 'S4' });
  install(w, { g: 'cart', k: 9, m: [b], prev: 8, left });
  multicast(w, { g: 'chat', id: 'a#1:7', v: 9, o: 'total', u: true, pos: 7 }, m);
  for (const p of m) {
    write(w, p, {
      e: 'gauge',
      unstable: 0,
      unstableBytes: 0,
      queued: 0,
      reorder: 0,
      reassembly: 0,
      rss: 9e7,
      lagMs: 0,
    });
  }
}
