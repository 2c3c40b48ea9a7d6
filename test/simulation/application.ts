/**
 * The model application: one replica per process and group, driven by the items the core hands out and by nothing else.
 *
 * Its state is a digest of the list of all multicasts in their order, their count, and the last number of each sender, so
 * that two replicas with the same digest have seen the same things in the same order, and a state transfer that repeats or
 * forgets one multicast is seen. It works through a mailbox with a pace of its own, as an actor does: a slow one consumes late
 * and takes its snapshots late.
 */
import { takeOne } from '../../lib/deliveries.js';
import type {
  Deliveries,
  Delivery,
  DeliveredRequest,
  GroupItem,
  GroupStatus,
  NodeEvent,
  RequestId,
  TransferToken,
  ViewInfo,
} from '../../lib/events.js';
import type { GroupSettings } from '../../lib/membership/state.js';
import type { TraceRecord } from '../../lib/trace/format.js';
import { replyOf } from './caller.js';

/** What is replicated. */
export interface ModelState {
  position: number;
  count: number;
  /** Digest of the list, 2 x 32 bits. */
  low: number;
  high: number;
  /** The last number of each sender. */
  readonly last: Map<string, number>;
  /** Requests that took effect. */
  readonly requests: Set<string>;
}

/** A snapshot on its way out, chunk by chunk. */
interface Outgoing {
  readonly token: TransferToken;
  readonly chunks: readonly Uint8Array[];
  sent: number;
}

/** How an application behaves; drawn for each run. */
export interface Habits {
  /** Milliseconds from taking an item out of the mailbox to being done with it; 0: at once. */
  readonly pace: number;
  readonly snapshotChunks: number;
  /** Bytes of filler in a snapshot: a state that takes a while to send. */
  readonly snapshotFiller: number;
  /** A `hash` record after so many total multicasts. */
  readonly hashEvery: number;
  /** Milliseconds from a request to the reply; negative: there is none. */
  readonly replyAfter: number;
  /** What the contact of a request says, by its number: most are let in. */
  readonly refuses: (number: number) => 'no' | 'for now' | 'for good';
}

/** What a replica may do to the world. */
export interface Surroundings {
  emit(event: NodeEvent): void;
  trace(record: TraceRecord): void;
  /** Calls back later, unless the process has died by then. */
  later(millis: number, run: () => void): void;
  /** Passes a request on; false if this process sends no more to the group. */
  passOn(request: RequestId, payload: Uint8Array): boolean;
  /** Leaves at once, without giving what others wait for, and comes back for the state: as an actor does whose function threw. */
  reset(): void;
  /** A broken promise of the core: fails the run. */
  fail(property: string, detail: string): void;
}

/** One replica. */
export interface Replica {
  readonly group: string;
  readonly settings: GroupSettings;
  readonly habits: Habits;
  /** Null until founded or transferred; a plain member has none. */
  state: ModelState | null;
  view: ViewInfo | null;
  status: GroupStatus;
  readonly mailbox: GroupItem[];
  busy: boolean;
  /** The present pace: the habit, or a slower one for a while. */
  pace: number;
  /** Its next snapshot fails after so many chunks; infinity: it does not. */
  snapshotFailsAfter: number;
  /** Left or excluded. */
  ended: boolean;
  readonly outgoing: Map<string, Outgoing>;
  incoming: Uint8Array[];
  /** Own multicasts: handed to the core, let in, stable, failed. */
  sent: number;
  accepted: number;
  stable: number;
  failed: number;
  delivered: number;
  /** The last number of a message to this member alone, by sender. */
  readonly directs: Map<string, number>;
  /** Flushes that have not ended, with what had been sent before. */
  readonly flushes: Map<number, number>;
  /** Requests that its contact, this member, has looked at. */
  readonly lookedAt: Set<string>;
  /** Requests that took effect at a plain member, which has no state to have them in. */
  readonly requests: Set<string>;
  /** Bytes consumed that the core has not been told about: it is told once per batch. */
  unreported: number;
}

