/**
 * Fixed binary forms for control messages, put together from small codecs: one value describes how a message is
 * written, read and bounded. Data frames, which are hot, are written by hand in `frame.ts`.
 *
 * Whatever a codec reads is within its stated bounds; anything else is {@link Malformed}.
 */
import { type Reader, type Writer, Malformed } from './bytes.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Writes and reads one kind of value. */
export interface Codec<T> {
  write(w: Writer, value: T): void;
  read(r: Reader): T;
}

/** The value that a codec is for. */
export type Of<C> = C extends Codec<infer T> ? T : never;

/** An unsigned integer, at most `max`. */
export function uint<T extends number = number>(max = Number.MAX_SAFE_INTEGER): Codec<T> {
  return {
    write: (w, value) => w.varint(value),
    read: (r) => {
      const value = r.varint();
      if (value > max) throw new Malformed(`integer ${value} above ${max}`);
      return value as T;
    },
  };
}

/** True or false, one byte. */
export const bool: Codec<boolean> = {
  write: (w, value) => w.u8(value ? 1 : 0),
  read: (r) => {
    const byte = r.u8();
    if (byte > 1) throw new Malformed('not a boolean');
    return byte === 1;
  },
};

/** Bytes, at most `max`, copied when read. */
export function blob(max: number): Codec<Uint8Array> {
  return {
    write: (w, value) => {
      w.varint(value.length);
      w.raw(value);
    },
    read: (r) => {
      const length = r.varint();
      if (length > max) throw new Malformed(`${length} bytes, above ${max}`);
      return r.raw(length).slice();
    },
  };
}

/** Text of at most `max` bytes in UTF-8. */
export function text<T extends string = string>(max: number): Codec<T> {
  const bytes = blob(max);
  return {
    write: (w, value) => bytes.write(w, encodeUtf8(value)),
    read: (r) => decodeUtf8(bytes.read(r)) as T,
  };
}

/** One of a fixed list of words, one byte. */
export function oneOf<const T extends readonly string[]>(...words: T): Codec<T[number]> {
  return {
    write: (w, value) => w.u8(words.indexOf(value)),
    read: (r) => {
      const word = words[r.u8()];
      if (word === undefined) throw new Malformed('unknown word');
      return word;
    },
  };
}

/** At most `max` values. */
export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    write: (w, values) => {
      w.varint(values.length);
      for (const value of values) item.write(w, value);
    },
    read: (r) => {
      const count = r.varint();
      if (count > max || count > r.left) throw new Malformed(`list of ${count}`);
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(item.read(r));
      return values;
    },
  };
}

/** A value or null. */
export function nullable<T>(item: Codec<T>): Codec<T | null> {
  return {
    write: (w, value) => {
      w.u8(value === null ? 0 : 1);
      if (value !== null) item.write(w, value);
    },
    read: (r) => (bool.read(r) ? item.read(r) : null),
  };
}

/** Codecs by name. Any codec fits, since each is only ever used with its own value. */
type CodecTable = Readonly<Record<string, Codec<unknown>>>;
/** The object that a table of codecs describes. */
export type Struct<F> = { readonly [K in keyof F]: Of<F[K]> };

/** An object with just these fields, in this order. */
export function struct<const F extends CodecTable>(fields: F): Codec<Struct<F>> {
  const entries = Object.entries<Codec<unknown>>(fields);
  return {
    write: (w, value) => {
      for (const [name, codec] of entries) codec.write(w, (value as Record<string, unknown>)[name]);
    },
    read: (r) => {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = codec.read(r);
      return value as Struct<F>;
    },
  };
}

type Tagged<V> = { [K in keyof V]: { readonly kind: K } & Of<V[K]> }[keyof V];

/** A union discriminated by `kind`; a variant's place in the table is its tag on the wire. */
export function union<const V extends CodecTable>(variants: V): Codec<Tagged<V>> {
  const kinds = Object.keys(variants);
  return {
    write: (w, value) => {
      const tag = kinds.indexOf(value.kind as string);
      w.u8(tag);
      (variants[value.kind] as Codec<unknown>).write(w, value);
    },
    read: (r) => {
      const kind = kinds[r.u8()];
      if (kind === undefined) throw new Malformed('unknown kind');
      const body = (variants[kind] as Codec<object>).read(r);
      return { kind, ...body } as unknown as Tagged<V>;
    },
  };
}
