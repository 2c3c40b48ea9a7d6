/**
 * The structures of a group: lists of keys that objects of its messages have had often, by number. An object with such keys
 * is sent as the number and the values.
 *
 * Every member of a group has the same table. Whoever has sent objects with the same keys a number of times proposes them,
 * with a multicast that is ordered among all others and uniform; each member appends what it is delivered, if it is new
 * and there is room. Uniform, so that the order of definitions is one, that which the dead have seen included: a message
 * of a sender that then died must not mean something else to those who go on. A number is used in causal and total
 * multicasts only, after the definition was delivered here: so it is delivered before, everywhere.
 *
 * A joiner gets the table ahead of the state. A group that is founded anew has a new table; a message that was queued with
 * an old one must not be read with it. So a table is named by the view that it began with, and messages say which they mean.
 */
import { structureCharactersMax, structureKeysMax, structuresCharactersMax, structuresMax } from '../lib/limits.js';
import { createReader, decode, type Reader } from './decoder.js';
import { encode, type FindStructure } from './encoder.js';
import { NotDecodable } from './errors.js';
import { isWellFormed, noRefs } from './wire-format.js';

/** So often were keys sent when they are first proposed; again whenever that has doubled, for a proposal can be lost. */
const countMin = 8;
/** Keys that are counted and not proposed yet; above it counting starts over. */
const candidatesMax = 256;
/** After that, so many unknown objects are not counted: their keys are data. Doubles each time. */
const restMin = 4096;
const restMax = 1024 * 1024;

/** Structures with equally many keys that are found without a search, told apart by the last key's first letter. */
const recentWays = 8;

/** A list of keys that was seen: in the table, or counted. */
interface Shape {
  readonly keys: readonly string[];
  /** Its number in the table; -1: not in it. */
  id: number;
  count: number;
}

/** A member's copy of its group's table. */
export interface StructureTable {
  /** The id of the view that it began with; 0: there is none yet, and nothing is sent with it. */
  epoch: number;
  /** Whether it begins with the next view. */
  founding: boolean;
  reader: Reader;
  /** The number of the structure with these keys, -1 if there is none; counts what it does not know. */
  readonly find: FindStructure;
  /** What is in the table and what is counted, by number of keys and by the last of them: the first is often `type`. */
  shapes: Map<string, Shape[]>[];
  /** The last ones that were found: {@link recentWays} for each number of keys. */
  recent: (Shape | undefined)[];
  characters: number;
  candidates: number;
  /** Unknown objects that are still not counted, and how many next time. */
  rest: number;
  nextRest: number;
  /** What should be proposed. */
  wanted: (readonly string[])[];
}

/** A table with nothing in it that is not in use. */
export function createTable(): StructureTable {
  const table: StructureTable = {
    find: (keys) => structureOf(table, keys),
    ...nothing(),
  };
  return table;
}

function nothing(): Omit<StructureTable, 'find'> {
  return {
    epoch: 0,
    founding: false,
    reader: createReader([]),
    shapes: [],
    recent: new Array<Shape | undefined>((structureKeysMax + 1) * recentWays).fill(undefined),
    characters: 0,
    candidates: 0,
    rest: 0,
    nextRest: restMin,
    wanted: [],
  };
}

/** Forgets everything. */
export function clearTable(table: StructureTable): void {
  Object.assign(table, nothing());
}

function structureOf(table: StructureTable, keys: readonly string[]): number {
  if (keys.length === 0 || keys.length > structureKeysMax) return -1;
  const shape = known(table, keys);
  if (!shape) note(table, keys);
  else if (shape.id >= 0) return shape.id;
  else count(table, shape);
  return -1;
}

function known(table: StructureTable, keys: readonly string[]): Shape | undefined {
  const { length } = keys;
  const last = keys[length - 1] as string;
  const at = (length * recentWays + (last.charCodeAt(0) % recentWays)) | 0;
  const recent = table.recent[at];
  if (recent?.keys.length === length && isSame(recent.keys, keys)) return recent;
  const shape = table.shapes[length]?.get(last)?.find((one) => isSame(one.keys, keys));
  if (shape) table.recent[at] = shape;
  return shape;
}

