/**
 * A member whose actor does not keep up makes all senders of its group wait. Where that is limited (`limits.behindMax`), it
 * goes when it has held them up for so long, and comes back with the group's state, which costs less than what it has missed.
 *
 * The oldest member stays all the same: if all were behind at once, all would go, and the state with them.
 */
import { isBehind, isDispensable } from '../lib/inspect.js';
import type { Member } from './host.js';
import { beginRejoin } from './leave.js';

/** Looks that are taken in the time that is allowed. */
const looks = 8;

/** Watches over a member until it is gone. */
export function watchPace(member: Member): void {
  const { host, group, log } = member;
  const { behindMax } = host.options;
  if (behindMax === undefined) return;
  const { runtime } = host;
  let since: number | undefined;
  const look = (): void => {
    if (member.phase === 'gone') return;
    runtime.after(behindMax / looks, look, 'background');
    const { core } = host.life;
    if (member.phase !== 'member' || !member.hasState || core === undefined || !isBehind(core, group)) {
      since = undefined;
      return;
    }
    const now = runtime.now();
    since ??= now;
    if (now - since < behindMax || !isDispensable(core, group)) return;
    since = undefined;
    log.warn(
      `the actor of '${group}' has been behind for ${behindMax} ms (limits.behindMax): it fetches the state anew`,
    );
    beginRejoin(member);
  };
  runtime.after(behindMax / looks, look, 'background');
}
