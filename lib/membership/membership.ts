/**
 * The control plane: who is in the domain.
 *
 * A chain of states, each made from the one before by a decree that a quorum of its nodes has agreed on. All failure
 * detection, all timeouts and all quorums are here, and nowhere else. Stepped from outside: {@link receive}, {@link heard}
 * and {@link tick} take in what happened and add to `out` what is to be done.
 */
import type { DecreeNumber, Millis } from '../ids.js';
import { assert, assertNever } from '../assert.js';
import { encodeUtf8 } from '../wire/utf8.js';
import { catchUp, noteNumber, onAsk, onDecrees, onForgotten } from './catching-up.js';
import { createControl, lastResort, peerOf, wake } from './control.js';
import type { Membership, MembershipOptions, Outputs, Sender } from './control.js';
import { askForDeaths } from './deaths.js';
import { departWhenKnown } from './departing.js';
import { awake, hear, muteFrom, silentSince } from './detector.js';
import {
  forgetSightings,
  join,
  onChallenge,
  onExpired,
  onHello,
  onInvitation,
  onOffer,
  onRefusal,
  onWelcome,
  seek,
  sight,
  yieldToStronger,
} from './discovery.js';
import { keepForcing, onForce } from './forcing.js';
import { beat } from './heartbeat.js';
import { doubtOneself, judge, takeReport, unsuspect } from './judging.js';
import { addressBytesMax, nameBytesMax } from '../limits.js';
import { isInward } from './messages.js';
import type { ControlMessage, ControlMessageOf, InwardMessage, OutwardMessage } from './messages.js';
import { onAccept, onAccepted, onPrepare, onPromise, onRejected, propose } from './proposing.js';
import { request, onGroupRefusal, takeRequest } from './requesting.js';
import { nodeByIncarnation } from './state.js';
import { isGone, probeDue } from './tether.js';

export { domainTag } from './control.js';
export type { Destination, Membership, MembershipOptions, MembershipOutput, Outputs, Sender } from './control.js';
export { noteDeath } from './deaths.js';
export { force } from './forcing.js';
export { isQuorate, isSuspected, lackOf, missedBy } from './judging.js';
export { controlMessage, isLasting } from './messages.js';
export type { ControlMessage } from './messages.js';
export { noteProbe, tetherBroke } from './tether.js';
export { endView, joinGroup, leaveDomain, leaveGroup, prepareToLeave } from './requesting.js';

/** A node that is about to look for its domain. */
export function createMembership(options: MembershipOptions, now: Millis): Membership {
  assert(encodeUtf8(options.name).length <= nameBytesMax, `a node's name has at most ${nameBytesMax} bytes`);
  assert(encodeUtf8(options.address).length <= addressBytesMax, `an address has at most ${addressBytesMax} bytes`);
  assert(Number.isSafeInteger(options.incarnation) && options.incarnation > 0, 'an incarnation is a positive integer');
  return createControl(options, now);
}

/** What a packet shows besides its sender: the tag of its domain and the number of its state, and whether it is for all. */
export interface Shown {
  readonly tag: number;
  readonly number: DecreeNumber;
  readonly isToAll: boolean;
}

/**
 * Any packet at all from another node: a sign of life, which shows the number of its state. To be called for each,
 * before what is in it is taken in; cheap.
 */
export function heard(m: Membership, from: Sender, { tag, number, isToAll }: Shown, now: Millis, out: Outputs): void {
  if (m.phase.kind === 'over' || from.incarnation === m.options.incarnation) return;
  awaken(m, now, out);
  const peer = peerOf(m, from, now);
  hear(m.detector, peer, now, isToAll);
  // who is busy says so more often than it tells of its domain; while that lives nobody founds another
  if (m.state === null && tag !== 0) m.domainHeardAt = now;
  if (m.state !== null && number <= m.state.number) peer.sameAt = now;
  // it goes on living beside whoever claims its address
  if (peer.claimedAt !== null && now > peer.claimedAt + 2 * m.options.heartbeat) peer.claimedAt = null;
  // in the steady state nothing is new, and this is all that a packet costs
  const isNews = tag !== peer.tag || number !== peer.number || number !== m.state?.number || peer.pushAt !== null;
  if (isNews) noteNumber(m, peer, from, { tag, number }, now);
  if (!isGone(m, peer, now) && now < muteFrom(m.detector, peer)) unsuspect(m, from.incarnation, now, out);
  if (m.news || m.detector.resumedAt !== null) wake(m, now);
  if (m.phase.kind === 'departing') departWhenKnown(m, now, out);
}

/** A control message from another node, whose packet was {@link heard}. */
export function receive(m: Membership, from: Sender, message: ControlMessage, now: Millis, out: Outputs): void {
  if (m.phase.kind === 'over' || from.incarnation === m.options.incarnation) return;
  awaken(m, now, out);
  if (!isInward(message)) receiveOutward(m, from, message, now, out);
  else if (message.domain === m.state?.id) receiveInward(m, from, message, now, out);
}

