/**
 * corosync, in one process of several: passes on commands and answers between the benchmark and the program in `cpg.c`,
 * which does what is measured, beside a corosync of its own.
 *
 * corosync takes one host for one node, so each has a network of its own (a Linux network namespace): the first one's is a
 * bridge, to which the others are connected. The namespaces have no names, and go with their processes.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sendersOf } from '../plan.js';
import { assignmentOf, endWithParent } from '../processes.js';
import type { Answer, Assignment, Command, Traffic } from '../protocol.js';
import { systemPath } from './catalogue.js';
import { startBound } from './server.js';

/** What it sends is not counted, nor how long it stands still. */
const unknown: Traffic = { datagrams: NaN, bytes: NaN, withoutData: NaN, acks: NaN, payloadBytes: NaN };
const noPauses = { p50: NaN, p99: NaN, p999: NaN, longest: NaN, garbage: NaN };
/** Of the links, and what corosync is told of it: as large as it takes. */
const linkBytesMax = 9000;
const totemBytesMax = 8900;
/** What the shell says that is to become the program, once it has a network of its own. */
const apart = 'apart';

function answer(message: Answer): void {
  process.send?.(message);
}

function addressOf(index: number): string {
  return `10.79.0.${index + 1}`;
}

/** corosync's configuration: its multicast transport, which is its fastest, without encryption, like all others here. */
function configOf(members: number): string {
  const section = (name: string, lines: readonly string[]) => [`${name} {`, ...lines, '}'];
  const nodes = Array.from({ length: members }, (_, index) =>
    section('node', [`name: n${index}`, `nodeid: ${index + 1}`, `ring0_addr: ${addressOf(index)}`]),
  );
  const totem = ['version: 2', 'cluster_name: bench', 'transport: udp', `netmtu: ${totemBytesMax}`];
  const lines = [
    ...section('totem', [...totem, 'crypto_cipher: none', 'crypto_hash: none']),
    ...section('nodelist', nodes.flat()),
    ...section('logging', ['to_stderr: yes', 'to_syslog: no', 'to_logfile: no']),
  ];
  return `${lines.join('\n')}\n`;
}

/** Waits for its link, then becomes the program, with a corosync beside it. */
function scriptOf(folder: string, { point, index }: Assignment): string {
  const device = index === 0 ? 'br0' : 'eth0';
  return [
    'set -e',
    `echo ${apart}`,
    'read -r linked',
    'mount -t tmpfs tmpfs /run',
    'mount -t tmpfs tmpfs /dev/shm',
    'ip link set lo up',
    `ip link set ${device} mtu ${linkBytesMax} up`,
    `ip addr add ${addressOf(index)}/24 dev ${device}`,
    `setpriv --pdeathsig KILL corosync -f -c ${folder}/conf 2>${folder}/log-${index} &`,
    `exec ${folder}/cpg ${index} ${point.members} ${point.bytes} $!`,
  ].join('\n');
}

function system(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { env: systemPath, stdio: 'pipe' });
}

/** Connects a process's network to the first one's. */
function link(folder: string, index: number, pid: number): void {
  if (index === 0) {
    system('ip', 'link', 'add', 'br0', 'netns', String(pid), 'type', 'bridge', 'mcast_snooping', '0');
    writeFileSync(path.join(folder, 'first'), String(pid));
    return;
  }
  const first = readFileSync(path.join(folder, 'first'), 'utf8');
  const port = `port${index}`;
  system('ip', 'link', 'add', 'eth0', 'netns', String(pid), 'type', 'veth', 'peer', 'name', port, 'netns', first);
  const there = ['--target', first, '--net', 'ip', 'link', 'set', port];
  system('nsenter', ...there, 'mtu', String(linkBytesMax), 'master', 'br0', 'up');
}

/** Compiles the program, from the sources beside which it is published. */
function prepare(folder: string, members: number): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'conf'), configOf(members));
  const source = fileURLToPath(new URL('../../../bench/peers/cpg.c', import.meta.url));
  system('cc', '-O2', '-o', path.join(folder, 'cpg'), source, '-lcpg');
}

/** What the program is told: a line. */
function lineOf(command: Exclude<Command, { kind: 'end' }>, isSender: boolean): string {
  switch (command.kind) {
    case 'run':
      return `run ${command.warmUpMillis} ${command.measuredMillis} ${isSender ? 1 : 0}`;
    case 'stop':
      return 'stop';
    case 'drain':
      return `drain ${command.sent.join(' ')}`;
  }
}

/** What the program says: a line. */
function answerOf(line: string): Answer {
  const [kind = '', ...values] = line.split(' ');
  const numbers = values.map(Number);
  switch (kind) {
    case 'ready':
      return { kind, description: 'corosync, transport udp' };
    case 'full':
      return { kind };
    case 'measured': {
      const [millis = NaN, cpuSeconds = NaN, memory = NaN, ...delivered] = numbers;
      const sample = { millis, cpuSeconds, memory, memoryBefore: NaN, delivered, traffic: unknown, pauses: noPauses };
      return { kind, sample };
    }
    case 'stopped':
      return { kind, sent: numbers[0] ?? NaN };
    case 'drained': {
      const [missing = NaN, misordered = NaN, damaged = NaN, ...delivered] = numbers;
      return { kind, tallied: { missing, misordered, damaged, delivered }, traffic: unknown };
    }
    default:
      return { kind: 'failed', why: `cpg says: ${line}` };
  }
}

/** Starts the program of this process and serves the parent from then on. */
function begin(assignment: Assignment): void {
  const { point, index, domain } = assignment;
  const folder = path.join(tmpdir(), `nact-groups-${domain}`);
  if (index === 0) {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    prepare(folder, point.members);
  }
  const child = startBound(['unshare', '--net', '--mount', 'sh', '-c', scriptOf(folder, assignment)], 'pipe');
  const { pid, stdin, stdout, stderr } = child;
  if (pid === undefined || !stdin || !stdout || !stderr) throw new Error('setpriv could not be started');
  let said = '';
  stderr.on('data', (data: Buffer) => (said = data.toString().trim()));
  child.once('exit', (code, signal) => {
    const why = `cpg ended with ${code ?? signal ?? 'nothing'}: ${said}`;
    fail(new Error(`${why}; corosync said last: ${lastLineOf(path.join(folder, `log-${index}`))}`));
  });
  createInterface(stdout).on('line', (line) => {
    if (line !== apart) return answer(answerOf(line));
    link(folder, index, pid);
    stdin.write('linked\n');
  });
  const isSender = sendersOf(point).includes(index);
  process.on('message', (command: Command) => {
    if (command.kind !== 'end') {
      stdin.write(`${lineOf(command, isSender)}\n`);
      return;
    }
    // the program ends with its input, after its corosync
    child.removeAllListeners('exit').once('exit', () => process.exit(0));
    stdin.end();
  });
}

function lastLineOf(file: string): string {
  return existsSync(file) ? (readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '') : '';
}

function fail(error: unknown): void {
  answer({ kind: 'failed', why: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

endWithParent();
process.on('uncaughtException', fail);
try {
  begin(assignmentOf<Assignment>());
} catch (error) {
  fail(error);
}
