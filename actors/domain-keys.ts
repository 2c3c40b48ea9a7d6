/** Changing the keys of a domain at one node, while it runs. */
import type { DomainKey } from '../transport/keyring.js';
import { InvalidOption } from './errors.js';
import type { Host } from './host.js';
import { keyFrom, type HeldKeys } from './keys.js';
import type { Key } from './types.js';

/**
 * The keys that a node has. A domain changes its key in three steps, each at all nodes before the next begins: `install` the new one,
 * `use` it, `remove` the old one. Views, streams and multicasts go on meanwhile.
 *
 * A node that uses a key which another has not installed is not heard there, and is excluded like one that is cut off. Where the keys
 * are in a file the file rules: change that (`nact-groups keys`); here it can only be looked at.
 */
export interface DomainKeys {
  /** Their ids, eight hexadecimal digits each, the one that is used first; empty if nothing is encrypted. */
  readonly ids: readonly string[];
  /** Accepts what is encrypted under one more key; returns its id. Throws {@link InvalidOption}. */
  install(key: Key): string;
  /** Encrypts under this one from now on. Throws {@link InvalidOption} if it is not installed. */
  use(id: string): void;
  /** Accepts nothing under this one any more. Throws {@link InvalidOption} for the one that is used. */
  remove(id: string): void;
}

/** The keys of a host. */
export function domainKeys(host: Host): DomainKeys {
  const change = (next: (keys: readonly DomainKey[]) => readonly DomainKey[]): void => {
    const { ring } = changeable(host.keys);
    const keys = next(ring.keys);
    try {
      ring.replace(keys);
    } catch (error) {
      throw new InvalidOption(`${error instanceof Error ? error.message : String(error)}: remove one first`, {
        cause: error,
      });
    }
  };
  return {
    get ids() {
      return host.keys?.ring.keys.map(({ name }) => name) ?? [];
    },
    install(given) {
      const key = keyFrom('install', given);
      change((keys) => [...keys.filter(({ id }) => id !== key.id || id === keys[0]?.id), key]);
      return key.name;
    },
    use: (id) => change((keys) => withUsed(keys, id, nameOf)),
    remove: (id) => change((keys) => without(keys, id, nameOf)),
  };
}

function changeable(held: HeldKeys | undefined): HeldKeys {
  if (held === undefined) {
    throw new InvalidOption('this node has no keys to change: it was started without one, or is not open yet');
  }
  if (held.file !== undefined) {
    throw new InvalidOption(
      `the keys are those in '${held.file}': change the file (nact-groups keys), which is read again`,
    );
  }
  return held;
}

function nameOf({ name }: DomainKey): string {
  return name;
}

/** The same keys with this one in front. Throws {@link InvalidOption}. */
export function withUsed<T>(keys: readonly T[], id: string, idOf: (key: T) => string): T[] {
  const used = keys.find((key) => idOf(key) === id);
  if (used === undefined) throw new InvalidOption(notInstalled(keys.map(idOf), id));
  return [used, ...keys.filter((key) => key !== used)];
}

/** The same keys without this one. Throws {@link InvalidOption}. */
export function without<T>(keys: readonly T[], id: string, idOf: (key: T) => string): T[] {
  const ids = keys.map(idOf);
  if (!ids.includes(id)) throw new InvalidOption(notInstalled(ids, id));
  if (ids[0] === id) throw new InvalidOption(`key ${id} is the one that is used: use another one first`);
  return keys.filter((key) => idOf(key) !== id);
}

function notInstalled(ids: readonly string[], id: string): string {
  return `no key ${id} is installed; there are ${ids.join(', ')}`;
}
