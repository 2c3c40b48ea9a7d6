/**
 * A few real nodes on a tiny network in virtual time, each with a model actor per group. Every packet takes a
 * millisecond; a rule may drop, hold or watch each one. Nothing is drawn by chance: the same script gives the same run.
 */
import { eachOf } from '../../lib/deliveries.js';
import type {
  Delivery,
  Effect,
  GroupItem,
  GroupStatus,
  NodeEvent,
  TransferToken,
  ViewInfo,
  Wanted,
} from '../../lib/events.js';
import { nameOf } from '../../lib/ids.js';
import { describePacket, gauge } from '../../lib/inspect.js';
import type { GroupSettings, Order } from '../../lib/membership/state.js';
import { type Node, createNode, defaults, nextTick, ready, step } from '../../lib/node.js';
import type { NodeOptions } from '../../lib/options.js';

/** A packet for one receiver. */
export interface Packet {
  readonly by: 'multicast' | 'unicast' | 'stream';
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
  /** What `describePacket` says. */
  readonly holds: readonly string[];
}

/** `hold`: it waits for {@link release}. */
export type Verdict = 'pass' | 'drop' | 'hold';

/** A group's actor at one member: it keeps all it gets, and replicates the list of all multicasts. */
export interface Actor {
  readonly items: GroupItem[];
  readonly views: ViewInfo[];
  readonly deliveries: Delivery[];
  /** Names of all multicasts in their order, the state's included; null before there is a state. */
  state: string[] | null;
  status: GroupStatus | null;
  sent: number;
  accepted: number;
  stable: number;
  /** What it replies to a request; null: it keeps silent. */
  reply: ((name: string) => string | null) | null;
  /** Requests that came to it, each with the one that its client says it has sent here before. */
  readonly requests: { readonly number: number; readonly previous: number }[];
  /** What it says as the contact of a request: null lets it in; `later`: nothing yet. */
  refuses: { readonly why: string; readonly again: boolean } | 'later' | null;
  /** Whether it works off what it gets. */
  consumes: boolean;
  unconsumed: number;
  incoming: string;
  readonly snapshots: Map<string, { readonly token: TransferToken; readonly text: string; at: number }>;
}

/** One life of a node. */
export interface Member {
  readonly name: string;
  readonly address: string;
  readonly node: Node;
  readonly actors: Map<string, Actor>;
  alive: boolean;
  /** Effects other than packets and deliveries, by kind. */
  readonly told: Effect[];
}

interface Arrival {
  readonly at: number;
  readonly packet: Packet;
}

/** See the file's head. */
export interface Network {
  now: number;
  readonly members: Map<string, Member>;
  /** What becomes of each packet. */
  rule: (packet: Packet) => Verdict;
  arrivals: Arrival[];
  held: Packet[];
  /** Packets sent: one for each effect, however many receive it. */
  sent: number;
  incarnations: number;
  readonly options: Partial<NodeOptions>;
  /** Bytes of state in one chunk. */
  chunkBytes: number;
}

/** A group whose members replicate a state. */
export const replicated: GroupSettings = { kind: 'replicated', order: 'total', codec: 'none' };
/** A group without a state. */
export const plain: GroupSettings = { kind: 'plain', order: 'fifo', codec: 'none' };

/** A network without nodes. Times are short, so that failures are found soon. */
export function createNetwork(options: Partial<NodeOptions> = {}): Network {
  return {
    now: 0,
    members: new Map(),
    rule: () => 'pass',
    arrivals: [],
    held: [],
    sent: 0,
    incarnations: 100,
    options: { heartbeat: 50, timeout: 400, timeoutMax: 400, discovery: 60, ...options },
    chunkBytes: 64 * 1024,
  };
}

/** Starts a node; whoever had its name must be gone. */
export function start(net: Network, name: string, own: Partial<NodeOptions> = {}): Member {
  net.incarnations += 1;
  const address = `at-${name}`;
  const options = { ...defaults, domain: 'd', ...net.options, ...own, name, incarnation: net.incarnations, address };
  const node = createNode(options, net.now);
  const member: Member = { name, address, node, actors: new Map(), alive: true, told: [] };
  net.members.set(name, member);
  settle(net, member);
  return member;
}

/** The member of this name. */
export function at(net: Network, name: string): Member {
  const member = net.members.get(name);
  if (!member) throw new Error(`no member ${name}`);
  return member;
}

