/**
 * Who is suspected, and who has to go.
 *
 * Suspicion is one node's opinion; it is told to the others in heartbeats. Exclusion is the domain's decision: the
 * proposer, unless it seems to have stopped hearing itself, asks for it when it suspects a node itself, when most of those it hears do, or when two nodes have not
 * heard each other for long while it hears both: then the younger goes, or their groups would never agree again.
 */
import { incarnationOf } from '../ids.js';
import type { Incarnation, Millis, NodeId } from '../ids.js';
import { must } from '../assert.js';
import { lastResort, log, wake } from './control.js';
import type { Membership, Outputs, Peer } from './control.js';
import { muteFrom, silentSince, suspectAt, unheardSince } from './detector.js';
import { areDead, noteDoubt } from './deaths.js';
import { isHeavy, isQuorum, weightOf } from './quorum.js';
import { ageRank, nodeByIncarnation } from './state.js';
import type { Change, DomainState, NodeInfo } from './state.js';
import { lookAt } from './tether.js';

/** Whether this node suspects that one. */
export function isSuspected(m: Membership, id: NodeId): boolean {
  return m.suspects.has(id);
}

/**
 * Whether those that this node does not suspect are a quorum of its state; without one nothing can be decided. Who is in
 * touch again and sees that others are in a later state is to learn first whether it is in that. And who stood still for so long
 * that the others may have gone on without it has to have heard a quorum since.
 */
export function isQuorate(m: Membership): boolean {
  if (m.phase.kind !== 'member' || m.state === null || (!m.quorate && m.behindSince !== null)) return false;
  if (isDazed(m, m.state)) return false;
  const unsuspected = m.state.nodes.filter(({ id }) => !m.suspects.has(id));
  if (isHeavy(m.state, m.state.nodes) && !isHeavy(m.state, unsuspected)) return false;
  return isQuorum(m.state.nodes, (id) => !m.suspects.has(id)) || areDead(m, m.state, m.suspects);
}

/** Whether this process stood still for longer than the timeout and has not heard a quorum since. */
function isDazed(m: Membership, state: DomainState): boolean {
  if (m.detector.resumedAt === null) return false;
  const unheard = new Set(unheardOf(m, state, m.detector.resumedAt));
  return !isQuorum(state.nodes, (id) => !unheard.has(id)) && !areDead(m, state, unheard);
}

/** Whom it has not heard since it runs again. */
function unheardOf(m: Membership, state: DomainState, since: Millis): readonly NodeId[] {
  return state.nodes.filter((node) => node.id !== m.id && signalsOf(m, node).heardAt <= since).map(({ id }) => id);
}

/** This process has stood still: whether it may go on is to be seen. */
export function doubtOneself(m: Membership, now: Millis, out: Outputs): void {
  if (m.state !== null && m.phase.kind === 'member') sayWhetherQuorate(m, m.state, now, out);
}

/** Whom a quorum is missing: those who cannot be heard or, after this process stood still, were not heard since. */
export function missedBy(m: Membership, state: DomainState): readonly NodeId[] {
  if (isDazed(m, state)) return unheardOf(m, state, m.detector.resumedAt ?? -Infinity);
  return state.nodes.filter(({ id }) => m.suspects.has(id)).map(({ id }) => id);
}

/** Who or what a quorum is missing, in words; empty if nothing is. */
export function lackOf(m: Membership): string {
  if (m.state === null || isQuorate(m)) return '';
  const missing = missedBy(m, m.state);
  const heard = m.state.nodes.filter(({ id }) => !m.suspects.has(id));
  if (isDazed(m, m.state)) {
    return `this process stood still, and others may have gone on without it: ${missing.join(', ')} not heard since`;
  }
  if (missing.length === 0) return 'others are in a later state, which is being fetched';
  if (isHeavy(m.state, m.state.nodes) && !isHeavy(m.state, heard)) {
    const { minimumWeight } = m.state.rules;
    return `nodes that can be heard weigh ${weightOf(heard)}, not more than ${minimumWeight}: ${missing.join(', ')} missing`;
  }
  return `no quorum of the ${m.state.nodes.length} nodes can be heard: ${missing.join(', ')} missing`;
}

/** The node that ought to propose: the oldest that is not suspected. */
export function believedProposer(m: Membership, state: DomainState): NodeInfo {
  return must(
    state.nodes.find((node) => !m.suspects.has(node.id)),
    'a node that does not suspect itself',
  );
}

/** Suspects those who have been silent for too long. */
export function judge(m: Membership, now: Millis, out: Outputs): void {
  if (m.state === null || m.phase.kind !== 'member') return;
  for (const node of m.state.nodes) {
    if (node.id === m.id || m.suspects.has(node.id)) continue;
    const peer = signalsOf(m, node);
    const due = suspectAt(m.detector, peer);
    if (due > now) wake(m, due);
    else suspect(m, node, reasonToSuspect(m, peer, now), out);
  }
  sayWhetherQuorate(m, m.state, now, out);
  if (m.quorate) m.detector.resumedAt = null;
}

