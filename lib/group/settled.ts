/**
 * A user's `flush`: waits until all that this member has sent and delivered so far is stable, so that whoever goes on has
 * it, whatever dies. To be awaited before acting on the world outside the group.
 */
import { pass } from './replica.js';
import type { Group, Host, Settling } from './state.js';

/** The user flushes. */
export function beginSettling(host: Host, group: Group, token: number): void {
  const { current, lastMessage } = group;
  const row = current ? current.streams.map((stream) => stream.received) : [];
  group.settling.push({ token, message: lastMessage, view: current?.view.id ?? 0, row });
  host.touch(group);
}

/** Tells the user of each flush that has come to its end. */
export function endSettling(host: Host, group: Group): void {
  if (group.settling.length === 0) return;
  const done = group.settling.filter((each) => isSettled(group, each));
  if (done.length === 0) return;
  group.settling = group.settling.filter((each) => !done.includes(each));
  for (const { token } of done) pass(host, group, { kind: 'settled', token });
}

function isSettled({ current, stableMessage }: Group, { message, view, row }: Settling): boolean {
  if (!current || stableMessage < message) return false;
  return current.view.id !== view || row.every((seqno, rank) => current.stability.stable(rank) >= seqno);
}
