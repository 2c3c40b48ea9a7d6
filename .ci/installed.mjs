/**
 * The package as its users get it: packed, installed into an empty project, and used there, by `import`, by `require`, from
 * TypeScript, by its command and with its test kit. Prints its size and what comes with it, with `--tree` every package of it.
 *
 * All that it takes from elsewhere are the packages that nact-groups depends on, from npm's cache or registry. Where these cannot be had,
 * it says so and passes.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const project = mkdtempSync(path.join(tmpdir(), 'nact-groups-installed-'));
const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const npm = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];

function run(command, args, options = {}) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd: project, encoding: 'utf8', ...options });
  return { ok: error === undefined && status === 0, stdout, text: `${error?.message ?? ''}${stdout}${stderr}`.trim() };
}

function must(what, command, args) {
  const { ok, text, stdout } = run(command, args);
  if (!ok) throw new Error(`${what}:\n${text}`);
  return stdout;
}

function write(file, text) {
  writeFileSync(path.join(project, file), text);
}

/** The bytes of all files below a folder. */
function bytesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath ?? entry.path, entry.name)).size, 0);
}

/** A program that makes a group and reads its state; `load` brings the modules in. */
const program = (load) => `${load}
async function main() {
  const system = start(groups({ domain: 'installed', transport: memory(memoryHub()) }));
  const stock = spawnReplicated(system, (state, { sku, n }) => ({ ...state, [sku]: (state[sku] ?? 0) + n }), 'stock', {
    initialState: {},
  });
  dispatch(stock, { sku: 'tea', n: 5 });
  if ((await read(stock, (state) => state.tea)) !== 5) throw new Error('not what was sent');
  await leaveDomain(system);
  const domain = await testDomain({ spawn: (each) => spawnReplicated(each, (sum, n) => sum + n, 'sum', { initialState: 0 }) });
  dispatch(domain.node('a').actors, 3);
  await domain.expectConverged();
  domain.stop();
  // one copy, however it is loaded
  if ((await import('nact-groups')).groups !== groups) throw new Error('two copies of the library');
  console.log('works');
}
main();
`;

const names = 'groups, leaveDomain, memory, memoryHub, read, spawnReplicated';
const typed = `
const system = start(groups({ domain: 'installed' }));
const stock = spawnReplicated(system, (state: number, { n }: { n: number }) => state + n, 'stock', { initialState: 0 });
dispatch(stock, { n: 5 });
// @ts-expect-error a message of another type
dispatch(stock, { m: 5 });
export const sum: Promise<number> = read(stock, (state) => state);
export const domain: Promise<TestDomain<number>> = testDomain({ spawn: () => 5 });
`;
const imports = `import { dispatch, start } from 'nact';
import { groups, read, spawnReplicated } from 'nact-groups';
import { testDomain, type TestDomain } from 'nact-groups/testkit';
${typed}`;
const requires = `import nact = require('nact');
import library = require('nact-groups');
import kit = require('nact-groups/testkit');
import type { TestDomain } from 'nact-groups/testkit' with { 'resolution-mode': 'import' };
const { dispatch, start } = nact;
const { groups, read, spawnReplicated } = library;
const { testDomain } = kit;
${typed}`;

function check() {
  const [packed] = JSON.parse(must('npm pack', 'npm', ['pack', root, '--json', ...npm]));
  write('package.json', JSON.stringify({ name: 'installed', private: true }));
  const types = `@types/node@${devDependencies['@types/node']}`;
  const wanted = [`./${packed.filename}`, `nact@${devDependencies.nact}`, `rxjs@${devDependencies.rxjs}`, types];
  const installed = run('npm', ['install', '--prefer-offline', '--fetch-retries=0', ...npm, ...wanted]);
  if (!installed.ok) {
    // without its registry npm fails in several ways, not all of which say so
    const asked = run('npm', ['view', 'nact', 'version', '--prefer-online', '--fetch-retries=0']);
    if (!asked.ok) {
      const why =
        /^npm error (?:network )?(request to .*|code E.*)$/m.exec(asked.text)?.[1] ?? asked.text.split('\n')[0];
      console.log(`not installed into an empty project: npm's registry cannot be reached: ${why}`);
      return;
    }
  }
  if (!installed.ok) throw new Error(`npm install:\n${installed.text}`);

  const load = `import { dispatch, start } from 'nact';\nimport { ${names} } from 'nact-groups';\nimport { testDomain } from 'nact-groups/testkit';`;
  const required = `const { dispatch, start } = require('nact');\nconst { ${names} } = require('nact-groups');\nconst { testDomain } = require('nact-groups/testkit');`;
  write('imports.mjs', program(load));
  write('requires.cjs', program(required));
  for (const file of ['imports.mjs', 'requires.cjs']) must(file, process.execPath, ['--no-warnings', file]);
  must('nact-groups --help', path.join(project, 'node_modules/.bin/nact-groups'), ['--help']);

  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  for (const [module, moduleResolution, sources] of [
    ['nodenext', 'nodenext', { 'typed.mts': imports, 'typed.cts': requires }],
    ['esnext', 'bundler', { 'typed.ts': imports }],
  ]) {
    const folder = `types-${moduleResolution}`;
    mkdirSync(path.join(project, folder));
    for (const [file, text] of Object.entries(sources)) write(path.join(folder, file), text);
    // not those of the libraries that it depends on
    const compilerOptions = { strict: true, noEmit: true, target: 'es2023', module, moduleResolution, types: ['node'] };
    write(
      path.join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true } }),
    );
    must(`TypeScript, ${moduleResolution}`, process.execPath, [tsc, '-p', folder]);
  }
  report(packed);
}

function report({ size, unpackedSize, entryCount }) {
  const modules = path.join(project, 'node_modules');
  const { packages } = JSON.parse(readFileSync(path.join(modules, '.package-lock.json'), 'utf8'));
  const kB = (bytes) => `${Math.round(bytes / 1000)} kB`;
  console.log(`nact-groups: ${kB(size)} packed, ${kB(unpackedSize)} unpacked, ${entryCount} files`);
  const others = Object.keys(packages).filter(
    (folder) => !/(^|\/)(nact-groups|@types\/node|undici-types)$/.test(folder),
  );
  const bytes = others.reduce((sum, folder) => sum + bytesOf(path.join(project, folder)), 0);
  console.log(`with ${others.length} packages of others, nact and rxjs included: ${kB(bytes)}`);
  if (process.argv.includes('--tree')) console.log(must('npm ls', 'npm', ['ls', '--all', '--omit=dev']).trim());
}

try {
  check();
} finally {
  rmSync(project, { recursive: true, force: true });
}
