/**
 * Why a value cannot be sent: walks one that was refused once more, slowly, for the path to the culprit.
 */
import { depthMax, itemsMax } from '../lib/limits.js';
import { NotEncodable } from './errors.js';
import { arrayTags, isWellFormed, type RefCodec } from './wire-format.js';

const views: ReadonlySet<unknown> = new Set([
  Uint8Array.prototype,
  Buffer.prototype,
  ...arrayTags.map(([{ prototype }]) => prototype),
]);
const bare: ReadonlySet<unknown> = new Set([DataView.prototype, ArrayBuffer.prototype, Date.prototype]);

interface Walk {
  readonly refs: RefCodec;
  items: number;
}

/** The error for a value that was refused. */
export function unsendable(value: unknown, path: string, refs: RefCodec): NotEncodable {
  const walk: Walk = { refs, items: 0 };
  const found = find(value, path, [], walk);
  if (found) return found;
  if (walk.items > itemsMax) return new NotEncodable(path, `it has more than ${itemsMax} items`);
  return new NotEncodable(path, 'it changes while it is looked at');
}

function find(value: unknown, path: string, above: readonly unknown[], walk: Walk): NotEncodable | undefined {
  walk.items++;
  if (typeof value === 'function') return new NotEncodable(path, 'it is a function');
  if (typeof value === 'symbol') return new NotEncodable(path, 'it is a symbol');
  if (typeof value === 'string' && !isWellFormed(value))
    return new NotEncodable(path, 'it holds half a surrogate pair');
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.includes(value)) return new NotEncodable(path, 'it contains itself');
  if (above.length >= depthMax) return new NotEncodable(path, `it is nested more than ${depthMax} levels deep`);
  const inside = [...above, value];
  const prototype: unknown = Object.getPrototypeOf(value);
  if (views.has(prototype)) return undefined;
  if (prototype === Array.prototype && Array.isArray(value)) return findInArray(value, path, inside, walk);
  if (prototype === Object.prototype || prototype === null) {
    return findInPlain(value as Record<string, unknown>, path, inside, walk);
  }
  if (prototype === Map.prototype) {
    for (const [key, item] of value as Map<unknown, unknown>) {
      const name = `${path}.get(${typeof key === 'string' ? `'${key}'` : typeof key})`;
      const found = find(key, `a key of ${path}`, inside, walk) ?? find(item, name, inside, walk);
      if (found) return found;
    }
    return findExtra(value, path);
  }
  if (prototype === Set.prototype) {
    for (const item of value as Set<unknown>) {
      const found = find(item, `an item of ${path}`, inside, walk);
      if (found) return found;
    }
    return findExtra(value, path);
  }
  if (bare.has(prototype)) return findExtra(value, path);
  if (walk.refs.isRef(value)) {
    const why = walk.refs.refusal?.(value);
    return why === undefined ? undefined : new NotEncodable(path, why);
  }
  return new NotEncodable(path, `it is an instance of ${classOf(value)}, which would arrive as something else`);
}

function classOf(value: object): string {
  const constructor: unknown = (value as { constructor?: unknown }).constructor;
  return typeof constructor === 'function' && constructor.name ? constructor.name : 'an unnamed class';
}

function findInArray(
  value: readonly unknown[],
  path: string,
  inside: readonly unknown[],
  walk: Walk,
): NotEncodable | undefined {
  for (let i = 0; i < value.length; i++) {
    if (!(i in value)) return new NotEncodable(`${path}[${i}]`, 'it is a hole in an array');
    const found = find(value[i], `${path}[${i}]`, inside, walk);
    if (found) return found;
  }
  const extra = Object.keys(value).at(value.length);
  if (extra !== undefined) return new NotEncodable(keyed(path, extra), 'an array would arrive without this property');
  return findSymbol(value, path);
}

function findInPlain(
  value: Readonly<Record<string, unknown>>,
  path: string,
  inside: readonly unknown[],
  walk: Walk,
): NotEncodable | undefined {
  for (const key of Object.getOwnPropertyNames(value)) {
    const name = keyed(path, key);
    if (key === '__proto__' || !isWellFormed(key)) return new NotEncodable(name, 'a key that cannot be sent');
    if (!Object.prototype.propertyIsEnumerable.call(value, key)) return new NotEncodable(name, 'it is not enumerable');
    const found = find(value[key], name, inside, walk);
    if (found) return found;
  }
  return findSymbol(value, path);
}

function findSymbol(value: object, path: string): NotEncodable | undefined {
  const [symbol] = Object.getOwnPropertySymbols(value);
  return symbol && new NotEncodable(`${path}[${String(symbol)}]`, 'its key is a symbol');
}

/** A property of an instance that is sent without any. */
function findExtra(value: object, path: string): NotEncodable | undefined {
  const [name] = Object.getOwnPropertyNames(value);
  if (name === undefined) return findSymbol(value, path);
  return new NotEncodable(keyed(path, name), `a ${classOf(value)} would arrive without this property`);
}

function keyed(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}
