/**
 * `npm run reproduce -- [--seeds N] [--seed S]`: plays seeds of the simulator twice, on this Node.js and on the newest one
 * with long-term support that the registry offers as a package, and compares the traces: the same seed, the same trace.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const hashes = fileURLToPath(new URL('../simulation/hashes.js', import.meta.url));
/** Node's own binaries, as packages: one for each platform. */
const binaries = `node-${process.platform}-${process.arch}`;
/** A download, an unpacking or a short program. */
const patience = 120_000;

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: ${text} is not a positive whole number`);
  return value;
}

async function output(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], timeout: patience });
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  const code = child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(code)}`);
  return text;
}

/** Unpacks the newest Node.js with long-term support into a folder; the path of its program. */
async function newestLts(folder: string): Promise<string> {
  const versions = JSON.parse(await output('npm', ['view', binaries, 'versions', '--json'])) as string[];
  const majors = [...new Set(versions.map((version) => Number(version.split('.')[0])))]
    .filter((major) => major % 2 === 0)
    .sort((a, b) => b - a);
  for (const major of majors) {
    const version = versions.filter((each) => each.startsWith(`${major}.`)).at(-1) ?? String(major);
    await output('npm', ['pack', '--silent', `${binaries}@${version}`], folder);
    const archive = readdirSync(folder).find((file) => file.endsWith(`-${version}.tgz`));
    await output('tar', ['xzf', String(archive), 'package/bin/node'], folder);
    const program = path.join(folder, 'package/bin/node');
    if ((await output(program, ['-p', 'process.release.lts ?? ""'])).trim() !== '') return program;
  }
  throw new Error(`no version of ${binaries} has long-term support`);
}

/** The hashes of seeds as one program plays them, one after the other. */
async function* play(program: string, first: number, count: number): AsyncGenerator<string> {
  const child = spawn(program, [hashes, String(first), String(count)], { stdio: ['ignore', 'pipe', 'inherit'] });
  yield* createInterface({ input: child.stdout });
}

async function compare(programs: readonly string[], first: number, count: number): Promise<number> {
  const runs = programs.map((program) => play(program, first, count));
  let same = 0;
  for (let i = 0; i < count; i += 1) {
    const lines = await Promise.all(runs.map(async (run) => (await run.next()).value as string | undefined));
    if (lines[0]?.startsWith(`${first + i} `) && new Set(lines).size === 1) same += 1;
    else console.log(`differs: ${lines.map((line) => line ?? 'nothing').join(', ')}`);
  }
  return same;
}

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' } },
});
const [first, count] = [wholeNumber('seed', values.seed), wholeNumber('seeds', values.seeds)];
const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-node-'));
try {
  const other = await newestLts(folder);
  const version = (await output(other, ['--version'])).trim();
  for (const [name, program] of [
    [process.version, process.execPath],
    [version, other],
  ] as const) {
    const same = await compare([process.execPath, program], first, count);
    console.log(`${process.version} and ${name}: ${same} of ${count} seeds give the same trace`);
    if (same !== count) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
