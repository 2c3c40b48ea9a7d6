/**
 * RPC: group asks. Whoever answers is in a view in which the question was delivered; whoever is missing from a result
 * that lacks replies has gone, or has joined with a state in which the question was answered; every ask ends, once.
 *
 * A member's question is one multicast. That of a node that asks through a member may be sent again if the member goes,
 * and is then delivered more than once: it is found by its name.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { Answer, Asked, History, Life, Of, Serving, View } from '../history.js';
import { processOf } from '../history.js';
import type { Origins } from '../origins.js';
import { createOrigins, originsOf } from '../origins.js';

interface Asks {
  readonly history: History;
  readonly origins: Origins;
  readonly asks: Map<string, Of<'ask'>>;
  /** Who answered what. */
  readonly answers: Map<string, Answer[]>;
  readonly ended: Map<string, Of<'asked'>>;
}

/** RPC, see the head of this file. */
export function rpc(history: History): Finding {
  const found = finding('RPC');
  const origins = createOrigins(history);
  const asks: Asks = { history, origins, asks: new Map(), answers: new Map(), ended: new Map() };
  for (const record of history.asks) {
    const key = keyOf(record);
    if (asks.asks.has(key)) violate(found, `ask ${record.r} begins twice`, asks.asks.get(key), record);
    else asks.asks.set(key, record);
    found.held += 1;
  }
  for (const answer of history.answers) checkAnswer(found, asks, answer);
  for (const end of history.asked) checkEnd(found, asks, end);
  for (const [key, record] of asks.asks) {
    const lives = history.quiesced && history.alive.has(record.p);
    if (lives && !asks.ended.has(key)) violate(found, `ask ${record.r} never ends`, record);
  }
  return found;
}

function keyOf(record: { readonly g: string; readonly r: string }): string {
  return `${record.g}\n${record.r}`;
}

function answerOf(record: { readonly g: string; readonly r: string }, member: string): string {
  return `${keyOf(record)}\n${member}`;
}

function servingsOf(history: History, { g, r }: { readonly g: string; readonly r: string }): readonly Serving[] {
  return history.groups.get(g)?.requests.get(r) ?? [];
}

function checkAnswer(found: Finding, { history, asks, answers }: Asks, answer: Answer): void {
  const { record, isDelivered } = answer;
  const key = answerOf(record, record.p);
  const before = answers.get(key) ?? [];
  answers.set(key, [...before, answer]);
  if (before.length > 0 && before.length >= livesOf(history, record)) {
    violate(found, `${record.p} answers ${record.r} twice`, before[0]!.record, record);
  }
  const asker = record.r.slice(0, Math.max(0, record.r.lastIndexOf(':')));
  if (!asks.has(keyOf(record)) && history.processes.has(asker)) {
    violate(found, `${record.p} answers ${record.r}, which nobody asked`, record);
  }
  if (!isDelivered) violate(found, `${record.p} answers ${record.r}, which it was not delivered`, record);
}

/** In how many lives a member has applied a request: a group that everybody left has forgotten what it served. */
function livesOf(history: History, record: Of<'answered'>): number {
  const own = servingsOf(history, record).filter(({ record: { p, repeated } }) => p === record.p && repeated !== true);
  return new Set(own.map(({ stay }) => stay.life)).size;
}

function checkEnd(found: Finding, all: Asks, asked: Asked): void {
  const { record } = asked;
  const ask = all.asks.get(keyOf(record));
  const before = all.ended.get(keyOf(record));
  if (ask === undefined) return violate(found, `${record.r} ends and never began`, record);
  if (before !== undefined) return violate(found, `ask ${record.r} ends twice`, before, record);
  all.ended.set(keyOf(record), record);
  const views = viewsOfDelivery(all.history, ask);
  checkReplies(found, all, ask, record, views);
  if (record.outcome === 'ok' && views.length > 0) checkMissing(found, all, ask, asked, views);
}

/** The views in which the question was delivered. */
function viewsOfDelivery(history: History, ask: Of<'ask'>): readonly View[] {
  if (ask.id === null) return [...new Set(servingsOf(history, ask).map(({ stay }) => stay.view))];
  const view = history.groups.get(ask.g)?.multicasts.get(ask.id)?.stay?.view;
  return view === undefined ? [] : [view];
}

function checkReplies(found: Finding, all: Asks, ask: Of<'ask'>, asked: Of<'asked'>, views: readonly View[]): void {
  const names = new Set<string>();
  for (const member of asked.got) {
    if (names.has(member)) violate(found, `ask ${asked.r} counts ${member} twice`, ask, asked);
    names.add(member);
    if (views.length > 0 && !views.some(({ ranks }) => ranks.has(member))) {
      const where = views.map(({ id }) => id).join(', ');
      violate(found, `ask ${asked.r} has a reply of ${member}, not in view ${where}`, ask, asked);
    }
    if (asked.missing.includes(member)) violate(found, `ask ${asked.r} has and lacks ${member}`, ask, asked);
    if (!hasAnswered(all, ask, member)) {
      violate(found, `ask ${asked.r} has a reply of ${member}, which did not answer`, ask, asked);
    }
  }
}

