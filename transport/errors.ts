/**
 * What can go wrong when a transport is opened. Once it is open the network's failures are no exceptions: they go to
 * the `error` handler, counted.
 */

/** A transport could not be opened as asked. The message names the value at fault and what to do about it. */
export class TransportError extends Error {
  override readonly name: string = 'TransportError';
}

/** The system's short name of a failure (`EADDRINUSE`), or the error's own name. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** What a connection failed with, in words where they are known. */
export function reasonOf(error: Error): string {
  const code = codeOf(error);
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nobody listens there',
    ECONNRESET: 'reset by the peer',
    EPIPE: 'reset by the peer',
    ETIMEDOUT: 'timed out',
    EHOSTUNREACH: 'host unreachable',
    ENETUNREACH: 'network unreachable',
    EADDRNOTAVAIL: 'no local address or port left',
    EMFILE: 'too many open files',
  };
  const known = words[code];
  return known === undefined ? error.message : `${known} (${code})`;
}

/** What opening a socket failed with, and what to do about it. */
export function failedTo(what: string, error: unknown, remedy: string): TransportError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TransportError(`${what}: ${reason}; ${remedy}`, { cause: error });
}
