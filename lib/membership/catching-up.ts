/**
 * Nobody stays behind. Every packet shows the number of its sender's state: whoever sees a lower one pushes the decrees
 * that are lacking, whoever sees a higher one asks for them. Both wait a moment, for what is on its way.
 *
 * A node that was let in and knows it before its elders do (its proposer died after telling it alone) brings them the
 * decree in the same way, and so does a node that reads of its own exclusion.
 */
import type { DecreeNumber, Millis } from '../ids.js';
import { end, jittered, lastResort, log, peerOf, replyTo, unicast, wake, domainTag } from './control.js';
import type { Membership, Outputs, Peer, Sender } from './control.js';
import { decreesAfter, tail } from './decree-log.js';
import { believedProposer } from './judging.js';
import { learn } from './learning.js';
import { answersPerHeartbeat, datagramsInVain } from '../limits.js';
import type { ControlMessageOf } from './messages.js';
import { nodeByIncarnation } from './state.js';
import type { Decree, DomainState } from './state.js';

/** Notes which state a packet shows its sender to be in. */
export function noteNumber(
  m: Membership,
  peer: Peer,
  from: Sender,
  shown: { tag: number; number: DecreeNumber },
  now: Millis,
): void {
  if (shown.tag !== 0) peer.tag = shown.tag;
  if (shown.number > peer.number) {
    peer.number = shown.number;
    peer.pushes = 0;
  }
  const state = m.state;
  if (state === null || peer.number === state.number) {
    peer.pushAt = null;
    peer.pushes = 0;
    return;
  }
  if (isBehind(peer, state, from)) {
    peer.pushAt ??= Math.max(now + patienceToPush(m, state), peer.pushFrom);
    wake(m, peer.pushAt);
  } else if (peer.tag === domainTag(state.id) && m.phase.kind === 'member') askSoon(m, from, now);
}

/** Whether a node lacks decrees, or, just let in, the whole state. */
function isBehind(peer: Peer, state: DomainState, from: Pick<Sender, 'incarnation'>): boolean {
  if (peer.tag === 0) return nodeByIncarnation(state, from.incarnation) !== undefined;
  return peer.number < state.number && peer.tag === domainTag(state.id);
}

/** The proposer first, then, if that does not help, the others, not all at once. */
function patienceToPush(m: Membership, state: DomainState): Millis {
  const first = m.phase.kind === 'member' && believedProposer(m, state).id === m.id;
  return first ? m.options.heartbeat / 2 : 1.5 * jittered(m, m.options.heartbeat);
}

function askSoon(m: Membership, from: Sender, now: Millis): void {
  m.behindSince ??= now;
  if (m.ask === null) m.ask = { to: from.incarnation, at: now + jittered(m, m.options.heartbeat / 8) };
  else m.ask.to = from.incarnation;
  wake(m, m.ask.at);
}

/** Sends what is due to those who are behind, and asks for what is lacking here. */
export function catchUp(m: Membership, now: Millis, out: Outputs): void {
  if (m.state === null) return;
  for (const [incarnation, peer] of m.peers) {
    if (peer.pushAt === null) continue;
    if (!isBehind(peer, m.state, { incarnation })) peer.pushAt = null;
    else if (peer.pushAt > now) wake(m, peer.pushAt);
    else {
      supply(m, m.state, { incarnation, address: peer.address }, peer, out);
      peer.pushAt = null;
      peer.pushFrom = now + 2 * m.options.heartbeat;
    }
  }
  askWhenDue(m, m.state, now, out);
}

function askWhenDue(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  if (m.ask === null || m.phase.kind !== 'member') return;
  const peer = m.peers.get(m.ask.to);
  // a dead node's decrees are not to be had from it; whether they can be had at all is for a quorum to find out
  if (peer === undefined || peer.number <= state.number || peer.heardAt < now - m.options.timeout) {
    m.ask = null;
    m.behindSince = null;
    return;
  }
  if (m.behindSince !== null && now - m.behindSince >= lastResort(m)) {
    giveUp(m, state, 'nobody has the decrees that this node lacks', out);
    return;
  }
  if (now >= m.ask.at) {
    m.ask.at = now + m.options.heartbeat;
    const to = replyTo(m, { incarnation: m.ask.to, address: peer.address });
    unicast(to, { kind: 'ask', domain: state.id, after: state.number }, out);
  }
  wake(m, m.ask.at);
}

