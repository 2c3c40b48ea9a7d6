/**
 * The processes that a measurement consists of. They are killed by their ids when this process ends, and end by
 * themselves when it is gone: none is left behind.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What separates one domain from others on the machine. */
export interface Network {
  readonly domain: string;
  /** Of multicasts. */
  readonly address: string;
  readonly port: number;
}

/** Longer than any run. */
const lifeMillisMax = 15 * 60 * 1000;

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

let networks = 0;

/** A multicast address, a port and a domain that nobody else on this machine has, as far as chance allows. */
export function privateNetwork(): Network {
  networks += 1;
  const { pid } = process;
  return {
    domain: `bench-${pid}-${networks}`,
    address: `239.255.${(pid >> 8) & 0xff}.${pid & 0xff}`,
    port: 20_000 + ((pid * 31 + networks * 7) % 20_000),
  };
}

/** Starts a process of the compiled file `url`; its only argument is the assignment, as JSON. */
export function startProcess(url: URL, assignment: unknown, execArgv: readonly string[] = []): ChildProcess {
  const child = fork(fileURLToPath(url), [JSON.stringify(assignment)], {
    execArgv: [...execArgv],
    // numbers in bulk go as bytes
    serialization: 'advanced',
  });
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}

/** Whether a process that was started here has not ended. */
export function isLiving(child: ChildProcess): boolean {
  return living.has(child);
}

/** In such a process: it ends with its parent, and after a time that no run takes. */
export function endWithParent(): void {
  setTimeout(() => process.exit(1), lifeMillisMax).unref();
  process.once('disconnect', () => process.exit(1));
}

/** In such a process: what it was told to be. */
export function assignmentOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '') as T;
}