export function createReplica(group: string, settings: GroupSettings, habits: Habits, sent: number): Replica {
  return {
    group,
    settings,
    habits,
    state: null,
    view: null,
    status: 'joining',
    mailbox: [],
    busy: false,
    pace: habits.pace,
    snapshotFailsAfter: Infinity,
    ended: false,
    outgoing: new Map(),
    incoming: [],
    sent,
    accepted: sent,
    stable: sent,
    failed: 0,
    delivered: 0,
    directs: new Map(),
    flushes: new Map(),
    lookedAt: new Set(),
    requests: new Set(),
    unreported: 0,
  };
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function mixText(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i += 1) mixed = mix(mixed, text.charCodeAt(i));
  return mixed;
}

/** The state of a group that was just founded. */
export function initialState(): ModelState {
  return { position: 0, count: 0, low: 1, high: 2, last: new Map(), requests: new Set() };
}

/** One hexadecimal number for the whole state. */
export function digest(state: ModelState): string {
  let low = mix(state.low, state.count);
  let high = mix(state.high, state.position);
  for (const sender of [...state.last.keys()].sort()) {
    low = mixText(low, sender);
    high = mix(high, state.last.get(sender) ?? 0);
  }
  return (low >>> 0).toString(16).padStart(8, '0') + (high >>> 0).toString(16).padStart(8, '0');
}

/** The payload of a multicast: its own name again and filler, both checked at delivery. */
export function payloadOf(sender: string, message: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(Math.max(bytes, 8));
  const tag = mixText(message, sender) >>> 0;
  for (let i = 0; i < payload.length; i += 1) payload[i] = (tag >>> (8 * (i % 4))) ^ (i >>> 2);
  return payload;
}

function isIntact(payload: Uint8Array, sender: string, message: number): boolean {
  const tag = mixText(message, sender) >>> 0;
  for (let i = 0; i < payload.length; i += 1) {
    if (payload[i] !== (((tag >>> (8 * (i % 4))) ^ (i >>> 2)) & 0xff)) return false;
  }
  return payload.length >= 8;
}

function apply(
  state: ModelState,
  sender: string,
  message: number,
  position: number,
  bytes: number,
  time: number,
): void {
  state.low = mix(mixText(state.low, sender), message);
  state.high = mix(mix(mix(state.high, bytes), message), time);
  state.count += 1;
  if (position > 0) state.position = position;
  state.last.set(sender, message);
}

function encode(state: ModelState, habits: Habits): Uint8Array[] {
  const text = JSON.stringify({
    position: state.position,
    count: state.count,
    low: state.low,
    high: state.high,
    last: [...state.last],
    requests: [...state.requests],
    filler: 'x'.repeat(habits.snapshotFiller),
  });
  const bytes = new TextEncoder().encode(text);
  const size = Math.max(1, Math.ceil(bytes.length / habits.snapshotChunks));
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.slice(i, i + size));
  return chunks;
}

function decode(chunks: readonly Uint8Array[]): ModelState {
  const decoder = new TextDecoder();
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('') + decoder.decode();
  const value = JSON.parse(text) as Omit<ModelState, 'last' | 'requests'> & {
    last: [string, number][];
    requests: string[];
  };
  return {
    position: value.position,
    count: value.count,
    low: value.low,
    high: value.high,
    last: new Map(value.last),
    requests: new Set(value.requests),
  };
}

function keyOf(token: TransferToken): string {
  return `${token.view}:${token.joiner}`;
}

/** Puts items into the mailbox and works on them as far as the pace allows. */
export function take(replica: Replica, items: readonly GroupItem[], around: Surroundings): void {
  for (const item of items) {
    if (item.kind === 'request') letIn(replica, item, around);
    else replica.mailbox.push(item);
  }
  if (!replica.busy) work(replica, around);
}

