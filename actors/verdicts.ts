/**
 * Whether all replicas leave out what one leaves out: a multicast that it cannot read, or at which its function threw and its
 * supervisor said to go on with the next.
 *
 * The same bytes fail at every replica, unless one has another codec or is broken; the same function throws at every replica, unless
 * it looks at more than state and message. One that differs has diverged, and nothing else would show it. So whoever leaves a
 * multicast out tells the others, in total order, and all who were there say whether they did. When the last has said so, or has
 * gone, they agree: what most of them did counts, or, of two halves, what the oldest did. Who differs for what it cannot read stops;
 * whoever else differs fetches the state anew.
 *
 * FIFO multicasts have no place in the order, by which they would be known to have been delivered: of them nobody tells.
 */
import type { Delivery, ViewInfo } from '../lib/events.js';
import { decode } from './decoder.js';
import { agreedOf, keyOf, diverged } from './divergence.js';
import { encode } from './encoder.js';
import { GroupFull, NotDecodable } from './errors.js';
import type { Member, Verdict, Verdicts } from './host.js';
import { bodyOf, kindVerdict } from './internal.js';
import { beginLeave } from './leave.js';
import { sendInternal } from './sending.js';
import { noRefs } from './wire-format.js';

/** Told at a time: what comes meanwhile goes together. */
const perMessageMax = 64;
/** Remembered of what was left out here, and of what others have: above it the oldest is given up, and the log says so. */
const rememberedMax = 4096;

/** Nothing left out. */
export function createVerdicts(): Verdicts {
  return { since: 0, leftOut: new Map(), toTell: new Map(), isTelling: false, checks: new Map() };
}

/** Forgets everything: a life of the member begins. `since`: it sees all multicasts of this view and later ones. */
export function clearVerdicts(verdicts: Verdicts, since = 0): void {
  Object.assign(verdicts, createVerdicts(), { since });
}

function isHere(member: Member): boolean {
  return member.phase === 'member' && member.rebirths === 0 && member.hasState && !member.discarding;
}

/** A multicast was left out here, and this member goes on. */
export function noteLeftOut(member: Member, item: Delivery, why: 'unreadable' | 'thrown'): void {
  const { settings, verdicts } = member;
  if (settings.kind === 'plain' || item.order === 'fifo' || !isHere(member)) return;
  if (item.view.members.length === 1) return;
  const id = `${item.from.id}:${item.message}`;
  verdicts.leftOut.set(id, why);
  forgetOldest(member, verdicts.leftOut);
  verdicts.toTell.set(id, { view: item.view.id, verdict: 'left out' });
  tellVerdicts(member);
}

function forgetOldest(member: Member, map: Map<string, unknown>): void {
  if (map.size <= rememberedMax) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    member.host.notes.note(
      'warn',
      `verdicts ${member.group}`,
      `too much of '${member.group}' is left out to compare it all`,
    );
    return;
  }
}

/** Tells what is to be told, if nothing is under way and there is room for it. */
export function tellVerdicts(member: Member): void {
  const { verdicts, group, host } = member;
  if (verdicts.isTelling || verdicts.toTell.size === 0 || member.phase !== 'member') return;
  const told = [...verdicts.toTell].slice(0, perMessageMax);
  const body = told.map(([id, { view, verdict }]) => [id, view, verdict]);
  try {
    sendInternal(member, kindVerdict, encode(body, noRefs), 'total', false);
  } catch (error) {
    if (!(error instanceof GroupFull)) throw error;
    // when there is room
    host.notes.note('warn', `verdicts ${group}`, `what was left out of '${group}' is not told yet: ${error.message}`);
    return;
  }
  verdicts.isTelling = true;
  for (const [id] of told) verdicts.toTell.delete(id);
}

/** A member says what it did with multicasts that somebody left out. Throws {@link NotDecodable}. */
export function takeVerdicts(member: Member, item: Delivery): void {
  const { verdicts } = member;
  const said = decode(bodyOf(item.payload), noRefs);
  if (!Array.isArray(said)) throw new NotDecodable('malformed verdicts');
  for (const each of said as unknown[]) {
    const [id, view, verdict] = Array.isArray(each) ? (each as unknown[]) : [];
    if (typeof id !== 'string' || typeof view !== 'number' || !isVerdict(verdict))
      throw new NotDecodable('malformed verdict');
    takeVerdict(member, item, id, view, verdict);
  }
  if (item.from.id === member.outbox.node) verdicts.isTelling = false;
  tellVerdicts(member);
}

function isVerdict(said: unknown): said is Verdict {
  return said === 'left out' || said === 'applied' || said === 'not there';
}

function takeVerdict(member: Member, { from, view: now }: Delivery, id: string, view: number, verdict: Verdict): void {
  const { verdicts } = member;
  let told = verdicts.checks.get(id);
  if (!told) {
    if (verdict !== 'left out') return;
    if (view < verdicts.since) {
      // what others have said of it may have come before this member: it has no part in it, and says so
      verdicts.toTell.set(id, { view, verdict: 'not there' });
      return;
    }
    told = new Map(now.members.map((one) => [keyOf(one), undefined]));
    verdicts.checks.set(id, told);
    forgetOldest(member, verdicts.checks);
    // who left it out has said so, or is about to
    if (!verdicts.leftOut.has(id)) verdicts.toTell.set(id, { view, verdict: 'applied' });
  }
  const key = keyOf(from);
  if (told.has(key)) told.set(key, verdict);
  conclude(member, id, told);
}

/** Who is not in the view any more is not waited for, and does not count. */
export function forgetVerdictsOfGone(member: Member, view: ViewInfo): void {
  const { checks } = member.verdicts;
  if (checks.size === 0) return;
  const present = new Set(view.members.map(keyOf));
  for (const [id, told] of checks) {
    for (const key of told.keys()) if (!present.has(key)) told.delete(key);
    conclude(member, id, told);
  }
}

function conclude(member: Member, id: string, told: ReadonlyMap<string, Verdict | undefined>): void {
  if (!isHere(member)) return;
  if ([...told.values()].includes(undefined)) return;
  const { verdicts, viewInfo, group, host } = member;
  const why = verdicts.leftOut.get(id);
  verdicts.checks.delete(id);
  verdicts.leftOut.delete(id);
  const counted = [...told].filter(([, verdict]) => verdict !== 'not there');
  const agreed = agreedOf(counted.map(([, verdict]) => verdict as string));
  const others = counted.filter(([, verdict]) => verdict !== agreed).map(([key]) => key.split(' ')[0] as string);
  const me = viewInfo?.members[viewInfo.rank];
  const own = me && told.get(keyOf(me));
  if (others.length === 0 || own === undefined) return;
  if (own === agreed) {
    const what = `other replicas of '${group}' differ in multicast ${id}, which was ${agreed} here: ${others.join(', ')}`;
    host.notes.note('warn', `verdicts ${group}`, what);
  } else if (why === 'unreadable') {
    member.log.error(`this replica of '${group}' cannot read multicast ${id}, which the others can: it stops`);
    beginLeave(member, true);
  } else diverged(member, `in multicast ${id}, which was ${own} here only`);
}
