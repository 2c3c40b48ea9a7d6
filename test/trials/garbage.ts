/**
 * Garbage on every port of a node: random datagrams, datagrams of the domain that were cut off or come again from a
 * stranger, and stream connections that say nonsense or nothing.
 */
import { createSocket, type Socket } from 'node:dgram';
import { randomBytes, randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../transport/addresses.js';
import { monotonic, type Stage } from './stage.js';

/** Where to. */
export interface Target {
  readonly multicast: { readonly address: string; readonly port: number };
  /** Each takes unicasts and streams. */
  readonly nodes: readonly string[];
}

/** What was sent. */
export interface Thrown {
  /** Random datagrams to the multicast group. */
  readonly multicasts: number;
  /** Random datagrams to one node. */
  readonly unicasts: number;
  readonly connections: number;
}

const datagramBytesMax = 2000;
/** Datagrams between two pauses: the sockets' buffers are for others, too. */
const burst = 20;
const burstMillis = 3;
const connectionsMax = 60;
/** Echoes are as many as the domain sends; not longer than this. */
const echoMillisMax = 20_000;

/** A socket for sending multicasts on loopback. */
async function openSocket(stage: Stage): Promise<Socket> {
  const socket = createSocket('udp4');
  stage.defer(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  return socket;
}

function send(socket: Socket, bytes: Uint8Array, port: number, host: string): Promise<void> {
  return new Promise((resolve) => socket.send(bytes, port, host, () => resolve()));
}

/** Throws so many random datagrams at a domain, and opens connections meanwhile. */
export async function throwGarbage(stage: Stage, { multicast, nodes }: Target, count: number): Promise<Thrown> {
  const socket = await openSocket(stage);
  let [multicasts, unicasts, connections] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const bytes = randomBytes(randomInt(datagramBytesMax));
    if (i % 2 === 0) {
      await send(socket, bytes, multicast.port, multicast.address);
      multicasts += 1;
    } else {
      const { host, port } = parseAddress(nodes[(i >> 1) % nodes.length] as string);
      await send(socket, bytes, port, host);
      unicasts += 1;
    }
    if (connections < connectionsMax && i % Math.ceil(count / connectionsMax) === 0) {
      openStream(stage, nodes[connections % nodes.length] as string, connections);
      connections += 1;
    }
    if (i % burst === 0) await sleep(burstMillis);
  }
  return { multicasts, unicasts, connections };
}

/** A connection that says nonsense at once, nonsense little by little, or nothing. */
function openStream(stage: Stage, to: string, number: number): void {
  const { host, port } = parseAddress(to);
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  stage.defer(() => socket.destroy());
  if (number % 3 === 0) socket.write(randomBytes(64 * 1024));
  else if (number % 3 === 1) {
    const timer = setInterval(() => socket.write(randomBytes(7)), 20);
    socket.on('close', () => clearInterval(timer));
    stage.defer(() => clearInterval(timer));
  }
}

/** Sends what is heard of a domain again, from a port of its own, every other datagram cut off; how many. */
export async function throwEchoes(stage: Stage, { multicast }: Target, count: number): Promise<number> {
  const socket = await openSocket(stage);
  const { port: own } = socket.address();
  const ear = createSocket({ type: 'udp4', reuseAddr: true });
  stage.defer(() => ear.close());
  let echoes = 0;
  ear.on('message', (bytes, { port }) => {
    if (port === own || echoes >= count) return;
    echoes += 1;
    const echo = echoes % 2 === 0 ? bytes : bytes.subarray(0, randomInt(bytes.length));
    void send(socket, echo, multicast.port, multicast.address);
  });
  await new Promise<void>((resolve) => ear.bind(multicast.port, multicast.address, resolve));
  ear.addMembership(multicast.address, '127.0.0.1');
  for (const until = monotonic() + echoMillisMax; echoes < count && monotonic() < until;) await sleep(20);
  return echoes;
}
