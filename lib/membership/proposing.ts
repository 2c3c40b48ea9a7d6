/**
 * Agreement at work: who proposes, when it tries again, how votes become a decree.
 *
 * The oldest proposes in round 0: one round trip and one announcement. If it is suspected, the next takes over with a
 * higher round. Nothing is installed anywhere before a quorum has accepted it.
 */
import type { Millis } from '../ids.js';
import { must } from '../assert.js';
import { gather } from './batch.js';
import { correct, onDecrees, welcomeOf } from './catching-up.js';
import {
  accept,
  compareBallots,
  firstBallot,
  mayProposeAtOnce,
  nextBallot,
  preempt,
  promise,
  valueToCarry,
} from './consensus.js';
import type { Ballot } from './consensus.js';
import { jittered, multicast, replyTo, unicast, wake } from './control.js';
import type { Membership, Outputs, Sender } from './control.js';
import { canDecide } from './deaths.js';
import { isQuorate, mayPropose } from './judging.js';
import { joinersOf, learn } from './learning.js';
import { datagramsInVain, messageBytesMax } from '../limits.js';
import type { ControlMessageOf } from './messages.js';
import { ageRank, nodeByIncarnation } from './state.js';
import type { Decree, DomainState } from './state.js';

/** Proposes what is waiting, if it is this node's turn, or says again what has not been answered. */
export function propose(m: Membership, now: Millis, out: Outputs): void {
  // alone, a node decides at once, and goes on with what did not fit
  while (m.phase.kind === 'member' && m.state !== null) {
    const number = m.state.number;
    if (m.instance.proposer.kind !== 'idle') repeat(m, m.state, now, out);
    else if (now < m.quietUntil) wake(m, m.quietUntil);
    else if (isQuorate(m) && mayPropose(m, m.state, now)) begin(m, m.state, now, out);
    if (m.state.number === number) return;
  }
}

function begin(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  const rank = ageRank(state, m.id);
  const decree = gather(m, state, now);
  if (decree === null && m.instance.acceptor.accepted === null) return;
  if (rank === 0 && decree !== null && mayProposeAtOnce(m.instance))
    startAccept(m, state, firstBallot, decree, now, out);
  else startPrepare(m, state, nextBallot(m.instance, rank), now, out);
}

function startPrepare(m: Membership, state: DomainState, ballot: Ballot, now: Millis, out: Outputs): void {
  promise(m.instance, ballot);
  m.instance.proposer = { kind: 'preparing', ballot, promises: new Map([[m.id, m.instance.acceptor.accepted]]) };
  ballotSaid(m, state, now, out);
  countPromises(m, state, now, out);
}

function startAccept(
  m: Membership,
  state: DomainState,
  ballot: Ballot,
  decree: Decree,
  now: Millis,
  out: Outputs,
): void {
  accept(m.instance, { ballot, decree });
  m.instance.proposer = { kind: 'proposing', ballot, decree, votes: new Set([m.id]) };
  if (state.nodes.length > 1) ballotSaid(m, state, now, out);
  countVotes(m, state, now, out);
}

/** Says what is being proposed, and when to say it again. */
function ballotSaid(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  const { proposer, number } = m.instance;
  const previous = m.log.at(-1) ?? null;
  const isAgain = m.attempts > datagramsInVain;
  if (proposer.kind === 'preparing') {
    multicast(m, { kind: 'prepare', domain: state.id, number, ballot: proposer.ballot, previous }, now, out, isAgain);
  } else if (proposer.kind === 'proposing') {
    const { ballot, decree } = proposer;
    multicast(m, { kind: 'accept', domain: state.id, number, ballot, decree, previous }, now, out, isAgain);
  }
  m.retryAt = now + backoff(m);
  wake(m, m.retryAt);
}

function repeat(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  // who has not answered may be known to be dead by now
  countPromises(m, state, now, out);
  countVotes(m, state, now, out);
  if (m.state !== state || m.instance.proposer.kind === 'idle') return;
  if (now >= m.retryAt) {
    m.attempts += 1;
    ballotSaid(m, state, now, out);
  }
  wake(m, m.retryAt);
}

/** Longer each time, and not the same at any two nodes, so that proposers who are in each other's way part. */
function backoff(m: Membership): Millis {
  const { heartbeat, timeout } = m.options;
  return jittered(m, Math.min((heartbeat / 2) * 2 ** Math.min(m.attempts, 10), timeout));
}

/** Phase one, at an acceptor. */
export function onPrepare(
  m: Membership,
  from: Sender,
  message: ControlMessageOf<'prepare'>,
  now: Millis,
  out: Outputs,
): void {
  const state = stateToVoteIn(m, from, message, now, out);
  if (state === null) return;
  const { number, ballot } = message;
  const reply = { domain: state.id, number };
  const isAgain = compareBallots(m.instance.acceptor.promised, ballot) === 0;
  if (promise(m.instance, ballot)) {
    giveWay(m, now);
    const { accepted } = m.instance.acceptor;
    unicast(replyTo(m, from), { kind: 'promise', ...reply, ballot, accepted }, out, isAgain);
  } else unicast(replyTo(m, from), { kind: 'rejected', ...reply, ballot: m.instance.acceptor.promised }, out);
}

