/**
 * Tethers: connections that are kept only because a crash breaks them.
 *
 * The system that a process ran on closes its connections, within a few milliseconds of a `kill -9`. That is evidence of a
 * crash, no proof: networks reset connections of the living too. So a broken tether counts only when a probe, a new
 * connection to the same address, is refused: then nobody listens there any more. A stopped process still listens, as far
 * as its system can tell, and of a machine that is gone nothing at all is heard; both are left to the detector's timeout.
 *
 * In a large domain a node has tethers to its neighbours in age only. What they report makes all others probe too, so that
 * each has an opinion of its own.
 *
 * A node may live that cannot be connected to: behind address translation, all its connections are those that it opened
 * itself. So each node is probed once when it has come into the domain, and a refusal counts only if a probe was ever
 * answered, by this life of it, to this node.
 *
 * What a dead node sent last may be read after the probe. So for a timeout nothing that comes from it counts as life.
 */
import type { Found } from '../events.js';
import type { Millis } from '../ids.js';
import { peerOf, wake } from './control.js';
import type { Membership, Outputs, Peer } from './control.js';
import { ageRank } from './state.js';
import type { DomainState, NodeInfo } from './state.js';

/** Up to so many nodes each is tethered to all others, */
const meshMax = 16;
/** beyond that to so many that are older; as many younger ones are tethered to it. */
const neighbours = 3;
/**
 * A system that ends a process closes one of its sockets after the other, and often the listening one last (in a third of all
 * kills the first probe still got in); and a network may lose a probe. So there are so many, with pauses from a 64th of a
 * heartbeat that double up to a whole one, until the node is heard again.
 */
const probesMax = 16;
const pausesPerHeartbeat = 64;
/** In a large domain so many are probed at a time whether they can be connected to: all at once would be a storm. */
const reachesMax = 8;
/** One that could not is probed again after so many timeouts: a port may be forwarded later. */
const reachTimeouts = 5;

/** Has tethers kept to whom they ought to be kept to, now that the domain has a new state. */
export function tether(m: Membership, out: Outputs): void {
  const to = m.phase.kind === 'member' && m.state !== null ? tethersOf(m, m.state) : [];
  if (to.length === m.tethered.length && to.every((address, i) => address === m.tethered[i])) return;
  m.tethered = to;
  out.push({ kind: 'tether', to });
}

/** One connection serves both ends, so the younger of two opens it. In a ring, the oldest's elders are the youngest. */
function tethersOf(m: Membership, { nodes }: DomainState): readonly string[] {
  const rank = nodes.findIndex(({ id }) => id === m.id);
  if (nodes.length <= meshMax) return nodes.slice(0, rank).map(({ address }) => address);
  return Array.from({ length: neighbours }, (_, i) => (nodes.at(rank - 1 - i) as NodeInfo).address);
}

/** A stream that was up broke. */
export function tetherBroke(m: Membership, address: string, now: Millis): void {
  for (const peer of peersAt(m, address)) {
    peer.brokeAt = now;
    // two signs that do not depend on each other
    if (peer.claimedAt !== null) peer.goneAt ??= now;
    if (peer.goneAt !== null) continue;
    peer.probes = probesMax;
    peer.probeAt = now;
  }
  wake(m, now);
}

/** Somebody else suspects it: one look of one's own. */
export function lookAt(m: Membership, node: NodeInfo, now: Millis): void {
  const peer = peerOf(m, node, now);
  if (peer.probes > 0 || peer.goneAt !== null) return;
  peer.probes = 1;
  peer.probeAt = now;
  wake(m, now);
}

/** Makes the probes that are due. */
export function probeDue(m: Membership, now: Millis, out: Outputs): void {
  if (m.phase.kind !== 'member' || m.state === null) return;
  reachDue(m, m.state, now, out);
  for (const { incarnation, address } of m.state.nodes) {
    const peer = m.peers.get(incarnation);
    if (peer === undefined || peer.probes === 0) continue;
    if (peer.probeAt <= now) {
      // infinite until it is answered
      peer.probeAt = Infinity;
      out.push({ kind: 'probe', to: address });
    } else wake(m, peer.probeAt);
  }
}

/** Probes those of whom it is not known whether they can be connected to. */
function reachDue(m: Membership, { nodes }: DomainState, now: Millis, out: Outputs): void {
  const unknown = nodes.flatMap(({ id, incarnation }) => {
    const peer = id === m.id ? undefined : m.peers.get(incarnation);
    return peer === undefined || peer.reached ? [] : [peer];
  });
  let free = reachesMax - unknown.filter(({ reachAt }) => reachAt === Infinity).length;
  for (const peer of unknown) {
    if (peer.reachAt > now) wake(m, peer.reachAt);
    else if (free > 0) {
      free -= 1;
      peer.reachAt = Infinity;
      out.push({ kind: 'probe', to: peer.address });
    }
  }
}

/** A probe is answered. */
export function noteProbe(m: Membership, address: string, found: Found, now: Millis): void {
  for (const peer of peersAt(m, address)) {
    if (found === 'somebody') peer.reached = true;
    if (peer.reachAt === Infinity) {
      peer.reachAt = now + reachTimeouts * m.options.timeout;
      // the next one's turn
      wake(m, now);
    }
    if (peer.probes === 0 || peer.probeAt !== Infinity) continue;
    peer.probes -= 1;
    if (found === 'nobody') {
      peer.probes = 0;
      if (peer.reached) peer.goneAt ??= now;
      wake(m, now);
    } else if (peer.probes > 0) {
      const pause = Math.min(1, 2 ** (probesMax - 1 - peer.probes) / pausesPerHeartbeat);
      peer.probeAt = now + pause * m.options.heartbeat;
      wake(m, peer.probeAt);
    }
  }
}

/** Whether what comes from it now is no sign of life, since it was found to be gone. */
export function isGone(m: Membership, peer: Peer, now: Millis): boolean {
  const { heartbeat, timeout } = m.options;
  if (peer.brokeAt !== null && now > peer.brokeAt + 2 * heartbeat) {
    peer.brokeAt = null;
    // one more in case that it had sent this before
    peer.probes = Math.min(peer.probes, 1);
  }
  if (peer.goneAt !== null && now > peer.goneAt + timeout) peer.goneAt = null;
  return peer.goneAt !== null;
}

/** What is known of the nodes of the state at an address; more than one for the moment between two lives. */
function peersAt(m: Membership, address: string): readonly Peer[] {
  if (m.phase.kind !== 'member' || m.state === null || ageRank(m.state, m.id) < 0) return [];
  return m.state.nodes.flatMap((node) => {
    const peer = node.id === m.id || node.address !== address ? undefined : m.peers.get(node.incarnation);
    return peer === undefined ? [] : [peer];
  });
}
