/**
 * The window: own unstable bytes, over all groups of a node, stay below what the receivers' socket buffers can hold. A
 * window that is never exceeded loses nothing to a full buffer.
 */
import type { Group, Host } from './state.js';

/** Whether the window has room; if not, the group is woken when it has. */
export function hasWindow(host: Host, group: Group): boolean {
  if (host.ownUnstableBytes < host.window()) return true;
  host.waitForWindow.add(group);
  return false;
}

/** That many own bytes are stable, or gone with their view: whoever waited goes on. */
export function openWindow(host: Host, bytes: number): void {
  if (bytes === 0) return;
  host.ownUnstableBytes -= bytes;
  for (const group of host.waitForWindow) host.touch(group);
  host.waitForWindow.clear();
}
