/** Arguments of the command line: from text to what is meant, or an error that says what would do. */
import { InvalidArgumentError } from 'commander';
import { propertyNames } from './check.js';

/** A whole number within bounds, both included. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** Properties of the checker. */
export function propertiesIn(text: string): ReturnType<typeof propertyNames> {
  try {
    return propertyNames(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** An address and a port. */
export function endpoint(text: string): { address: string; port: number } {
  const found = /^(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([\da-f:]+)\]):(\d{1,5})$/i.exec(text);
  if (!found || Number(found[3]) > 65_535)
    throw new InvalidArgumentError('Must be an address and a port, ADDR:PORT, for IPv6 [ADDR]:PORT.');
  return { address: (found[1] ?? found[2]) as string, port: Number(found[3]) };
}
