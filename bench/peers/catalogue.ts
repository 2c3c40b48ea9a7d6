/** The peers: what each needs to be measured, and what it does not promise that a group of this library does. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Peers that can be measured. */
export const peers = ['redis-pubsub', 'redis-streams', 'nats', 'zeromq', 'corosync'] as const;
export type PeerName = (typeof peers)[number];

/** One peer. */
export interface Peer {
  /** What it needs, with arguments that make it say its version; each with the Debian packages that have it. */
  readonly commands: readonly {
    readonly command: string;
    readonly args: readonly string[];
    readonly packages: string;
  }[];
  /** The npm package of its client for Node.js, with its major version; null if it is measured without one. */
  readonly client: { readonly name: string; readonly version: number } | null;
  /** What it lacks. */
  readonly lacks: string;
}

const redis = { command: 'redis-server', args: ['--version'], packages: 'redis-server' };
const nats = { command: 'nats-server', args: ['--version'], packages: 'nats-server' };
const noViews = 'nobody knows who is there';

/** All that is known of the peers here. Commands are also looked for where Debian keeps those of the system. */
export const catalogue: Readonly<Record<PeerName, Peer>> = {
  'redis-pubsub': {
    commands: [redis],
    client: { name: 'redis', version: 5 },
    lacks: `at most once: who is disconnected, or too slow for the server's buffer, misses messages; one order, but by one server, which all depend on; ${noViews}`,
  },
  'redis-streams': {
    commands: [redis],
    client: { name: 'redis', version: 5 },
    lacks: `one order, by one server, which all depend on, and which may forget what it has confirmed when it crashes or fails over; readers ask again for what they miss until it is trimmed; ${noViews}`,
  },
  nats: {
    commands: [nats],
    client: { name: '@nats-io/transport-node', version: 3 },
    lacks: `at most once: who is disconnected or slow misses messages; order per sender only; a server between all; ${noViews}`,
  },
  zeromq: {
    commands: [],
    client: { name: 'zeromq', version: 6 },
    lacks: `drops messages above the high-water mark and while a subscriber connects again; order per sender only; ${noViews}`,
  },
  corosync: {
    commands: [
      { command: 'corosync', args: ['-v'], packages: 'corosync' },
      { command: 'cc', args: ['--version'], packages: 'gcc libc6-dev libcpg-dev' },
      { command: 'ip', args: ['-V'], packages: 'iproute2' },
    ],
    client: null,
    lacks:
      'no state transfer, no uniform (safe) order, none but total order; a daemon on each host; no client for Node.js: measured with one in C',
  },
};

/** Debian's own commands are not in every user's path. */
export const systemPath = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };

/** What is to be done before a peer can be measured, as commands to be typed; none if it can be. `modules`: where its client is looked for. */
export function missing(name: PeerName, modules: string): string[] {
  const { commands, client } = catalogue[name];
  const packages = commands.flatMap(({ command, args, packages }) =>
    spawnSync(command, args, { env: systemPath }).error === undefined ? [] : [packages],
  );
  return [
    ...(packages.length > 0 ? [`apt-get install --no-install-recommends ${packages.join(' ')}`] : []),
    ...(client !== null && findClient(modules, client.name) === undefined
      ? [`npm install --prefix ${modules} ${client.name}@${client.version}`]
      : []),
  ];
}

/** The file of a package that is installed in `modules`, or else beside this one; undefined if it is in neither. */
export function findClient(modules: string, name: string): string | undefined {
  for (const from of [path.join(path.resolve(modules), 'any.js'), import.meta.url]) {
    try {
      return createRequire(from).resolve(name);
    } catch {
      // not there
    }
  }
  return undefined;
}
