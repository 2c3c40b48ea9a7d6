/**
 * Spawning a member of a group: an ordinary nact actor whose `dispatch`, `stop` and `reset` are those of the group.
 */
import { Nobody, spawn, type Ref } from 'nact';
import type { NodeEvent } from '../lib/events.js';
import type { GroupOrder, GroupSettings, Order } from '../lib/membership/state.js';
import {
  DuplicateMember,
  GroupFull,
  InvalidOption,
  MessageTooLarge,
  NotAMember,
  NotEncodable,
  OrderTooWeak,
} from './errors.js';
import { drain } from './group-actor.js';
import { deferred, hostOf, registerMember, tell, type Behavior, type Host, type Member } from './host.js';
import { beginLeave, join, wrapAncestors } from './leave.js';
import { actorLogger } from './logging.js';
import { inside, outside, type NactActor, type NactParent, type NactRef } from './nact-internals.js';
import { groupStream } from './observables.js';
import { classOf, nextNumber, queuedBytes } from './receipts.js';
import { resetMember } from './supervision.js';
import { outboxOf } from './transport-actor.js';
import type { Codec, CommonProps, GroupFunc, GroupRef, MemberProps, ReplicatedProps } from './types.js';
import { codecName, decodeValue, encodeValue } from './values.js';

const groupOrders: readonly GroupOrder[] = ['fifo', 'causal', 'total'];
const orders: readonly Order[] = [...groupOrders, 'barrier'];

/**
 * Spawns a member whose state is replicated: total order unless `props.order` says otherwise, state transfer on join.
 * The actor's name is the group's; a node has one member of a group.
 *
 * Throws {@link DuplicateMember}, {@link NotInDomain} if the system was not started with `groups`, and nact's own errors.
 */
export function spawnReplicated<State, Msg>(
  parent: Ref<never>,
  f: GroupFunc<State, Msg>,
  name: string,
  props: ReplicatedProps<NoInfer<State>, NoInfer<Msg>> = {},
): GroupRef<Msg, State> {
  return spawnGroup('replicated', parent, f as Behavior['f'], name, props as AnyProps);
}

/**
 * Spawns a plain group member: its own state, no transfer. Otherwise as {@link spawnReplicated}.
 */
export function spawnMember<State, Msg>(
  parent: Ref<never>,
  f: GroupFunc<State, Msg>,
  name: string,
  props: MemberProps<NoInfer<State>, NoInfer<Msg>> = {},
): GroupRef<Msg, State> {
  return spawnGroup('plain', parent, f as Behavior['f'], name, props as AnyProps);
}

type AnyProps = CommonProps<unknown, unknown> &
  Pick<ReplicatedProps<unknown, unknown>, 'snapshot' | 'onTransfer'> &
  Loose;
/** What differs between the two kinds, or takes what only its user can type. */
interface Loose {
  readonly onDirect?: (state: unknown, msg: unknown, ctx: unknown) => unknown;
  readonly restore?: (snapshot: unknown) => unknown;
}

function spawnGroup(
  kind: GroupSettings['kind'],
  parent: Ref<never>,
  f: Behavior['f'],
  group: string,
  props: AnyProps,
): Ref<unknown> {
  const host = hostOf(parent);
  const order = props.order ?? 'total';
  if (!groupOrders.includes(order))
    throw new InvalidOption(`order must be one of ${groupOrders.join(', ')}, not ${String(order)}`);
  if (typeof group !== 'string' || group === '')
    throw new InvalidOption("a member of a group needs a name: the group's");
  if (host.phase === 'leaving' || host.phase === 'left' || host.phase === 'refused') {
    throw new NotAMember(group, 'the system has left its domain');
  }
  const earlier = host.members.get(group);
  const living = host.successors.get(group) ?? (earlier?.phase === 'leaving' ? undefined : earlier);
  if (living) throw new DuplicateMember(group, String(living.ref.path));

  const cell: { member?: Member } = {};
  const ref = inside(
    spawn(parent, () => drain(cell.member as Member), group, {
      ...(props.onCrash ? { onCrash: props.onCrash as never } : {}),
      ...(props.afterStop ? { afterStop: props.afterStop as never } : {}),
      ...(props.shutdownAfter === undefined ? {} : { shutdownAfter: props.shutdownAfter }),
    }),
  );
  const actor = host.system.find(ref) as NactActor;
  const member = createMember(host, kind, order, f, group, props, actor, ref);
  cell.member = member;
  patchActor(member);
  wrapAncestors(member);
  registerMember(member);
  if (earlier) host.successors.set(group, member);
  else join(member);
  return outside(ref);
}