/** Phase two, at an acceptor. An excluded node's vote for its own exclusion counts like any other. */
export function onAccept(
  m: Membership,
  from: Sender,
  message: ControlMessageOf<'accept'>,
  now: Millis,
  out: Outputs,
): void {
  const state = stateToVoteIn(m, from, message, now, out);
  if (state === null || message.decree.number !== message.number) return;
  const { number, ballot, decree } = message;
  const reply = { domain: state.id, number };
  const { accepted } = m.instance.acceptor;
  const isAgain = accepted !== null && compareBallots(accepted.ballot, ballot) === 0;
  if (accept(m.instance, { ballot, decree })) {
    giveWay(m, now);
    unicast(replyTo(m, from), { kind: 'accepted', ...reply, ballot }, out, isAgain);
  } else unicast(replyTo(m, from), { kind: 'rejected', ...reply, ballot: m.instance.acceptor.promised }, out);
}

/**
 * The state that a ballot is about, if this node is in it and the proposer is who its ballot says. The decree that led
 * to it comes along and is learned first: a vote for a decree vouches that the one before is known.
 */
function stateToVoteIn(
  m: Membership,
  from: Sender,
  message: ControlMessageOf<'prepare'> | ControlMessageOf<'accept'>,
  now: Millis,
  out: Outputs,
): DomainState | null {
  if (message.previous !== null && message.previous.number === message.number - 1) {
    onDecrees(m, [message.previous], now, out);
  }
  if (m.phase.kind !== 'member' || m.state === null) return null;
  if (message.number <= m.state.number) correct(m, from, message.number, now, out);
  if (message.number !== m.instance.number) return null;
  return m.state.nodes[message.ballot.rank]?.incarnation === from.incarnation ? m.state : null;
}

/** Somebody else is at it: this node does not try before that had time to end. */
function giveWay(m: Membership, now: Millis): void {
  m.quietUntil = Math.max(m.quietUntil, now + jittered(m, 2 * m.options.heartbeat));
  wake(m, m.quietUntil);
}

/** A promise for the ballot that is being prepared. */
export function onPromise(
  m: Membership,
  from: Sender,
  message: ControlMessageOf<'promise'>,
  now: Millis,
  out: Outputs,
): void {
  const { proposer } = m.instance;
  const node = voter(m, from, message);
  if (node === undefined || proposer.kind !== 'preparing' || compareBallots(message.ballot, proposer.ballot) !== 0)
    return;
  proposer.promises.set(node.id, message.accepted);
  countPromises(m, must(m.state, 'the state in which it is prepared'), now, out);
}

function countPromises(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  const { proposer } = m.instance;
  if (proposer.kind !== 'preparing' || !canDecide(m, state, (id) => proposer.promises.has(id))) return;
  const decree = valueToCarry(proposer.promises) ?? gather(m, state, now);
  if (decree === null) m.instance.proposer = { kind: 'idle' };
  else startAccept(m, state, proposer.ballot, decree, now, out);
}

/** A vote for the ballot that is being proposed. */
export function onAccepted(
  m: Membership,
  from: Sender,
  message: ControlMessageOf<'accepted'>,
  now: Millis,
  out: Outputs,
): void {
  const { proposer } = m.instance;
  const node = voter(m, from, message);
  if (node === undefined || proposer.kind !== 'proposing' || compareBallots(message.ballot, proposer.ballot) !== 0)
    return;
  proposer.votes.add(node.id);
  countVotes(m, must(m.state, 'the state in which it is proposed'), now, out);
}

function countVotes(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  const { proposer } = m.instance;
  if (proposer.kind !== 'proposing' || !canDecide(m, state, (id) => proposer.votes.has(id))) return;
  const { decree } = proposer;
  if (state.nodes.length > 1) multicast(m, { kind: 'decided', domain: state.id, decree }, now, out);
  learn(m, decree, now, out);
  welcomeJoiners(m, now, out);
}

/** Many joiners get one state together, as long as a datagram takes it; whoever misses it is told again on its own. */
function welcomeJoiners(m: Membership, now: Millis, out: Outputs): void {
  const state = must(m.state, 'the state that was decided');
  const joiners = joinersOf(state);
  if (joiners.length === 0) return;
  const welcome = welcomeOf(m, state);
  if (joiners.length > 1 && roughBytes(state) < messageBytesMax) multicast(m, welcome, now, out);
  else for (const joiner of joiners) unicast(joiner, welcome, out);
}

function roughBytes(state: DomainState): number {
  let bytes = 64 * state.nodes.length;
  for (const group of state.groups.values()) bytes += 64 + 8 * group.members.length;
  return bytes;
}

/** A higher ballot is under way, or was. */
export function onRejected(m: Membership, from: Sender, message: ControlMessageOf<'rejected'>, now: Millis): void {
  if (voter(m, from, message) === undefined || !preempt(m.instance, message.ballot)) return;
  m.attempts += 1;
  m.quietUntil = now + backoff(m);
  wake(m, m.quietUntil);
}

/** Only nodes of the state have a vote on the decree that follows it. */
function voter(m: Membership, from: Sender, message: { number: number }) {
  if (m.phase.kind !== 'member' || m.state === null || message.number !== m.instance.number) return undefined;
  return nodeByIncarnation(m.state, from.incarnation);
}
