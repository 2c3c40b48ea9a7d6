/**
 * Replicated tables of many megabytes, held in the ways a user might: what is changed by messages, and by how much of
 * the state one change copies, differ.
 */
import { createHash } from 'node:crypto';

/** A change of one entry. */
export interface Change {
  readonly key: number;
  readonly value: string;
}

/** A state with a table in it. */
export interface Table {
  readonly applied: number;
  /** Those of the messages that were bytes: how many there were, and the digest of the last. */
  readonly loads: number;
  readonly lastLoad: string;
  readonly entries: unknown;
}

/** One way to hold a table. */
export interface Variant {
  readonly entries: number;
  /** About, of one entry. */
  readonly bytes: number;
  /**
   * `buckets`: many small Maps, a change copies one of them. `map`: one Map, which messages leave alone. `bytes`: an
   * array of large byte arrays and strings in turns, which messages leave alone. `in-place`: one Map, changed in place,
   * with a `snapshot` that copies it. `careless`: the same without one, which is served correctly though not smoothly.
   * `records` and `blobs`: one Map of objects, or of byte arrays. `pieces`: as `records`, given in pieces by a `snapshot`.
   */
  readonly kind: 'buckets' | 'map' | 'bytes' | 'in-place' | 'careless' | 'records' | 'blobs' | 'pieces';
}

type Entries = Map<number, string>;

/** About a hundred bytes in a general encoding such as JSON or CBOR. */
interface Account {
  readonly id: number;
  readonly name: string;
  readonly mail: string;
  readonly balance: number;
  readonly active: boolean;
  readonly since: number;
}

const bucketsCount = 1000;

/** A table as its founder builds it. */
export function buildTable({ kind, entries, bytes }: Variant): Table {
  return { applied: 0, loads: 0, lastLoad: '', entries: build(kind, entries, bytes) };
}

function build(kind: Variant['kind'], entries: number, bytes: number): unknown {
  if (kind === 'bytes') {
    return Array.from({ length: entries }, (_, i) =>
      i % 2 === 0 ? new Uint8Array(bytes).fill(i) : String.fromCharCode(97 + (i % 26)).repeat(bytes),
    );
  }
  if (kind === 'blobs') {
    return new Map(Array.from({ length: entries }, (_, i) => [`blob:${i}`, new Uint8Array(bytes).fill(i)]));
  }
  if (kind === 'records' || kind === 'pieces') {
    return new Map(Array.from({ length: entries }, (_, i) => [`account:${i}`, accountOf(i)]));
  }
  const all: Entries[] = Array.from({ length: kind === 'buckets' ? bucketsCount : 1 }, () => new Map<number, string>());
  for (let key = 0; key < entries; key++) all[key % all.length]?.set(key, valueOf(key, bytes));
  return kind === 'buckets' ? all : all[0];
}

function accountOf(id: number): Account {
  const mail = `${id}@example.com`;
  return { id, name: `account ${id}`, mail, balance: id * 7, active: id % 2 === 0, since: 1.7e12 + id };
}

/** A value that no other entry has. */
export function valueOf(key: number, bytes: number): string {
  return `${key}:`.padEnd(bytes - 8, 'abcdefghijklmnop');
}

/** The state after a change. */
export function change(table: Table, kind: Variant['kind'], { key, value }: Change): Table {
  const applied = table.applied + 1;
  switch (kind) {
    case 'buckets': {
      const buckets = [...(table.entries as Entries[])];
      const at = key % buckets.length;
      buckets[at] = new Map(buckets[at]).set(key, value);
      return { ...table, applied, entries: buckets };
    }
    case 'in-place':
    case 'careless': {
      (table.entries as Entries).set(key, value);
      return Object.assign(table, { applied });
    }
    case 'map':
    case 'bytes':
    case 'records':
    case 'blobs':
    case 'pieces':
      return { ...table, applied };
  }
}

/** The state after a message of bytes. */
export function takeLoad(table: Table, bytes: Uint8Array): Table {
  const lastLoad = createHash('sha256').update(bytes).digest('hex');
  return Object.assign({}, table, { loads: table.loads + 1, lastLoad });
}

/** A copy that does not change any more. */
export function copyTable(table: Table): Table {
  return { ...table, entries: new Map(table.entries as Entries) };
}

/** Entries of a piece: a fraction of a millisecond to encode. */
const pieceEntries = 500;

/** The table in pieces: first what is not in the entries, then the entries, some at a time. */
export function* tableInPieces({ entries, ...rest }: Table): Generator<unknown, void> {
  yield rest;
  let piece: (readonly [string, Account])[] = [];
  for (const entry of entries as ReadonlyMap<string, Account>) {
    if (piece.push(entry) < pieceEntries) continue;
    yield piece;
    piece = [];
  }
  yield piece;
}

/** The table from its pieces. */
export async function tableOfPieces(pieces: AsyncIterable<unknown>): Promise<Table> {
  const entries = new Map<string, Account>();
  let rest: Omit<Table, 'entries'> | undefined;
  for await (const piece of pieces) {
    if (rest === undefined) rest = piece as Omit<Table, 'entries'>;
    else for (const [key, account] of piece as (readonly [string, Account])[]) entries.set(key, account);
  }
  return { applied: 0, loads: 0, lastLoad: '', ...rest, entries };
}

/** Between two looks at the event loop. */
const stepLength = 2000;

/** What an entry's value is hashed as. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return createHash('sha256').update(value).digest('hex');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A digest that leaves the event loop its turns: a large table takes a second. */
export async function digestTable(table: Table): Promise<string> {
  const hash = createHash('sha256').update(`${table.applied} ${table.loads} ${table.lastLoad}`);
  const lists = Array.isArray(table.entries) ? (table.entries as unknown[]) : [table.entries];
  for (const list of lists) {
    const values = list instanceof Map ? [...(list as Map<unknown, unknown>)] : [list as string | Uint8Array];
    for (let at = 0; at < values.length; at += stepLength) {
      for (const value of values.slice(at, at + stepLength)) {
        hash.update(Array.isArray(value) ? `${String(value[0])}=${textOf(value[1])};` : value);
      }
      if (at + stepLength < values.length) await new Promise(setImmediate);
    }
    await new Promise(setImmediate);
  }
  return hash.digest('hex');
}