/**
 * Whether a node has reported for a timeout that it does not hear so many that the rest are no quorum. It lives, and can be
 * heard, but cannot decide anything; were it the proposer, all would wait for it. It is not suspected for that: were that
 * reported in turn, nodes could come to hold each other for deaf.
 */
function isDeaf(m: Membership, state: DomainState, node: NodeInfo): boolean {
  const report = m.reports.get(node.id);
  if (report === undefined || node.id === m.id) return false;
  const long = signalsOf(m, node).reportedAt - m.options.timeout;
  return !isQuorum(state.nodes, (other) => (report.get(other) ?? Infinity) > long);
}

function suspect(m: Membership, node: NodeInfo, why: string, out: Outputs): void {
  m.suspects.add(node.id);
  m.news = true;
  out.push({ kind: 'suspect', who: node.id, why, address: node.address });
}

function reasonToSuspect(m: Membership, peer: Peer, now: Millis): string {
  const isMute = now >= muteFrom(m.detector, peer) && unheardSince(peer) < silentSince(peer);
  const silence = isMute
    ? `none of its multicasts has come for ${Math.round(now - unheardSince(peer))} ms`
    : `silent for ${Math.round(now - silentSince(peer))} ms`;
  if (peer.goneAt !== null && peer.claimedAt === null) return 'crashed: nobody listens at its address any more';
  if (peer.goneAt !== null) return 'crashed: its stream broke, and a newer incarnation has its address';
  return peer.claimedAt === null ? silence : `${silence}, and its address is claimed by a newer incarnation`;
}

/** A suspect was heard. */
export function unsuspect(m: Membership, incarnation: Incarnation, now: Millis, out: Outputs): void {
  if (m.suspects.size === 0 || m.state === null) return;
  const node = nodeByIncarnation(m.state, incarnation);
  if (node === undefined || !m.suspects.delete(node.id)) return;
  m.news = true;
  out.push({ kind: 'unsuspect', who: node.id });
  sayWhetherQuorate(m, m.state, now, out);
}

function sayWhetherQuorate(m: Membership, state: DomainState, now: Millis, out: Outputs): void {
  const quorate = isQuorate(m);
  if (quorate === m.quorate) return;
  m.quorate = quorate;
  out.push({ kind: 'quorate' });
  // the others may be about to be heard as well: nobody is excluded for coming back last
  if (quorate) m.quietUntil = Math.max(m.quietUntil, now + 2 * m.options.heartbeat);
  if (quorate) log(out, 'info', 'in touch with a quorum again', { number: state.number });
  else log(out, 'warn', 'not in touch with a quorum: waiting', { number: state.number, why: lackOf(m) });
}

/** Takes in whom a node says it suspects; true if that is more than before. */
export function takeReport(m: Membership, reporter: NodeInfo, suspected: readonly Incarnation[], now: Millis): boolean {
  const before = m.reports.get(reporter.id);
  if (m.state === null || suspected.length === 0) {
    m.reports.delete(reporter.id);
    return false;
  }
  if (suspected.includes(m.options.incarnation)) noteDoubt(m, now);
  const report = new Map<NodeId, Millis>();
  for (const incarnation of suspected) {
    const node = nodeByIncarnation(m.state, incarnation);
    if (node !== undefined && node.id !== reporter.id) report.set(node.id, before?.get(node.id) ?? now);
  }
  m.reports.set(reporter.id, report);
  signalsOf(m, reporter).reportedAt = now;
  const news = m.state.nodes.filter((node) => report.get(node.id) === now);
  for (const node of news) if (node.id !== m.id && !m.suspects.has(node.id)) lookAt(m, node, now);
  return news.length > 0;
}

/**
 * Whether this node may propose: it suspects everybody older, and so do most of those it hears. If they do not, the
 * fault may lie between it and the older node alone, which then gets the time to notice and to exclude it.
 */
export function mayPropose(m: Membership, state: DomainState, now: Millis): boolean {
  return state.nodes.slice(0, ageRank(state, m.id)).every((older) => {
    if (isDeaf(m, state, older)) return true;
    if (!m.suspects.has(older.id)) return false;
    const heard = heardBy(m, state, older.id);
    if (2 * (reportersOf(m, heard, older.id) + 1) > heard.length) return true;
    return now - silentSince(signalsOf(m, older)) >= 6 * m.options.timeout;
  });
}

/** Whether more than silence says that a node has crashed. */
export function isSurelyGone(m: Membership, id: NodeId): boolean {
  return m.confirmed.has(id) || (m.peers.get(incarnationOf(id))?.goneAt ?? null) !== null;
}

