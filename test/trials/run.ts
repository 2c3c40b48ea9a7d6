/** Commands that are run to their end. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { within, type Stage, type StartOptions } from './stage.js';

/** What a command came to. */
export interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  /** Of all commands that were run under this name on this stage. */
  readonly stderr: string;
  readonly millis: number;
}

/** Runs a command to its end, for a bounded time. */
export async function run(
  stage: Stage,
  name: string,
  command: string,
  args: readonly string[],
  millisMax: number,
  options: StartOptions = {},
): Promise<Ended> {
  const from = performance.now();
  const child = stage.start(name, command, args, { ...options, stdout: true });
  let stdout = '';
  (child.stdout as Readable).on('data', (chunk) => (stdout += String(chunk)));
  const [code, signal] = (await within(millisMax, `${command} ${args.join(' ')}`, once(child, 'close'))) as [
    number | null,
    string | null,
  ];
  const stderr = readFileSync(path.join(stage.folder, `${name}.log`), 'utf8');
  return { code: code ?? signal ?? 'unknown', stdout, stderr, millis: performance.now() - from };
}
