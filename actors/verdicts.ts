/**
 * Whether all members leave out what one leaves out: a multicast that it cannot read, or, of a replicated state, one at which its
 * function threw and its supervisor said to go on with the next.
 *
 * The same bytes fail at every member, unless one has another codec or is broken; the same function throws at every replica, unless
 * it looks at more than state and message. One that differs has diverged, and nothing else would show it. So whoever leaves a
 * multicast out tells the others, in total order, and all who were there say whether they did. When the last has said so, or has
 * gone, they agree: what most of them did counts, or, of two halves, what the oldest did. Who differs for what it cannot read stops, and
 * so does a plain member that alone can read it; a replica that differs otherwise fetches the state anew.
 *
 * What is told of a causal or a total multicast comes after it at every member. A FIFO multicast may come later than what is told of it,
 * but its sender's come in one order to all, and all of a view before the next: who does not have it yet says what it did once it has.
 */
import { verdictsPerMessageMax, verdictsRememberedMax } from '../lib/limits.js';
import type { Delivery, ViewInfo } from '../lib/events.js';
import { decode } from './decoder.js';
import { agreedOf, keyOf, diverged } from './divergence.js';
import { encode } from './encoder.js';
import { GroupFull, NotDecodable } from './errors.js';
import type { Member, SaidVerdict, Verdict, Verdicts } from './host.js';
import { bodyOf, kindVerdict } from './internal.js';
import { beginLeave } from './leave.js';
import { sendInternal } from './sending.js';
import { noRefs } from './wire-format.js';

/** Nothing left out. */
export function createVerdicts(): Verdicts {
  return {
    since: 0,
    leftOut: new Map(),
    toTell: new Map(),
    isTelling: false,
    checks: new Map(),
    fifoDone: [],
    awaited: new Map(),
  };
}

/** Forgets everything: a life of the member begins. `since`: it sees all multicasts of this view and later ones. */
export function clearVerdicts(verdicts: Verdicts, since = 0): void {
  Object.assign(verdicts, createVerdicts(), { since });
}

function isHere(member: Member): boolean {
  return member.phase === 'member' && member.rebirths === 0 && member.hasState && !member.discarding;
}

function idOf({ from, message }: Delivery): string {
  return `${from.id}:${message}`;
}

/** A multicast was left out here, and this member goes on. */
export function noteLeftOut(member: Member, item: Delivery, why: 'unreadable' | 'thrown'): void {
  const { settings, verdicts } = member;
  const isFifo = item.order === 'fifo';
  if (why === 'thrown' && settings.kind === 'plain') {
    // what it makes of a message is its own; it could read it
    if (isFifo) noteFifoApplied(member, item);
    return;
  }
  if (isFifo) verdicts.fifoDone[item.fromRank] = item.message;
  if (!isHere(member) || item.view.members.length === 1) return;
  const id = idOf(item);
  verdicts.awaited.delete(id);
  verdicts.leftOut.set(id, why);
  forgetOldest(member, verdicts.leftOut);
  verdicts.toTell.set(id, { view: item.view.id, verdict: 'left out', isFifo });
  tellVerdicts(member);
}

/** A FIFO multicast was not left out. */
export function noteFifoApplied(member: Member, item: Delivery): void {
  const { fifoDone, awaited, toTell } = member.verdicts;
  fifoDone[item.fromRank] = item.message;
  if (awaited.size === 0) return;
  const id = idOf(item);
  if (!awaited.delete(id)) return;
  toTell.set(id, { view: item.view.id, verdict: 'applied', isFifo: true });
  tellVerdicts(member);
}

function forgetOldest(member: Member, map: Map<string, unknown>): void {
  if (map.size <= verdictsRememberedMax) return;
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
  const told = [...verdicts.toTell].slice(0, verdictsPerMessageMax);
  const body = told.map(([id, { view, verdict, isFifo }]) => [id, view, verdict, isFifo]);
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
    const [id, view, verdict, isFifo] = Array.isArray(each) ? (each as unknown[]) : [];
    if (typeof id !== 'string' || typeof view !== 'number' || !isVerdict(verdict) || typeof isFifo !== 'boolean')
      throw new NotDecodable('malformed verdict');
    takeVerdict(member, item, id, { view, verdict, isFifo });
  }
  if (item.from.id === member.outbox.node) verdicts.isTelling = false;
  tellVerdicts(member);
}

function isVerdict(said: unknown): said is Verdict {
  return said === 'left out' || said === 'applied' || said === 'not there';
}

function takeVerdict(member: Member, { from, view: now }: Delivery, id: string, said: SaidVerdict): void {
  const { verdicts } = member;
  const { view, verdict, isFifo } = said;
  let told = verdicts.checks.get(id);
  if (!told) {
    if (verdict !== 'left out') return;
    if (view < verdicts.since) {
      // what others have said of it may have come before this member: it has no part in it, and says so
      verdicts.toTell.set(id, { ...said, verdict: 'not there' });
      return;
    }
    told = new Map(now.members.map((one) => [keyOf(one), undefined]));
    verdicts.checks.set(id, told);
    forgetOldest(member, verdicts.checks);
    if (isFifo && isYetToCome(member, id, view)) {
      verdicts.awaited.set(id, view);
      forgetOldest(member, verdicts.awaited);
    } else if (!verdicts.leftOut.has(id)) {
      // who left it out has said so, or is about to
      verdicts.toTell.set(id, { ...said, verdict: 'applied' });
    }
  }
  const key = keyOf(from);
  if (told.has(key)) told.set(key, verdict);
  conclude(member, id, told);
}

/** Whether a FIFO multicast of a view has not come to this member. */
function isYetToCome({ viewInfo, verdicts }: Member, id: string, view: number): boolean {
  // all of an earlier view has come
  if (viewInfo === undefined || view < viewInfo.id) return false;
  const at = id.lastIndexOf(':');
  const rank = viewInfo.members.findIndex((one) => one.id === id.slice(0, at));
  return Number(id.slice(at + 1)) > (verdicts.fifoDone[rank] ?? 0);
}

/** A view begins, and all multicasts of the one before have come: who is not in it is not waited for, and does not count. */
export function endVerdictsOf(member: Member, view: ViewInfo): void {
  const { checks, awaited, toTell } = member.verdicts;
  member.verdicts.fifoDone = [];
  // somebody has told of what there is not
  for (const [id, named] of awaited) toTell.set(id, { view: named, verdict: 'not there', isFifo: true });
  awaited.clear();
  tellVerdicts(member);
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
    const what = `other members of '${group}' differ in multicast ${id}, which was ${agreed} here: ${others.join(', ')}`;
    host.notes.note('warn', `verdicts ${group}`, what);
  } else if (why === 'unreadable') {
    member.log.error(`this member of '${group}' cannot read multicast ${id}, which the others can: it stops`);
    beginLeave(member, true);
  } else if (member.settings.kind === 'plain') {
    member.log.error(`this member of '${group}' has read multicast ${id}, which the others cannot: it stops`);
    beginLeave(member, true);
  } else diverged(member, `in multicast ${id}, which was ${own} here only`);
}
