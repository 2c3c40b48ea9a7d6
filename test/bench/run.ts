/** Runs a benchmark as a user would, in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const millisMax = 60_000;

/** How a benchmark ended, and the report that it wrote. */
export interface BenchRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined if there is none. */
  readonly report: unknown;
}

/** Runs `npm run bench -- COMMAND OPTIONS`; killed if it takes more than a minute. */
export async function runBench(...args: readonly string[]): Promise<BenchRun> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-bench-'));
  const file = path.join(folder, 'report.json');
  try {
    const child = spawn(process.execPath, [main, ...args, '--json', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), millisMax);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    clearTimeout(timer);
    return { code, stdout, stderr, report: code === 0 ? JSON.parse(readFileSync(file, 'utf8')) : undefined };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
