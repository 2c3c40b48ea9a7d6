/**
 * What can go wrong when a transport is opened. Once it is open the network's failures are no exceptions: they go to
 * the `error` handler, counted.
 */

/** A transport could not be opened as asked. The message names the value at fault and what to do about it. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}

/** The system's short name of a failure (`EADDRINUSE`), or the error's own name. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
