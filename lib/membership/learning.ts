/**
 * How a node moves from state to state: by decrees, in order, none skipped; only its first state is learned whole.
 */
import type { Millis } from '../ids.js';
import { assert } from '../assert.js';
import { createInstance } from './consensus.js';
import { log, peerOf, unicast, wake } from './control.js';
import type { Membership, Outputs } from './control.js';
import { append } from './decree-log.js';
import { applyDecree } from './decree.js';
import { joinsCountedFor } from '../limits.js';
import { heartbeatOf } from './heartbeat.js';
import { noteExclusions } from './probation.js';
import { reconsider } from './requesting.js';
import { nodeOf } from './state.js';
import type { Decree, DomainState, NodeInfo } from './state.js';
import { tether } from './tether.js';

/** Takes up a first state: that of a domain just founded, or of one that let this node in. */
export function enter(m: Membership, state: DomainState, decrees: readonly Decree[], now: Millis, out: Outputs): void {
  assert(nodeOf(state, m.id) !== undefined, 'a first state contains its holder');
  m.phase = { kind: 'member' };
  m.log.push(...decrees);
  m.sightings.delete(state.id);
  moveTo(m, state, state.nodes, now);
  out.push({ kind: 'installed', state, decree: null }, { kind: 'joined' });
  log(out, 'info', 'in the domain', { founding: state.id, number: state.number, size: state.nodes.length });
  tether(m, out);
  reconsider(m, now, out);
}

/** Takes in the next decree. */
export function learn(m: Membership, decree: Decree, now: Millis, out: Outputs): void {
  assert(m.state !== null && m.phase.kind === 'member', 'only members learn decrees');
  const before = m.state;
  const state = applyDecree(before, decree);
  append(m.log, decree);
  const joiners = joinersOf(state);
  noteJoins(m, joiners.length, now);
  moveTo(m, state, joiners, now);
  noteExclusions(m, before, decree);
  forgetTheGone(m, before, state);
  if (nodeOf(state, m.id) === undefined) {
    depart(m, state, decree, now, out);
    tether(m, out);
    return;
  }
  log(out, 'info', 'decree', { number: decree.number, changes: decree.changes.length, size: state.nodes.length });
  out.push({ kind: 'installed', state, decree });
  sayGoodbye(m, before, decree, now, out);
  tether(m, out);
  reconsider(m, now, out);
}

function noteJoins(m: Membership, count: number, now: Millis): void {
  const { joins } = m;
  m.joins = now - joins.since < joinsCountedFor ? { ...joins, count: joins.count + count } : { since: now, count };
}

/** The nodes that the state's own decree let in. */
export function joinersOf(state: DomainState): readonly NodeInfo[] {
  return state.nodes.filter((node) => node.joined === state.number);
}

function moveTo(m: Membership, state: DomainState, watched: readonly NodeInfo[], now: Millis): void {
  m.state = state;
  m.instance = createInstance(state.number + 1);
  m.quietUntil = now;
  m.attempts = 0;
  m.behindSince = null;
  m.news = true;
  for (const node of watched) {
    if (node.id === m.id) continue;
    const peer = peerOf(m, node, now);
    peer.watchedAt = now;
    peer.address = node.address;
    m.offers.delete(node.incarnation);
    m.challenges.delete(node.incarnation);
    // whoever has not shown by then that it knows the state is told of it
    if (peer.tag === 0) schedulePush(m, peer, now);
  }
  wake(m, now);
}

function schedulePush(m: Membership, peer: { pushAt: Millis | null }, now: Millis): void {
  peer.pushAt ??= now + 2 * m.options.heartbeat;
  wake(m, peer.pushAt);
}

function forgetTheGone(m: Membership, before: DomainState, state: DomainState): void {
  for (const { id } of before.nodes) {
    if (nodeOf(state, id) !== undefined) continue;
    m.suspects.delete(id);
    m.confirmed.delete(id);
    m.reports.delete(id);
    m.strangers.delete(id);
    m.requests.delete(id);
    for (const report of m.reports.values()) report.delete(id);
  }
}

/** The domain goes on without this node, which stays until a quorum of the others knows. */
function depart(m: Membership, state: DomainState, decree: Decree, now: Millis, out: Outputs): void {
  const change = decree.changes.find((one) => (one.kind === 'leave' || one.kind === 'exclude') && one.node === m.id);
  if (change?.kind === 'leave') {
    m.phase = { kind: 'departing', cause: 'left', why: 'left', since: now };
    return;
  }
  const failed = change?.kind === 'exclude' && change.cause === 'failed';
  const why = failed ? 'the others did not hear this node' : 'this node and others did not hear each other';
  m.phase = { kind: 'departing', cause: 'excluded', why, since: now };
  out.push({ kind: 'excluded', why, state });
}

/** Shows a leaver that this node knows: it waits until a quorum does. */
function sayGoodbye(m: Membership, before: DomainState, decree: Decree, now: Millis, out: Outputs): void {
  for (const change of decree.changes) {
    const leaver = change.kind === 'leave' ? nodeOf(before, change.node) : undefined;
    if (leaver !== undefined) unicast(leaver, heartbeatOf(m, now), out);
  }
}
