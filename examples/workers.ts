/**
 * Threads and processes in one group: two worker threads of this process and two processes of their own are members, this
 * program asks them all, and each does its share. To the group a thread is a node like any other.
 *
 *     node workers.js [UP-TO]
 *
 * Counts the primes below a number, and says who has counted how many.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parentPort, Worker } from 'node:worker_threads';
import { start } from 'nact';
import { filter, firstValueFrom } from 'rxjs';
import { ask, domain, groupRef, groups, leaveDomain, spawnMember } from 'nact-groups';

type Job = { readonly below: number };

const [role = '1000000', given = ''] = process.argv.slice(2);
const isWorker = role === 'member';
const system = start(
  groups({
    domain: process.env['DOMAIN'] ?? 'workers',
    name: isWorker ? given : 'main',
    // these are threads: that their process lives does not say that they do
    quorum: 'majority',
  }),
);

function isPrime(n: number): boolean {
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
  return n > 1;
}

if (isWorker) {
  spawnMember(
    system,
    (jobs: number, { below }: Job, ctx) => {
      const isMine = (n: number) => Math.floor(n / 1000) % ctx.view.members.length === ctx.rank;
      let primes = 0;
      for (let n = 0; n < below; n++) if (isMine(n) && isPrime(n)) primes += 1;
      ctx.reply(primes);
      return jobs + 1;
    },
    'workers',
    { initialState: 0 },
  );
  parentPort?.once('message', () => void leaveDomain(system)); // in a thread
  process.once('SIGTERM', () => void leaveDomain(system)); // in a process
} else {
  const file = fileURLToPath(import.meta.url);
  const threads = ['thread-1', 'thread-2'].map((name) => new Worker(file, { argv: ['member', name] }));
  const processes = ['process-1', 'process-2'].map((name) => fork(file, ['member', name]));
  const { views } = domain(system);
  await firstValueFrom(views.pipe(filter(() => domain(system).groups.some(({ members }) => members.length === 4))));

  const below = Number(role);
  console.log(`${await count(below)} primes below ${below}`);
  processes[0]?.kill('SIGKILL');
  console.log(`${await count(below)} primes below ${below}, one process killed meanwhile`);

  for (const thread of threads) thread.postMessage('leave');
  for (const process of processes) process.kill('SIGTERM');
  await leaveDomain(system);
}

/** Asks all members for their shares, anew if one of them is lost before it has answered. */
async function count(below: number): Promise<number> {
  const workers = groupRef<Job, number, number>(system, 'workers');
  const shares = await ask(workers, { below }, { replies: 'all', timeout: 60_000 });
  if (shares.missing.length > 0) return count(below);
  for (const { member, value } of shares) console.log(`${member.name}: ${value}`);
  return shares.reduce((sum, { value }) => sum + value, 0);
}
