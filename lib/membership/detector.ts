/**
 * The failure detector: when is silence long enough to suspect somebody?
 *
 * Suspicion is a function of signals and time. Any packet is a sign of life. Silence is counted from the last one; a
 * node whose address a newer incarnation claims is most likely dead already, so three heartbeats of silence are
 * enough. A crash need not be waited for at all: it breaks the node's tethers (see `tether.ts`). And silence that this process has slept through proves nothing: a process that was stopped finds its timers
 * overdue before it has read what is queued, so after a stall nobody is judged until what is queued has been read.
 */
import type { Millis } from '../ids.js';

/** How patient a detector is. */
export interface Patience {
  /** A living node is heard at least so often. */
  readonly heartbeat: Millis;
  /** So much silence makes a suspect. */
  readonly timeout: Millis;
}

/** What is known of this process itself. */
export interface Detector {
  readonly patience: Patience;
  /** When it last ran. */
  awakeAt: Millis;
  /** No new suspicion before this. */
  judgeFrom: Millis;
}

/** What is known of one node. */
export interface Signals {
  /** Its last sign of life; -Infinity if there was none. */
  heardAt: Millis;
  /** When it became one of those that ought to be heard. */
  watchedAt: Millis;
  /** When a newer incarnation last claimed its address, or null. */
  claimedAt: Millis | null;
  /** When it turned out that it has crashed, or null. */
  goneAt: Millis | null;
}

/** A detector of a process that is awake. */
export function createDetector(patience: Patience, now: Millis): Detector {
  return { patience, awakeAt: now, judgeFrom: now };
}

/** This process runs. True if it had not for long, so that silence until now proves nothing. */
export function awake(detector: Detector, now: Millis): boolean {
  const stalled = now - detector.awakeAt > stallOf(detector.patience);
  detector.awakeAt = Math.max(detector.awakeAt, now);
  if (stalled) detector.judgeFrom = now + stallOf(detector.patience);
  return stalled;
}

/** Since when a node is silent. */
export function silentSince({ heardAt, watchedAt }: Signals): Millis {
  return Math.max(heardAt, watchedAt);
}

/** When a node becomes a suspect if nothing more is heard of it. */
export function suspectAt(detector: Detector, signals: Signals): Millis {
  // no silence, but evidence: it holds for a process that has just woken up, too
  if (signals.goneAt !== null) return signals.goneAt;
  const { heartbeat, timeout } = detector.patience;
  const patience = signals.claimedAt !== null ? Math.min(timeout, 3 * heartbeat) : timeout;
  return Math.max(silentSince(signals) + patience, detector.judgeFrom);
}

/** A pause of this process that is too long to be scheduling; also how long it then takes to hear everybody again. */
function stallOf({ heartbeat, timeout }: Patience): Millis {
  return 2 * heartbeat + timeout / 4;
}
