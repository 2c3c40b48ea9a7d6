/** LETTERS: what one node says to another alone is reliable and first in, first out. */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History, Letter } from '../history.js';
import type { Correspondence } from '../letters.js';
import { pairLetters } from '../letters.js';
import type { Pasts } from '../past.js';

/**
 * LETTERS: of what one life of a node tells another, each letter is handed out at most once, after it was told, in order
 * and without a gap; at a quiet end all of them between correct processes.
 */
export function letters(history: History, { circular }: Pasts): Finding {
  const found = finding('LETTERS');
  for (const { record } of circular) {
    violate(found, `${record.p} is handed a letter before it is told`, record);
  }
  for (const between of pairLetters(history).correspondences) checkBetween(found, history, between);
  return found;
}

function checkBetween(found: Finding, history: History, { from, to, tells, tolds }: Correspondence): void {
  found.held += tolds.length;
  checkNumbers(found, tells, `${from} tells ${to}`);
  checkNumbers(found, tolds, `${to} is handed from ${from}`);
  const writer = history.processes.get(from);
  if (writer === undefined) return;
  for (const { record } of tolds.slice(tells.length)) {
    violate(found, `${to} is handed letter ${record.n} of ${from}, which it was not told`, record);
  }
  const isReached = writer.correct && history.processes.get(to)?.correct === true;
  const lost = isReached ? tells[tolds.length] : undefined;
  if (lost !== undefined) violate(found, `${to} is never handed letter ${lost.record.n} of ${from}`, lost.record);
}

function checkNumbers(found: Finding, ends: readonly Letter[], what: string): void {
  for (const [i, { record }] of ends.entries()) {
    if (record.n !== i + 1) violate(found, `${what} letter ${record.n} where ${i + 1} is next`, record);
  }
}
