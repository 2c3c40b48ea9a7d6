/**
 * Deaths that the operating system confirms, and deciding without the dead (rules `verified-deaths`).
 *
 * On one machine the system can tell for certain that a process is dead. Then a domain need not stop when most of its nodes
 * die at once. But it is not enough to be left: the dead may have decided something before they died that the survivor
 * does not know, most of all to go on without it. So:
 *
 * - A decree is decided, and a ballot prepared, once a majority has answered *and everybody whom the proposer does not
 *   suspect*; or once everybody has answered but those whose deaths count.
 * - A death counts at a node that heard the dead one shortly before, in no later state than its own (or the next, if it has
 *   voted for that), and that had been awake all the time by then: whoever suspected it can only have done so before, and
 *   what was decided without it, it would have heard of.
 *
 * It rests on this: of two processes of the machine that both run, each is heard by the other within the detector's timeout.
 * `docs/protocol.md` has the argument, `docs/explorer.md` how it was tried.
 */
import type { Millis, NodeId } from '../ids.js';
import { domainTag, log, wake } from './control.js';
import type { Membership, Outputs, Peer } from './control.js';
import { isQuorum } from './quorum.js';
import { nodeOf } from './state.js';
import type { DomainState } from './state.js';

/** Whether those who have answered can decide for all of the state. */
export function canDecide(m: Membership, state: DomainState, hasAnswered: (id: NodeId) => boolean): boolean {
  const isMajority = isQuorum(state.nodes, hasAnswered);
  if (state.rules.quorum === 'majority') return isMajority;
  const missing = state.nodes.filter(({ id }) => !hasAnswered(id)).map(({ id }) => id);
  return areDead(m, state, missing) || (isMajority && missing.every((id) => m.suspects.has(id)));
}

/** Whether all of these are known to be dead, so that it counts. */
export function areDead(m: Membership, { rules }: DomainState, ids: Iterable<NodeId>): boolean {
  if (rules.quorum === 'majority') return false;
  for (const id of ids) if (!m.confirmed.has(id)) return false;
  return true;
}

/** Asks about those who have been silent for longer than the living are. */
export function askForDeaths(m: Membership, now: Millis, out: Outputs): void {
  if (m.phase.kind !== 'member' || m.state?.rules.quorum !== 'verified-deaths' || now < m.confirmAt) return;
  const { heartbeat, timeout } = m.options;
  for (const { id, incarnation, process } of m.state.nodes) {
    const peer = m.peers.get(incarnation);
    if (id === m.id || peer === undefined || process === '' || m.confirmed.has(id)) continue;
    const silence = now - Math.max(peer.heardAt, peer.watchedAt);
    if (silence < 2.5 * heartbeat && !m.suspects.has(id)) continue;
    // later it would not count any more, and the detector needs no help
    if (silence > 2 * timeout && m.suspects.has(id)) continue;
    m.confirmAt = now + heartbeat / 4;
    wake(m, m.confirmAt);
    out.push({ kind: 'confirm', who: id, process });
  }
}

/** The system says that a node's process is dead. It is suspected from now on, whether its death counts or not. */
export function noteDeath(m: Membership, id: NodeId, now: Millis, out: Outputs): void {
  const node = m.state === null || m.phase.kind !== 'member' ? undefined : nodeOf(m.state, id);
  const peer = node && m.peers.get(node.incarnation);
  if (m.state === null || peer === undefined || id === m.id || m.confirmed.has(id)) return;
  if (m.state.rules.quorum !== 'verified-deaths') return;
  peer.goneAt ??= now;
  wake(m, now);
  const why = whyNot(m, m.state, peer, now);
  if (why === null) m.confirmed.add(id);
  else log(out, 'warn', 'a death is confirmed that does not count', { peer: id, why });
}

/** Why a death does not count, or null if it does. */
function whyNot(m: Membership, state: DomainState, peer: Peer, now: Millis): string | null {
  const { timeout } = m.options;
  // in the next state it may be known to be, by the vote that this node gave for it
  const ahead = m.instance.acceptor.accepted === null ? 0 : 1;
  const isHere = peer.tag === domainTag(state.id) && peer.number <= state.number + ahead;
  if (!isHere) return 'it was not heard in this state';
  if (now - peer.heardAt > timeout) return 'it had not been heard for longer than the timeout';
  const sameAt = peer.number <= state.number ? peer.heardAt : peer.sameAt;
  const isAwake = sameAt >= m.detector.awakeSince + 1.5 * timeout;
  return isAwake ? null : 'this process had stood still, or others did not hear it';
}

/** Others doubt that this process runs: they may be about to go on without it. */
export function noteDoubt(m: Membership, now: Millis): void {
  m.detector.awakeSince = Math.max(m.detector.awakeSince, now);
}
