/**
 * What others say in their rows: how much of each stream they have received, and whether their actors keep up.
 */
import type { Rank, Seqno } from '../ids.js';
import { must } from '../assert.js';
import { heldBytesMax, repeatDelay } from '../limits.js';
import { Malformed } from '../wire/bytes.js';
import type { Group, Host, ViewState } from './state.js';
import { type Stream, release } from './stream.js';
import { openWindow } from './window.js';

/** Set in a frame's or a row's flags while its sender's actor is behind. */
export const pausedFlag = 1;
/** The rest of a frame's flags is its sender's window, so that others know when to acknowledge; 0 in what is sent again. */
const windowShift = 3;
/** It is told in powers of the square root of two times this. */
const windowUnit = 4096;
/** Set in the flags of a row that was in vain as a multicast: whoever lacks something by it answers the same way. */
export const inVainFlag = 2;

/** Whether this member's actor is so far behind that senders must wait; a joiner has a limit of its own while its state comes. */
export function isPaused(host: Host, group: Group): boolean {
  const { replica } = group;
  if (replica.kind === 'transferring' && replica.heldBytes > heldBytesMax) return true;
  return group.backlogBytes > host.options.backlogBytesMax;
}

/** This member's row was sent to all. */
export function noteRowSent(state: ViewState): void {
  state.bytesSinceRow.fill(0);
  state.ackAt = Infinity;
  state.ackNow = false;
}

/** A window as it stands in a frame's flags, rounded down. */
export function windowFlags(windowBytes: number): number {
  const halves = Math.floor(2 * Math.log2(windowBytes / windowUnit));
  return Math.max(0, Math.min(halves, 0xff >>> windowShift)) << windowShift;
}

/** Takes note of the window in the flags of a member's frame, if it is there. */
export function noteWindow(state: ViewState, sender: Rank, flags: number): void {
  const halves = flags >>> windowShift;
  if (halves > 0) state.windows[sender] = windowUnit * 2 ** (halves / 2);
}

/** Takes note of a member's flags. */
export function notePaused(state: ViewState, observer: Rank, flags: number): void {
  state.paused[observer] = flags & pausedFlag;
}

/** Nobody has received of this member's stream what it never sent: {@link Malformed} of who says so, before anything else it says counts. */
export function mustBeSent(state: ViewState, sender: Rank, seqno: Seqno): void {
  if (sender === state.rank && seqno > (state.streams[sender] as Stream).received) {
    throw new Malformed(`seqno ${seqno} of mine was never sent`);
  }
}

/**
 * `observer` has received `sender`'s stream up to `seqno`, which {@link mustBeSent}: shows gaps, frees what is stable, lets uniform ones
 * go.
 */
export function raise(host: Host, group: Group, state: ViewState, observer: Rank, sender: Rank, seqno: Seqno): void {
  const stream = must(state.streams[sender], 'stream');
  if (seqno > stream.known && !stream.frozen) stream.known = seqno;
  if (!state.stability.raise(observer, sender, seqno)) return;
  state.repeatDelay = repeatDelay;
  state.repeatAt = Infinity;
  const before = stream.unstableBytes;
  release(stream, state.stability.stable(sender));
  if (sender === state.rank) openWindow(host, before - stream.unstableBytes);
  host.touch(group);
}
