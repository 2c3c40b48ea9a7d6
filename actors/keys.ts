/**
 * Where the keys of a domain come from: the option `key`, or the environment. Never from the command line, which anybody on the
 * machine can read.
 *
 * A key is 32 random bytes, as such or as text: 64 hexadecimal digits, or base64. Of several the first is used, the others are
 * accepted. A file of keys is read again when it changes, so that writing it is all that a change of keys takes.
 */
import { open, stat } from 'node:fs/promises';
import { domainKey, keyBytes, Keyring, keysMax, type DomainKey } from '../transport/keyring.js';
import { InvalidOption } from './errors.js';
import type { KeyOption } from './types.js';

/** What a key is, for error messages. */
const form = `${keyBytes} bytes, or text of 64 hexadecimal digits or of base64; make one with: openssl rand -hex ${keyBytes}`;

/** The largest file of keys, in bytes: {@link keysMax} of them with comments. */
const fileBytesMax = 16 * 1024;

/** How often a file of keys is looked at, in milliseconds. */
const lookMillis = 1000;

/** The keys of a running node. */
export interface HeldKeys {
  readonly ring: Keyring;
  /** The file that rules; undefined: whoever calls `install`, `use` and `remove`. */
  readonly file: string | undefined;
  /** Looks at the file no more. */
  close(): void;
}

/** A source of keys that has been checked as far as that goes without reading files or calling functions. */
export type KeySource =
  | { readonly kind: 'keys'; readonly keys: readonly DomainKey[] }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'function'; readonly give: () => unknown };

/** Checks the option, or the environment if there is none; undefined: no key. Throws {@link InvalidOption}. */
export function keySource(option: KeyOption | undefined, environment: NodeJS.ProcessEnv): KeySource | undefined {
  if (option !== undefined) return sourceOf(option);
  const { NACT_GROUPS_KEY: text, NACT_GROUPS_KEY_FILE: file } = environment;
  if (text !== undefined && file !== undefined) {
    throw new InvalidOption('NACT_GROUPS_KEY and NACT_GROUPS_KEY_FILE are both set: unset one of them');
  }
  if (text !== undefined) return { kind: 'keys', keys: keysFrom('NACT_GROUPS_KEY', text) };
  return file === undefined ? undefined : fileSource('NACT_GROUPS_KEY_FILE', file);
}

function sourceOf(option: unknown): KeySource {
  if (typeof option === 'function') return { kind: 'function', give: option as () => unknown };
  if (typeof option === 'object' && option !== null && 'file' in option) return fileSource('key.file', option.file);
  return { kind: 'keys', keys: keysFrom('key', option) };
}

function fileSource(what: string, file: unknown): KeySource {
  if (typeof file === 'string' && file !== '') return { kind: 'file', file };
  throw new InvalidOption(`${what} must be the name of a file with a key a line, not ${typeof file}`);
}

/** Reads the keys, and goes on reading them if they are in a file; `failed` is told when that is in vain. Rejects with {@link InvalidOption}. */
export async function holdKeys(source: KeySource, failed: (why: string) => void): Promise<HeldKeys> {
  if (source.kind !== 'file') {
    const keys = source.kind === 'keys' ? source.keys : keysFrom("the function in 'key' gave", await source.give());
    return { ring: new Keyring(keys), file: undefined, close: () => {} };
  }
  const { file } = source;
  let last = await stampOf(file);
  const ring = new Keyring(await keysIn(file));
  let isReading = false;
  const look = async (): Promise<void> => {
    if (isReading) return;
    isReading = true;
    try {
      const stamp = await stampOf(file);
      if (stamp !== last) {
        ring.replace(await keysIn(file));
        last = stamp;
      }
    } catch (error) {
      // it is looked at again: what it holds may be read later without a change
      failed(`${messageOf(error)}; the keys of before are kept`);
    } finally {
      isReading = false;
    }
  };
  const timer = setInterval(() => void look(), lookMillis).unref();
  return { ring, file, close: () => clearInterval(timer) };
}

/** What tells one version of a file from another; '' if there is none. */
async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, ctimeMs, ino, size } = await stat(file);
    return [mtimeMs, ctimeMs, ino, size].join(' ');
  } catch {
    return '';
  }
}

/** The keys in a file that nobody else can read. Rejects with {@link InvalidOption}. */
export async function keysIn(file: string): Promise<readonly DomainKey[]> {
  return keysFrom(`key file '${file}'`, await readKeyFile(file));
}

/** A file's content, if it is a private file of a reasonable size. */
async function readKeyFile(file: string): Promise<Uint8Array | readonly string[]> {
  let bytes: Buffer;
  try {
    // what is looked at is what is read, whatever becomes of the name
    const handle = await open(file);
    try {
      const found = await handle.stat();
      const fault = fileFault(found.isFile(), found.size, found.mode, found.uid);
      if (fault !== null) throw new InvalidOption(`key file '${file}': ${fault}`);
      bytes = await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof InvalidOption) throw error;
    throw new InvalidOption(`key file '${file}' cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const text = bytes.toString('latin1');
  // a pass phrase of as many characters is no key
  return bytes.length === keyBytes && !/^[\t\n\r -~]*$/.test(text) ? bytes : linesOf(text);
}

/** The lines of a file of keys that are not empty; '#' begins a comment. */
export function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

function fileFault(isFile: boolean, size: number, mode: number, owner: number): string | null {
  if (!isFile) return 'it is no file';
  if (size > fileBytesMax) return `it has ${size} bytes; ${keysMax} keys, one a line, are all that it may have`;
  // Windows has no such modes
  if (process.getuid === undefined) return null;
  if ((mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    return `others than its owner may use it (mode ${octal}): chmod 600`;
  }
  const self = process.getuid();
  return owner === self || owner === 0 ? null : 'it belongs to another user than this process does';
}

/** Keys from what a user gave. Says nothing of the value in its errors: it may be most of a secret. */
export function keysFrom(what: string, given: unknown): readonly DomainKey[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0) throw new InvalidOption(`${what}: no key; give ${form}`);
  if (list.length > keysMax) throw new InvalidOption(`${what}: ${list.length} keys; ${keysMax} at most`);
  return list.map((each) => keyFrom(what, each));
}

/** One key. Throws {@link InvalidOption}. */
export function keyFrom(what: string, given: unknown): DomainKey {
  if (given instanceof Uint8Array) {
    if (given.length === keyBytes) return domainKey(given);
    throw new InvalidOption(`${what}: a key of ${given.length} bytes; give ${form}`);
  }
  const text = typeof given === 'string' ? given.trim() : undefined;
  const bytes = text === undefined ? undefined : bytesOf(text);
  if (bytes !== undefined) return domainKey(bytes);
  const found =
    text === undefined ? `a ${given === null ? 'null' : typeof given}` : `a text of ${text.length} characters`;
  throw new InvalidOption(`${what}: ${found} that is no key; give ${form}`);
}

function bytesOf(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
