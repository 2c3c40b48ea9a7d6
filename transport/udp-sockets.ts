/** The sockets of UDP multicast: opened, or refused with the remedy. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { formatAddress } from './addresses.js';
import type { Endpoint, Interface } from './addresses.js';
import { listen } from './door.js';
import { codeOf, failedTo, TransportError } from './errors.js';

/**
 * Asked for both directions. Systems grant less (Linux: `net.core.rmem_max`); larger ones only delay the news that a
 * receiver is too slow.
 */
export const bufferBytesWanted = 8 * 1024 * 1024;
const bufferBytesMin = 64 * 1024;

/** Tries to find a port that is free for both UDP and TCP. Each fails rarely, by chance. */
const portTriesMax = 32;

/** Addresses are numeric already: this saves each send a trip through the event loop. */
const lookups = {
  4: (address: string, _options: unknown, done: (error: null, address: string, family: number) => void): void =>
    done(null, address, 4),
  6: (address: string, _options: unknown, done: (error: null, address: string, family: number) => void): void =>
    done(null, address, 6),
} as const;

function open(family: 4 | 6, reuseAddr: boolean): Socket {
  return createSocket({ type: `udp${family}`, reuseAddr, ipv6Only: family === 6, lookup: lookups[family] });
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

/** Closes a socket. */
export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

/** A unicast socket and a TCP server on one port, which is this node's; 0: of the system's choice. */
export async function openPair(
  { address, family }: Interface,
  wanted: number,
): Promise<{ unicast: Socket; server: Server; port: number }> {
  let last: unknown;
  for (let tries = 0; tries < portTriesMax; tries++) {
    const unicast = open(family, false);
    const server = createServer({ noDelay: true });
    try {
      await bind(unicast, address, wanted);
      const { port } = unicast.address();
      await listen(server, address, port);
      return { unicast, server, port };
    } catch (error) {
      last = error;
      await closeSocket(unicast);
      if (wanted !== 0 || codeOf(error) !== 'EADDRINUSE') break;
    }
  }
  const [port, remedy] =
    wanted === 0
      ? ['a UDP and a TCP port', 'choose another interface, or free some ports']
      : [`UDP and TCP port ${wanted}`, 'choose another unicastPort: each node of a machine has its own'];
  throw failedTo(`cannot open ${port} on ${address}`, last, remedy);
}

/** The socket that all nodes of a domain on a host share: a member of the multicast group on one interface. */
export async function openGroup({ host, port, family }: Endpoint, on: Interface): Promise<Socket> {
  const socket = open(family, true);
  // Bound to the group's address the socket hears nothing but this group; bound to any, Linux would also give it
  // what other processes have joined on the same port. Windows does not bind to a multicast address.
  const any = family === 4 ? '0.0.0.0' : '::';
  const local = process.platform === 'win32' ? any : host;
  try {
    await bind(socket, local, port);
    socket.addMembership(host, on.forMulticast);
    return socket;
  } catch (error) {
    await closeSocket(socket);
    const where = `${formatAddress(host, port)} on interface ${on.address} (${on.name})`;
    const remedy =
      codeOf(error) === 'EADDRINUSE' || codeOf(error) === 'EACCES'
        ? 'choose another port: udpMulticast({ port })'
        : 'choose another interface or multicast address: udpMulticast({ interface, address })';
    throw failedTo(`cannot receive multicasts to ${where}`, error, remedy);
  }
}

/**
 * Finds out whether there is a way for multicasts out of this interface. IPv4 needs no route once the interface is named, IPv6
 * does: a loopback interface has none on Linux.
 */
export async function checkRoute({ host, port, family }: Endpoint, on: Interface): Promise<void> {
  if (family === 4) return;
  const socket = open(family, false);
  try {
    await bind(socket, on.address, 0);
    socket.setMulticastInterface(on.forMulticast);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // sends nothing: the system only looks for the way
      socket.connect(port, host, (error?: Error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    const why = `no multicasts to ${host} can be sent from ${on.address} (${on.name})`;
    throw on.loopback
      ? new TransportError(`${why}: the loopback interface carries none of IPv6 here; use 127.0.0.1`, { cause: error })
      : failedTo(why, error, `look for a route to ff00::/8 on ${on.name}, or choose another interface`);
  } finally {
    await closeSocket(socket);
  }
}

/** Asks for a buffer and tells what was granted. */
export function setBuffer(socket: Socket, direction: 'Recv' | 'Send'): number {
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