/** A member's actor of a group. */
export function actorOf(member: Member, group = 'g'): Actor {
  let actor = member.actors.get(group);
  if (!actor) {
    actor = {
      items: [],
      views: [],
      deliveries: [],
      state: null,
      status: null,
      sent: 0,
      accepted: 0,
      stable: 0,
      reply: (name) => `${member.name}: ${name}`,
      requests: [],
      refuses: null,
      consumes: true,
      unconsumed: 0,
      incoming: '',
      snapshots: new Map(),
    };
    member.actors.set(group, actor);
  }
  return actor;
}

/** Kills a node without a word. Its streams break. */
export function crash(net: Network, name: string): void {
  const dead = at(net, name);
  dead.alive = false;
  net.members.delete(name);
  net.arrivals = net.arrivals.filter(({ packet }) => packet.to !== dead.address);
  for (const member of net.members.values()) act(net, member, { kind: 'stream-down', to: dead.address });
}

/** Breaks the streams between two nodes: what is under way on them is lost, and both are told. */
export function breakStream(net: Network, a: string, b: string): void {
  const ends = [at(net, a), at(net, b)];
  const isLost = ({ by, from, to }: Packet): boolean =>
    by === 'stream' && ends.some(({ address }) => address === from) && ends.some(({ address }) => address === to);
  net.arrivals = net.arrivals.filter(({ packet }) => !isLost(packet));
  net.held = net.held.filter((packet) => !isLost(packet));
  for (const [member, other] of [ends, ends.toReversed()] as [Member, Member][]) {
    act(net, member, { kind: 'stream-down', to: other.address });
  }
}

/** Something happens to a node, in a batch of its own. */
export function act(net: Network, member: Member, ...events: readonly NodeEvent[]): void {
  for (const event of events) step(member.node, event, net.now);
  settle(net, member);
}

/** A packet arrives that nobody need have sent. */
export function inject(net: Network, to: Member, bytes: Uint8Array, from = 'nowhere'): void {
  act(net, to, { kind: 'datagram', bytes: bytes.slice(), from });
}

/** Joins a group. */
export function join(net: Network, name: string, group = 'g', settings = replicated): void {
  act(net, at(net, name), { kind: 'join-group', group, settings });
}

/** A multicast with this text, or these bytes. */
export interface Multicast {
  readonly group?: string;
  readonly order?: Order;
  readonly uniform?: boolean;
}

/** The event of a member's next multicast. */
export function multicastEvent(member: Member, content: string | Uint8Array, how: Multicast = {}): NodeEvent {
  const { group = 'g', order = 'total', uniform = false } = how;
  const actor = actorOf(member, group);
  actor.sent += 1;
  const payload = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { kind: 'multicast', group, message: actor.sent, payload, order, uniform };
}

/** Multicasts to a group, in a batch of its own. */
export function multicast(net: Network, name: string, content: string | Uint8Array, how: Multicast = {}): void {
  const member = at(net, name);
  act(net, member, multicastEvent(member, content, how));
}

/** What came of a request: the replies, by member, and how it ended, once it has. */
export interface Asked {
  readonly number: number;
  readonly replies: () => Readonly<Record<string, string>>;
  readonly end: () => (Effect & { kind: 'answered' }) | undefined;
}

let asks = 0;

/** Asks a group, as a member of it or from outside. */
export function ask(
  net: Network,
  name: string,
  text: string,
  how: { replies?: Wanted; timeout?: number; as?: 'member' } = {},
): Asked {
  const member = at(net, name);
  asks += 1;
  const number = asks;
  const { replies = 'all', timeout = 5000, as } = how;
  const payload = new TextEncoder().encode(text);
  act(
    net,
    member,
    as === 'member'
      ? ({ ...multicastEvent(member, text), ask: { number, replies, timeout } } as NodeEvent)
      : { kind: 'request', group: 'g', number, payload, replies, timeout },
  );
  return {
    number,
    replies: () =>
      Object.fromEntries(
        member.told.flatMap((effect) =>
          effect.kind === 'answer' && effect.number === number
            ? [[nameOf(effect.from), new TextDecoder().decode(effect.payload)]]
            : [],
        ),
      ),
    end: () =>
      member.told.find(
        (effect): effect is Effect & { kind: 'answered' } => effect.kind === 'answered' && effect.number === number,
      ),
  };
}

/** Lets virtual time pass. */
export function run(net: Network, millis: number): void {
  const end = net.now + millis;
  while (net.now < end) if (!advance(net, end)) return;
}

