/** How members end with their node: through with what they were delivered, or, when there is no more time, without it. */
import { enqueueOver, takeLastWords } from './group-actor.js';
import type { Host, Member } from './host.js';
import { finish, leaveMillisMax } from './leave.js';
import { isInternal } from './payload.js';
import { failUndelivered } from './receipts.js';
import type { Timer } from './runtime.js';

/** Of the time to leave this is kept for members to apply what they were delivered, in milliseconds. */
const applyMillis = 1000;

/** When a node that leaves goes without the others' consent. */
export function consentBy({ leaveBy }: Host): number {
  return leaveBy - applyMillis;
}

/** Has all members apply what they were still delivered, and ends those that are not through when the time to leave is over. */
export async function endMembers(host: Host, status: 'left' | 'excluded', why: Error): Promise<void> {
  const members = [...host.members.values()];
  for (const member of members) enqueueOver(member, status, why);
  const { runtime } = host;
  const now = runtime.now();
  const millis = Math.max(0, Math.min(host.leaveBy - now, leaveMillisMax));
  let timer: Timer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = runtime.after(millis, resolve);
  });
  await Promise.race([Promise.all(members.map(({ left }) => left.promise)), late]);
  runtime.cancel(timer);
  for (const member of members) if (member.phase !== 'gone') cutOff(member, status, why);
}

/** Ends a member that may still be at it, or have messages before it. */
function cutOff(member: Member, status: 'left' | 'excluded', why: Error): void {
  takeLastWords(member);
  const waiting = [
    ...member.mailbox.takeKinds(['direct']),
    ...member.mailbox.deliveries().filter((item) => !isInternal(item)),
  ];
  const also = member.draining ? ', and may not be through with one more' : '';
  member.log.warn(
    `'${member.group}' is left with ${waiting.length} messages not applied here: its function did not take them within the time ` +
      `to leave${also}`,
  );
  failUndelivered(member.outbox, 'its node left before its own member had applied it');
  finish(member, why, status);
}
