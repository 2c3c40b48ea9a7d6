/**
 * IP multicast: one packet from the sender reaches every node of the domain, whatever their number.
 *
 * Three sockets. All nodes of a domain on a host share the multicast port. Each has a port of its own, the same number
 * for unicast datagrams and for streams, which is its address. Multicasts are sent from the unicast socket, so that
 * the source of any datagram is its sender's address.
 *
 * Datagrams may be lost, doubled and reordered; the source of a datagram can be forged by whoever can send on the network.
 * Those that leave the machine are sealed, so that one that was damaged on its way is lost too. On the loopback interface they
 * never leave its memory, and a checksum would cost about as much as half of the rest (60 KB: 16 microseconds at each end).
 */
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { checkMulticastAddress, domainMulticast, formatAddress, parseAddress, resolveInterface } from './addresses.js';
import type { Endpoint, Interface } from './addresses.js';
import { codeOf, failedTo, TransportError } from './errors.js';
import { afterAwake } from './patience.js';
import { createReporter } from './reporter.js';
import { sealBytes, sealOf, unseal } from './seal.js';
import { listen } from './door.js';
import { createStreams } from './streams.js';
import type { Transport, TransportFactory, TransportHandlers } from './transport.js';

/** Where and how to multicast. Everything has a default. */
export interface UdpMulticastOptions {
  /** The network interface, by name ('eth0') or IPv4 address. Default: the loopback interface, 127.0.0.1. */
  readonly interface?: string;
  /** The IPv4 multicast address. Default: derived from the domain's name. */
  readonly address?: string;
  /** The UDP port of the multicasts. Default: derived from the domain's name. */
  readonly port?: number;
  /** How many routers a multicast may pass, plus one. Default 1: it stays in the local network. */
  readonly ttl?: number;
  /**
   * The largest datagram, in bytes, its seal included. Default 60,000. Beyond the network's packet size the system sends a datagram in
   * pieces, and one lost piece loses all of it: on a network that loses packets choose about 1,400.
   */
  readonly datagramBytesMax?: number;
}

/**
 * The default of the largest datagram: the cost of a datagram hardly depends on its size, so large ones are fastest,
 * and UDP's own limit of 65,507 leaves room for what wraps it.
 */
const datagramBytesDefault = 60_000;
const datagramBytesUdp = 65_507;

/** Nothing smaller is of use: every IPv4 network passes 576 bytes. */
const datagramBytesMin = 508;

/**
 * Asked for both directions. Systems grant less (Linux: `net.core.rmem_max`); larger ones only delay the news that a
 * receiver is too slow.
 */
const bufferBytesWanted = 8 * 1024 * 1024;
const bufferBytesMin = 64 * 1024;

/** Tries to find a port that is free for both UDP and TCP. Each fails rarely, by chance. */
const portTriesMax = 32;

/** Addresses whose forms are remembered; beyond it all are forgotten and learnt again. Domains are far smaller. */
const knownAddressesMax = 4096;

/** How long close waits for datagrams that the system would not take yet. */
const drainMillisMax = 1000;

/** Addresses are numeric already: this saves each send a trip through the event loop. */
const lookup = (
  address: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void => done(null, address, 4);

function checkNumber(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TransportError(`udpMulticast({ ${name}: ${value} }): give a whole number from ${min} to ${max}`);
  }
}

/** Binds a UDP socket. `exclusive`: a cluster's primary would otherwise bind one socket for all its workers. */
function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

/** A unicast socket and a TCP server on one port of the system's choice. */
async function openPair(host: string): Promise<{ unicast: Socket; server: Server; port: number }> {
  let last: unknown;
  for (let tries = 0; tries < portTriesMax; tries++) {
    const unicast = createSocket({ type: 'udp4', lookup });
    const server = createServer({ noDelay: true });
    try {
      await bind(unicast, host, 0);
      const { port } = unicast.address();
      await listen(server, host, port);
      return { unicast, server, port };
    } catch (error) {
      last = error;
      await closeSocket(unicast);
      if (codeOf(error) !== 'EADDRINUSE') break;
    }
  }
  throw failedTo(`cannot open a UDP and a TCP port on ${host}`, last, 'choose another interface, or free some ports');
}

/** The shared socket. */
async function openGroup(address: string, port: number, on: Interface): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true, lookup });
  // Bound to the group's address the socket hears nothing but this group; bound to any, Linux would also give it
  // what other processes have joined on the same port. Windows does not bind to a multicast address.
  const local = process.platform === 'win32' ? '0.0.0.0' : address;
  try {
    await bind(socket, local, port);
    socket.addMembership(address, on.address);
    return socket;
  } catch (error) {
    await closeSocket(socket);
    const where = `${formatAddress(address, port)} on interface ${on.address} (${on.name})`;
    const remedy =
      codeOf(error) === 'EADDRINUSE' || codeOf(error) === 'EACCES'
        ? 'choose another port: udpMulticast({ port })'
        : 'choose another interface or multicast address: udpMulticast({ interface, address })';
    throw failedTo(`cannot receive multicasts to ${where}`, error, remedy);
  }
}