/** Of lists that are equally long. */
function isSame(one: readonly string[], other: readonly string[]): boolean {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

function count(table: StructureTable, shape: Shape): void {
  shape.count += 1;
  const { count, keys } = shape;
  if (count < countMin || (count & (count - 1)) !== 0) return;
  if (hasRoom(table, keys) && isStructure(keys)) table.wanted.push(keys);
}

function note(table: StructureTable, keys: readonly string[]): void {
  if (table.rest > 0) {
    table.rest -= 1;
    return;
  }
  if (!hasRoom(table, keys)) return;
  if (table.candidates >= candidatesMax) {
    forgetCandidates(table);
    table.rest = table.nextRest;
    table.nextRest = Math.min(restMax, 2 * table.nextRest);
    return;
  }
  table.candidates += 1;
  add(table, { keys, id: -1, count: 1 });
}

function add(table: StructureTable, shape: Shape): void {
  const { keys } = shape;
  const alike = (table.shapes[keys.length] ??= new Map<string, Shape[]>());
  const last = keys[keys.length - 1] as string;
  const others = alike.get(last);
  if (others) others.push(shape);
  else alike.set(last, [shape]);
}

function forgetCandidates(table: StructureTable): void {
  table.shapes = [];
  table.recent.fill(undefined);
  table.candidates = 0;
  table.reader.structures.forEach((keys, id) => add(table, { keys, id, count: 0 }));
}

function charactersOf(keys: readonly string[]): number {
  return keys.reduce((sum, key) => sum + key.length, 0);
}

function hasRoom(table: StructureTable, keys: readonly string[]): boolean {
  const characters = charactersOf(keys);
  return (
    table.reader.structures.length < structuresMax &&
    characters <= structureCharactersMax &&
    table.characters + characters <= structuresCharactersMax
  );
}

/** What was noted for proposals since this was last asked. */
export function takeWanted(table: StructureTable): readonly (readonly string[])[] {
  const { wanted } = table;
  if (wanted.length > 0) table.wanted = [];
  return wanted;
}

/** A proposal, as bytes. */
export function definition(table: StructureTable, keys: readonly string[]): Uint8Array {
  return encode([table.epoch, ...keys], noRefs);
}

/** A proposal was delivered, at the same place of the order at every member. Throws {@link NotDecodable}. */
export function define(table: StructureTable, bytes: Uint8Array): void {
  const [epoch, ...keys] = listOf(bytes);
  if (epoch === table.epoch && epoch !== 0 && isStructure(keys)) append(table, keys);
}

function listOf(bytes: Uint8Array): unknown[] {
  const list = decode(bytes, noRefs);
  if (!Array.isArray(list)) throw new NotDecodable('a list is expected');
  return list;
}

function isStructure(keys: readonly unknown[]): keys is string[] {
  return (
    keys.length > 0 &&
    keys.length <= structureKeysMax &&
    new Set(keys).size === keys.length &&
    keys.every((key) => typeof key === 'string' && key !== '__proto__' && isWellFormed(key))
  );
}

function append(table: StructureTable, keys: readonly string[]): void {
  const { structures } = table.reader;
  const shape = known(table, keys);
  if (!hasRoom(table, keys) || (shape && shape.id >= 0)) return;
  const id = structures.length;
  structures.push([...keys]);
  table.characters += charactersOf(keys);
  table.nextRest = restMin;
  if (!shape) add(table, { keys, id, count: 0 });
  else {
    shape.id = id;
    table.candidates -= 1;
  }
}

/** The table begins with the next view: the group is founded. */
export function foundTable(table: StructureTable): void {
  clearTable(table);
  table.founding = true;
}

/** A view is installed. */
export function openTable(table: StructureTable, view: number): void {
  if (!table.founding) return;
  table.founding = false;
  table.epoch = view;
}

/** The table for a joiner, as bytes. */
export function packTable(table: StructureTable): Uint8Array {
  return encode([table.epoch, table.reader.structures.map((keys) => [...keys])], noRefs);
}

/** Takes a table over from a donor. Throws {@link NotDecodable}. */
export function unpackTable(table: StructureTable, bytes: Uint8Array): void {
  const [epoch, structures] = listOf(bytes);
  if (typeof epoch !== 'number' || !Array.isArray(structures)) throw new NotDecodable('malformed table of structures');
  clearTable(table);
  table.epoch = epoch;
  for (const keys of structures as unknown[]) {
    if (!Array.isArray(keys) || !isStructure(keys)) throw new NotDecodable('malformed structure');
    append(table, keys);
  }
}

/** A copy with nothing counted, for looking ahead. */
export function copyTable(table: StructureTable): StructureTable {
  const copy = createTable();
  copy.epoch = table.epoch;
  for (const keys of table.reader.structures) append(copy, keys);
  return copy;
}