/** Lets time pass until something holds; fails if it does not within `limit` milliseconds. */
export function runUntil(net: Network, holds: () => boolean, what: string, limit = 5000): void {
  const end = net.now + limit;
  while (!holds()) {
    if (net.now >= end) throw new Error(`not within ${limit} ms: ${what}`);
    advance(net, end);
  }
}

/** To the next thing that happens, or to `end`. False when it got there. */
function advance(net: Network, end: number): boolean {
  const arrival = net.arrivals[0];
  let due = arrival?.at ?? Infinity;
  let ticking: Member | null = null;
  for (const member of net.members.values()) {
    // a timer is never due at once for ever: virtual time has to move
    const wanted = Math.max(net.now + 0.01, nextTick(member.node));
    if (wanted < due) [due, ticking] = [wanted, member];
  }
  if (due > end) {
    net.now = end;
    return false;
  }
  net.now = due;
  if (ticking) act(net, ticking, { kind: 'tick' });
  else if (arrival) {
    net.arrivals.shift();
    arrive(net, arrival.packet);
  }
  return true;
}

function arrive(net: Network, packet: Packet): void {
  const { by, from, to, bytes } = packet;
  for (const member of net.members.values()) {
    if (member.address !== to) continue;
    act(net, member, { kind: by === 'stream' ? 'stream' : 'datagram', bytes: bytes.slice(), from });
  }
}

/** Lets held packets go on, those that fit, in the order in which they were sent. */
export function release(net: Network, fits: (packet: Packet) => boolean = () => true): number {
  const free = net.held.filter(fits);
  net.held = net.held.filter((packet) => !fits(packet));
  for (const packet of free) arrive(net, packet);
  return free.length;
}

/** Ends a member's batch and carries out its effects, until there is nothing more to do at once. */
function settle(net: Network, member: Member): void {
  let answers: NodeEvent[];
  do {
    answers = [];
    for (const effect of ready(member.node, net.now)) carryOut(net, member, effect, answers);
    for (const answer of answers) step(member.node, answer, net.now);
  } while (answers.length > 0);
}

function carryOut(net: Network, member: Member, effect: Effect, answers: NodeEvent[]): void {
  switch (effect.kind) {
    case 'multicast':
      net.sent += 1;
      for (const { address } of net.members.values())
        if (address !== member.address) send(net, member, effect, address);
      return;
    case 'unicast':
    case 'stream':
      net.sent += 1;
      return send(net, member, effect, effect.to);
    case 'deliver': {
      const actor = actorOf(member, effect.group);
      for (const item of effect.items) take(net, actor, effect.group, item, answers);
      return;
    }
    case 'trace':
    case 'log':
    case 'tether':
    case 'probe':
    case 'domain':
    case 'joined':
    case 'refused':
    case 'group-refused':
    case 'force-refused':
    case 'confirm':
    case 'left':
    case 'restart':
    case 'answer':
    case 'answered':
    case 'remote':
      member.told.push(effect);
      return;
    default:
      effect satisfies never;
  }
}

function send(
  net: Network,
  member: Member,
  effect: Effect & { kind: 'multicast' | 'unicast' | 'stream' },
  to: string,
): void {
  const { kind: by, bytes } = effect;
  const packet: Packet = { by, from: member.address, to, bytes: bytes.slice(), holds: describePacket(bytes) };
  const verdict = net.rule(packet);
  if (verdict === 'pass') net.arrivals.push({ at: net.now + 1, packet });
  else if (verdict === 'hold') net.held.push(packet);
}

/** Names a delivery by all that members must agree on. */
export function nameOfDelivery({ from, message, payload }: Delivery): string {
  return `${from.id}:${message}:${digestOf(payload)}`;
}

/** Sixteen characters at most: short payloads as text, long ones as a sum and a length. */
function digestOf(payload: Uint8Array): string {
  if (payload.length <= 16) return new TextDecoder().decode(payload);
  let sum = 7;
  for (const byte of payload) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return `${sum}/${payload.length}`;
}

