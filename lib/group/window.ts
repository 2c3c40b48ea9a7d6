/**
 * The window: so many own bytes, over all groups of a node, may be unstable, so that what is under way fits into the
 * receivers' socket buffers. A window that is never exceeded loses nothing to a full buffer.
 *
 * A buffer is one for all senders, so those who send share it: each sees by the frames it receives who else does. Who begins
 * does so with what is left for it if all begin at once, and doubles that each time it is acknowledged, up to its share; meanwhile
 * the others have seen it and keep to theirs.
 */
import { ackLeastShare, ackShare, senderForgottenAfter } from '../limits.js';
import type { Group, Host, Window } from './state.js';

/** A window that was not used yet; its limit is set before anything is sent. */
export function createWindow(): Window {
  return { unstable: 0, opened: 0, limit: 0, sentAt: -Infinity, heardAt: new Map(), waiting: new Set() };
}

/** What is left for each if all nodes send at once; a domain of few may grow. */
export function leastWindow(host: Host): number {
  return host.options.windowBytes / Math.max(4, host.nodeCount());
}

/** Sees how far the window is open by now. */
export function updateWindow(host: Host): void {
  const { window, now, options } = host;
  const least = leastWindow(host);
  if (window.unstable === 0 && now - window.sentAt > senderForgottenAfter) window.opened = least;
  let senders = 1;
  for (const [node, at] of window.heardAt) {
    if (now - at > senderForgottenAfter) window.heardAt.delete(node);
    else senders++;
  }
  window.limit = Math.max(least, Math.min(window.opened, options.windowBytes / senders));
}

/** How wide the window is at present. */
export function ownWindow(host: Host): number {
  return Math.max(host.window.limit, leastWindow(host));
}

/** How much may come from a sender that says to have such a window, or does not (0), before it is acknowledged: the window never empties. */
export function acknowledgedAfter(host: Host, windowBytes: number): number {
  const least = leastWindow(host);
  if (windowBytes === 0) return least * ackLeastShare;
  return Math.max(Math.min(windowBytes, least) * ackLeastShare, windowBytes * ackShare);
}

/** Whether the window has room; if not, the group is woken when it has. */
export function hasWindow({ window }: Host, group: Group): boolean {
  if (window.unstable < window.limit) return true;
  window.waiting.add(group);
  return false;
}

/**
 * Whether what is small may go with a frame that has to be sent although the window is full: up to an eighth more, and what it takes
 * for some progress, since the window may be full of what orders the multicasts of others.
 */
export function hasRest({ window, options }: Host, group: Group): boolean {
  if (window.unstable < window.limit * 1.125) return true;
  return group.stableMessage === group.acceptedMessage && window.unstable < options.windowBytes;
}

/** That many own bytes are under way. */
export function fillWindow({ window, now }: Host, bytes: number): void {
  window.unstable += bytes;
  window.sentAt = now;
}

/** That many own bytes are stable, or gone with their view: whoever waited goes on. */
export function openWindow(host: Host, bytes: number): void {
  if (bytes === 0) return;
  const { window, options } = host;
  window.unstable -= bytes;
  window.opened = Math.min(options.windowBytes, window.opened + bytes);
  for (const group of window.waiting) host.touch(group);
  window.waiting.clear();
}
