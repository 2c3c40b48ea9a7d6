/**
 * The failure detector: when is silence long enough to suspect somebody?
 *
 * Suspicion is a function of signals and time. Any packet is a sign of life. Silence is counted from the last one; a
 * node whose address a newer incarnation claims is most likely dead already, so three heartbeats of silence are
 * enough. A crash need not be waited for at all: it breaks the node's tethers (see `tether.ts`).
 *
 * Patience adapts, between two bounds. A node that came back from a long silence may do so again, whatever it was that
 * held it or its packets up: it gets twice the longest silence that it came back from lately. A node that says that its event loop
 * comes late gets that in addition, and so do all others if it is this process that comes late. "Lately" fades: what was
 * counts half as much after twenty timeouts.
 *
 * Multicasts are the way by which everything else can be repaired. So who is not heard by packets to all for three timeouts is
 * suspected too, whatever else comes from it.
 *
 * And silence that this process has slept through proves nothing: a process that was stopped finds its timers overdue before it
 * has read what is queued, so after a stall nobody is judged until what is queued has been read. After one that was longer than the
 * timeout, others may have gone on without it: it has to hear a quorum before it goes on itself (see `judging.ts`).
 */
import type { Millis } from '../ids.js';

/** How patient a detector is. */
export interface Patience {
  /** A living node is heard at least so often. */
  readonly heartbeat: Millis;
  /** So much silence makes a suspect, */
  readonly timeout: Millis;
  /** or up to this, of a node that was silent or late before. */
  readonly timeoutMax: Millis;
  /** Whether a node is suspected whose packets to all do not come through, though others do. */
  readonly judgesMute: boolean;
}

/** The worst of something lately. */
export interface Worst {
  readonly millis: Millis;
  readonly at: Millis;
}

/** What is known of this process itself. */
export interface Detector {
  readonly patience: Patience;
  /** When it last ran. */
  awakeAt: Millis;
  /** No new suspicion before this. */
  judgeFrom: Millis;
  /** How late it ran, when that was worst. */
  lag: Worst;
  /** Since when it has run all the time, as far as it or anybody else has noticed; -Infinity: always. */
  awakeSince: Millis;
  /** Since when it runs again and has read what was queued, if it stood still for long and has not heard a quorum since; else null. */
  resumedAt: Millis | null;
}

/** What is known of one node. */
export interface Signals {
  /** Its last sign of life; -Infinity if there was none. */
  heardAt: Millis;
  /** Its last packet to everybody; -Infinity if there was none. */
  heardToAllAt: Millis;
  /** When it became one of those that ought to be heard. */
  watchedAt: Millis;
  /** When a newer incarnation last claimed its address, or null. */
  claimedAt: Millis | null;
  /** When it turned out that it has crashed, or null. */
  goneAt: Millis | null;
  /** The longest silence that it came back from. */
  silence: Worst;
  /** How late its process runs, as it said last. */
  lag: Millis;
}

/** For so many timeouts a node may be without a packet to all. */
const muteTimeouts = 3;

/** Nothing bad ever happened. */
export const never: Worst = { millis: 0, at: 0 };

/** A detector of a process that is awake. */
export function createDetector(patience: Patience, now: Millis): Detector {
  return { patience, awakeAt: now, judgeFrom: now, lag: never, awakeSince: -Infinity, resumedAt: null };
}

/** This process runs. True if it had not for long, so that silence until now proves nothing. */
export function awake(detector: Detector, now: Millis): boolean {
  const { patience } = detector;
  const late = now - detector.awakeAt - patience.heartbeat;
  detector.awakeAt = Math.max(detector.awakeAt, now);
  // it is woken once a heartbeat at least
  if (late <= patience.heartbeat / 2) return false;
  detector.lag = worse(patience, detector.lag, late, now);
  const stalled = late + patience.heartbeat > stallOf(patience);
  if (stalled) {
    detector.judgeFrom = now + stallOf(patience);
    detector.awakeSince = now;
    // what it sent last may have been a heartbeat old when it fell asleep
    if (late + 2 * patience.heartbeat > patience.timeout) detector.resumedAt = now;
  }
  return stalled;
}

/** How late this process runs: the worst of late, as long as it matters. */
export function lagOf(detector: Detector, now: Millis): Millis {
  const lag = faded(detector.patience, detector.lag, now);
  return lag > detector.patience.heartbeat / 2 ? Math.round(lag) : 0;
}

/** Takes in a sign of life, said to all or to this node alone. */
export function hear(detector: Detector, signals: Signals, now: Millis, isToAll: boolean): void {
  const { patience } = detector;
  const silence = now - silentSince(signals);
  signals.heardAt = now;
  if (isToAll) signals.heardToAllAt = now;
  // what this process has slept through was no silence of the other
  if (silence > 2 * patience.heartbeat && now >= detector.judgeFrom) {
    signals.silence = worse(patience, signals.silence, silence, now);
  }
}

/** Since when a node is silent. */
export function silentSince({ heardAt, watchedAt }: Signals): Millis {
  return Math.max(heardAt, watchedAt);
}

/** When a node becomes a suspect if nothing more is heard of it. */
export function suspectAt(detector: Detector, signals: Signals): Millis {
  // no silence, but evidence: it holds for a process that has just woken up, too
  if (signals.goneAt !== null) return signals.goneAt;
  const { patience } = detector;
  const { heartbeat, timeout } = patience;
  const span = signals.claimedAt !== null ? Math.min(timeout, 3 * heartbeat) : patienceWith(detector, signals);
  return Math.max(Math.min(silentSince(signals) + span, muteFrom(detector, signals)), detector.judgeFrom);
}

/** Since when nothing that it says to all has come through. */
export function unheardSince({ heardToAllAt, watchedAt }: Signals): Millis {
  return Math.max(heardToAllAt, watchedAt);
}

/** From when on a node is a suspect for that, if nothing changes. */
export function muteFrom(detector: Detector, signals: Signals): Millis {
  if (!detector.patience.judgesMute) return Infinity;
  const { timeout } = detector.patience;
  return unheardSince(signals) + Math.max(muteTimeouts * timeout, patienceWith(detector, signals));
}

/** As of its last sign of life, so that patience does not change with the silence that tries it. */
function patienceWith(detector: Detector, signals: Signals): Millis {
  const { patience } = detector;
  const since = silentSince(signals);
  const usual = Math.max(patience.timeout, 2 * faded(patience, signals.silence, since));
  return Math.min(patience.timeoutMax, usual + signals.lag + lagOf(detector, Math.max(since, detector.lag.at)));
}

function worse(patience: Patience, before: Worst, millis: Millis, at: Millis): Worst {
  return millis >= faded(patience, before, at) ? { millis, at } : before;
}

function faded({ timeout }: Patience, { millis, at }: Worst, now: Millis): Millis {
  return millis === 0 ? 0 : millis * 2 ** (-(now - at) / (20 * timeout));
}

/** A pause of this process that is too long to be scheduling; also how long it then takes to hear everybody again. */
function stallOf({ heartbeat, timeout }: Patience): Millis {
  return 2 * heartbeat + timeout / 4;
}
