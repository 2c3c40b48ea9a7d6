/**
 * The end of a membership: whoever is removed by a decree, gracefully or not, serves it until a quorum of the state
 * without it *knows* it.
 *
 * Until then those who know may all be gone the next moment, and those who stay could never learn it: some of the votes
 * that decided it are not theirs. Having voted is not knowing, and a quorum of the state before is not enough.
 */
import type { Millis, NodeId } from '../ids.js';
import { domainTag, end, lastResort, wake } from './control.js';
import type { Membership, Outputs } from './control.js';
import { isQuorum } from './quorum.js';
import { nodeOf } from './state.js';
import type { DomainState, NodeInfo } from './state.js';

/** Ends this incarnation if its departure is known well enough, or if nobody is left to know. */
export function departWhenKnown(m: Membership, now: Millis, out: Outputs): void {
  if (m.phase.kind !== 'departing' || m.state === null) return;
  const deadline = m.phase.since + lastResort(m);
  if (!isKnown(m, m.state, now) && now < deadline) {
    wake(m, Math.min(deadline, now + m.options.heartbeat));
    return;
  }
  const { cause, why } = m.phase;
  end(m, cause === 'left' || m.leavingSince !== null ? { kind: 'left' } : { kind: 'restart', why }, out);
}

/** A higher number anywhere is proof as well: it was decided by a quorum of nodes that knew this one. */
function isKnown(m: Membership, state: DomainState, now: Millis): boolean {
  const tag = domainTag(state.id);
  const numbers = [...m.peers.values()].filter((peer) => peer.tag === tag).map((peer) => peer.number);
  if (numbers.some((number) => number > state.number)) return true;
  const knows = (id: NodeId): boolean => {
    const node = nodeOf(state, id);
    const peer = node && m.peers.get(node.incarnation);
    return peer !== undefined && peer.tag === tag && peer.number >= state.number;
  };
  if (!isQuorum(state.nodes, knows)) return false;
  // any of them may be the one that is left
  const silent = now - m.options.timeout;
  const isSilent = (node: NodeInfo) => (m.peers.get(node.incarnation)?.heardAt ?? -Infinity) <= silent;
  return state.rules.quorum === 'majority' || state.nodes.every((node) => knows(node.id) || isSilent(node));
}
