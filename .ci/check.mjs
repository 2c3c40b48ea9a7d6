/**
 * What `npm test` runs: the build, the static checks, then the tests. Each check and each test counts as one; the
 * counts go to dist/check.json, and the last line printed is `N passed, N failed`. Every check runs even when another
 * has failed, except that nothing can be said about a tree that does not build.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = ['lib', 'transport', 'actors', 'examples', 'bench', 'test'];
const resultFile = 'dist/check.json';
process.chdir(root);

let passed = 0;
let failed = 0;
let tests = 0;
const failures = [];

function count(ok, name) {
  if (ok) passed += 1;
  else {
    failed += 1;
    failures.push(name);
  }
}

/** Starts a tool of node_modules/.bin, or Node.js; the promise holds its exit code (null: killed by a signal). */
function tool(name, args, stdio, env = process.env) {
  const child = spawn(name === 'node' ? process.execPath : path.join('node_modules', '.bin', name), args, {
    stdio,
    env,
  });
  const done = new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${name}: ${error.message}`);
      resolve(1);
    });
    child.on('close', resolve);
  });
  return { child, done };
}

/** Runs one check, holding its output back so that two can run beside each other, and for good if all is well and it need not be seen. */
async function check(name, command, args, isShown = false) {
  const from = performance.now();
  const { child, done } = tool(command, args, ['ignore', 'pipe', 'pipe']);
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(chunk));
  const ok = (await done) === 0;
  console.log(`${ok ? '✔' : '✘'} ${name} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
  if (!ok || isShown) process.stdout.write(Buffer.concat(output));
  count(ok, name);
  return ok;
}

async function checks(list) {
  const queue = [...list];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await check(...next);
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
}

/** A source that was renamed or deleted leaves its output behind, and ava would go on running it. */
function removeOrphans() {
  for (const folder of folders) {
    if (!existsSync(`dist/${folder}`)) continue;
    for (const file of readdirSync(`dist/${folder}`, { recursive: true })) {
      const source = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(file);
      if (source && !existsSync(`${folder}/${source[1]}.ts`)) rmSync(`dist/${folder}/${file}`);
    }
  }
}

/**
 * Runs the test files with ava's usual output and counts from it. (Its TAP output would be easier to read for a program,
 * but ava 7.0 crashes in it when a test times out or calls process.exit, and takes the rest of the run along.) The exit
 * code decides whether all is well; if it is, the count is that of ava's own summary, else that of the lines it marked.
 */
async function ava(files, concurrency) {
  if (files.length === 0) return;
  const colour = process.stdout.isTTY ? ['--color'] : [];
  const args = [...colour, '--concurrency', String(concurrency), ...files];
  // TERM=linux would make ava fall back to other marks than those that are looked for here
  const env = { ...process.env, TERM: process.env.TERM === 'linux' ? 'xterm' : process.env.TERM };
  const { child, done } = tool('ava', args, ['ignore', 'pipe', 'inherit'], env);
  let marked = 0;
  let summary = 0;
  const wrong = [];
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    const plain = stripVTControlCharacters(line);
    const [, mark, title] = /^ {2}([✔✘]) (?:\[fail\]: )?(.*)$/.exec(plain) ?? [];
    if (mark === '✔') marked += 1;
    else if (mark === '✘') wrong.push(title);
    summary = Number(/^ {2}(\d+) tests? passed$/.exec(plain)?.[1] ?? summary);
  }
  const code = await done;
  if (code === 0) {
    passed += summary;
    tests += summary;
    return;
  }
  if (wrong.length === 0) wrong.push(`ava ended with ${code ?? 'a signal'}`);
  passed += marked;
  tests += marked;
  for (const title of wrong) count(false, title);
}

/** What tests between hosts and those of the page need, and the Debian packages that have it. */
const provided = { ip: 'iproute2', nft: 'nftables', chromium: 'chromium' };

/** Installs these packages; where they cannot be had, the tests that need them say so. */
function provide() {
  // not npm's path: a package has a command nft
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const missing = Object.keys(provided).filter((command) => spawnSync('which', [command], { env }).status !== 0);
  if (missing.length === 0 || process.platform !== 'linux') return;
  if (process.getuid() !== 0) {
    console.log(`not installed, and this is not root: ${missing.join(', ')}`);
    return;
  }
  console.log(`installing what provides ${missing.join(' and ')}`);
  const packages = missing.map((command) => provided[command]);
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    const { error, status, stderr } = spawnSync('apt-get', ['-q', ...args], {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0) console.log(`apt-get ${args[0]}: ${error?.message ?? stderr}`);
  }
}

mkdirSync('dist', { recursive: true });
rmSync(resultFile, { force: true });
removeOrphans();

if (await check('build', 'tsc', ['-b'])) {
  await checks([
    ['lint', 'eslint', ['.']],
    ['import rules', 'depcruise', ['--config', '.dependency-cruiser.cjs', ...folders]],
    ['format', 'prettier', ['--check', '.']],
    ['API reference without warnings', 'typedoc', ['--emit', 'none']],
    ['installed into an empty project', 'node', ['.ci/installed.mjs'], true],
    ['API as in its report', 'node', ['.ci/api.mjs']],
    [
      'types for every resolver',
      'attw',
      ['--pack', '.', '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm'],
    ],
    ['package', 'publint', ['--strict']],
    ['nothing unused', 'knip', []],
    ['no install scripts and no known vulnerabilities', 'node', ['.ci/dependencies.mjs'], true],
  ]);
  provide();
  // Two files at a time, but those that hold figures against bars need the machine to themselves: they come last. Chaos and processes
  // are waiting for half of their time, and chaos adds to its limits what the kernel says a process had to wait for a processor.
  const files = readdirSync('dist/test', { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => `dist/test/${file}`)
    .sort();
  const isIn = (folders) => (file) => folders.includes(file.split('/')[2]);
  const pure = files.filter(
    isIn(['lib', 'membership', 'scenarios', 'simulation', 'explorer', 'growth', 'mutants', 'testkit', 'trace']),
  );
  const alone = files.filter(isIn(['fuzz', 'trials']));
  await ava(pure, 2);
  await ava(
    files.filter((file) => !pure.includes(file) && !alone.includes(file)),
    2,
  );
  await ava(alone, 1);
  if (tests === 0) count(false, 'no test has passed');
}

if (failures.length > 0) console.log(`\nFailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
writeFileSync(resultFile, `${JSON.stringify({ passed, failed, tests, failures })}\n`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
