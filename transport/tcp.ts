/**
 * TCP alone, for networks without multicast: each node has one connection to each other, and a multicast is written to
 * all of them. Who is in the domain, the core knows; where to find the first of them is told by seeds, DNS or a file.
 *
 * Datagrams travel over the connections as stream messages do, but are dropped when a peer takes less than it is sent.
 */
import { Resolver } from 'node:dns';
import { createServer, isIP } from 'node:net';
import type { Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { inspect } from 'node:util';
import { datagramBacklogBytesMax, streamMessageBytesMax } from '../lib/limits.js';
import { canonicalAddress, isLoopback, parseAddress, parseHostPort, type Endpoint } from './addresses.js';
import { codeOf, failedTo, TransportError } from './errors.js';
import { listen } from './door.js';
import { refuseExposure } from './exposure.js';
import { resolve, startFinding, type DnsOptions } from './finding.js';
import { createMesh } from './mesh.js';
import { afterAwake } from './patience.js';
import { optionMillisMax, optionsFault } from './options.js';
import { createReporter } from './reporter.js';
import type { Transport, TransportFactory } from './transport.js';

/** Where to listen, and where the others are. Addresses are 'host:port', or '[host]:port' for IPv6. */
export interface TcpOptions {
  /**
   * What to bind to. Port 0: one of the system's choice. Default '127.0.0.1:0'. '0.0.0.0:PORT' and '[::]:PORT' take
   * connections on all interfaces.
   */
  readonly listen?: string;
  /**
   * Where the others reach this node, if that is not where it listens: behind address translation, in a container with
   * a forwarded port. 'host:port', or 'host' with the port that it listens on. A name is looked up once. Default: where it
   * listens; if that is all interfaces, the first address of this machine that is not loopback.
   */
  readonly advertise?: string;
  /**
   * Some of the nodes that may be running. All nodes may be given the same list, which may name this node too. Names are
   * looked up again and again. Name several: a node that finds none of them founds a domain of its own.
   */
  readonly seeds?: readonly string[];
  /** DNS records of the nodes, as of a Kubernetes headless service: 'name:port' for A and AAAA, 'name' for SRV. */
  readonly dns?: string | DnsOptions;
  /** A file with a seed a line, '#' begins a comment. It is read again when it has changed. */
  readonly file?: string;
  /** How often names and DNS records are asked for again, in milliseconds, from 100 to 3,600,000 (an hour); default 5000. */
  readonly refreshMillis?: number;
}

const known = [
  'listen',
  'advertise',
  'seeds',
  'dns',
  'file',
  'refreshMillis',
] as const satisfies readonly (keyof TcpOptions)[];

/** As with UDP: what the core packs together, and what a peer's heartbeat may have to wait for. */
const datagramBytesMax = 60_000;

const refreshMillisDefault = 5000;
const refreshMillisMin = 100;

/** For so long opening waits for the seeds to answer: so that the first hello finds those that are there. */
const openMillisMax = 1000;

/**
 * A mesh of TCP connections.
 *
 * The factory rejects with a {@link TransportError} if it cannot listen there, if an address is none, or if it cannot tell
 * which address to advertise, and with an `ExposedError`, before it listens, if it would carry in the clear what leaves this machine. Seeds that are not there are no error: they are tried again and again, and logged once.
 *
 * @example
 * ```ts
 * const transport = tcp({ listen: '0.0.0.0:7000', seeds: ['10.0.0.1:7000', '10.0.0.2:7000'] });
 * const system = start(groups({ domain: 'shop', key, transport }));
 * ```
 */
export function tcp(options: TcpOptions = {}): TransportFactory {
  return async (domain, handlers, keyring, insecure = false): Promise<Transport> => {
    const checked = check(options);
    const wanted = await numeric('listen', checked.listen);
    const reached = await advertised(checked.advertise, wanted);
    const isLocal = isLoopback(wanted.host) && isLoopback(reached.host);
    const what = `TCP mesh, listening on ${canonicalAddress(wanted)}, advertised as ${reached.host},`;
    refuseExposure({ what, isLocal, keyring, insecure });
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000 });
    const bound = await open(server, wanted);
    const address = canonicalAddress({ ...reached, port: reached.port === 0 ? bound.port : reached.port });
    const reporter = createReporter((error) => handlers.error(error));
    const mesh = createMesh({
      server,
      address,
      domain,
      keyring,
      handlers,
      reporter,
      localAddress: isLocal ? bound.host : undefined,
    });
    const finding = startFinding({
      ...checked,
      reporter,
      found: (endpoints) => mesh.setSeeds(endpoints),
    });
    await withinMillis(
      openMillisMax,
      finding.first.then(() => mesh.settled()),
    );

    function checkSize(bytes: Uint8Array): void {
      if (bytes.length > datagramBytesMax) {
        throw new RangeError(`a datagram has ${bytes.length} bytes; the limit is ${datagramBytesMax}`);
      }
    }

    let closed: Promise<void> | undefined;
    return {
      address,
      isLocal,
      isProtected: keyring !== undefined,
      datagramBytesMax,
      receiveBufferBytes: datagramBacklogBytesMax,
      description:
        `${keyring === undefined ? '' : 'encrypted '}TCP mesh, listening on ${canonicalAddress(bound)}, advertised as ${address}, found by ${sourcesOf(checked)}, ` +
        `datagrams up to ${datagramBytesMax} B, ${datagramBacklogBytesMax} B of them and messages of ${streamMessageBytesMax} B for each peer`,
      multicast(bytes) {
        checkSize(bytes);
        mesh.multicast(bytes);
        return false;
      },
      unicast(to, bytes) {
        checkSize(bytes);
        mesh.unicast(to, bytes);
      },
      stream: (to, bytes) => mesh.stream(to, bytes),
      streamBacklog: (to) => mesh.streamBacklog(to),
      tether: (to) => mesh.tether(to),
      probe: (to) => mesh.probe(to),
      setNodes: (addresses) => mesh.setNodes(addresses),
      get datagramsPending() {
        return mesh.datagramsPending;
      },
      statistics: () => ({ datagramsDropped: mesh.datagramsDropped }),
      close: () =>
        (closed ??= (() => {
          finding.stop();
          reporter.close();
          return mesh.close();
        })()),
    };
  };
}

