/** Examples as processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { eventually } from './systems.js';

/** An example that runs, and what it has printed. */
export interface Running {
  readonly child: ChildProcess;
  output: string;
}

/** Starts an example, until the test ends. */
export function run(t: ExecutionContext, example: string, domain: string, ...args: string[]): Running {
  return runWith(t, example, { DOMAIN: domain }, args);
}

/** The same, with more of an environment. */
export function runWith(
  t: ExecutionContext,
  example: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Running {
  const file = fileURLToPath(new URL(`../../examples/${example}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const running: Running = { child, output: '' };
  child.stdout?.on('data', (chunk) => (running.output += String(chunk)));
  child.stderr?.on('data', (chunk) => (running.output += String(chunk)));
  t.teardown(() => child.kill('SIGKILL'));
  return running;
}

/** Waits until it has printed this. */
export const shows = (running: Running, text: string | RegExp) =>
  eventually(
    () => (typeof text === 'string' ? running.output.includes(text) : text.test(running.output)),
    () => `${String(text)} in:\n${running.output}`,
  );