function createMember(
  host: Host,
  kind: GroupSettings['kind'],
  order: GroupOrder,
  f: Behavior['f'],
  group: string,
  props: AnyProps,
  actor: NactActor,
  ref: NactRef,
): Member {
  const codec: Codec = props.codec ?? {
    name: codecName,
    encode: (message) => encodeValue(message, host.refs),
    decode: (bytes) => decodeValue(bytes, host.refs),
  };
  const behavior: Behavior = {
    f,
    onView: props.onView as Behavior['onView'],
    onDirect: props.onDirect,
    snapshot: props.snapshot,
    restore: props.restore,
    onTransfer: props.onTransfer,
    initialState: props.initialState,
    initialStateFunc: props.initialStateFunc as Behavior['initialStateFunc'],
  };
  return {
    host,
    group,
    settings: { kind, order, codec: codec.name },
    order,
    codec,
    behavior,
    queueLengthMax: Math.min(props.mailboxLimit ?? host.options.queueLengthMax, host.options.queueLengthMax),
    actor,
    ref,
    ancestors: ancestorsOf(actor),
    log: actor.log ?? actorLogger(host.log, String(actor.path)),
    stream: groupStream(),
    phase: 'waiting',
    gone: undefined,
    left: deferred(),
    outbox: outboxOf(host, group),
    held: [],
    items: [],
    head: 0,
    enqueued: 0,
    applied: 0,
    tokened: false,
    draining: false,
    discarding: false,
    state: kind === 'plain' ? plainState(behavior, actor) : undefined,
    hasState: kind === 'plain',
    founder: false,
    inPlace: false,
    asynchronous: [f, props.onView, props.onDirect].some(isAsync),
    returned: 0,
    position: 0,
    time: 0,
    view: undefined,
    viewInfo: undefined,
    me: undefined,
    consumed: 0,
    dropped: 0,
    waiters: [],
    flushes: new Map(),
    outgoing: new Map(),
    incoming: undefined,
  };
}

function plainState(behavior: Behavior, actor: NactActor): unknown {
  return behavior.initialStateFunc ? behavior.initialStateFunc(actor.createContext(undefined)) : behavior.initialState;
}

function isAsync(f: unknown): boolean {
  return Object.prototype.toString.call(f) === '[object AsyncFunction]';
}

function ancestorsOf(actor: NactActor): NactParent[] {
  const ancestors: NactParent[] = [];
  for (let at = actor.parent; at; at = at.parent) ancestors.push(at);
  return ancestors;
}

/** Makes nact's functions mean the group. */
function patchActor(member: Member): void {
  const { actor } = member;
  actor.dispatch = (message, sender) => dispatchTo(member, message, sender);
  actor.stop = () => beginLeave(member, false);
  actor.reset = () => resetMember(member);
}

/** nact's dispatch: what a full queue does not take is dropped loudly, since nobody looks at a result. */
function dispatchTo(member: Member, message: unknown, sender: unknown): void {
  try {
    const number = send(member, message, member.order, false);
    if (sender !== undefined && !(sender instanceof Nobody)) member.outbox.senders.set(number, sender);
  } catch (error) {
    if (!(error instanceof GroupFull)) throw error;
    member.dropped += 1;
    // one line for each doubling: a program that floods must not flood its log as well
    if ((member.dropped & (member.dropped - 1)) !== 0) return;
    const why = `${member.dropped} dispatched so far dropped: ${error.message}`;
    member.log.error(why);
    const { subject, status } = member.stream;
    if (subject.observed) subject.next({ kind: 'status', status, why });
  }
}

/**
 * Hands a message to the core. Returns its number.
 *
 * Throws {@link GroupFull}, {@link MessageTooLarge}, {@link NotEncodable}, {@link NotAMember}, {@link OrderTooWeak}.
 */
export function send(member: Member, message: unknown, order: Order, uniform: boolean): number {
  admit(member, order);
  return hand(member, encoded(member, message), order, uniform);
}

/** No message is encoded as nothing, so nothing marks a place in the order. */
const marker = new Uint8Array(0);

/** Multicasts what no function sees: when it is delivered here, so is all that anybody had completed before. */
export function sendMarker(member: Member): number {
  admit(member, 'total');
  return hand(member, marker, 'total', false);
}

function admit(member: Member, order: Order): void {
  const { outbox, group, phase } = member;
  if (phase === 'gone') throw member.gone ?? new NotAMember(group, 'it has left');
  if (phase === 'leaving') throw new NotAMember(group, 'it is leaving');
  if (order !== member.order && member.settings.kind === 'replicated') checkFloor(member, order);
  if (outbox.last - outbox.accepted >= member.queueLengthMax) throw full(member);
}

function encoded(member: Member, message: unknown): Uint8Array {
  const payload = member.codec.encode(message);
  const { messageBytesMax } = member.host.options;
  if (payload.length > messageBytesMax) throw new MessageTooLarge(payload.length, messageBytesMax);
  if (payload.length === 0) throw new NotEncodable('message', 'the codec gave no bytes');
  return payload;
}

function hand(member: Member, payload: Uint8Array, order: Order, uniform: boolean): number {
  const { host, outbox, group, phase } = member;
  const queued = queuedBytes(outbox);
  if (queued > 0 && queued + payload.length > host.options.queueBytesMax) throw full(member);
  const number = nextNumber(outbox, payload.length, classOf(order, uniform));
  const event: NodeEvent = { kind: 'multicast', group, message: number, payload, order, uniform };
  if (phase === 'member') tell(host, event);
  else member.held.push(event);
  return number;
}

function full({ outbox, group }: Member): GroupFull {
  return new GroupFull(group, outbox.last - outbox.accepted, queuedBytes(outbox));
}

function checkFloor(member: Member, order: Order): void {
  if (orders.indexOf(order) < orders.indexOf(member.order)) throw new OrderTooWeak(member.group, order, member.order);
}
