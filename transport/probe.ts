/**
 * Whether anybody listens at an address: a connection that is closed as soon as it stands. It says nothing about who is
 * there, and a machine that is gone cannot be told from one that is cut off.
 */
import { connect, isIP } from 'node:net';
import type { Socket, TcpNetConnectOpts } from 'node:net';
import type { Found } from '../lib/events.js';
import { parseAddress, type Endpoint } from './addresses.js';
import { codeOf } from './errors.js';
import { afterAwake } from './patience.js';

/** Two retransmissions of the first packet have been lost by then. */
const probeMillisMax = 2000;

/** With nobody there, the system may pick the very port it connects to for this end: it then talks to itself. */
export function isToItself({ localAddress, localPort, remoteAddress, remotePort }: Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress;
}

/** How to connect to an endpoint: from this local address, if it is of the same family. */
export function from({ host, port, family }: Endpoint, localAddress: string | undefined): TcpNetConnectOpts {
  return localAddress === undefined || isIP(localAddress) !== family ? { host, port } : { host, port, localAddress };
}

/** Probes an address. The connection is in `sockets` while it is open; who destroys it there ends the probe. */
export function probeAt(to: string, localAddress: string | undefined, sockets: Set<Socket>): Promise<Found> {
  return new Promise((resolve) => {
    let endpoint: Endpoint;
    try {
      endpoint = parseAddress(to);
    } catch {
      return resolve('silence');
    }
    const socket = connect({ ...from(endpoint, localAddress), noDelay: true });
    const patience = afterAwake(probeMillisMax, () => end('silence'));
    const end = (found: Found): void => {
      patience.clear();
      sockets.delete(socket);
      socket.destroy();
      resolve(found);
    };
    sockets.add(socket);
    socket.once('connect', () => end(isToItself(socket) ? 'nobody' : 'somebody'));
    socket.on('error', (error) => end(codeOf(error) === 'ECONNREFUSED' ? 'nobody' : 'silence'));
    socket.once('close', () => end('silence'));
  });
}
