/**
 * Sending: how a message of this node's member gets to the core, and what is refused here, where the caller sees it.
 */
import type { Ask, NodeEvent, RequestId } from '../lib/events.js';
import type { Order } from '../lib/membership/state.js';
import { wedgedFor } from '../lib/inspect.js';
import { GroupFull, GroupWedged, MessageTooLarge, NotAMember, NotEncodable, OrderTooWeak } from './errors.js';
import { tell, type Member } from './host.js';
import { internal, kindStructure } from './internal.js';
import { encodePayload } from './payload.js';
import { classOf, nextNumber, queuedBytes } from './receipts.js';
import { contextIfFits } from './trace-context.js';
import { definition, takeWanted, type StructureTable } from './structures.js';

const orders: readonly Order[] = ['fifo', 'causal', 'total', 'barrier'];

/**
 * Hands a message to the core. Returns its number.
 *
 * Throws {@link GroupFull}, {@link GroupWedged}, {@link MessageTooLarge}, {@link NotEncodable}, {@link NotAMember},
 * {@link OrderTooWeak}.
 */
export function send(member: Member, message: unknown, order: Order, uniform: boolean): number {
  const span = member.host.tracing?.begin(member.group, 'send');
  if (span === undefined) return commit(member, message, order, uniform);
  try {
    const number = commit(member, message, order, uniform, { context: span.context });
    span.sent(`${member.outbox.node}:${number}`);
    span.end();
    return number;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** What a message of this member's is besides: a question, part of a trace. */
interface With {
  readonly ask?: Ask;
  readonly context?: Uint8Array | undefined;
}

function commit(member: Member, message: unknown, order: Order, uniform: boolean, besides?: With): number {
  admit(member, order);
  const payload = encoded(member, message, order, besides?.context);
  const number = hand(member, payload, order, uniform, besides?.ask && { ask: besides.ask });
  keep(member, number, message);
  if (member.structures) propose(member, member.structures);
  return number;
}

/** Keeps a message until it is stable, for a `restore` that may have to be told that it was not sent. */
function keep({ behavior, outbox }: Member, number: number, message: unknown): void {
  if (behavior.restore) outbox.kept.push({ number, message });
}

/** Proposes the structures that have come up often. One for which there is no room now is proposed again later. */
function propose(member: Member, structures: StructureTable): void {
  const { host, outbox, queueLengthMax, phase } = member;
  for (const keys of takeWanted(structures)) {
    const isBusy =
      2 * (outbox.last - outbox.accepted) > queueLengthMax || 2 * queuedBytes(outbox) > host.options.queueBytesMax;
    if (phase !== 'member' || isBusy) continue;
    sendInternal(member, kindStructure, definition(structures, keys), 'total', true);
  }
}

/** As {@link send}; the message is a question, and `context` the trace that it is part of. */
export function sendAsk(
  member: Member,
  message: unknown,
  order: Order,
  uniform: boolean,
  ask: Ask,
  context?: Uint8Array,
): number {
  return commit(member, message, order, uniform, { ask, context });
}

/** Multicasts another node's request. Throws {@link GroupFull}, {@link GroupWedged}, {@link MessageTooLarge}, {@link NotAMember}. */
export function passOn(member: Member, request: RequestId, payload: Uint8Array): number {
  admit(member, 'total');
  checkLength(member, payload);
  return hand(member, payload, 'total', true, { request });
}

/** Multicasts what is for members, not for their functions. Throws {@link GroupFull}. */
export function sendInternal(member: Member, kind: number, body: Uint8Array, order: Order, uniform: boolean): void {
  hand(member, internal(kind, body), order, uniform);
}

/** No message is encoded as nothing, so nothing marks a place in the order. */
const marker = new Uint8Array(0);

/**
 * Multicasts what no function sees: when it is delivered here, so is all that anybody had completed before. It is uniform: were it
 * not, a sequencer that the others have gone on without, and does not know it yet, would deliver it by itself.
 */
export function sendMarker(member: Member): number {
  admit(member, 'total');
  return hand(member, marker, 'total', true);
}

function admit(member: Member, order: Order): void {
  const { outbox, group, phase } = member;
  if (phase === 'gone') throw member.gone ?? new NotAMember(group, 'it has left');
  if (phase === 'leaving') throw new NotAMember(group, 'it is leaving');
  refuseWedged(member);
  if (order !== member.order && member.settings.kind === 'replicated') checkFloor(member, order);
  if (outbox.last - outbox.accepted >= member.queueLengthMax) throw full(member);
}

/** Unless it is to wait, nothing is sent that may never be delivered. */
function refuseWedged({ host, group, whileWedged }: Member): void {
  const { core } = host.life;
  // the core says at once what the member's status says once its actor has come to it
  const why = whileWedged === 'refuse' && core?.host.quorate === false ? wedgedFor(core, group) : null;
  if (why !== null) throw new GroupWedged(group, why);
}

function encoded(member: Member, message: unknown, order: Order, context: Uint8Array | undefined): Uint8Array {
  const payload = encodePayload(member, message, order);
  checkLength(member, payload);
  if (payload.length === 0) throw new NotEncodable('message', 'the codec gave no bytes');
  return context === undefined ? payload : contextIfFits(context, payload, member.host.options.messageBytesMax);
}

function checkLength({ host }: Member, { length }: Uint8Array): void {
  const { messageBytesMax } = host.options;
  if (length > messageBytesMax) throw new MessageTooLarge(length, messageBytesMax);
}

/** What a multicast is besides. */
type Besides = Pick<Extract<NodeEvent, { kind: 'multicast' }>, 'ask' | 'request'>;

function hand(member: Member, payload: Uint8Array, order: Order, uniform: boolean, besides?: Besides): number {
  const { host, outbox, group, phase } = member;
  const queued = queuedBytes(outbox);
  if (queued > 0 && queued + payload.length > host.options.queueBytesMax) throw full(member);
  const number = nextNumber(outbox, payload.length, classOf(order, uniform));
  const event: NodeEvent = { kind: 'multicast', group, message: number, payload, order, uniform };
  const told = besides ? { ...event, ...besides } : event;
  if (phase === 'member') tell(host, told);
  else member.held.push(told);
  host.meter?.sent(member, number);
  return number;
}

function full({ outbox, group }: Member): GroupFull {
  return new GroupFull(group, outbox.last - outbox.accepted, queuedBytes(outbox));
}

function checkFloor(member: Member, order: Order): void {
  if (orders.indexOf(order) < orders.indexOf(member.order)) throw new OrderTooWeak(member.group, order, member.order);
}
