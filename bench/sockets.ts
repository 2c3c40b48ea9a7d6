/** UDP sockets on loopback as they are quickest with Node: large buffers, numeric addresses that are not looked up. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

/** The address that all processes of a benchmark have. */
export const loopback = '127.0.0.1';
/** Asked for; systems grant less. */
const bufferBytes = 8 * 1024 * 1024;

const lookup = (
  address: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void => done(null, address, 4);

function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      socket.setRecvBufferSize(bufferBytes);
      socket.setSendBufferSize(bufferBytes);
      resolve();
    });
  });
}

/** A socket that sends unicasts and multicasts and receives unicasts, at a port of the system's choice. */
export async function openUnicast(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup });
  await bind(socket, loopback, 0);
  socket.setMulticastInterface(loopback);
  socket.setMulticastLoopback(true);
  return socket;
}

/** A socket that receives what is multicast to this address and port, as others on this machine do. */
export async function openMulticast(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  await bind(socket, address, port);
  socket.addMembership(address, loopback);
  return socket;
}