function take(net: Network, actor: Actor, group: string, item: GroupItem, answers: NodeEvent[]): void {
  actor.items.push(item);
  switch (item.kind) {
    case 'view':
      actor.views.push(item.view);
      for (const token of item.snapshots) {
        actor.snapshots.set(token.joiner, { token, text: JSON.stringify(actor.state), at: 0 });
        answers.push(nextChunk(net, actor, group, token));
      }
      return;
    case 'deliveries':
      for (const each of eachOf(item)) {
        actor.deliveries.push(each);
        if (!each.request?.repeated) apply(actor, group, each, answers);
      }
      if (actor.consumes) answers.push({ kind: 'consumed', group, bytes: item.payloadBytes });
      else actor.unconsumed += item.payloadBytes;
      return;
    case 'found':
      actor.state = [];
      return;
    case 'state':
      if (actor.consumes) answers.push({ kind: 'state-taken', group, token: item.token });
      actor.incoming = (item.first ? '' : actor.incoming) + new TextDecoder().decode(item.chunk);
      if (item.last) actor.state = JSON.parse(actor.incoming) as string[];
      return;
    case 'snapshot-continue':
      answers.push(nextChunk(net, actor, group, item.token));
      return;
    case 'snapshot-end':
      actor.snapshots.delete(item.token.joiner);
      return;
    case 'status':
      actor.status = item.status;
      return;
    case 'progress':
      actor.accepted = item.accepted;
      actor.stable = item.stable;
      return;
    case 'direct':
    case 'settled':
    case 'failed':
      return;
    case 'request':
      actor.requests.push({ number: item.request.number, previous: item.previous });
      if (actor.refuses !== 'later') answers.push(letIn(actor, group, item, actor.refuses));
      return;
    default:
      item satisfies never;
  }
}

/** A multicast takes effect; a request is answered. */
function apply(actor: Actor, group: string, item: Delivery, answers: NodeEvent[]): void {
  actor.state?.push(nameOfDelivery(item));
  const { request } = item;
  const text = request?.wantsReply ? actor.reply?.(digestOf(item.payload)) : null;
  if (request && typeof text === 'string') {
    answers.push({ kind: 'reply', group, request, payload: new TextEncoder().encode(text) });
  }
}

/** The contact of a request lets it in, as the next of its own multicasts, or does not. */
function letIn(
  actor: Actor,
  group: string,
  { request, payload }: GroupItem & { kind: 'request' },
  refusal: { readonly why: string; readonly again: boolean } | null,
): NodeEvent {
  if (refusal) return { kind: 'refuse', group, request, ...refusal };
  actor.sent += 1;
  return { kind: 'multicast', group, message: actor.sent, payload, order: 'total', uniform: true, request };
}

function nextChunk(net: Network, actor: Actor, group: string, token: TransferToken): NodeEvent {
  const snapshot = actor.snapshots.get(token.joiner);
  if (!snapshot) throw new Error('a chunk is asked for of a transfer that is over');
  const chunk = new TextEncoder().encode(snapshot.text.slice(snapshot.at, snapshot.at + net.chunkBytes));
  snapshot.at += net.chunkBytes;
  return { kind: 'snapshot', group, token, chunk, last: snapshot.at >= snapshot.text.length };
}

/** The actor catches up with what it was given. */
export function consume(net: Network, name: string, group = 'g'): void {
  const actor = actorOf(at(net, name), group);
  const bytes = actor.unconsumed;
  actor.unconsumed = 0;
  act(net, at(net, name), { kind: 'consumed', group, bytes });
}

/** Whether all living members of a group are active in one view of just them. */
export function isTogether(net: Network, group = 'g'): boolean {
  const views = new Set<number>();
  for (const { node, actors } of net.members.values()) {
    const current = node.groups.get(group)?.current;
    if (!node.groups.has(group)) continue;
    views.add(current?.view.id ?? 0);
    if (actors.get(group)?.status !== 'active' || current?.view.members.length !== sizeOf(net, group)) return false;
  }
  return views.size === 1;
}

/** Whether they are, and nothing is unstable, queued or waits for something. */
export function isQuiet(net: Network, group = 'g'): boolean {
  for (const { node } of net.members.values()) {
    const { unstable, queued, reorder, reassembly } = gauge(node);
    if (unstable + queued + reorder + reassembly > 0) return false;
  }
  return isTogether(net, group);
}

function sizeOf(net: Network, group: string): number {
  return [...net.members.values()].filter(({ node }) => node.groups.has(group)).length;
}

/** Nodes of these names in one domain, all members of `g`, oldest first. */
export function grouped(names: readonly string[], options: Partial<NodeOptions> = {}, settings = replicated): Network {
  const net = createNetwork(options);
  for (const name of names) {
    start(net, name);
    const size = net.members.size;
    runUntil(net, () => at(net, name).node.domain?.nodes.length === size, `${name} is in the domain`);
    join(net, name, 'g', settings);
    runUntil(net, () => isQuiet(net), `${name} is in the group`);
  }
  return net;
}

/** The texts of an actor's deliveries. */
export function texts(actor: Actor): string[] {
  return actor.deliveries.map(({ payload }) => new TextDecoder().decode(payload));
}
