/**
 * `nact-groups keys`: makes keys, and changes a file of keys, which running nodes read again within a second or two. A key comes in by
 * standard input, never as an argument, which every user of the machine could read.
 */
import { randomBytes } from 'node:crypto';
import { chmod, chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { keyBytes } from '../../transport/keyring.js';
import { withUsed, without } from '../domain-keys.js';
import { keyFrom, keysFrom, keysIn, linesOf } from '../keys.js';

/** Prints a new key. */
export function generateKey(json: boolean): number {
  const key = randomBytes(keyBytes).toString('hex');
  process.stdout.write(json ? `${JSON.stringify({ key })}\n` : `${key}\n`);
  return 0;
}

/** Prints the ids of the keys in a file, the one that is used first. */
export async function listKeys(file: string, json: boolean): Promise<number> {
  for (const [i, { name: id }] of (await keysIn(file)).entries()) {
    const used = i === 0;
    process.stdout.write(json ? `${JSON.stringify({ id, used })}\n` : `${id}${used ? ' used' : ''}\n`);
  }
  return 0;
}

/** Adds the key on standard input behind those in a file; makes the file if there is none. */
export async function installKey(file: string, json: boolean): Promise<number> {
  const [given, ...others] = linesOf(await text(process.stdin));
  if (given === undefined || others.length > 0)
    throw new Error('give one key on standard input: 64 hexadecimal digits');
  const key = keyFrom('standard input', given);
  const lines = await keyLines(file, true);
  if (!lines.some((line) => idOf(line) === key.name)) await replace(file, [...lines, given]);
  process.stdout.write(json ? `${JSON.stringify({ id: key.name })}\n` : `${key.name}\n`);
  return 0;
}

/** Puts a key of a file in front. */
export async function useKey(file: string, id: string): Promise<number> {
  await replace(file, withUsed(await keyLines(file, false), id, idOf));
  return 0;
}

/** Takes a key out of a file. */
export async function removeKey(file: string, id: string): Promise<number> {
  await replace(file, without(await keyLines(file, false), id, idOf));
  return 0;
}

function idOf(line: string): string {
  return keyFrom('the file', line).name;
}

/** The keys of a file as text. */
async function keyLines(file: string, mayBeMissing: boolean): Promise<readonly string[]> {
  try {
    // says what is wrong with it
    await keysIn(file);
    const bytes = await readFile(file);
    return bytes.length === keyBytes ? [bytes.toString('hex')] : linesOf(bytes.toString('latin1'));
  } catch (error) {
    const isMissing = await stat(file).then(
      () => false,
      () => true,
    );
    if (isMissing && mayBeMissing) return [];
    throw error;
  }
}

/** Writes a file anew, in one go, for its owner alone. */
async function replace(file: string, lines: readonly string[]): Promise<void> {
  keysFrom(`'${file}'`, lines);
  const owner = await stat(file).catch(() => undefined);
  const next = join(dirname(file), `.${randomBytes(6).toString('hex')}.keys`);
  try {
    await writeFile(next, `${lines.join('\n')}\n`, { mode: 0o600, flag: 'wx' });
    await chmod(next, 0o600);
    if (owner !== undefined) await chown(next, owner.uid, owner.gid);
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}
