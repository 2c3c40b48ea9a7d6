/**
 * RPC: group asks. Whoever answers is in the view in which the question was delivered; whoever is missing from an
 * answer by all has gone; every ask ends, once.
 */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { Asked, History, Life, Of, View } from '../history.js';

interface Asks {
  readonly asks: Map<string, Of<'ask'>>;
  /** Who answered what, and in which lives. */
  readonly answers: Map<string, (Life | null)[]>;
  readonly ended: Map<string, Of<'asked'>>;
}

/** RPC, see the head of this file. */
export function rpc(history: History): Finding {
  const found = finding('RPC');
  const asks: Asks = { asks: new Map(), answers: new Map(), ended: new Map() };
  for (const record of history.asks) {
    const key = keyOf(record);
    if (asks.asks.has(key)) violate(found, `ask ${record.r} begins twice`, asks.asks.get(key), record);
    else asks.asks.set(key, record);
    found.held += 1;
  }
  checkAnswers(found, history, asks);
  for (const end of history.asked) checkEnd(found, history, asks, end);
  for (const [key, record] of asks.asks) {
    const lives = history.quiesced && history.alive.has(record.p);
    if (lives && !asks.ended.has(key)) violate(found, `ask ${record.r} never ends`, record);
  }
  return found;
}

function keyOf(record: { readonly g: string; readonly r: string }): string {
  return `${record.g}\n${record.r}`;
}

function checkAnswers(found: Finding, history: History, { asks, answers }: Asks): void {
  for (const { record, life } of history.answers) {
    const answer = `${keyOf(record)}\n${record.p}`;
    const lives = answers.get(answer) ?? [];
    // a group that everybody left has forgotten what it served
    if (lives.includes(life)) violate(found, `${record.p} answers ${record.r} twice`, record);
    answers.set(answer, [...lives, life]);
    const asker = record.r.slice(0, Math.max(0, record.r.lastIndexOf(':')));
    if (!asks.has(keyOf(record)) && history.processes.has(asker)) {
      violate(found, `${record.p} answers ${record.r}, which nobody asked`, record);
    }
  }
}

function checkEnd(found: Finding, history: History, asks: Asks, asked: Asked): void {
  const { record } = asked;
  const ask = asks.asks.get(keyOf(record));
  const before = asks.ended.get(keyOf(record));
  if (ask === undefined) return violate(found, `${record.r} ends and never began`, record);
  if (before !== undefined) return violate(found, `ask ${record.r} ends twice`, before, record);
  asks.ended.set(keyOf(record), record);
  const view = viewOfDelivery(history, ask);
  const names = new Set<string>();
  for (const member of record.got) {
    if (names.has(member)) violate(found, `ask ${record.r} counts ${member} twice`, ask, record);
    names.add(member);
    if (view !== null && !view.ranks.has(member)) {
      violate(found, `ask ${record.r} has a reply of ${member}, not in view ${view.id}`, ask, record);
    }
    if (history.processes.has(member) && !hasReply(history, asks, record, member, new Set())) {
      violate(found, `ask ${record.r} has a reply of ${member}, which did not answer`, ask, record);
    }
  }
  if (view !== null && ask.want === 'all' && record.outcome === 'ok') checkMissing(found, view, ask, asked, names);
}

/** Whether a member has answered, or got its state, and the reply with it, from one who had. */
function hasReply(history: History, asks: Asks, asked: Of<'asked'>, member: string, tried: Set<string>): boolean {
  if (asks.answers.has(`${keyOf(asked)}\n${member}`)) return true;
  if (tried.has(member)) return false;
  tried.add(member);
  const track = history.processes.get(member)?.tracks.get(asked.g);
  const states = track ? [...track.lives.flatMap((life) => life.statesIn), ...track.statesAhead] : [];
  return states.some((state) => hasReply(history, asks, asked, state.record.from, tried));
}

/** The view in which the question was transmitted, and so delivered. */
function viewOfDelivery(history: History, ask: Of<'ask'>): View | null {
  const multicast = ask.id === null ? undefined : history.groups.get(ask.g)?.multicasts.get(ask.id);
  return multicast?.stay?.view ?? null;
}

function checkMissing(found: Finding, view: View, ask: Of<'ask'>, asked: Asked, got: ReadonlySet<string>): void {
  for (const member of view.members) {
    // an asker that has left the group is gone before anybody sees it
    const hasLeft = member === ask.p && asked.view === null;
    if (got.has(member) || hasLeft || isGone(view, asked.view, member)) continue;
    violate(found, `ask ${ask.r} of all ends without ${member}, which is still in the view`, ask, asked.record);
  }
}

/**
 * Whether a member of the view has left it by the asker's later one, even if it has come back since; for an asker outside
 * the group, by anybody's.
 */
function isGone(view: View, later: View | null, member: string): boolean {
  const until = later?.lineage === view.lineage ? later.k : Infinity;
  for (const other of view.lineage.views.values()) {
    if (other.k <= view.k || other.k > until) continue;
    // who has left and joined again between two views is in both
    const hasLeft = other.stays.some(({ record: { prev, left } }) => {
      const before = prev === null ? undefined : view.lineage.views.get(prev);
      return before !== undefined && before.k >= view.k && left.some(([id]) => id === member);
    });
    if (hasLeft || !other.ranks.has(member)) return true;
  }
  return false;
}
