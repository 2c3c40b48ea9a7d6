/**
 * A node that was excluded comes back as a new incarnation, and would be excluded again for the reason of the first time if
 * that still holds: a link that is gone for good would have it go and come for ever. So whoever offers itself from an address
 * from which somebody was excluded is let in only once it and all members hear each other.
 *
 * Heard means by what is said to all. An offer names those whom its sender hears, a heartbeat those of no domain whom its sender hears.
 */
import type { DomainId, Incarnation, Millis } from '../ids.js';
import { domainTag } from './control.js';
import type { Membership, Offer } from './control.js';
import { nodesMax } from '../limits.js';
import { nodeByIncarnation, nodeOf } from './state.js';
import type { Decree, DomainState } from './state.js';

/** The nodes of a domain that this one, which is not in it, hears. */
export function membersHeard(m: Membership, domain: DomainId, now: Millis): readonly Incarnation[] {
  const tag = domainTag(domain);
  return heardLately(m, now, (peer) => peer.tag === tag);
}

/** Those that look for a domain, or offer themselves to one, and are heard here. */
export function strangersHeard(m: Membership, now: Millis): readonly Incarnation[] {
  const { state } = m;
  return heardLately(m, now, ({ tag }, incarnation) => {
    return tag === 0 && (state === null || nodeByIncarnation(state, incarnation) === undefined);
  });
}

function heardLately(
  m: Membership,
  now: Millis,
  fits: (peer: { readonly tag: number }, incarnation: Incarnation) => boolean,
): readonly Incarnation[] {
  const heard: Incarnation[] = [];
  for (const [incarnation, peer] of m.peers) {
    if (heard.length < nodesMax && now - peer.heardToAllAt <= m.options.timeout && fits(peer, incarnation)) {
      heard.push(incarnation);
    }
  }
  return heard;
}

/** Remembers where those lived that a decree excludes; the first is forgotten when there are too many. */
export function noteExclusions(m: Membership, before: DomainState, decree: Decree): void {
  for (const change of decree.changes) {
    const node = change.kind === 'exclude' ? nodeOf(before, change.node) : undefined;
    if (node === undefined) continue;
    m.excludedFrom.delete(node.address);
    m.excludedFrom.add(node.address);
    if (m.excludedFrom.size <= nodesMax) continue;
    for (const oldest of m.excludedFrom) {
      m.excludedFrom.delete(oldest);
      break;
    }
  }
}

/** Whether a node that offers itself may be let in, as far as it concerns who hears whom. */
export function isHeardByAll(m: Membership, state: DomainState, offer: Offer, now: Millis): boolean {
  if (!m.excludedFrom.has(offer.address)) return true;
  return state.nodes.every(({ id, incarnation }) => {
    if (m.suspects.has(id)) return true;
    if (!offer.hears.has(incarnation)) return false;
    if (id !== m.id) return m.strangers.get(id)?.has(offer.incarnation) ?? false;
    return now - (m.peers.get(offer.incarnation)?.heardToAllAt ?? -Infinity) <= m.options.timeout;
  });
}
