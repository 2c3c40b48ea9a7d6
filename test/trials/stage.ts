/**
 * Where a trial runs: a folder for traces and logs, and the processes that it started.
 *
 * Whatever happens, the processes are ended by their ids when the stage is cleared and when this process ends.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository, seen from the compiled file. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));
/** The compiled command line. */
export const cli = path.join(root, 'dist/actors/tools/cli.js');

/** A trial's folder and processes. */
export interface Stage {
  readonly folder: string;
  /** Starts a process; what it writes to standard error is in the folder. `stdio`: those before and after that. */
  start(name: string, command: string, args: readonly string[], options?: StartOptions): ChildProcess;
  /** To be done when the stage is cleared, last first. */
  defer(action: () => void): void;
  /** Ends all processes; removes the folder unless its files are to be looked at. */
  clear(keep: boolean): void;
}

/** How a process is started. */
export interface StartOptions {
  /** Piped if they are to be read or written; else nothing goes in, and what comes out goes to the log. */
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  /** An IPC channel. */
  readonly ipc?: boolean;
  readonly cwd?: string;
  /** A process group of its own, which is ended as one: for commands that start others. */
  readonly group?: boolean;
}

const endings = new Set<() => void>();
process.once('exit', () => {
  for (const end of endings) end();
});

/** An empty stage. */
export function openStage(trial: string): Stage {
  const folder = mkdtempSync(path.join(tmpdir(), `nact-groups-${trial}-`));
  const actions: (() => void)[] = [];
  const started = new Map<string, number>();

  function clear(keep: boolean): void {
    endings.delete(end);
    for (const action of actions.splice(0).reverse()) action();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  }
  const end = () => clear(true);
  endings.add(end);

  return {
    folder,
    defer: (action) => void actions.push(action),
    clear,
    start(name, command, args, options = {}) {
      const life = (started.get(name) ?? 0) + 1;
      started.set(name, life);
      const log = openSync(path.join(folder, `${name}${life > 1 ? `.${life}` : ''}.log`), 'a');
      const stdio: StdioOptions = [options.stdin ? 'pipe' : 'ignore', options.stdout ? 'pipe' : log, log];
      if (options.ipc) stdio.push('ipc');
      const { cwd = root, group = false } = options;
      const child = spawn(command, args, { stdio, cwd, detached: group });
      closeSync(log);
      actions.push(() => kill(child, group));
      return child;
    },
  };
}

function kill(child: ChildProcess, group: boolean): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(group ? -child.pid : child.pid, 'SIGKILL');
  } catch {
    // it ended by itself just now
  }
}

let domains = 0;

/** A domain that nobody else uses. */
export function freshDomain(): string {
  domains += 1;
  return `trials-${process.pid}-${domains}`;
}

/** Monotonic milliseconds that all processes of one machine share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Rejects if a promise takes longer. */
export async function within<T>(millis: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
