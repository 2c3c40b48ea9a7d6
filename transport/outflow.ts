/**
 * What waits to be written to one peer over a connection that carries everything: datagrams go before stream messages, so
 * that a heartbeat does not wait behind megabytes of state, but each round takes a piece of the streams along.
 *
 * The socket is given little ahead of what the system takes, or that order would mean nothing. A peer that takes less
 * than it is sent loses datagrams, as it would if they were packets on a wire; stream messages are kept, up to a limit of
 * the caller's, which then has to give the connection up.
 */
import type { Socket } from 'node:net';
import { Queue } from '../lib/queue.js';
import { messageHeaderBytes, writeMessages } from './framing.js';

/** Kinds of messages on a connection of a mesh. */
export const Kind = {
  stream: 0,
  datagram: 1,
  /** Says nothing but that the sender lives. */
  alive: 2,
  /** The answer to a greeting: one byte, 1 if the sender believes that it has a connection with the other already. */
  reply: 3,
  /** Whoever connected decides that this is the connection of the pair. */
  go: 4,
} as const;

/** The largest number in {@link Kind}. */
export const kindMax = Kind.go;

/** Bytes given to a socket beyond what the system takes at once: two or three of its turns at full speed. */
const aheadBytesMax = 256 * 1024;

/** Messages are written, and datagrams dropped, in portions of about this size. */
const unitBytes = 64 * 1024;

/** Messages as they are written, the same bytes to whomever they go. */
export interface Unit {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly count: number;
}

/** Puts messages of one kind into the form in which they are written. */
export function unitsOf(messages: readonly Uint8Array[], kind: number): Unit[] {
  const units: Unit[] = [];
  for (let from = 0; from < messages.length;) {
    let bytes = 0;
    let to = from;
    while (to < messages.length && bytes < unitBytes) bytes += messageHeaderBytes + (messages[to++]?.length ?? 0);
    const pieces: Uint8Array[] = [];
    writeMessages(messages.slice(from, to), (piece) => pieces.push(piece), kind);
    units.push({ pieces, bytes, count: to - from });
    from = to;
  }
  return units;
}

interface Pending {
  datagrams: number;
  datagramBytes: number;
  streamBytes: number;
}

/** Where it is written to: what goes over the socket may not be the bytes as they are. */
export interface Sink {
  readonly socket: Socket;
  /** Writes a part of messages; `taken` is called when the system has it. */
  write(piece: Uint8Array, taken?: () => void): void;
}

/** What waits for one peer. */
export class Outflow {
  #datagrams = new Queue<Unit>();
  #messages = new Queue<Unit>();
  #pending: Pending = nothing();
  #unicasts: Uint8Array[] = [];
  #streams: Uint8Array[] = [];
  readonly #taken: () => void;

  /** `taken` is called when the system has taken some of it: there is room for more. */
  constructor(taken: () => void) {
    this.#taken = taken;
  }

  /** Datagrams that the system has not taken yet. */
  get datagrams(): number {
    return this.#pending.datagrams;
  }

  /** Their bytes. */
  get datagramBytes(): number {
    return this.#pending.datagramBytes;
  }

  /** Bytes of stream messages that the system has not taken yet. */
  get streamBytes(): number {
    return this.#pending.streamBytes;
  }

  /** Whether the system has taken everything. */
  get isEmpty(): boolean {
    return this.#pending.datagrams === 0 && this.#pending.streamBytes === 0;
  }

  /** Adds a datagram for this peer alone. */
  addDatagram(bytes: Uint8Array): void {
    this.#unicasts.push(bytes);
    this.#pending.datagrams += 1;
    this.#pending.datagramBytes += messageHeaderBytes + bytes.length;
  }

  /** Adds datagrams that others get too. */
  addShared(unit: Unit): void {
    this.#datagrams.push(unit);
    this.#pending.datagrams += unit.count;
    this.#pending.datagramBytes += unit.bytes;
  }

  /** Adds a stream message. */
  addMessage(bytes: Uint8Array): void {
    this.#streams.push(bytes);
    this.#pending.streamBytes += messageHeaderBytes + bytes.length;
  }

  /** Gives to the connection what its socket takes now. */
  pump(connection: Sink): void {
    const { socket } = connection;
    this.#pack();
    if (this.#datagrams.length === 0 && this.#messages.length === 0) return;
    if (socket.writableLength >= aheadBytesMax) return;
    socket.cork();
    while (socket.writableLength < aheadBytesMax) {
      const unit = this.#datagrams.shift();
      if (unit === undefined) break;
      this.#write(connection, unit, true);
    }
    do {
      const unit = this.#messages.shift();
      if (unit === undefined) break;
      this.#write(connection, unit, false);
    } while (socket.writableLength < aheadBytesMax);
    socket.uncork();
  }

  /** Drops everything; returns the number of datagrams. */
  clear(): number {
    const { datagrams } = this.#pending;
    this.#datagrams.clear();
    this.#messages.clear();
    this.#unicasts = [];
    this.#streams = [];
    this.#pending = nothing();
    return datagrams;
  }

  #pack(): void {
    if (this.#unicasts.length > 0) {
      for (const unit of unitsOf(this.#unicasts, Kind.datagram)) this.#datagrams.push(unit);
      this.#unicasts = [];
    }
    if (this.#streams.length > 0) {
      for (const unit of unitsOf(this.#streams, Kind.stream)) this.#messages.push(unit);
      this.#streams = [];
    }
  }

  #write(connection: Sink, unit: Unit, isDatagram: boolean): void {
    const pending = this.#pending;
    const { pieces, bytes, count } = unit;
    const last = pieces.length - 1;
    for (let i = 0; i < last; i++) connection.write(pieces[i] as Uint8Array);
    connection.write(pieces[last] as Uint8Array, () => {
      if (isDatagram) {
        pending.datagrams -= count;
        pending.datagramBytes -= bytes;
      } else pending.streamBytes -= bytes;
      this.#taken();
    });
  }
}

function nothing(): Pending {
  return { datagrams: 0, datagramBytes: 0, streamBytes: 0 };
}
