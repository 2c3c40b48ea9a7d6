/**
 * Options as users write them, also those without types to tell them.
 */
import { inspect } from 'node:util';

/** The longest time that can be asked for, in milliseconds: an hour. Timers overflow at 24 days. */
export const optionMillisMax = 3_600_000;

/** Why something is no object with these keys only, or null. */
export function optionsFault(what: string, value: unknown, known: readonly string[]): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `${what} takes an object with ${known.join(', ')}, not ${inspect(value, { depth: 0 })}`;
  }
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  return unknown === undefined ? null : `${what} has no option '${unknown}'; it has ${known.join(', ')}`;
}
