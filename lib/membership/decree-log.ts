/**
 * The recent decrees, consecutive, the latest last: they serve nodes that are behind, and tell an offer or a request
 * that was overtaken by a decree from one that was not.
 */
import type { DecreeNumber } from '../ids.js';
import { assert } from '../assert.js';
import { messageBytesMax, decreesPerMessageMax, logLengthMax } from '../limits.js';
import { decreeBytes } from './messages.js';
import type { Change, Decree } from './state.js';

/** Decrees without a gap. */
export type DecreeLog = Decree[];

/** Appends the next decree and forgets the oldest above the limit. */
export function append(log: DecreeLog, decree: Decree): void {
  const last = log.at(-1);
  assert(last === undefined || decree.number === last.number + 1, 'the log has no gap');
  log.push(decree);
  if (log.length > logLengthMax) log.shift();
}

/** Whether the log has every decree after `number`, up to its end. */
export function covers(log: DecreeLog, number: DecreeNumber, current: DecreeNumber): boolean {
  return number >= current || (log[0] !== undefined && log[0].number <= number + 1);
}

/** The decrees after `number`, as many as one message takes; none if the next is forgotten. */
export function decreesAfter(log: DecreeLog, number: DecreeNumber): readonly Decree[] {
  const first = log[0];
  if (first === undefined || number + 1 < first.number) return [];
  const found: Decree[] = [];
  let bytes = 0;
  for (const decree of log.slice(number + 1 - first.number, number + 1 - first.number + decreesPerMessageMax)) {
    bytes += decreeBytes(decree);
    if (found.length > 0 && bytes > messageBytesMax) break;
    found.push(decree);
  }
  return found;
}

/** The latest decrees, as many as one message takes. */
export function tail(log: DecreeLog): readonly Decree[] {
  let bytes = 0;
  let from = log.length;
  while (from > 0 && log.length - from < decreesPerMessageMax) {
    bytes += decreeBytes(log[from - 1] as Decree);
    if (from < log.length && bytes > messageBytesMax) break;
    from -= 1;
  }
  return log.slice(from);
}

/** Whether a decree after `number` makes a change of this sort. */
export function changedSince(log: DecreeLog, number: DecreeNumber, sort: (change: Change) => boolean): boolean {
  for (let i = log.length - 1; i >= 0; i--) {
    const decree = log[i] as Decree;
    if (decree.number <= number) return false;
    if (decree.changes.some(sort)) return true;
  }
  return false;
}
