/**
 * Heartbeats: a node that has nothing to multicast says that it lives, which domain it is in, and whom it suspects.
 *
 * What is in them is said now and then even by a node that multicasts all the time (others look for a domain, or are
 * another one of the same name), and at once when there is news.
 */
import type { Millis } from '../ids.js';
import { must } from '../assert.js';
import { multicast, wake } from './control.js';
import type { Membership, Outputs } from './control.js';
import { lagOf } from './detector.js';
import { isQuorate } from './judging.js';
import { lagMax } from '../limits.js';
import type { ControlMessageOf } from './messages.js';
import { strangersHeard } from './probation.js';

/** A heartbeat as of now. */
export function heartbeatOf(m: Membership, now: Millis): ControlMessageOf<'heartbeat'> {
  const state = must(m.state, 'a state to tell of');
  const suspected = state.nodes.filter((node) => m.suspects.has(node.id)).map((node) => node.incarnation);
  const lag = Math.min(lagMax, lagOf(m.detector, now));
  const strangers = strangersHeard(m, now);
  return { kind: 'heartbeat', domain: state.id, number: state.number, size: strengthOf(m), suspected, lag, strangers };
}

/** The size of the domain as long as it is going on here, else 0. */
export function strengthOf(m: Membership): number {
  return m.state !== null && isQuorate(m) ? m.state.nodes.length : 0;
}

/** Sends a heartbeat if one is due. */
export function beat(m: Membership, now: Millis, out: Outputs): void {
  if (m.phase.kind !== 'member' && m.phase.kind !== 'departing') return;
  if (now >= dueAt(m)) {
    m.news = false;
    m.lastHeartbeat = now;
    multicast(m, heartbeatOf(m, now), now, out);
  }
  wake(m, dueAt(m));
}

function dueAt(m: Membership): Millis {
  if (m.news) return -Infinity;
  const { heartbeat, timeout } = m.options;
  const repeat = m.lastHeartbeat + (m.suspects.size > 0 ? heartbeat : timeout / 2);
  return Math.min(m.lastMulticast + heartbeat, repeat);
}