/** Whether a node has been silent for as long as one waits for anybody; looks again when it has. */
export function isSilentForGood(m: Membership, id: NodeId, now: Millis): boolean {
  const peer = m.peers.get(incarnationOf(id));
  if (!peer) return false;
  // not what this process slept through
  const due = Math.max(silentSince(peer), m.detector.awakeSince) + lastResort(m);
  if (due > now) wake(m, due);
  return due <= now;
}

/** Whom the proposer ought to exclude, the dead before the unlucky. */
export function exclusions(m: Membership, state: DomainState, now: Millis): readonly (Change & { kind: 'exclude' })[] {
  const suspects = state.nodes.filter((node) => m.suspects.has(node.id));
  const isDeafItself = !hearsMost(m, state, now);
  const dead = isDeafItself ? suspects.filter(({ id }) => isSurelyGone(m, id)) : suspects;
  if (m.reports.size === 0 || isDeafItself)
    return dead.map(({ id }) => ({ kind: 'exclude', node: id, cause: 'failed', dead: m.confirmed.has(id) }));
  const outvoted = state.nodes.filter(
    (node) => node.id !== m.id && !dead.includes(node) && (isDeaf(m, state, node) || isOutvoted(m, state, node)),
  );
  const unlucky = losers(
    m,
    state.nodes.filter((node) => !dead.includes(node) && !outvoted.includes(node)),
    now,
  );
  return [
    ...dead.map(({ id }) => ({ kind: 'exclude', node: id, cause: 'failed', dead: m.confirmed.has(id) }) as const),
    ...outvoted.map((node) => {
      return { kind: 'exclude', node: node.id, cause: causeOf(m, node, now), dead: false } as const;
    }),
    ...unlucky.map(({ id }) => ({ kind: 'exclude', node: id, cause: 'excluded', dead: false }) as const),
  ];
}

/**
 * Whether half of those that this node does not suspect have just been heard, by what they say to all. If not, it is most
 * likely this node that has stopped hearing, and will suspect one after the other: it is for others to judge.
 */
function hearsMost(m: Membership, state: DomainState, now: Millis): boolean {
  const { heartbeat, timeout } = m.options;
  const others = state.nodes.filter(({ id }) => id !== m.id && !m.suspects.has(id));
  const lately = now - Math.max(3 * heartbeat, timeout / 2);
  return 2 * others.filter((node) => unheardSince(signalsOf(m, node)) >= lately).length >= others.length;
}

/**
 * Of a node that most do not hear: whether it lives and is heard here, or has fallen silent here too, or broken its
 * connection, and is merely not suspected yet.
 */
function causeOf(m: Membership, node: NodeInfo, now: Millis): 'failed' | 'excluded' {
  if ((m.peers.get(node.incarnation)?.probes ?? 0) > 0) return 'failed';
  return now - silentSince(signalsOf(m, node)) > 2 * m.options.heartbeat ? 'failed' : 'excluded';
}

/** Whether most of those who are heard, this node included, report that they do not hear that one. */
function isOutvoted(m: Membership, state: DomainState, node: NodeInfo): boolean {
  const heard = heardBy(m, state, node.id);
  return 2 * reportersOf(m, heard, node.id) > heard.length;
}

/** Those whom this node hears, itself included, but for one. */
function heardBy(m: Membership, state: DomainState, except: NodeId): readonly NodeInfo[] {
  return state.nodes.filter((node) => node.id !== except && !m.suspects.has(node.id));
}

function reportersOf(m: Membership, reporters: readonly NodeInfo[], who: NodeId): number {
  return reporters.filter((node) => m.reports.get(node.id)?.has(who)).length;
}

/** Who goes, until no two of these nodes are left that have long not heard each other: who is in most such pairs first. */
function losers(m: Membership, nodes: readonly NodeInfo[], now: Millis): readonly NodeInfo[] {
  const long = now - 3 * m.options.timeout;
  const deaf = (a: NodeInfo, b: NodeInfo) => (m.reports.get(a.id)?.get(b.id) ?? Infinity) <= long;
  const lost: NodeInfo[] = [];
  for (;;) {
    const left = nodes.filter((node) => !lost.includes(node));
    let loser: NodeInfo | null = null;
    let most = 0;
    for (const node of left) {
      if (node.id === m.id) continue;
      const feuds = left.filter((other) => deaf(node, other) || deaf(other, node)).length;
      // at a tie the younger, which comes later
      if (feuds > 0 && feuds >= most) {
        most = feuds;
        loser = node;
      }
    }
    if (loser === null) return lost;
    lost.push(loser);
  }
}

function signalsOf(m: Membership, node: NodeInfo): Peer {
  return must(m.peers.get(node.incarnation), 'everybody in the state is watched');
}