/** Asks for a buffer and tells what was granted. */
function setBuffer(socket: Socket, direction: 'Recv' | 'Send'): number {
  for (let size = bufferBytesWanted; size >= bufferBytesMin; size /= 2) {
    try {
      socket[`set${direction}BufferSize`](size);
      break;
    } catch {
      // BSD refuses what is too large where Linux grants less: ask for less
    }
  }
  const size = socket[`get${direction}BufferSize`]();
  // Linux doubles what it grants, to account for its own overhead per datagram, and reports the double
  return process.platform === 'linux' ? size / 2 : size;
}

/**
 * IP multicast on one interface; by default on loopback, between processes of one machine.
 *
 * The factory rejects with a {@link TransportError} if there is no such interface, the address or the port cannot
 * be used, or an option makes no sense.
 *
 * `receiveBufferBytes` is what the smaller of the two sockets was granted. Linux charges at least 832 bytes per datagram
 * against twice that (measured, kernel 6.18): datagrams from 1 KB up fit to about nine tenths of it or more, but of 100 byte ones
 * only a quarter. So count a small datagram as 500 bytes.
 */
export function udpMulticast(options: UdpMulticastOptions = {}): TransportFactory {
  return async (domain, handlers): Promise<Transport> => {
    const derived = domainMulticast(domain);
    const { address = derived.address, port = derived.port, ttl = 1 } = options;
    const { datagramBytesMax = datagramBytesDefault } = options;
    checkMulticastAddress(address);
    checkNumber('port', port, 1, 65_535);
    checkNumber('ttl', ttl, 0, 255);
    checkNumber('datagramBytesMax', datagramBytesMax, datagramBytesMin, datagramBytesUdp);
    const on = resolveInterface(options.interface ?? '127.0.0.1');

    const group = await openGroup(address, port, on);
    try {
      const pair = await openPair(on.address);
      try {
        pair.unicast.setMulticastInterface(on.address);
        pair.unicast.setMulticastLoopback(true);
        pair.unicast.setMulticastTTL(ttl);
      } catch (error) {
        await Promise.all([closeSocket(pair.unicast), new Promise((resolve) => pair.server.close(resolve))]);
        throw failedTo(`cannot send multicasts from ${on.address}`, error, 'choose another interface or ttl');
      }
      return run({
        domain,
        handlers,
        on,
        group,
        ...pair,
        multicast: { host: address, port, family: 4 },
        ttl,
        datagramBytesMax,
      });
    } catch (error) {
      await closeSocket(group);
      throw error;
    }
  };
}

interface Opened {
  readonly domain: string;
  readonly handlers: TransportHandlers;
  readonly on: Interface;
  readonly group: Socket;
  readonly unicast: Socket;
  readonly server: Server;
  readonly port: number;
  readonly multicast: Endpoint;
  readonly ttl: number;
  readonly datagramBytesMax: number;
}