/** The contact of a request looks at it at once, whatever is in the mailbox. */
function letIn(replica: Replica, item: GroupItem & { readonly kind: 'request' }, around: Surroundings): void {
  const { group, habits } = replica;
  const { request, payload } = item;
  if (!isIntact(payload, request.client, request.number)) {
    around.fail('NO-CREATE', `${group}: request ${request.client}:${request.number} is not what was sent`);
  }
  const key = `${request.client}:${request.number}`;
  const draw = habits.refuses(request.number);
  // it comes again, and those behind it may have come before
  const refusal = draw === 'for now' && replica.lookedAt.has(key) ? 'no' : draw;
  replica.lookedAt.add(key);
  if (refusal === 'no' && around.passOn(request, payload)) return;
  around.emit({ kind: 'refuse', group, request, why: 'drawn', again: refusal !== 'for good' });
}

/** Works until the mailbox is empty, or the pace says to wait; the core is told once what was consumed. */
function work(replica: Replica, around: Surroundings): void {
  workOn(replica, around);
  if (replica.unreported === 0) return;
  around.emit({ kind: 'consumed', group: replica.group, bytes: replica.unreported });
  replica.unreported = 0;
}

function workOn(replica: Replica, around: Surroundings): void {
  for (let item = next(replica); item !== undefined; item = next(replica)) {
    handle(replica, item, around);
    if (replica.pace > 0 && item.kind === 'delivery') {
      const { payload } = item;
      replica.busy = true;
      around.later(replica.pace, () => {
        replica.busy = false;
        replica.unreported += payload.length;
        work(replica, around);
      });
      return;
    }
  }
}

/** What an actor takes: multicasts one by one, also those that were delivered together. */
type Taken = Exclude<GroupItem, Deliveries> | Delivery;

function next({ mailbox }: Replica): Taken | undefined {
  const [first] = mailbox;
  if (first?.kind !== 'deliveries') {
    mailbox.shift();
    return first;
  }
  const one = takeOne(first);
  if (first.count === 0) mailbox.shift();
  return one;
}

function handle(replica: Replica, item: Taken, around: Surroundings): void {
  switch (item.kind) {
    case 'view':
      return handleView(replica, item.view, item.snapshots, around);
    case 'delivery':
      return handleDelivery(replica, item, around);
    case 'found':
      if (replica.settings.kind === 'replicated') replica.state = initialState();
      return;
    case 'state':
      return handleState(replica, item, around);
    case 'snapshot-continue':
      return sendChunk(replica, keyOf(item.token), around);
    case 'snapshot-end':
      replica.outgoing.delete(keyOf(item.token));
      return;
    case 'status':
      replica.status = item.status;
      return;
    case 'progress':
      replica.accepted = Math.max(replica.accepted, item.accepted);
      replica.stable = Math.max(replica.stable, item.stable);
      return;
    case 'settled':
      return handleSettled(replica, item.token, around);
    case 'failed':
      replica.failed += item.last - item.first + 1;
      return;
    case 'direct':
      return handleDirect(replica, item, around);
    case 'request':
      return;
  }
}

/** What was sent before a flush is stable when it ends. */
function handleSettled(replica: Replica, token: number, around: Surroundings): void {
  const sent = replica.flushes.get(token) ?? Infinity;
  if (replica.stable + replica.failed < sent) {
    around.fail('FLUSH', `${replica.group}: flush ${token} ends with ${replica.stable} of ${sent} stable`);
  }
  replica.flushes.delete(token);
}

/** The payload of a message to one member: its number among those from here to there. */
export function directPayload(number: number): Uint8Array {
  return Uint8Array.of(number & 0xff, (number >>> 8) & 0xff);
}

/** Messages from one member to another come once and in order; those of before a change of membership may be lost. */
function handleDirect(
  replica: Replica,
  { from, payload }: GroupItem & { readonly kind: 'direct' },
  around: Surroundings,
): void {
  const number = (payload[0] ?? 0) + 256 * (payload[1] ?? 0);
  const last = replica.directs.get(from.id) ?? 0;
  if (number <= last) around.fail('DIRECT', `${replica.group}: message ${number} of ${from.id} comes after ${last}`);
  replica.directs.set(from.id, number);
}

