/**
 * Beyond this machine nothing is carried in the clear unless somebody has said so: who listens there could read it, and forge it. That is
 * decided before a socket is opened, so a node that is refused has listened nowhere and greeted nobody.
 */
import { TransportError } from './errors.js';
import type { Keyring } from './keyring.js';

/** A transport was not opened, for what it carries would leave this machine unencrypted. The message says which and where. */
export class ExposedError extends TransportError {
  override readonly name = 'ExposedError';
}

/** What decides about it. */
export interface Exposure {
  /** The transport, with where it would be reached, in words. */
  readonly what: string;
  /** Whether what it carries stays on this machine. */
  readonly isLocal: boolean;
  readonly keyring: Keyring | undefined;
  /** Whether the network is trusted. */
  readonly insecure: boolean;
}

/** Throws an {@link ExposedError} if anybody could read along. */
export function refuseExposure({ what, isLocal, keyring, insecure }: Exposure): void {
  if (isLocal || keyring !== undefined || insecure) return;
  throw new ExposedError(`${what} reaches beyond this machine, and nothing protects what it carries`);
}