function receiveOutward(m: Membership, from: Sender, message: OutwardMessage, now: Millis, out: Outputs): void {
  switch (message.kind) {
    case 'hello':
      return onHello(m, from, message, now, out);
    case 'invitation':
      return onInvitation(m, message, now);
    case 'challenge':
      return onChallenge(m, message, now);
    case 'refusal':
      return onRefusal(m, message, out);
    case 'expired':
      return onExpired(m, message, out);
    case 'welcome':
      return onWelcome(m, message, now, out);
    case 'heartbeat':
      if (onHeartbeat(m, from, message, now)) propose(m, now, out);
      return;
    default:
      assertNever(message);
  }
}

function receiveInward(m: Membership, from: Sender, message: InwardMessage, now: Millis, out: Outputs): void {
  stepInward(m, from, message, now, out);
  // a vote may have decided, a request may be waiting
  propose(m, now, out);
}

function stepInward(m: Membership, from: Sender, message: InwardMessage, now: Millis, out: Outputs): void {
  switch (message.kind) {
    case 'offer':
      return onOffer(m, message, now, out);
    case 'request':
      return takeRequest(m, from, message, out);
    case 'group-refusal':
      return onGroupRefusal(m, message, now, out);
    case 'prepare':
      return onPrepare(m, from, message, now, out);
    case 'promise':
      return onPromise(m, from, message, now, out);
    case 'accept':
      return onAccept(m, from, message, now, out);
    case 'accepted':
      return onAccepted(m, from, message, now, out);
    case 'rejected':
      return onRejected(m, from, message, now);
    case 'decided':
      return onDecrees(m, [message.decree], now, out);
    case 'force':
      return onForce(m, from, message, out);
    case 'ask':
      return onAsk(m, from, message, now, out);
    case 'decrees':
      return onDecrees(m, message.decrees, now, out);
    case 'forgotten':
      return onForgotten(m, message, out);
    default:
      return assertNever(message);
  }
}

/** True if somebody is newly reported, so that there may be something to propose. */
function onHeartbeat(m: Membership, from: Sender, message: ControlMessageOf<'heartbeat'>, now: Millis): boolean {
  if (m.state === null || message.domain !== m.state.id) {
    sight(m, message, now);
    return false;
  }
  const node = nodeByIncarnation(m.state, from.incarnation);
  if (node !== undefined) {
    peerOf(m, node, now).lag = message.lag;
    if (message.strangers.length === 0) m.strangers.delete(node.id);
    else m.strangers.set(node.id, new Set(message.strangers));
  }
  return node !== undefined && takeReport(m, node, message.suspected, now);
}

/** Does what is due. To be called at {@link nextTick} or later. */
export function tick(m: Membership, now: Millis, out: Outputs, behind = false): void {
  if (m.phase.kind === 'over') return;
  awaken(m, now, out);
  // at least this often: a longer pause of this process is told from silence of the others
  m.wakeAt = now + m.options.heartbeat;
  if (behind) {
    // what is still queued may show who lives, or a domain to join
    m.detector.judgeFrom = Math.max(m.detector.judgeFrom, now + m.options.heartbeat / 4);
    if (m.detector.resumedAt !== null) m.detector.resumedAt = now;
    wake(m, m.detector.judgeFrom);
  } else if (m.phase.kind === 'seeking') seek(m, m.phase, now, out);
  else if (m.phase.kind === 'joining') join(m, m.phase, now, out);
  probeDue(m, now, out);
  judge(m, now, out);
  askForDeaths(m, now, out);
  yieldToStronger(m, now, out);
  keepForcing(m, now, out);
  request(m, now, out);
  propose(m, now, out);
  catchUp(m, now, out);
  departWhenKnown(m, now, out);
  beat(m, now, out);
  prune(m, now);
}

/** When `tick` is due. */
export function nextTick(m: Membership): Millis {
  return m.wakeAt;
}

/** A packet to all went out: no heartbeat is due. */
export function multicastSent(m: Membership, now: Millis): void {
  m.lastMulticast = now;
}

function awaken(m: Membership, now: Millis, out: Outputs): void {
  if (!awake(m.detector, now)) return;
  doubtOneself(m, now, out);
  // the others are told at once how late it came
  m.news = true;
  wake(m, now);
}

/** Forgets those who have nothing to do with this node any more. */
function prune(m: Membership, now: Millis): void {
  if (now - m.lastPruned < m.options.timeout) return;
  m.lastPruned = now;
  if (m.phase.kind !== 'joining') forgetSightings(m, now);
  for (const [incarnation, peer] of m.peers) {
    if (now - silentSince(peer) < lastResort(m)) continue;
    if (m.state === null || nodeByIncarnation(m.state, incarnation) === undefined) m.peers.delete(incarnation);
  }
}