/** The transport over sockets that are open. */
function run(opened: Opened): Transport {
  const { handlers, on, group, unicast, multicast } = opened;
  const isSealed = !on.loopback;
  const datagramBytesMax = opened.datagramBytesMax - (isSealed ? sealBytes : 0);
  const ownPort = opened.port;
  const ownHost = on.address;
  const address = formatAddress(ownHost, ownPort);
  const reporter = createReporter((error) => handlers.error(error));
  const nameOf = createNames();
  const endpoints = new Map<string, Endpoint | null>();
  const receive = [setBuffer(group, 'Recv'), setBuffer(unicast, 'Recv')] as const;
  const sendBufferBytes = setBuffer(unicast, 'Send');
  const receiveBufferBytes = Math.min(...receive);
  const streams = createStreams({
    server: opened.server,
    address,
    domain: opened.domain,
    handlers,
    reporter,
    localAddress: ownHost,
    peersAreWhereTheySay: true,
  });
  let closing = false;
  let closed: Promise<void> | undefined;
  let drained: (() => void) | undefined;

  function onMulticast(bytes: Buffer, from: RemoteInfo): void {
    if (from.port === ownPort && from.address === ownHost) return;
    // Linux gives a socket what came for its group over any interface on which some process has joined it
    if (on.loopback && !from.address.startsWith('127.')) {
      reporter.report('outside', `multicast from ${from.address}: not from this machine; dropped`);
      return;
    }
    onDatagram(bytes, from);
  }

  function onDatagram(bytes: Buffer, from: RemoteInfo): void {
    if (closing) return;
    // Node allocates each datagram's memory anew: it is the receiver's. As a plain Uint8Array, because on a Buffer
    // `slice` means something else.
    const all = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const own = isSealed ? unseal(all) : all;
    const source = nameOf(from.address, from.port);
    if (own !== null) handlers.datagram(own, source);
    else reporter.report('damaged', `datagram from ${source}: it was damaged on its way, or is not ours; dropped`);
  }

  function send(bytes: Uint8Array, to: Endpoint): void {
    unicast.send(isSealed ? [bytes, sealOf(bytes)] : bytes, to.port, to.host, onSent);
  }

  /** One function for all sends: one made for each would cost more than the rest of what is done here. */
  function onSent(error: Error | null): void {
    if (error !== null && error !== undefined) {
      reporter.report(`send-${codeOf(error)}`, `sending a datagram from ${address}: ${error.message}`);
    }
    if (drained !== undefined && unicast.getSendQueueCount() === 0) drained();
  }

  function checkSize(bytes: Uint8Array): void {
    if (bytes.length > datagramBytesMax) {
      throw new RangeError(`a datagram has ${bytes.length} bytes; the limit is ${datagramBytesMax}`);
    }
  }

  function endpointOf(to: string): Endpoint | null {
    const known = endpoints.get(to);
    if (known !== undefined) return known;
    if (endpoints.size >= knownAddressesMax) endpoints.clear();
    let endpoint: Endpoint | null = null;
    try {
      endpoint = parseAddress(to);
      if (endpoint.family !== 4) endpoint = null;
    } catch {
      // an address may have come over the network: no reason to fail
    }
    endpoints.set(to, endpoint);
    return endpoint;
  }

  /** Resolves when no datagram is left with Node, or after a while. */
  function drain(): Promise<void> {
    return new Promise((resolve) => {
      if (unicast.getSendQueueCount() === 0) {
        resolve();
        return;
      }
      const patience = afterAwake(drainMillisMax, resolve);
      drained = () => {
        patience.clear();
        resolve();
      };
    });
  }

  async function close(): Promise<void> {
    closing = true;
    reporter.close();
    await Promise.all([drain(), streams.close()]);
    await Promise.all([closeSocket(group), closeSocket(unicast)]);
  }

  group.on('message', onMulticast);
  unicast.on('message', onDatagram);
  group.on('error', (error) => reporter.report(`multicast-${codeOf(error)}`, `multicast socket: ${error.message}`));
  unicast.on('error', (error) => reporter.report(`unicast-${codeOf(error)}`, `unicast socket: ${error.message}`));

  return {
    address,
    isLocal: on.loopback,
    isLoopback: on.loopback,
    datagramBytesMax,
    receiveBufferBytes,
    description:
      `UDP multicast ${formatAddress(multicast.host, multicast.port)} ttl ${opened.ttl} on ${ownHost} (${on.name}), ` +
      `unicast and streams ${address}, ${isSealed ? 'sealed ' : ''}datagrams up to ${datagramBytesMax} B, buffers asked ${bufferBytesWanted} B, ` +
      `granted: multicast receive ${receive[0]} B, unicast receive ${receive[1]} B, send ${sendBufferBytes} B`,
    multicast(bytes) {
      checkSize(bytes);
      if (!closing) send(bytes, multicast);
    },
    unicast(to, bytes) {
      checkSize(bytes);
      if (closing) return;
      const endpoint = endpointOf(to);
      if (endpoint === null) reporter.report('unicast-address', `unicast to '${to}': not an IPv4 address with a port`);
      else send(bytes, endpoint);
    },
    stream: (to, bytes) => streams.write(to, bytes),
    tether: (to) => streams.tether(to),
    probe: (to) => streams.probe(to),
    streamBacklog: (to) => streams.backlog(to),
    // a multicast reaches them wherever they are
    setNodes: () => {},
    get datagramsPending() {
      return closing ? 0 : unicast.getSendQueueCount();
    },
    close: () => (closed ??= close()),
  };
}

/** Makes "host:port" of a source, the same string object each time: as a key it is hashed once, not once a datagram. */
function createNames(): (host: string, port: number) => string {
  const known = new Map<number, { host: string; name: string }>();
  return (host, port) => {
    const entry = known.get(port);
    if (entry !== undefined && entry.host === host) return entry.name;
    if (known.size >= knownAddressesMax) known.clear();
    const name = formatAddress(host, port);
    known.set(port, { host, name });
    return name;
  };
}
