/** Reading command lines: what all commands share. Every refusal names the value and what would do instead. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

/** A command line that makes no sense; the message says what would. The exit status is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Options by their names, as {@link parseArgs} wants them. */
export type Spec = NonNullable<ParseArgsConfig['options']>;

/** What {@link readArgs} finds. */
type Values<S extends Spec> = ReturnType<
  typeof parseArgs<{ options: S; strict: true; allowPositionals: false }>
>['values'];

/** The values of the options in `args`; nothing else may be there. Throws {@link UsageError}. */
export function readArgs<const S extends Spec>(args: readonly string[], options: S): Values<S> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new UsageError(`${reason}; --help lists the options`);
  }
}

/** The items of a list with commas, each read by `read`, none twice. Throws {@link UsageError}. */
export function list<T>(option: string, value: string, read: (item: string) => T): T[] {
  const items = value.split(',').map((item) => item.trim());
  if (items.includes('')) throw new UsageError(`--${option} ${value}: give values separated by commas`);
  return [...new Set(items.map(read))];
}

/** The one of the choices that the value names. Throws {@link UsageError}. */
export function oneOf<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new UsageError(`--${option} ${value}: give any of ${choices.join(', ')}`);
  return found;
}

/** A number of bytes, as 100, 1k (1024) or 1m. Throws {@link UsageError}. */
export function size(option: string, text: string, least: number, most: number): number {
  const [, digits, unit] = /^(\d+)([km]?)$/i.exec(text) ?? [];
  const bytes =
    Number(digits) * (unit === undefined || unit === '' ? 1 : unit.toLowerCase() === 'k' ? 1024 : 1024 ** 2);
  if (!(bytes >= least && bytes <= most)) {
    throw new UsageError(`--${option} ${text}: give bytes from ${least} to ${most}, as 100 or 1k`);
  }
  return bytes;
}

/** A number in a range. Throws {@link UsageError}. */
export function number(option: string, text: string, least: number, most: number, whole: boolean): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new UsageError(`--${option} ${text}: give a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
  }
  return value;
}

/** Says now what would fail after minutes of measuring. Throws {@link UsageError} if the file cannot be written. */
export function checkFile(option: string, file: string | undefined): void {
  if (file !== undefined) attempt(option, () => accessSync(path.dirname(path.resolve(file)), constants.W_OK));
}

/** Makes the folder, if it is not there. Throws {@link UsageError} if that cannot be. */
export function checkFolder(option: string, folder: string | undefined): void {
  if (folder !== undefined) attempt(option, () => mkdirSync(folder, { recursive: true }));
}

function attempt(option: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
