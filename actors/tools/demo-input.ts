/**
 * The demo's events: JSON values, repeated with ids until the stream is long enough. Every process reads the file itself;
 * only ids go between them.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** One event of the stream, as it is multicast. */
export interface DemoEvent {
  /** From 0, unique in the stream. */
  readonly id: number;
  readonly record: unknown;
}

/** Where the events come from. */
export interface DemoInput {
  readonly file: string;
  readonly records: readonly unknown[];
}

/** The file that comes with the development dependencies. Throws if it is not installed. */
export function defaultInput(): string {
  try {
    // its data is not exported, so it is found beside its main file
    const main = createRequire(import.meta.url).resolve('vega-datasets');
    return path.join(path.dirname(main), '..', 'data', 'flights-20k.json');
  } catch {
    throw new Error(
      'the flights of vega-datasets are not installed (npm i -D vega-datasets); or give --input FILE.jsonl',
    );
  }
}

function parseWhole(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file}: not JSON: ${why} (with one value a line, call it .jsonl)`);
  }
}

/** Reads a JSON array, or one JSON value a line. Throws with the number of the line that is neither. */
export function readInput(file: string): DemoInput {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) {
    const value = parseWhole(file, text);
    if (!Array.isArray(value)) throw new Error(`${file}: not a JSON array`);
    return { file, records: value };
  }
  const records: unknown[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      records.push(JSON.parse(line));
    } catch (error) {
      throw new Error(`${file}:${index + 1}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (records.length === 0) throw new Error(`${file}: no events in it`);
  return { file, records };
}

/** The event of an id. */
export function eventOf(input: DemoInput, id: number): DemoEvent {
  return { id, record: input.records[id % input.records.length] };
}

/** The airport that an event counts for; `-` for what is no flight. */
export function airportOf(record: unknown): string {
  const origin = typeof record === 'object' && record !== null ? (record as { origin?: unknown }).origin : undefined;
  return typeof origin === 'string' ? origin : '-';
}

/** Its delay in minutes; 0 for what is no flight. */
export function delayOf(record: unknown): number {
  const delay = typeof record === 'object' && record !== null ? (record as { delay?: unknown }).delay : undefined;
  return typeof delay === 'number' && Number.isFinite(delay) ? delay : 0;
}