interface Checked {
  readonly listen: string;
  readonly advertise: string | undefined;
  readonly seeds: readonly string[];
  readonly dns: DnsOptions | undefined;
  readonly file: string | undefined;
  readonly refreshMillis: number;
}

function check(options: TcpOptions): Checked {
  const wrong = optionsFault('tcp()', options, known);
  if (wrong !== null) throw new TransportError(wrong);
  const {
    listen: at = '127.0.0.1:0',
    advertise,
    seeds = [],
    dns,
    file,
    refreshMillis = refreshMillisDefault,
  } = options;
  inOption('listen', () => parseHostPort(at, 0));
  if (!Array.isArray(seeds))
    throw new TransportError(`tcp({ seeds }): give a list of 'host:port', not ${String(seeds)}`);
  for (const seed of seeds as readonly string[]) inOption('seeds', () => parseHostPort(seed));
  checkText('advertise', advertise, "'host:port', or 'host'");
  checkText('file', file, "the name of a file with a 'host:port' a line");
  if (!Number.isInteger(refreshMillis) || refreshMillis < refreshMillisMin || refreshMillis > optionMillisMax) {
    throw new TransportError(
      `tcp({ refreshMillis: ${String(refreshMillis)} }): give a whole number of milliseconds from ${refreshMillisMin} to ` +
        `${optionMillisMax}, an hour`,
    );
  }
  return { listen: at, advertise, seeds, dns: checkDns(dns), file, refreshMillis };
}

function checkText(option: string, value: unknown, what: string): void {
  if (value === undefined || (typeof value === 'string' && value !== '')) return;
  throw new TransportError(`tcp({ ${option} }): give ${what}, not ${inspect(value, { depth: 0 })}`);
}

const knownOfDns = ['name', 'port', 'servers'] as const satisfies readonly (keyof DnsOptions)[];

