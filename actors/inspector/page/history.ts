/**
 * What happened, put together from records: processes, the views of each group and its multicasts. Of a living domain and of a
 * trace alike; only a trace has all of it.
 *
 * Times are nanoseconds of the machine's monotonic clock, as they stand in records.
 */
import type { Seen } from '../format.js';

/** The domain itself, as a group. */
export const domainGroup = '$domain';

/** A process: one life of a node. */
export interface Process {
  readonly id: string;
  first: number;
  last: number;
  /** When it ended, and how, as far as is known. */
  end: { readonly t: number; readonly how: 'left' | 'excluded' | 'failed' } | null;
}

/** A multicast, and what became of it. */
export interface Multicast {
  readonly id: string;
  readonly group: string;
  /** The process that sent it. */
  readonly sender: string;
  readonly order: string;
  readonly uniform: boolean;
  /** The view in which it was sent; null while it is queued for a later one. */
  view: string | null;
  /** When it was sent, or first heard. */
  sent: number;
  /** By process: when it was known to have it, by its row. */
  readonly received: Map<string, number>;
  /** By process. */
  readonly delivered: Map<string, Delivered>;
  /** When all members were known to have it. */
  stable: number | null;
  /** Why it was never sent. */
  failed: string | null;
}

/** One delivery. */
export interface Delivered {
  readonly t: number;
  readonly view: string;
  /** In the total order; null for the other orders. */
  readonly position: number | null;
}

/** A view of a group. */
export interface View {
  readonly group: string;
  readonly id: string;
  readonly number: number;
  readonly members: readonly string[];
  readonly cause: string;
  /** When it was first known of. */
  known: number;
  /** By member: when it installed the view, for those of whom it was seen. */
  readonly installed: Map<string, number>;
}

/** Something that happened at one process and is no multicast. */
export interface Mark {
  readonly t: number;
  readonly process: string;
  readonly group: string | null;
  readonly kind: 'suspect' | 'blocked' | 'state-out' | 'state-in' | 'diverged' | 'leave';
  readonly text: string;
  /** Whom it is about, or from whom it came. */
  readonly other: string | null;
}

/** All of it. */
export interface History {
  readonly processes: Map<string, Process>;
  /** In the order in which they were first seen. */
  readonly multicasts: Map<string, Multicast>;
  /** By group, in the order in which they were first seen; views by id within. */
  readonly views: Map<string, Map<string, View>>;
  marks: Mark[];
  from: number;
  to: number;
}

/** Nothing has happened. */
export function createHistory(): History {
  return { processes: new Map(), multicasts: new Map(), views: new Map(), marks: [], from: Infinity, to: -Infinity };
}

/** The name in a process' id. */
export function nameOf(id: string): string {
  const at = id.lastIndexOf('#');
  return at < 0 ? id : id.slice(0, at);
}

/** Takes in a record. Those of one process come in its order, those of others in any. */
export function take(history: History, record: Seen): void {
  history.from = Math.min(history.from, record.t);
  history.to = Math.max(history.to, record.t);
  touch(history, record.p, record.t);
  switch (record.e) {
    case 'view':
      return takeView(history, record);
    case 'send':
    case 'xmit':
    case 'sendfail':
    case 'deliver':
    case 'received':
    case 'stable':
      return takeMulticast(history, record);
    case 'suspect':
      return mark(history, record, 'suspect', `suspects ${nameOf(record.who)}`, record.who);
    case 'blocked':
      return mark(history, record, 'blocked', 'sends nothing new: the view is to change', null, record.g);
    case 'state-out':
      return mark(history, record, 'state-out', `gives the state to ${nameOf(record.for)}`, record.for, record.g);
    case 'state-in':
      return mark(history, record, 'state-in', `has the state from ${nameOf(record.from)}`, record.from, record.g);
    case 'diverged':
      return mark(history, record, 'diverged', `has another state at position ${record.pos}`, null, record.g);
    case 'left':
    case 'excluded':
      if (record.g === undefined || record.g === domainGroup) finish(history, record.p, record.t, record.e);
      else mark(history, record, 'leave', record.e === 'left' ? 'has left the group' : 'was excluded', null, record.g);
      return;
    // nothing to see
    case 'answered':
    case 'ask':
    case 'asked':
    case 'gauge':
    case 'hash':
    case 'leave':
    case 'start':
    case 'tell':
    case 'told':
      return;
  }
}

function touch(history: History, id: string, t: number): Process {
  let process = history.processes.get(id);
  if (!process) {
    process = { id, first: t, last: t, end: null };
    history.processes.set(id, process);
  }
  process.first = Math.min(process.first, t);
  process.last = Math.max(process.last, t);
  return process;
}

/** A process of which others speak: it is there, though nothing of its own was seen. */
function meet(history: History, id: string, t: number): void {
  if (!history.processes.has(id)) history.processes.set(id, { id, first: t, last: t, end: null });
}

function finish(history: History, id: string, t: number, how: 'left' | 'excluded' | 'failed'): void {
  const process = touch(history, id, t);
  process.end ??= { t, how };
}

function mark(
  history: History,
  { t, p }: Seen,
  kind: Mark['kind'],
  text: string,
  other: string | null,
  group: string | null = null,
): void {
  history.marks.push({ t, process: p, group, kind, text, other });
}

