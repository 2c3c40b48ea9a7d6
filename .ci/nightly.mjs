/**
 * What `npm run nightly` runs: seeds that nobody has played before, so many that each rare moment of the protocol has to come
 * about in them, some of them twice and on two versions of Node.js, which has to give the same traces; the small worlds of the
 * explorer; every mutant; the fuzzers of all parsers; ten minutes of everything with real processes. A failure prints what
 * replays it. Some three and a half hours on two cores; words after `--` choose steps by name.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
/** As many as `seedsToMark` in test/simulation/statistics.ts. */
const seeds = 3000;
const twice = 1000;
// a second has more numbers than a night plays
const first = String(Math.floor(Date.now() / 1000) * 10_000);

const steps = [
  ['sim', 'simulation', '--seed', first, '--seeds', String(seeds)],
  ['twice', 'simulation', '--seed', first, '--seeds', String(twice), '--twice'],
  ['reproduce', 'reproduction', '--seed', first, '--seeds', String(twice)],
  ['explore', 'explorer', '--joins', '1', '--crashes', '1'],
  ['explore-mutants', 'explorer', '--mutants'],
  ['mutants', 'mutants'],
  ['fuzz', 'fuzz', '--seconds', '300'],
  ['soak', 'trials', '--only', 'soak'],
];

function run(folder, args) {
  const child = spawn(process.execPath, [`dist/test/${folder}/main.js`, ...args], { stdio: 'inherit' });
  return new Promise((resolve) => child.on('close', resolve));
}

const chosen = process.argv.slice(2);
const unknown = chosen.find((word) => !steps.some(([name]) => name === word));
if (unknown !== undefined) {
  console.error(`${unknown} is no step: choose from ${steps.map(([name]) => name).join(', ')}`);
  process.exit(2);
}
const failed = [];
for (const [name, folder, ...args] of steps) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`\n${name}: ${folder} ${args.join(' ')}`);
  if ((await run(folder, args)) !== 0) failed.push(name);
}
console.log(failed.length > 0 ? `\nfailed: ${failed.join(', ')}` : '\nall is well');
if (failed.length > 0) process.exitCode = 1;
