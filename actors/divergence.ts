/**
 * Whether replicas are still equal: at every so many positions each takes a digest of its state and tells the others.
 *
 * A function that is no function of state and message (it draws at random, looks at a clock or at a file) makes replicas
 * differ, and no protocol can notice but by comparing what came out. The positions are agreed, so is the view at each, and
 * `onView` runs between two deliveries: the digest is of the same moment everywhere.
 *
 * Digests are told in total order, and a comparison ends when the last member of the view of that position has told its
 * own or has gone: at the same point of the sequence for all who go on. So they agree on who differs, and those who leave
 * to fetch the state anew leave behind somebody who has it. What a member has told that then does not go on is never
 * compared: it may have been delivered another order, and before this member has told its own nothing ends.
 */
import { digestChecksMax, digestLengthMax } from '../lib/limits.js';
import type { Delivery, MemberInfo, ViewInfo } from '../lib/events.js';
import { decode } from './decoder.js';
import { digestWith } from './digest.js';
import { encode } from './encoder.js';
import { GroupFull, NotDecodable } from './errors.js';
import type { Check, Member } from './host.js';
import { bodyOf, kindDigest } from './internal.js';
import { beginRejoin } from './leave.js';
import { sendInternal } from './sending.js';
import { sizeOf } from './snapshot.js';
import { noRefs } from './wire-format.js';

/** A state above this has no digest without a function of the user's: it would hold up the node for too long, in bytes. */
const stateBytesMax = 1024 * 1024;

/** A member among all that a group ever had. */
export function keyOf({ id, joined }: Pick<MemberInfo, 'id' | 'joined'>): string {
  return `${id} ${joined}`;
}

/** A message of the user was applied. */
export function noteApplied(member: Member, { position, view }: Delivery): void {
  const { every, checks } = member.divergence;
  if (position % every !== 0 || member.discarding || !member.hasState) return;
  // of an earlier life of the node
  if (member.phase !== 'member' || member.rebirths > 0 || member.viewInfo?.id !== view.id) return;
  const digest = digestOfState(member);
  traceDigest(member, view, position, digest);
  if (view.members.length === 1) return;
  checks.set(position, { own: digest, told: new Map(view.members.map((one) => [keyOf(one), undefined])) });
  if (checks.size > digestChecksMax) giveUp(member);
  try {
    sendInternal(member, kindDigest, encode([position, digest], noRefs), 'total', false);
  } catch (error) {
    if (!(error instanceof GroupFull)) throw error;
    member.log.warn(`the digest of position ${position} of '${member.group}' is not told: ${error.message}`);
  }
}

function digestOfState(member: Member): string {
  const { state, host, group, divergence } = member;
  const { digest } = divergence;
  if (digest) {
    try {
      return digest(state).slice(0, digestLengthMax);
    } catch (error) {
      member.log.error(`the digest of '${group}' threw: ${String(error)}`);
      return 'none';
    }
  }
  if (sizeOf(state, stateBytesMax) <= stateBytesMax) return digestWith(host.refs, state).slice(0, 16);
  if (!divergence.warned) {
    divergence.warned = true;
    member.log.warn(
      `the state of '${group}' is too large for digests: give the actor a \`digest\` function of its own`,
    );
  }
  return 'too large';
}

function traceDigest(member: Member, view: ViewInfo, position: number, h: string): void {
  const { trace } = member.host.life;
  trace?.record({ e: 'hash', g: member.group, v: String(view.id), pos: position, h });
  trace?.flush();
}

function giveUp(member: Member): void {
  const { divergence, group } = member;
  for (const [position, { told }] of divergence.checks) {
    divergence.checks.delete(position);
    if (divergence.behind) return;
    divergence.behind = true;
    const missing = [...told].filter(([, digest]) => digest === undefined).map(([key]) => key.split(' ')[0]);
    member.log.info(`'${group}' is not compared at position ${position}: no digest of ${missing.join(', ')}`);
    return;
  }
}

/** A member told its digest. Throws {@link NotDecodable}. */
export function takeDigest(member: Member, { from, payload }: Delivery): void {
  const said = decode(bodyOf(payload), noRefs);
  const [position, digest] = Array.isArray(said) ? (said as unknown[]) : [];
  if (typeof position !== 'number' || typeof digest !== 'string') throw new NotDecodable('malformed digest');
  const check = member.divergence.checks.get(position);
  const key = keyOf(from);
  if (!check?.told.has(key)) return;
  check.told.set(key, digest);
  conclude(member, position, check);
}

/** Who is not in the view any more is not waited for, and does not count. */
export function forgetGone(member: Member, view: ViewInfo): void {
  const { checks } = member.divergence;
  if (checks.size === 0) return;
  const present = new Set(view.members.map(keyOf));
  for (const [position, check] of checks) {
    for (const key of check.told.keys()) if (!present.has(key)) check.told.delete(key);
    conclude(member, position, check);
  }
}

/** Compares, if all have told. */
function conclude(member: Member, position: number, { own, told }: Check): void {
  if (member.phase !== 'member' || member.rebirths > 0) return;
  const digests = [...told.values()];
  if (digests.includes(undefined)) return;
  const { divergence } = member;
  divergence.checks.delete(position);
  divergence.behind = false;
  const agreed = agreedOf(digests as string[]);
  const others = [...told].filter(([, digest]) => digest !== agreed).map(([key]) => key.split(' ')[0] as string);
  if (others.length === 0) return;
  if (own === agreed) {
    member.log.warn(`other replicas of '${member.group}' differ at position ${position}: ${others.join(', ')}`);
    return;
  }
  diverged(member, `at position ${position}`, position);
}

/** What most say, the oldest first; if nothing has a majority, what the oldest says. */
export function agreedOf(digests: readonly string[]): string {
  const majority = digests.find((one) => 2 * digests.filter((other) => other === one).length > digests.length);
  return majority ?? (digests[0] as string);
}

/** This replica is not what the others are: says where, and gets their state. */
export function diverged(member: Member, where: string, position = member.position): void {
  const { group, stream, host, viewInfo } = member;
  member.log.error(
    `this replica of '${group}' differs from the others ${where}: its function must depend on nothing but ` +
      'state, message and context. It fetches the state anew',
  );
  const { trace } = host.life;
  trace?.record({ e: 'diverged', g: group, v: String(viewInfo?.id), pos: position });
  trace?.flush();
  if (stream.subject.observed && stream.view) stream.subject.next({ kind: 'diverged', position, view: stream.view });
  beginRejoin(member);
}
