/**
 * Assertions. A failed one is a bug in this library, never bad input: it stops the node (fail-stop), which then comes
 * back as a new incarnation.
 */

/** A broken invariant of the protocol. */
export class ProtocolBug extends Error {
  override readonly name = 'ProtocolBug';
}

/** Throws a {@link ProtocolBug} unless the condition holds. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new ProtocolBug(invariant);
}

/** The value, which the protocol guarantees to be there. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new ProtocolBug(`missing: ${what}`);
  return value;
}

/** Ends a switch over a union: does not compile if a variant is forgotten. */
export function assertNever(value: never): never {
  throw new ProtocolBug(`unexpected variant: ${JSON.stringify(value)}`);
}
