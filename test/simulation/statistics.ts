/**
 * What many runs have in common: a simulator that never changes a view finds nothing, so the summary says how much went on.
 */
import { markNames } from './marks.js';
import type { RunResult } from './run.js';

/** Antecedents and the like are only judged over so many seeds. */
export const seedsToJudge = 200;
/** And rare moments over so many: what one night plays. */
export const seedsToMark = 3000;
/** Of the median seed. */
const viewsMin = 3;
const faultsInsideMin = 1;
/** More wedged runs than this hide more than they show. */
const wedgedShareMax = 0.1;

interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? 0;
  return { min: at(0), median: at(Math.floor((sorted.length - 1) / 2)), max: at(sorted.length - 1) };
}

function line(name: string, values: readonly number[]): string {
  const { min, median, max } = spread(values);
  return `  ${name.padEnd(32)} median ${String(Math.round(median)).padStart(6)}   min ${Math.round(min)}   max ${Math.round(max)}`;
}

function total(maps: readonly Readonly<Record<string, number>>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const map of maps) {
    for (const [key, value] of Object.entries(map)) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

function columns(sums: ReadonlyMap<string, number>): string[] {
  const cells = [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key} ${value}`);
  const lines: string[] = [];
  const width = Math.max(29, ...cells.map((cell) => cell.length)) + 1;
  const perLine = Math.floor(120 / width);
  for (let i = 0; i < cells.length; i += perLine) {
    lines.push(
      `  ${cells
        .slice(i, i + perLine)
        .map((cell) => cell.padEnd(width))
        .join('')}`.trimEnd(),
    );
  }
  return lines;
}

/** The summary of a run over many seeds, and what is wrong with it apart from violations. */
export function summarize(results: readonly RunResult[]): { readonly lines: string[]; readonly complaints: string[] } {
  const of = (field: (result: RunResult) => number): number[] => results.map(field);
  const antecedents = total(results.map((result) => result.antecedents));
  const marks = new Map(markNames.map((mark) => [mark, results.filter((r) => (r.marks[mark] ?? 0) > 0).length]));
  const wedged = results.filter((result) => result.wedged).length;
  const lines = [
    'per seed:',
    line(
      'views of one group',
      of((r) => r.views),
    ),
    line(
      'deliveries',
      of((r) => r.deliveries),
    ),
    line(
      'faults',
      of((r) => r.faults),
    ),
    line(
      'faults inside a view change',
      of((r) => r.faultsInside),
    ),
    line(
      'trace records',
      of((r) => r.records),
    ),
    line(
      'packets sent',
      of((r) => r.packets),
    ),
    line(
      'simulated ms',
      of((r) => r.simulated),
    ),
    line(
      'ms from healing to the end',
      of((r) => r.recovery),
    ),
    'faults in all:',
    ...columns(total(results.map((result) => result.byKind))),
    'rare moments, and in how many seeds:',
    ...columns(marks),
    'how often each property was at stake:',
    ...columns(antecedents),
    `wedged by design, the quorum being dead: ${wedged} of ${results.length}`,
  ];
  const complaints: string[] = [];
  if (spread(of((r) => r.views)).median < viewsMin) complaints.push(`the median seed has less than ${viewsMin} views`);
  if (spread(of((r) => r.faultsInside)).median < faultsInsideMin) {
    complaints.push('the median seed has no fault inside a view change');
  }
  if (results.length >= seedsToJudge) {
    for (const [property, count] of antecedents) {
      if (count === 0) complaints.push(`${property} was never at stake`);
    }
    if (wedged > wedgedShareMax * results.length) complaints.push(`${wedged} of ${results.length} runs wedged`);
  }
  if (results.length >= seedsToMark) {
    for (const [mark, seeds] of marks) if (seeds === 0) complaints.push(`it never happens that ${mark}`);
  }
  return { lines, complaints };
}
