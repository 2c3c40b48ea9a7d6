/** Servers of peers: started on loopback with nothing kept on disk, and gone with the process that started them. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemPath } from './catalogue.js';
import type { PeerName } from './catalogue.js';

/** A server at work. */
export interface Server {
  /** CPU seconds that it has ever used. */
  cpuSeconds(): number;
  stop(): void;
}

/** What starts it, and in which folder; it gets the port. */
const commands: Partial<Record<PeerName, (port: number) => readonly string[]>> = {
  'redis-pubsub': redis,
  'redis-streams': redis,
  nats: (port) => ['nats-server', '--addr', '127.0.0.1', '--port', String(port)],
};

function redis(port: number): readonly string[] {
  return ['redis-server', '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'];
}

const startMillisMax = 10_000;
const lookMillis = 20;
/** Ticks of a processor's time in /proc: Linux has the same everywhere. */
const ticksPerSecond = 100;

/** Starts a command that is killed when this process ends, however that happens. */
export function startBound(command: readonly string[], stdin: 'ignore' | 'pipe'): ChildProcess {
  const args = ['--pdeathsig', 'KILL', ...command];
  const child = spawn('setpriv', args, { stdio: [stdin, 'pipe', 'pipe'], env: systemPath });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

/** Starts a peer's server and waits until it can be connected to; null if the peer has none. */
export async function startServer(peer: PeerName, port: number, onEnd: (why: Error) => void): Promise<Server | null> {
  const command = commands[peer]?.(port) ?? [];
  const [name] = command;
  if (name === undefined) return null;
  const child = startBound(command, 'ignore');
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said = data.toString()));
  const { pid } = child;
  let isOver = false;
  child.once('error', onEnd);
  child.once('exit', () => {
    if (!isOver) onEnd(new Error(`${name} has ended: ${said}`));
  });
  await reachable(port);
  return {
    cpuSeconds: () => (pid === undefined ? NaN : cpuSecondsOf(pid)),
    stop() {
      isOver = true;
      child.kill('SIGKILL');
    },
  };
}

async function reachable(port: number): Promise<void> {
  const until = performance.now() + startMillisMax;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    if (performance.now() > until) throw new Error(`nothing listens at port ${port} after ${startMillisMax} ms`);
    await sleep(lookMillis);
  }
}

/** Of a process of this machine, those of the system for it included. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the second field is a name in brackets, and may hold anything
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