function takeView(history: History, record: Extract<Seen, { e: 'view' }>): void {
  const { t, p, g, v, k, m, joined, left } = record;
  let views = history.views.get(g);
  if (!views) history.views.set(g, (views = new Map<string, View>()));
  let view = views.get(v);
  if (!view) {
    const cause = causeOf(record);
    view = { group: g, id: v, number: k, members: m, cause, known: t, installed: new Map() };
    views.set(v, view);
  }
  view.known = Math.min(view.known, t);
  if (m.includes(p) && !view.installed.has(p)) view.installed.set(p, t);
  if (g !== domainGroup) return;
  for (const id of [...joined, ...m]) meet(history, id, t);
  for (const [id, how] of left) finish(history, id, history.processes.get(id)?.last ?? t, how);
}

/** In words. */
function causeOf({ m, joined, left }: Extract<Seen, { e: 'view' }>): string {
  const causes = (['failed', 'excluded', 'left'] as const).flatMap((how) => {
    const names = left.filter(([, cause]) => cause === how).map(([id]) => nameOf(id));
    return names.length > 0 ? [`${how}: ${names.join(', ')}`] : [];
  });
  if (joined.length > 0) {
    causes.push(
      joined.length === m.length && left.length === 0 ? 'founded' : `joined: ${joined.map(nameOf).join(', ')}`,
    );
  }
  return causes.join('; ');
}

type OfMulticast = Extract<Seen, { e: 'send' | 'xmit' | 'sendfail' | 'deliver' | 'received' | 'stable' }>;

function takeMulticast(history: History, record: OfMulticast): void {
  const { t, p, g, id } = record;
  const sender = id.slice(0, id.lastIndexOf(':'));
  // told by somebody who looks on: it is not the sender that speaks
  const order = record.e === 'send' || record.e === 'deliver' ? record.o : '';
  const uniform = record.e === 'send' || record.e === 'deliver' ? record.u : false;
  const key = `${g}\n${id}`;
  let multicast = history.multicasts.get(key);
  if (!multicast) {
    const unknown = { view: null, sent: Infinity, stable: null, failed: null };
    multicast = { id, group: g, sender, order, uniform, ...unknown, received: new Map(), delivered: new Map() };
    history.multicasts.set(key, multicast);
  }
  switch (record.e) {
    case 'send':
      multicast.view ??= record.v;
      multicast.sent = Math.min(multicast.sent, t);
      return;
    case 'xmit':
      // it waited until then
      multicast.view = record.v;
      multicast.sent = t;
      return;
    case 'sendfail':
      multicast.failed = record.why;
      return;
    case 'deliver':
      multicast.view ??= record.v;
      if (!multicast.delivered.has(p)) {
        multicast.delivered.set(p, { t, view: record.v, position: record.pos ?? null });
      }
      return;
    case 'received':
      if (!multicast.received.has(p)) multicast.received.set(p, t);
      return;
    case 'stable':
      multicast.stable = Math.min(multicast.stable ?? Infinity, t);
      return;
  }
}

/** When a multicast was sent, or, if that is not known, first delivered. */
export function beganAt({ sent, delivered }: Multicast): number {
  if (sent !== Infinity) return sent;
  let first = Infinity;
  for (const { t } of delivered.values()) first = Math.min(first, t);
  return first;
}

/** Forgets what was over before `t`: of a living domain the last minutes are kept. Views that still stand are. */
export function forget(history: History, t: number): void {
  for (const [key, multicast] of history.multicasts) if (beganAt(multicast) < t) history.multicasts.delete(key);
  history.marks = history.marks.filter((each) => each.t >= t);
  for (const views of history.views.values()) {
    const all = [...views.values()].sort((a, b) => a.number - b.number);
    all.forEach((view, i) => {
      const next = all[i + 1];
      if (next !== undefined && next.known < t) views.delete(view.id);
    });
  }
  for (const [id, { end }] of history.processes) if (end !== null && end.t < t) history.processes.delete(id);
  history.from = Math.max(history.from, t);
}

/** Groups with something to show, those with most multicasts first. */
export function groupsIn(history: History): string[] {
  const counts = new Map<string, number>();
  for (const name of history.views.keys()) counts.set(name, 0);
  for (const { group } of history.multicasts.values()) counts.set(group, (counts.get(group) ?? 0) + 1);
  counts.delete(domainGroup);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([name]) => name);
}

/** Members of a view that are not known to have a multicast. */
export function lacking(history: History, multicast: Multicast): string[] {
  if (multicast.stable !== null) return [];
  const view = history.views.get(multicast.group)?.get(multicast.view ?? '');
  return (view?.members ?? []).filter(
    (id) => id !== multicast.sender && !multicast.received.has(id) && !multicast.delivered.has(id),
  );
}

/** Whether the view in which it was sent is over, so that whoever goes on has it, by virtual synchrony. */
export function isSettled(history: History, { group, view }: Multicast): boolean {
  const views = history.views.get(group);
  const own = views?.get(view ?? '');
  if (!views || !own) return false;
  for (const { number } of views.values()) if (number > own.number) return true;
  return false;
}
