/**
 * Sending datagrams, and what becomes of those that the system does not take: each is counted and its reason told, and sending
 * goes on, for they may be lost by contract.
 *
 * What the system has no buffer for waits here, and in Node, up to a limit; the newest are dropped beyond it.
 */
import type { Socket } from 'node:dgram';
import { datagramBacklogBytesMax } from '../lib/limits.js';
import type { Endpoint } from './addresses.js';
import { codeOf } from './errors.js';
import { afterAwake } from './patience.js';
import type { Reporter } from './reporter.js';

/** Without buffers the system is left alone for so long, in milliseconds; doubles each time that it still has none, */
const restMillisMin = 1;
/** up to this: a heartbeat must not wait for as long as failure detectors do. */
const restMillisMax = 64;
/** So many go at a time after a rest. */
const afterRest = 32;

/** How long close waits for datagrams that the system would not take yet. */
const drainMillisMax = 1000;

/** What the errors of a system mean for whoever reads the log. */
const meanings: Readonly<Record<string, string>> = {
  EPERM: 'a packet filter of this machine forbids it',
  EACCES: 'a packet filter of this machine forbids it',
  ENETUNREACH: 'there is no route; the interface may be down',
  EHOSTUNREACH: 'there is no route, or nobody has this address',
  EADDRNOTAVAIL: 'the address of this node is gone from its interface',
  EINVAL: 'the address of this node may be gone from its interface',
  ENODEV: 'the interface is gone',
  ENETDOWN: 'the interface is down',
  ENOBUFS: 'the system has no buffers left; sending rests for a moment',
};

/** What sending needs. */
export interface DatagramsOutOptions {
  readonly socket: Socket;
  /** What the socket is bound to, for the log. */
  readonly address: string;
  /** What goes over the wire in place of a datagram, in pieces; undefined: the datagram itself. */
  readonly wrap: ((bytes: Uint8Array, to: Endpoint) => readonly Uint8Array[]) | undefined;
  readonly reporter: Reporter;
  /** A datagram was too large for the system. */
  readonly tooLarge: () => void;
  /** A datagram to this host was refused, for a reason that may lie with the interface. */
  readonly refused: (host: string | undefined) => void;
}

/** Sends datagrams. */
export interface DatagramsOut {
  /** Whether the bytes are done with: they are not looked at any more. */
  send(bytes: Uint8Array, to: Endpoint): boolean;
  /** Sends what is wrapped already, or drops it if the system has no buffers. */
  sendPieces(pieces: readonly Uint8Array[], to: Endpoint): void;
  /** Those that the system has not taken yet. */
  readonly pending: number;
  /** Those that the system refused, and those that were dropped because too many waited. */
  readonly counts: { readonly refused: number; readonly dropped: number };
  /** Resolves when none is left, or after a while; takes no more. */
  close(): Promise<void>;
}

/** Begins to send over a socket. */
export function sendOver(options: DatagramsOutOptions): DatagramsOut {
  const { socket, reporter } = options;
  const counts = { refused: 0, dropped: 0 };
  let held: { bytes: Uint8Array; to: Endpoint }[] = [];
  let heldBytes = 0;
  let rest = restMillisMin;
  let resting: NodeJS.Timeout | undefined;
  let toldTooLarge = false;
  let drained: (() => void) | undefined;
  let isOver = false;

  function send(bytes: Uint8Array, to: Endpoint): boolean {
    if (heldBytes + socket.getSendQueueSize() + bytes.length > datagramBacklogBytesMax) {
      counts.dropped += 1;
      reporter.report(
        'send-waiting',
        `a datagram from ${options.address} is dropped: ${datagramBacklogBytesMax} bytes wait for the system to take them`,
      );
    } else if (resting !== undefined) {
      held.push({ bytes, to });
      heldBytes += bytes.length;
      return false;
    } else put(bytes, to);
    // the system takes a datagram at once, unless it has no room for it
    return socket.getSendQueueCount() === 0;
  }

  function put(bytes: Uint8Array, to: Endpoint): void {
    socket.send(options.wrap === undefined ? bytes : options.wrap(bytes, to), to.port, to.host, onSent);
  }

  /** One function for all sends: one made for each would cost more than the rest of what is done here. */
  function onSent(error: Error | null): void {
    if (error !== null && error !== undefined) fail(error);
    else rest = restMillisMin;
    if (drained !== undefined && pending() === 0) drained();
  }

  function fail(error: Error): void {
    counts.refused += 1;
    const code = codeOf(error);
    if (code === 'ENOBUFS' || code === 'ENOMEM') {
      rest = Math.min(2 * rest, restMillisMax);
      clearTimeout(resting);
      if (!isOver) resting = setTimeout(goOn, rest);
    } else if (code === 'EMSGSIZE') {
      options.tooLarge();
      if (toldTooLarge) return;
      toldTooLarge = true;
    } else options.refused('address' in error && typeof error.address === 'string' ? error.address : undefined);
    const meaning = meanings[code];
    const why = meaning === undefined ? error.message : `${error.message}: ${meaning}`;
    reporter.report(`send-${code}`, `sending a datagram from ${options.address}: ${why}`);
  }

  function goOn(): void {
    const now = held.slice(0, afterRest);
    held = held.slice(afterRest);
    for (const { bytes, to } of now) {
      heldBytes -= bytes.length;
      put(bytes, to);
    }
    resting = held.length > 0 ? setTimeout(goOn, restMillisMin) : undefined;
  }

  function pending(): number {
    return held.length + socket.getSendQueueCount();
  }

  return {
    send,
    sendPieces(pieces, to) {
      if (resting === undefined) socket.send(pieces, to.port, to.host, onSent);
      else counts.dropped += 1;
    },
    get pending() {
      return pending();
    },
    counts,
    close: () =>
      new Promise((resolve) => {
        const end = (): void => {
          isOver = true;
          // what is sent later is told of when the socket is closed
          drained = undefined;
          counts.dropped += held.length;
          held = [];
          clearTimeout(resting);
          patience.clear();
          resolve();
        };
        const patience = afterAwake(drainMillisMax, end);
        drained = end;
        if (pending() === 0) end();
      }),
  };
}
