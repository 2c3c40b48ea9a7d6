/**
 * What makes two states of a process the same to the explorer: everything in them but what only counts, and but the time.
 *
 * All of a process' data is walked, so that what the core comes to hold later is part of it, too. Of a time it matters
 * whether it is set, and whether it has come: when time passes, all timers that are set go off. What is left out, and why,
 * is in the two tables; everything else counts.
 */
import { Stability } from '../../lib/group/stability.js';
import { Queue } from '../../lib/queue.js';
import { isImmutable } from './copy.js';
import type { Process } from './process.js';

const ignored: ReadonlySet<string> = new Set([
  // the same for the whole life
  ...['options', 'habits', 'settings'],
  // follows from the rest, or holds nothing
  ...['host', 'arena', 'slab', 'groupsById', 'sources', 'timed', 'dirty', 'packers', 'capacity'],
  // counters
  ...['packetsIn', 'packetsOut', 'bytesOut', 'suspicions', 'counts', 'dropped', 'attempts', 'requestTries', 'pushes'],
  // chance only spreads times
  'random',
  // how long to wait: whatever it is, it is over when time passes
  ...['repeatDelay', 'nakDelay', 'streamAfter'],
  // times that are compared with the detector's patience, to which the explorer does not come
  ...[
    'wakeAt',
    'lastMulticast',
    'lastHeartbeat',
    'lastPruned',
    'heardAt',
    'heardToAllAt',
    'sameAt',
    'watchedAt',
    'awakeAt',
    'judgeFrom',
    'confirmAt',
    'silence',
    'lag',
    'reportedAt',
  ],
  // they only say when to acknowledge
  ...['receivedAt', 'owesSince'],
  ...['domainHeardAt', 'since', 'firstAt', 'lastAt', 'resentAt'],
  // of limits that a small world is far from
  ...['answered', 'joins'],
]);

const times: ReadonlySet<string> = new Set([
  ...[
    'repeatAt',
    'ackAt',
    'nakAt',
    'quietUntil',
    'retryAt',
    'requestAt',
    'pushAt',
    'pushFrom',
    'answerFrom',
    'claimedAt',
    'due',
    'dueAt',
    'brokeAt',
    'goneAt',
    'probeAt',
    'reachAt',
    'resumedAt',
    'streamAt',
  ],
  ...['helloAt', 'lookAt', 'offerAt', 'behindSince', 'leavingSince', 'deadline'],
]);

type Fields = Readonly<Record<string, unknown>>;

/** Requests in vain choose whom to ask next, in turn: of up to four members the number counts modulo this. */
const turns = 6;
/** No state of a node is nested so deep: a cycle. */
const depthMax = 40;

/** The text of all that matters in the state of a process. */
export function canonical(process: Process): string {
  const { node, replica, sent, now, over } = process;
  const host = { quorate: node.host.quorate, own: node.host.window.unstable, waiting: node.host.window.waiting.size };
  return spell({ node, host, replica, sent, over }, now, 0);
}

function spell(value: unknown, now: number, depth: number): string {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  if (depth > depthMax) throw new Error('a cycle in the state of a node');
  if (ArrayBuffer.isView(value)) return `<${(value as Uint8Array).join(' ')}>`;
  if (Array.isArray(value) || value instanceof Queue) {
    let text = '[';
    for (const item of value) text += `${spell(item, now, depth + 1)},`;
    return `${text}]`;
  }
  if (value instanceof Set)
    return `{${[...value]
      .map((item) => spell(item, now, depth + 1))
      .sort()
      .join(',')}}`;
  if (value instanceof Map) return spellMap(value, now, depth);
  if (value instanceof Stability) return spellMatrix(value);
  return spellFields(value as Fields, now, depth);
}

/** Nothing depends on the order in which entries came into a map: the core goes by rank. */
function spellMap(value: ReadonlyMap<unknown, unknown>, now: number, depth: number): string {
  const entries: string[] = [];
  for (const [key, item] of value) entries.push(`${String(key)}:${spell(item, now, depth + 1)}`);
  return `{${entries.sort().join(',')}}`;
}

function spellMatrix(value: Stability): string {
  let text = '(';
  for (let sender = 0; sender < value.size; sender += 1) {
    text += `${value.stable(sender)}:`;
    for (let observer = 0; observer < value.size; observer += 1) text += `${value.received(observer, sender)} `;
  }
  return `${text})`;
}

function spellFields(value: Fields, now: number, depth: number): string {
  let text = '{';
  for (const key in value) {
    if (!ignored.has(key)) text += `${key}:${spellField(key, value, now, depth)},`;
  }
  return `${text}}`;
}

function spellField(key: string, owner: Fields, now: number, depth: number): string {
  const value = owner[key];
  if (times.has(key)) return spellTime(value as number | null, now);
  if (key === 'awakeSince') return value === -Infinity ? 'always' : 'not always';
  if (key === 'ask' && value !== null) return String((value as { to: number }).to);
  if (key === 'nakTries') return String((value as number) % turns);
  // answers are remembered for a moment, so that two requests at once get one
  if (key === 'resent' && now > (owner['resentAt'] as number) + resendWindow) return '';
  // a view as users see it is named; what it holds follows from the view and the history
  if (key === 'view' && typeof value === 'object' && value !== null && 'groupId' in value)
    return String((value as { id?: unknown }).id);
  // who reports whom as suspected; since when counts only in days
  if (key === 'reports' && 'suspects' in owner) {
    const reports = value as ReadonlyMap<string, ReadonlyMap<string, number>>;
    return [...reports]
      .map(([who, whom]) => `${who}:${[...whom.keys()].sort().join(' ')}`)
      .sort()
      .join(',');
  }
  return isImmutable(key, value) ? spellOnce(value) : spell(value, now, depth + 1);
}

const spelled = new WeakMap<object, string>();

/** What never changes has no times in it either. */
function spellOnce(value: object): string {
  let text = spelled.get(value);
  if (text === undefined) {
    text = spell(value, 0, 0);
    spelled.set(value, text);
  }
  return text;
}

const resendWindow = 8;

function spellTime(value: number | null, now: number): string {
  if (value === null || value === Infinity) return '-';
  return value > now ? 'later' : 'due';
}
