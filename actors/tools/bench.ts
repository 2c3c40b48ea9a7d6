/**
 * `nact-groups bench`: the benchmarks, in a process of their own.
 *
 * They are users of the library, not a part of it, and so are started by their path, not imported.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));

/**
 * Runs the benchmarks with these arguments; resolves with their exit status, null if a signal ended them. Rejects if
 * they are not there. They end when this process does.
 */
export async function runBench(args: readonly string[]): Promise<number | null> {
  if (!existsSync(main))
    throw new Error(`the benchmarks are not installed: there is no ${main}; npm run build makes it`);
  // the channel is only there to be cut off
  const child = spawn(process.execPath, [main, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}
