/**
 * The keys of a domain. Whoever has one of them is in: it can read, and speak as, any node. One is used to seal what is sent; the
 * others are accepted, so that a domain can change its key without a pause: install the new one everywhere, use it everywhere, remove
 * the old one everywhere.
 *
 * A key itself seals nothing. What does is derived from it for one purpose and one context (RFC 5869, HKDF-Expand with SHA-256; the
 * key is random, so nothing is to be extracted first), so that no two uses can be taken for each other.
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** Bytes of a domain's key: those of AES-256. */
export const keyBytes = 32;

/** Keys in a ring: an old one, a new one, and what was forgotten of a few changes before. Each costs every sender some memory. */
export const keysMax = 8;

/** A key of a domain. */
export interface DomainKey {
  /** Four bytes that follow from the key, by which frames name it. Says nothing of use about the key. */
  readonly id: number;
  /** The same in eight hexadecimal digits. */
  readonly name: string;
  /** 32 bytes for one purpose and one context. */
  derive(purpose: string, context: Uint8Array): Buffer;
}

/** A key from its 32 bytes, which are not kept. Throws a RangeError for any other number. */
export function domainKey(bytes: Uint8Array): DomainKey {
  if (bytes.length !== keyBytes) throw new RangeError(`a key has ${keyBytes} bytes, not ${bytes.length}`);
  const secret = createSecretKey(bytes);
  const id = expand(secret, 'id', new Uint8Array(0)).readUInt32BE(0);
  return {
    id,
    name: id.toString(16).padStart(8, '0'),
    derive: (purpose, context) => expand(secret, purpose, context),
  };
}

function expand(secret: KeyObject, purpose: string, context: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(`nact-groups ${purpose}\0`).update(context).update('\u0001').digest();
}

/** The keys of a domain at one node. */
export class Keyring {
  #keys: readonly DomainKey[];
  readonly #watchers = new Set<() => void>();

  /** The first is used. Throws a RangeError for none or more than {@link keysMax}. */
  constructor(keys: readonly DomainKey[]) {
    this.#keys = checked(keys);
  }

  /** The one that seals what is sent. */
  get used(): DomainKey {
    return this.#keys[0] as DomainKey;
  }

  /** All of them, the used one first. */
  get keys(): readonly DomainKey[] {
    return this.#keys;
  }

  /** The key with this id; undefined if it is not in the ring. */
  find(id: number): DomainKey | undefined {
    for (const key of this.#keys) if (key.id === id) return key;
    return undefined;
  }

  /** Replaces all of them; the first is used. Throws as the constructor does. */
  replace(keys: readonly DomainKey[]): void {
    this.#keys = checked(keys);
    for (const changed of this.#watchers) changed();
  }

  /** Calls this after each change, until the function that it returns is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }
}

function checked(keys: readonly DomainKey[]): readonly DomainKey[] {
  const distinct = [...new Map(keys.map((key) => [key.id, key])).values()];
  if (distinct.length === 0 || distinct.length > keysMax) {
    throw new RangeError(`a keyring has 1 to ${keysMax} keys, not ${distinct.length}`);
  }
  return distinct;
}
