/**
 * How two nodes come to a secret that nobody else has, whoever else has the domain's key: X25519 (RFC 7748). For a connection each end draws
 * a share. For group keys each node draws a pair of keys for one life; the public half is part of what the domain agrees on when it lets
 * the node in, and what follows from their common secret (RFC 5869, HKDF with SHA-256) seals the group keys that one gives the other.
 */
import { createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto';
import { decrypt, encrypt, tagBytes } from './encryption.js';
import { domainKey, keyBytes, type DomainKey } from './keyring.js';

/** One end's part in a secret of two that is for one use only. */
export interface Share {
  /** What the other end is told. */
  readonly bytes: Buffer;
  /** The secret, given the other end's share; null if that is none. */
  secretWith(other: Uint8Array): Buffer | null;
}

/** Draws a share. */
export function drawShare(): Share {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return { bytes: bytesOf(publicKey), secretWith: (other) => agree(privateKey, other) };
}

function bytesOf(publicKey: KeyObject): Buffer {
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
}

/** Null where the other's public key, which comes from outside, is no point of the curve, or one of a small order. */
function agree(privateKey: KeyObject, other: Uint8Array): Buffer | null {
  try {
    const x = Buffer.from(other).toString('base64url');
    const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x } });
    return diffieHellman({ privateKey, publicKey });
  } catch {
    return null;
  }
}

/** Bytes of a group key that is given to one node. */
export const givenBytes = tagBytes + keyBytes;

const none = new Uint8Array(0);

/** One life's pair of keys. The secret half never leaves it. */
export class KeyPair {
  /** 32 bytes in base64url. */
  readonly publicKey: string;
  readonly #own: Share;
  /** By the other's public key; null if that is none. */
  readonly #shared = new Map<string, DomainKey | null>();

  constructor() {
    this.#own = drawShare();
    this.publicKey = this.#own.bytes.toString('base64url');
  }

  /** Seals a group key for the other one in this context, which must not be used for two keys. Null if that has no proper public key. */
  give(to: string, context: string, key: Uint8Array): Uint8Array | null {
    const shared = this.#sharedWith(to);
    if (shared === null) return null;
    const given = new Uint8Array(givenBytes);
    given.set(encrypt(keyFor(shared, context), 0, key, none, given, 0), tagBytes);
    return given;
  }

  /** Opens what {@link give} has sealed; null if it is not from who has this public key, or not for this context. */
  take(from: string, context: string, given: Uint8Array): Uint8Array | null {
    const shared = this.#sharedWith(from);
    if (shared === null || given.length !== givenBytes) return null;
    return decrypt(keyFor(shared, context), 0, given.subarray(tagBytes), none, given.subarray(0, tagBytes));
  }

  /** Forgets what it shares with all but these. */
  keepOnly(publicKeys: ReadonlySet<string>): void {
    for (const each of this.#shared.keys()) if (!publicKeys.has(each)) this.#shared.delete(each);
  }

  #sharedWith(publicKey: string): DomainKey | null {
    const known = this.#shared.get(publicKey);
    if (known !== undefined) return known;
    const shared = this.#agree(publicKey);
    this.#shared.set(publicKey, shared);
    return shared;
  }

  #agree(publicKey: string): DomainKey | null {
    const secret = this.#own.secretWith(Buffer.from(publicKey, 'base64url'));
    if (secret === null) return null;
    return domainKey(new Uint8Array(hkdfSync('sha256', secret, none, 'nact-groups key agreement', keyBytes)));
  }
}

function keyFor(shared: DomainKey, context: string): Uint8Array {
  return shared.derive('group key', Buffer.from(context));
}
