/** Where and with what figures were measured: without it they mean nothing. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The machine and the code. */
export interface Machine {
  readonly cpus: number;
  readonly model: string;
  readonly system: string;
  readonly memoryBytes: number;
  readonly node: string;
  /** Of the repository, `+` if it was changed since; `unknown` outside one. */
  readonly commit: string;
  /** Of the minute before: others work here too. */
  readonly load: number;
  readonly date: string;
}

/** Looks at this machine. */
export function lookAtMachine(): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    model: all[0]?.model.trim() ?? 'unknown',
    system: `${process.platform} ${release()} ${process.arch}`,
    memoryBytes: totalmem(),
    node: process.version,
    commit: commit(),
    load: loadavg()[0] ?? NaN,
    date: new Date().toISOString(),
  };
}

/** The machine and the code in words, and whether something else goes on there. */
export function describe(machine: Machine): string[] {
  const memory = (machine.memoryBytes / 2 ** 30).toFixed(0);
  const isBusy = machine.load > machine.cpus / 2;
  return [
    `${machine.cpus} x ${machine.model}, ${memory} GiB, ${machine.system}, load ${machine.load.toFixed(1)}`,
    `Node ${machine.node}, commit ${machine.commit}, ${machine.date}`,
    ...(isBusy
      ? ['warning: this machine is busy with something else; rates, times and ratios will be off, CPU less so']
      : []),
  ];
}

function commit(): string {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}
