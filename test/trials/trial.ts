/**
 * What an acceptance trial is: it runs real processes on real sockets, measures, and holds what it measured against bars.
 *
 * A figure without a bar informs; a bar that is missed fails the run. Each figure carries the machine's load at its
 * time, since others may work on the machine too.
 */
import { loadavg } from 'node:os';
import type { Stage } from './stage.js';

/** Long: as large as the bars ask for. Short: the same in less time, for a look. */
export type Length = 'short' | 'long';

/** One trial. */
export interface Trial {
  readonly name: string;
  /** What it shows, in a sentence. */
  readonly shows: string;
  /** Throws if it cannot come to its end; bars that are missed are only reported. */
  run(stage: Stage, report: Report, length: Length): Promise<void>;
}

/** One line of the table at the end. */
export interface Figure {
  readonly trial: string;
  readonly what: string;
  readonly value: string;
  /** In words; empty if there is none. */
  readonly bar: string;
  readonly ok: boolean;
  /** The machine's load average over the minute before. */
  readonly load: number;
}

/** Takes figures as they come. */
export interface Report {
  /** A figure without a bar. */
  measure(what: string, value: string): void;
  /** A figure that must not be above (or below) a bar. Not a number misses every bar. */
  atMost(what: string, value: number, limit: number, unit: string, detail?: string): void;
  atLeast(what: string, value: number, limit: number, unit: string, detail?: string): void;
  /** Something that must be so. */
  must(what: string, ok: boolean, detail: string): void;
}

/** A report that hands each figure on. */
export function reportTo(trial: string, take: (figure: Figure) => void): Report {
  const add = (what: string, value: string, bar: string, ok: boolean) =>
    take({ trial, what, value, bar, ok, load: loadavg()[0] ?? NaN });
  const text = (value: number, unit: string, detail?: string) =>
    `${rounded(value)} ${unit}`.trim() + (detail === undefined ? '' : ` (${detail})`);
  return {
    measure: (what, value) => add(what, value, '', true),
    atMost: (what, value, limit, unit, detail) =>
      add(what, text(value, unit, detail), `at most ${rounded(limit)} ${unit}`.trim(), value <= limit),
    atLeast: (what, value, limit, unit, detail) =>
      add(what, text(value, unit, detail), `at least ${rounded(limit)} ${unit}`.trimEnd(), value >= limit),
    must: (what, ok, detail) => add(what, detail, 'must', ok),
  };
}

/** Three digits are as much as a machine that others use can tell. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 || Number.isInteger(value) ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Least, median and most of some values, as a detail of a figure. */
export function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => rounded(sorted[index] ?? NaN);
  return `min ${at(0)}, median ${at(sorted.length >> 1)}, max ${at(sorted.length - 1)}, n ${sorted.length}`;
}

/** The most of some values; NaN of none, so that a bar on it is missed. */
export function most(values: readonly number[]): number {
  return values.length === 0 ? NaN : Math.max(...values);
}

/** Of so many different values where there should be one. */
export function sameness(different: number): string {
  return different === 1 ? 'all equal' : `${different} different`;
}

/** A line while the trial runs. */
export function lineOf(figure: Figure): string {
  const { trial, what, value, bar, ok, load } = figure;
  const verdict = bar === '' ? '    ' : ok ? 'ok  ' : 'MISS';
  return `${verdict} ${trial}: ${what}: ${value}${bar === '' || bar === 'must' ? '' : ` [${bar}]`} (load ${load.toFixed(1)})`;
}

/** All figures as a table. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ trial, what, value, bar, ok, load }) => [
    trial,
    what,
    value,
    bar,
    bar === '' ? '' : ok ? 'ok' : 'MISS',
    load.toFixed(1),
  ]);
  const all = [['trial', 'figure', 'value', 'bar', '', 'load'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
