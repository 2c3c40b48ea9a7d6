/**
 * Traces that were opened: read and checked here in the browser, by the same code that `nact-groups check` runs. Nothing is sent
 * anywhere.
 */
import { check, type Report } from '../../../lib/trace/check.js';
import { formatParseError, parseTraces } from '../../../lib/trace/parse.js';
import type { Traced } from '../../../lib/trace/format.js';
import { createHistory, domainGroup, type History, take } from './history.js';
import type { Found } from './layout.js';

/** A trace with more bytes than this is for the command line: a browser would stand still. */
const bytesMax = 64 * 1024 * 1024;

/** A trace's name and text. */
export interface TraceText {
  readonly file: string;
  readonly text: string;
}

/** Traces as they are shown. */
export interface Opened {
  readonly files: readonly string[];
  readonly history: History;
  readonly report: Report;
  /** Places of the violations, in the order of the report. */
  readonly found: readonly Found[];
  /** Deliveries that stand before their sends: then the clocks of the traces are not those of one machine. */
  readonly backward: number;
}

/** What came of opening traces. */
export type Outcome = { readonly ok: true; readonly opened: Opened } | { readonly ok: false; readonly why: string };

/** Reads and checks. */
export function openTraces(traces: readonly TraceText[]): Outcome {
  const bytes = traces.reduce((sum, { text }) => sum + text.length, 0);
  if (bytes > bytesMax) {
    const size = Math.round(bytes / 1e6);
    return { ok: false, why: `These traces have ${size} MB, too many for a browser: nact-groups check reads them.` };
  }
  const parsed = parseTraces(traces);
  if (!parsed.ok) return { ok: false, why: formatParseError(parsed.error) };
  if (parsed.records.length === 0) return { ok: false, why: 'There are no records in it.' };
  const history = createHistory();
  for (const record of parsed.records) take(history, record);
  const report = check(parsed.records);
  const files = traces.map(({ file }) => file);
  return { ok: true, opened: { files, history, report, found: foundIn(report), backward: countBackward(history) } };
}

/** Where each violation shows, by the events that it names. */
function foundIn({ violations }: Report): Found[] {
  return violations.flatMap(({ property, sentence, events }, number) =>
    events.map(({ t, p }) => ({ t, process: p, number, text: `${property}: ${sentence}` })),
  );
}

function countBackward({ multicasts }: History): number {
  let count = 0;
  for (const { sent, delivered } of multicasts.values()) {
    if (sent === Infinity) continue;
    for (const { t } of delivered.values()) if (t < sent) count += 1;
  }
  return count;
}

/** The group in which an event happened; null if it is of none, or of the domain itself. */
export function groupOf(event: Traced): string | null {
  return 'g' in event && event.g !== undefined && event.g !== domainGroup ? event.g : null;
}