/** Whether a member, or one from whom it has its state with the replies, has answered. */
function hasAnswered({ history, origins, answers }: Asks, ask: Of<'ask'>, member: string): boolean {
  const process = history.processes.get(member);
  if (process === undefined || answers.has(answerOf(ask, member))) return true;
  if (ask.id !== null) return false;
  const donors = (process.tracks.get(ask.g)?.lives ?? []).flatMap((life) => originsOf(origins, life));
  return donors.some(({ life }) => answers.has(answerOf(ask, life.track.process.id)));
}

/** Each member of a view in which the question was delivered has replied or is missing, and, if replies lack, rightly so. */
function checkMissing(found: Finding, all: Asks, ask: Of<'ask'>, asked: Asked, views: readonly View[]): void {
  const { got, missing } = asked.record;
  const named = new Set([...got, ...missing]);
  const expected = views.filter(
    ({ members, ranks }) =>
      members.every((member) => named.has(member)) && missing.every((member) => ranks.has(member)),
  );
  if (expected.length === 0) {
    const sentence = `ask ${ask.r} ends without telling of each member of the view of its delivery`;
    return violate(found, sentence, ask, asked.record);
  }
  const there = expected.map((view) => missingWithout(all, ask, asked, view));
  if (there.some((member) => member === null)) return;
  violate(found, `ask ${ask.r} ends without ${there[0] ?? ''}, which is still in the view`, ask, asked.record);
}

/** A member that is missing without a reason; null if there is none, or replies enough. */
function missingWithout(all: Asks, ask: Of<'ask'>, asked: Asked, view: View): string | null {
  const { got, missing } = asked.record;
  if (got.length >= wantedOf(ask.want, view.members.length)) return null;
  return missing.find((member) => !isGone(view, asked, member) && !isSilent(all, ask, member)) ?? null;
}

function wantedOf(want: string | number, members: number): number {
  if (typeof want === 'number') return want;
  if (want === 'one') return 1;
  return want === 'majority' ? Math.floor(members / 2) + 1 : members;
}

/** Whether a member was delivered the question only as a repetition: it has joined since, and may not know the reply. */
function isSilent({ history }: Asks, ask: Of<'ask'>, member: string): boolean {
  if (ask.id !== null) return false;
  const own = servingsOf(history, ask).filter(({ record }) => record.p === member);
  const lives = new Set(own.map(({ stay }) => stay.life));
  return [...lives].some((life) => own.every(({ stay, record }) => stay.life !== life || record.repeated === true));
}

/**
 * Whether the asker may know that a member of the view is one no more: a member by the view that it has installed, any
 * other node by its state of the domain.
 */
function isGone(view: View, { record, view: later, domain }: Asked, member: string): boolean {
  // an asker that has left the group is gone before anybody sees it
  if (member === record.p && later === null) return true;
  const { last, gone } = membershipOf(view, member);
  if (later !== null && later.lineage === view.lineage) return gone !== null && gone <= later.k;
  if (domain !== null && domain.lineage.dom === view.lineage.dom && domain.k <= last) return false;
  return gone !== null || !staysToEnd(view, member);
}

/** The last installed view, from this one on, of which a member is one still, and the first of which it is one no more. */
function membershipOf(view: View, member: string): { readonly last: number; readonly gone: number | null } {
  let last = view.k;
  for (const other of view.lineage.epochs.flat()) {
    if (other.k <= view.k) continue;
    if (!other.ranks.has(member) || hasLeft(view, other, member) || isBack(view, other, member))
      return { last, gone: other.k };
    last = other.k;
  }
  return { last, gone: null };
}

/** Who has left and joined again between two views is in both. */
function hasLeft(view: View, later: View, member: string): boolean {
  return later.stays.some(({ record: { prev, left } }) => {
    const before = prev === null ? undefined : view.lineage.views.get(prev);
    return before !== undefined && before.k >= view.k && left.some(([id]) => id === member);
  });
}

/** Nor does a view tell who has left if nobody goes on to it: then the member's own trace must. */
function isBack(view: View, later: View, member: string): boolean {
  const [before, after] = [lifeIn(view, member), lifeIn(later, member)];
  return before !== undefined && after !== undefined && before !== after;
}

function lifeIn(view: View, member: string): Life | undefined {
  return view.stays.find((stay) => processOf(stay).id === member)?.life;
}

function staysToEnd(view: View, member: string): boolean {
  return lifeIn(view, member)?.stays.at(-1)?.until === 'end';
}
