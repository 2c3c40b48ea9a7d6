/**
 * What `npm run nightly` runs: seeds that nobody has played before, so many that each rare moment of the protocol has to come
 * about in them, and some of them twice, which has to give the same traces. A failure prints the seed that replays it.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
/** As many as `seedsToMark` in test/simulation/statistics.ts. */
const seeds = 3000;
const twice = 1000;
// a second has more numbers than a night plays
const first = Math.floor(Date.now() / 1000) * 10_000;

function simulate(...args) {
  const child = spawn(process.execPath, ['dist/test/simulation/main.js', ...args], { stdio: 'inherit' });
  return new Promise((resolve) => child.on('close', resolve));
}

const steps = [
  [`${seeds} fresh seeds from ${first}`, '--seed', String(first), '--seeds', String(seeds)],
  [`${twice} of them twice`, '--seed', String(first), '--seeds', String(twice), '--twice'],
];
for (const [name, ...args] of steps) {
  console.log(`\n${name}`);
  if ((await simulate(...args)) !== 0) process.exitCode = 1;
}
console.log(process.exitCode ? '\nfailed' : '\nall is well');