function checkDns(dns: string | DnsOptions | undefined): DnsOptions | undefined {
  if (dns === undefined) return undefined;
  const given: DnsOptions =
    typeof dns !== 'string'
      ? dns
      : dns.includes(':')
        ? portOf(inOption('dns', () => parseHostPort(dns)))
        : { name: dns };
  const wrong = optionsFault('tcp({ dns })', given, knownOfDns);
  if (wrong !== null) throw new TransportError(`${wrong}; or give 'name:port', or 'name'`);
  if (typeof given.name !== 'string' || given.name === '' || isIP(given.name) !== 0) {
    throw new TransportError(`tcp({ dns }): '${given.name}' is no name: give 'name:port', or the name of SRV records`);
  }
  if (given.port !== undefined && !(Number.isInteger(given.port) && given.port > 0 && given.port <= 65_535)) {
    throw new TransportError(`tcp({ dns: { port: ${given.port} } }): give a whole number from 1 to 65535`);
  }
  const { servers } = given;
  if (servers !== undefined) {
    try {
      new Resolver().setServers(servers);
    } catch {
      throw new TransportError(
        `tcp({ dns: { servers } }): give a list of numeric addresses, 'address' or 'address:port', not ${inspect(servers)}`,
      );
    }
  }
  return given;
}

function portOf({ host, port }: { host: string; port: number }): DnsOptions {
  return { name: host, port };
}

/** Says which option an error is about. */
function inOption<T>(option: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new TransportError(`tcp({ ${option} }): ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The first address of a name; numbers are taken as they are. */
async function numeric(option: string, text: string): Promise<Endpoint> {
  try {
    const [first] = await resolve(text);
    if (first !== undefined) return first;
  } catch (error) {
    if (error instanceof TransportError) throw error;
    throw failedTo(`tcp({ ${option}: '${text}' })`, error, 'give a numeric address, or a name that can be looked up');
  }
  throw new TransportError(`tcp({ ${option}: '${text}' }): the name has no address; give a numeric one`);
}

async function open(server: Server, { host, port, family }: Endpoint): Promise<Endpoint> {
  try {
    await listen(server, host, port);
  } catch (error) {
    const remedy =
      codeOf(error) === 'EADDRNOTAVAIL'
        ? 'choose an address of this machine, or 0.0.0.0 for all of them, and advertise the one that others reach'
        : 'choose another port, or 0 for one of the system’s choice';
    throw failedTo(`tcp({ listen }): cannot listen on ${canonicalAddress({ host, port, family })}`, error, remedy);
  }
  const bound = server.address();
  return { host, port: bound !== null && typeof bound === 'object' ? bound.port : port, family };
}

/** The address that the others are told, of a node that binds to `listens`. Port 0: the one that it gets there. */
async function advertised(advertise: string | undefined, listens: Endpoint): Promise<Endpoint> {
  if (advertise !== undefined) {
    const isBare = isIP(advertise) !== 0 || !advertise.includes(':');
    const host = isIP(advertise) === 6 ? `[${advertise}]` : advertise;
    const own = await numeric('advertise', isBare ? `${host}:${listens.port}` : advertise);
    if (isAny(own.host))
      throw new TransportError(`tcp({ advertise: '${advertise}' }): nobody can connect to ${own.host}`);
    return own.port === 0 ? { ...own, port: listens.port } : own;
  }
  if (!isAny(listens.host)) return listens;
  const outer = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    // an address of one link means nothing without its interface
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .sort((a, b) => Number(a.family === 'IPv6') - Number(b.family === 'IPv6'))
    .find(({ family }) => listens.family === 6 || family === 'IPv4');
  if (outer === undefined) {
    throw new TransportError(
      `tcp({ listen: '${canonicalAddress(listens)}' }): this machine has no address that others could reach; ` +
        "say which one to tell them: tcp({ advertise: 'host:port' })",
    );
  }
  const family = outer.family === 'IPv6' ? 6 : 4;
  return parseAddress(canonicalAddress({ host: outer.address, port: listens.port, family }), 0);
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function sourcesOf({ seeds, dns, file }: Checked): string {
  const sources = [
    ...(seeds.length > 0 ? [`${seeds.length} seeds`] : []),
    ...(dns === undefined ? [] : [`DNS ${dns.name}`]),
    ...(file === undefined ? [] : [`file ${file}`]),
  ];
  return sources.join(', ') || 'others only';
}

function withinMillis(millis: number, done: Promise<void>): Promise<void> {
  return new Promise((resolveWait) => {
    const patience = afterAwake(millis, resolveWait);
    void done.finally(() => {
      patience.clear();
      resolveWait();
    });
  });
}