function handleView(replica: Replica, view: ViewInfo, snapshots: readonly TransferToken[], around: Surroundings): void {
  replica.view = view;
  const { state, group } = replica;
  if (replica.settings.kind === 'replicated' && state === null) {
    around.fail('STATE', `${group}: view ${view.id} handed out before the state`);
  }
  if (state === null) {
    for (const token of snapshots) {
      around.emit({ kind: 'snapshot', group, token, chunk: new Uint8Array(0), last: true });
    }
    return;
  }
  const h = digest(state);
  around.trace({ e: 'hash', g: group, v: String(view.id), pos: state.position, h });
  for (const token of snapshots) {
    replica.outgoing.set(keyOf(token), { token, chunks: encode(state, replica.habits), sent: 0 });
    sendChunk(replica, keyOf(token), around);
  }
}

function sendChunk(replica: Replica, key: string, around: Surroundings): void {
  const outgoing = replica.outgoing.get(key);
  const chunk = outgoing?.chunks[outgoing.sent];
  if (outgoing === undefined || chunk === undefined) return;
  if (outgoing.sent >= replica.snapshotFailsAfter) {
    replica.snapshotFailsAfter = Infinity;
    replica.outgoing.clear();
    return around.reset();
  }
  outgoing.sent += 1;
  const last = outgoing.sent === outgoing.chunks.length;
  if (last) replica.outgoing.delete(key);
  around.emit({ kind: 'snapshot', group: replica.group, token: outgoing.token, chunk, last });
}

function handleState(replica: Replica, item: GroupItem & { readonly kind: 'state' }, around: Surroundings): void {
  around.emit({ kind: 'state-taken', group: replica.group, token: item.token });
  if (item.first) replica.incoming = [];
  replica.incoming.push(item.chunk.slice());
  if (!item.last) return;
  if (replica.settings.kind === 'replicated') replica.state = decode(replica.incoming);
  replica.incoming = [];
}

function handleDelivery(replica: Replica, item: Delivery, around: Surroundings): void {
  const { group, state, settings } = replica;
  replica.delivered += 1;
  const { request } = item;
  const [name, number] = request ? [request.client, request.number] : [item.from.id, item.message];
  if (!isIntact(item.payload, name, number)) {
    around.fail('NO-CREATE', `${group}: payload of ${item.from.id}:${item.message} is not what was sent`);
  }
  if (replica.pace === 0) replica.unreported += item.payload.length;
  if (request?.repeated) {
    if (state !== null && item.position > 0) state.position = item.position;
    return;
  }
  if (request) handleRequest(replica, request, around);
  if (settings.kind === 'replicated' && state === null) {
    around.fail('STATE', `${group}: ${item.from.id}:${item.message} handed out before the state`);
  }
  if (state !== null) {
    apply(state, item.from.id, item.message, item.position, item.payload.length, item.time);
    if (state.count % replica.habits.hashEvery === 0) {
      around.trace({ e: 'hash', g: group, v: String(item.view.id), pos: state.position, h: digest(state) });
    }
  }
}

/** A request takes effect once at each replica, what is in its state included; it may be answered late, or never. */
function handleRequest(replica: Replica, request: DeliveredRequest, around: Surroundings): void {
  const { group, state, habits, view } = replica;
  const name = `${request.client}:${request.number}`;
  const known = state?.requests ?? replica.requests;
  if (known.has(name)) around.fail('ONCE', `${group}: ${name} takes effect twice`);
  known.add(name);
  const self = view?.members[view.rank]?.id;
  if (!request.wantsReply || habits.replyAfter < 0 || self === undefined) return;
  const reply = (): void =>
    around.emit({ kind: 'reply', group, request, payload: replyOf(self, request.client, request.number) });
  if (habits.replyAfter === 0) reply();
  else around.later(habits.replyAfter, reply);
}
