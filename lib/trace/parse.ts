/**
 * From the text of a trace to its records. A process that is killed may tear its last line: a last line without a
 * newline that is no JSON is ignored. Anything else that is not a record is an error with its place, because a checker
 * that skips what it cannot read approves what it has not seen.
 */
import type { Traced } from './format.js';

/** A line that is no record. */
export interface ParseError {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

/** The records of a trace, or what is wrong with it. */
export type Parsed =
  | { readonly ok: true; readonly records: Traced[]; readonly torn: boolean }
  | { readonly ok: false; readonly error: ParseError };

/** Reads one trace; `file` is the name for errors. */
export function parseTrace(file: string, text: string): Parsed {
  const records: Traced[] = [];
  let line = 0;
  for (let from = 0; from < text.length;) {
    line += 1;
    const newline = text.indexOf('\n', from);
    const row = text.slice(from, newline < 0 ? text.length : newline);
    from = newline < 0 ? text.length : newline + 1;
    if (row === '') continue;
    const value = parseJson(row);
    if (value === undefined && newline < 0) return { ok: true, records, torn: true };
    const reason = value === undefined ? 'not JSON' : whatIsWrong(value);
    if (reason !== null) return { ok: false, error: { file, line, reason } };
    records.push(value as Traced);
  }
  return { ok: true, records, torn: false };
}

/** Reads several traces and puts their records one after the other; the first error ends it. */
export function parseTraces(traces: readonly { readonly file: string; readonly text: string }[]): Parsed {
  const records: Traced[] = [];
  let torn = false;
  for (const { file, text } of traces) {
    const parsed = parseTrace(file, text);
    if (!parsed.ok) return parsed;
    for (const record of parsed.records) records.push(record);
    torn ||= parsed.torn;
  }
  return { ok: true, records, torn };
}

/** An error as one line: file, line and what is wrong. */
export function formatParseError({ file, line, reason }: ParseError): string {
  return `${file}:${line}: ${reason}`;
}

function parseJson(row: string): unknown {
  try {
    return JSON.parse(row) as unknown;
  } catch {
    return undefined;
  }
}

/** What a field has to be. A question mark: it may be missing. */
type Shape =
  | 'string'
  | 'string?'
  | 'string|null'
  | 'number'
  | 'number?'
  | 'boolean'
  | 'boolean?'
  | 'strings'
  | 'strings?'
  | 'left'
  | 'want';

/** The fields of each record that the checker reads. Others may stand beside them. */
const shapes: { readonly [E in Traced['e']]: Readonly<Record<string, Shape>> } = {
  start: { domain: 'string', protocol: 'number' },
  view: {
    g: 'string',
    v: 'string',
    k: 'number',
    m: 'strings',
    primary: 'boolean',
    prev: 'string|null',
    joined: 'strings',
    left: 'left',
    h: 'string?',
    dead: 'strings?',
    w: 'number?',
    wmin: 'number?',
    dom: 'string?',
  },
  blocked: { g: 'string', v: 'string' },
  send: { g: 'string', id: 'string', o: 'string', u: 'boolean', v: 'string|null', h: 'string', r: 'string?' },
  xmit: { g: 'string', id: 'string', v: 'string' },
  sendfail: { g: 'string', id: 'string', why: 'string' },
  deliver: {
    g: 'string',
    id: 'string',
    v: 'string',
    o: 'string',
    u: 'boolean',
    pos: 'number?',
    time: 'number?',
    h: 'string',
    r: 'string?',
    repeated: 'boolean?',
  },
  stable: { g: 'string', id: 'string' },
  hash: { g: 'string', v: 'string', pos: 'number', h: 'string' },
  diverged: { g: 'string', v: 'string', pos: 'number' },
  'state-out': { g: 'string', for: 'string', v: 'string', h: 'string' },
  'state-in': { g: 'string', from: 'string', v: 'string', h: 'string' },
  ask: { g: 'string', r: 'string', id: 'string|null', want: 'want' },
  tell: { to: 'string', n: 'number' },
  told: { from: 'string', n: 'number' },
  answered: { g: 'string', r: 'string' },
  asked: { g: 'string', r: 'string', outcome: 'string', got: 'strings', missing: 'strings' },
  suspect: { who: 'string' },
  leave: { g: 'string?' },
  left: { g: 'string?' },
  excluded: { g: 'string?', v: 'string', why: 'string' },
  gauge: {
    unstable: 'number',
    unstableBytes: 'number',
    queued: 'number',
    reorder: 'number',
    reassembly: 'number',
    rss: 'number',
    lagMs: 'number',
  },
};

/** The same as lists: this is read for every record. */
const fields = new Map(Object.entries(shapes).map(([e, shape]) => [e, Object.entries(shape)]));

function whatIsWrong(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not an object';
  const record = value as Record<string, unknown>;
  if (typeof record['t'] !== 'number') return '"t" is not a number';
  if (typeof record['p'] !== 'string') return '"p" is not a string';
  if (typeof record['e'] !== 'string') return '"e" is not a string';
  const expected = fields.get(record['e']);
  if (expected === undefined) return `"e" is ${JSON.stringify(record['e'])}, which is no event of a trace`;
  for (const [field, shape] of expected) {
    if (!fits(record[field], shape)) return `"${field}" of ${record['e']} is not ${described(shape)}`;
  }
  return null;
}

function fits(value: unknown, shape: Shape): boolean {
  switch (shape) {
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === shape;
    case 'string?':
      return value === undefined || typeof value === 'string';
    case 'boolean?':
      return value === undefined || typeof value === 'boolean';
    case 'number?':
      return value === undefined || typeof value === 'number';
    case 'string|null':
      return value === null || typeof value === 'string';
    case 'strings?':
      return value === undefined || fits(value, 'strings');
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'left':
      return Array.isArray(value) && value.every(isLeft);
    case 'want':
      return typeof value === 'string' || typeof value === 'number';
  }
}

function isLeft(item: unknown): boolean {
  return Array.isArray(item) && item.length === 2 && typeof item[0] === 'string' && typeof item[1] === 'string';
}

function described(shape: Shape): string {
  switch (shape) {
    case 'string':
    case 'string?':
      return 'a string';
    case 'number':
    case 'number?':
      return 'a number';
    case 'boolean':
    case 'boolean?':
      return 'true or false';
    case 'string|null':
      return 'a string or null';
    case 'strings':
    case 'strings?':
      return 'a list of strings';
    case 'left':
      return 'a list of pairs of a member and a cause';
    case 'want':
      return 'a string or a number';
  }
}
