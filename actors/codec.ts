/**
 * The codec of those who do not bring one.
 */
import type { Codec } from './types.js';
import { codecName, decodeValue, encodeValue } from './values.js';
import type { RefCodec } from './wire-format.js';

/** The library's codec, for values with the refs of a host. */
export function defaultCodec(refs: RefCodec): Codec {
  return {
    name: codecName,
    encode: (message) => encodeValue(message, refs),
    decode: (bytes) => decodeValue(bytes, refs),
  };
}
