/** The digest for users, who have a value and no node. */
import { digestWith } from './digest.js';
import { anyRefs } from './references.js';

/**
 * SHA-256 of a value's canonical form, in hex. Values that cannot be sent in a message count as `undefined`.
 *
 * @example
 * ```ts
 * console.log(await read(stock, digestOf)); // the same at each replica, at the same position
 * ```
 */
export function digestOf(value: unknown): string {
  return digestWith(anyRefs, value);
}
