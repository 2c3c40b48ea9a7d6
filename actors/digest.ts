/**
 * A digest of a value that does not depend on how it is held: two replicas whose states are equal have the same digest.
 *
 * The keys of plain objects are sorted; the entries of Map and Set are taken in their order, which is part of the value. A
 * ref counts as what stands for it in a message: an actor's own ref and the refs to it from other nodes are the same.
 */
import { createHash, type Hash } from 'node:crypto';
import type { RefCodec } from './wire-format.js';

/** SHA-256 of a value's canonical form, in hex. Values that cannot be sent in a message count as `undefined`. */
export function digestWith(refs: RefCodec, value: unknown): string {
  const hash = createHash('sha256');
  feed(hash, value, refs);
  return hash.digest('hex');
}

function feed(hash: Hash, value: unknown, refs: RefCodec): void {
  switch (typeof value) {
    case 'string':
      hash.update(`s${value.length}:${value}`);
      return;
    case 'number':
      hash.update(Object.is(value, -0) ? 'n-0;' : `n${value};`);
      return;
    case 'bigint':
      hash.update(`i${value};`);
      return;
    case 'boolean':
      hash.update(value ? 't' : 'f');
      return;
    case 'object':
      if (value === null) hash.update('0');
      else feedObject(hash, value, refs);
      return;
    case 'undefined':
    case 'function':
    case 'symbol':
      hash.update('u');
  }
}

function feedObject(hash: Hash, value: object, refs: RefCodec): void {
  if (Array.isArray(value)) {
    hash.update(`a${value.length}:`);
    for (const item of value) feed(hash, item, refs);
  } else if (value instanceof Uint8Array) {
    hash.update(`b${value.length}:`);
    hash.update(value);
  } else if (ArrayBuffer.isView(value)) {
    hash.update(`${Object.prototype.toString.call(value)}${value.byteLength}:`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (value instanceof ArrayBuffer) {
    hash.update(`r${value.byteLength}:`);
    hash.update(new Uint8Array(value));
  } else if (value instanceof Date) {
    hash.update(`d${value.getTime()};`);
  } else if (value instanceof Map) {
    hash.update(`m${value.size}:`);
    for (const [key, item] of value) {
      feed(hash, key, refs);
      feed(hash, item, refs);
    }
  } else if (value instanceof Set) {
    hash.update(`e${value.size}:`);
    for (const item of value) feed(hash, item, refs);
  } else if (isRef(value, refs)) {
    if (refs.refusal?.(value) === undefined) feed(hash.update('r'), refs.pack(value), refs);
    else hash.update('u');
  } else {
    const keys = Object.keys(value).sort();
    hash.update(`o${keys.length}:`);
    for (const key of keys) {
      feed(hash, key, refs);
      feed(hash, (value as Record<string, unknown>)[key], refs);
    }
  }
}

/** Refs are told apart from plain data with the same fields. */
function isRef(value: object, refs: RefCodec): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && refs.isRef(value);
}