/** Sends one node what it lacks. */
function supply(m: Membership, state: DomainState, to: Sender, peer: Peer, out: Outputs): void {
  const member = nodeByIncarnation(state, to.incarnation) !== undefined;
  peer.pushes += 1;
  const isAgain = peer.pushes > datagramsInVain;
  if (peer.tag === 0 && member) unicast(replyTo(m, to), welcomeOf(m, state), out, isAgain);
  else answer(m, state, to, peer.number, out, isAgain);
}

/** Answers who asks, but not so often that questions make a flood of answers; who is honest asks again later. */
function answerInTime(
  m: Membership,
  state: DomainState,
  to: Sender,
  after: DecreeNumber,
  now: Millis,
  out: Outputs,
): void {
  const peer = peerOf(m, to, now);
  if (now < peer.answerFrom) return;
  peer.answerFrom = now + m.options.heartbeat / answersPerHeartbeat;
  answer(m, state, to, after, out);
}

/** Sends the decrees after a number, or says that they are forgotten. */
function answer(
  m: Membership,
  state: DomainState,
  to: Sender,
  after: DecreeNumber,
  out: Outputs,
  isAgain: boolean = false,
): void {
  const decrees = decreesAfter(m.log, after);
  const member = nodeByIncarnation(state, to.incarnation) !== undefined ? 'in' : 'out';
  if (decrees.length > 0) unicast(replyTo(m, to), { kind: 'decrees', domain: state.id, decrees }, out, isAgain);
  else unicast(replyTo(m, to), { kind: 'forgotten', domain: state.id, number: state.number, member }, out, isAgain);
}

/** The state for those who were let in, with the decrees that led to it. */
export function welcomeOf(m: Membership, state: DomainState): ControlMessageOf<'welcome'> {
  return { kind: 'welcome', state, decrees: tail(m.log) };
}

/** Somebody asks for decrees. */
export function onAsk(m: Membership, from: Sender, message: ControlMessageOf<'ask'>, now: Millis, out: Outputs): void {
  if (m.state !== null && message.after < m.state.number) answerInTime(m, m.state, from, message.after, now, out);
}

/** An acceptor is wanted for a decree that is known here to be decided: its proposer ought to know, at once. */
export function correct(m: Membership, from: Sender, wanted: DecreeNumber, now: Millis, out: Outputs): void {
  if (m.state === null || peerOf(m, from, now).number >= m.state.number) return;
  answerInTime(m, m.state, from, wanted - 1, now, out);
}

/** Decrees that are decided: those that come next are taken in. */
export function onDecrees(m: Membership, decrees: readonly Decree[], now: Millis, out: Outputs): void {
  for (const decree of decrees) {
    if (m.phase.kind === 'member' && m.state !== null && decree.number === m.state.number + 1)
      learn(m, decree, now, out);
  }
}

/**
 * The decrees that are lacking are not to be had there. A state above one's own that one is not in settles it: an
 * identity that is out never comes back in. Otherwise others may still have them.
 */
export function onForgotten(m: Membership, message: ControlMessageOf<'forgotten'>, out: Outputs): void {
  if (m.state === null || m.phase.kind !== 'member' || message.number <= m.state.number) return;
  if (message.member === 'out') giveUp(m, m.state, 'excluded, so long ago that the decree is forgotten', out);
}

/** Without the decree there is nothing to serve. */
function giveUp(m: Membership, state: DomainState, why: string, out: Outputs): void {
  log(out, 'warn', why, { founding: state.id, number: state.number });
  out.push({ kind: 'excluded', why, state });
  end(m, m.leavingSince === null ? { kind: 'restart', why } : { kind: 'left' }, out);
}
