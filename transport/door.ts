/**
 * Where connections come in: each says whose it is before anything else is taken from it. Idle, silent and foreign ones
 * keep nobody out: strangers and those who have said whose they are do not count against each other.
 */
import type { Server, Socket } from 'node:net';
import { greetingMillisMax, guestsMax, strangersMax } from '../lib/limits.js';
import { formatAddress } from './addresses.js';
import { codeOf } from './errors.js';
import type { Handshake, Records } from './framing.js';
import { afterAwake } from './patience.js';
import type { Patience } from './patience.js';
import type { Reporter } from './reporter.js';

/** What a door needs to know. */
export interface DoorOptions {
  /** Listens; the door takes its connections and closes it. */
  readonly server: Server;
  /** What it listens on, for the log. */
  readonly address: string;
  readonly reporter: Reporter;
  /** How one connection begins, by the address of its other end. */
  readonly handshake: (remoteAddress: string) => Handshake;
  /** Said to those that speak the protocol and are not let in, so that they can tell why. */
  readonly farewell?: Uint8Array;
  /** Why a peer that gives this address is not let in, or null. */
  readonly objection: (socket: Socket, address: string) => string | null;
  /** Takes over a connection; `rest` is what came with the greeting. */
  readonly greeted: (socket: Socket, address: string, rest: Uint8Array, records: Records | undefined) => void;
}

/** An open door. */
export interface Door {
  /** All connections that came in and are not closed. */
  readonly sockets: ReadonlySet<Socket>;
  /** Closes a connection and reports why. */
  hangUp(socket: Socket, kind: string, why: string): void;
  /** Lets nobody in any more; resolves when all that came in are closed, which is left to others. */
  close(): Promise<void>;
}

/** Listens. `exclusive`: a cluster's primary would otherwise listen for all its workers. */
export function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Takes the connections of a server that listens. */
export function openDoor(options: DoorOptions): Door {
  const { server, reporter } = options;
  /** Insertion order is age. */
  const strangers = new Map<Socket, Patience>();
  const sockets = new Set<Socket>();
  let guests = 0;
  let closing = false;

  function hangUp(socket: Socket, kind: string, why: string, farewell?: Uint8Array): void {
    if (!closing) {
      const remote = formatAddress(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
      reporter.report(kind, `connection from ${remote} to ${options.address} closed: ${why}`);
    }
    if (farewell === undefined) socket.destroy();
    else socket.end(farewell, () => socket.destroy());
  }

  function forget(socket: Socket): void {
    strangers.get(socket)?.clear();
    strangers.delete(socket);
  }

  function makeRoom(): void {
    for (const oldest of strangers.keys()) {
      forget(oldest);
      hangUp(oldest, 'strangers', `${strangersMax} others are waiting to say whose they are`);
      return;
    }
  }

  function accept(socket: Socket): void {
    // a socket without a listener would end the process with its error
    socket.on('error', () => socket.destroy());
    if (closing) {
      socket.destroy();
      return;
    }
    if (strangers.size >= strangersMax) makeRoom();
    sockets.add(socket);
    strangers.set(
      socket,
      afterAwake(greetingMillisMax, () => hangUp(socket, 'greeting-late', 'it did not say whose it is')),
    );
    const handshake = options.handshake(socket.remoteAddress ?? '');
    const readGreeting = (chunk: Buffer): void => {
      const result = handshake.push(chunk);
      if (result.kind !== 'bad' && result.answer !== undefined) socket.write(result.answer);
      if (result.kind === 'more') return;
      socket.off('data', readGreeting);
      if (result.kind === 'bad') {
        hangUp(socket, 'greeting-bad', result.reason, result.isStranger ? undefined : options.farewell);
        return;
      }
      const reason = options.objection(socket, result.address);
      if (reason !== null) {
        hangUp(socket, 'greeting-bad', reason, options.farewell);
        return;
      }
      if (guests >= guestsMax) {
        hangUp(socket, 'guests-max', `there are ${guestsMax} already`);
        return;
      }
      forget(socket);
      guests += 1;
      socket.once('close', () => (guests -= 1));
      options.greeted(socket, result.address, result.rest, result.records);
    };
    socket.on('data', readGreeting);
    socket.once('close', () => {
      sockets.delete(socket);
      forget(socket);
    });
  }

  server.on('connection', accept);
  server.on('error', (error) => reporter.report(`server-${codeOf(error)}`, `accepting connections: ${error.message}`));
  return {
    sockets,
    hangUp,
    close() {
      closing = true;
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
