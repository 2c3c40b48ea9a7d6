/** The same kill for corosync, where Debian's is installed: what its users get with its own settings. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from '../trials/stage.js';
import { openNetwork } from './hosts.js';

/** Nothing that is waited for takes longer, in milliseconds. */
const patience = 60_000;

/** Its version; null if it is not installed. */
export function corosyncVersion(): string | null {
  const { stdout } = spawnSync('corosync', ['-v'], { encoding: 'utf8' });
  return /version '([^']+)'/.exec(stdout ?? '')?.[1] ?? null;
}

/** Kills one of three, so many times: how long until both others have the new membership, in milliseconds. */
export async function killCorosync(stage: Stage, times: number): Promise<number[]> {
  const { hosts } = openNetwork(stage, ['n1', 'n2', 'n3']);
  const config = path.join(stage.folder, 'corosync.conf');
  const section = (name: string, lines: readonly string[]) => [`${name} {`, ...lines, '}'];
  const nodes = hosts.flatMap(({ name, address }, index) =>
    section('node', [`name: ${name}`, `nodeid: ${index + 1}`, `ring0_addr: ${address}`]),
  );
  const all = [
    ...section('totem', ['version: 2', 'cluster_name: chaos', 'transport: knet']),
    ...section('nodelist', nodes),
    ...section('quorum', ['provider: corosync_votequorum']),
    ...section('logging', ['to_stderr: yes', 'to_logfile: no', 'to_syslog: no', 'timestamp: hires']),
  ];
  // without keys, as our own members here
  all.splice(1, 0, 'crypto_cipher: none', 'crypto_hash: none');
  writeFileSync(config, `${all.join('\n')}\n`);
  const shell = `mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm && exec corosync -f -c ${config}`;
  const millis: number[] = [];
  for (let round = 0; round < times; round++) {
    const logs = hosts.map(({ name }) => path.join(stage.folder, `${name}-${round}.log`));
    const children = hosts.map(({ name, prefix }) => {
      const [command = '', ...args] = [...prefix, 'sh', '-c', shell];
      return stage.start(`${name}-${round}`, command, args);
    });
    await Promise.all(logs.map((log) => logged(log, /Members joined: .*/g, () => membersOf(log) === hosts.length)));
    const killedAt = Date.now();
    children[2]?.kill('SIGKILL');
    const left = /(\S+) (\d+) ([\d:.]+) .*A new membership .*Members left: 3/g;
    const lines = await Promise.all(logs.slice(0, 2).map((log) => logged(log, left, () => true)));
    const year = new Date(killedAt).getFullYear();
    for (const [, month, day, time] of lines) {
      millis.push(Date.parse([month, day, year, time].join(' ')) - killedAt);
    }
    children.forEach((child) => child.kill('SIGKILL'));
    await sleep(200);
  }
  return millis;
}

/** How many have joined, as far as a log says. */
function membersOf(log: string): number {
  const joined = readFileSync(log, 'utf8').matchAll(/Members joined: ([\d ]+)/g);
  return new Set([...joined].flatMap(([, ids]) => ids?.trim().split(' ') ?? [])).size;
}

async function logged(log: string, pattern: RegExp, isAll: () => boolean): Promise<RegExpMatchArray> {
  const until = performance.now() + patience;
  while (performance.now() < until) {
    const found = [...readFileSync(log, 'utf8').matchAll(pattern)].at(-1);
    if (found && isAll()) return found;
    await sleep(50);
  }
  throw new Error(`${log}: nothing like ${String(pattern)} within ${patience} ms`);
}
