/**
 * One connection of a mesh: greetings, then messages of several kinds, in both directions. It knows nothing of peers; it
 * tells what it reads, and once that it has ended.
 *
 * A connection over which nothing comes is given up: the other end says that it lives when it has nothing else to say.
 * So one that is open at this end only (its machine lost power, a middlebox forgot it) does not stay.
 */
import type { Socket } from 'node:net';
import { silentMillisMax } from '../lib/limits.js';
import { reasonOf } from './errors.js';
import type { Handshake, Records } from './framing.js';
import { MessageReader, writeMessages } from './framing.js';
import { Kind, kindMax } from './outflow.js';

/** What a connection tells. Never from inside a call, but for `feed`. */
export interface ConnectionEvents {
  /** The other end has said whose it is. */
  greeted?(address: string): void;
  /** A message came; its bytes are the receiver's. */
  message(kind: number, bytes: Uint8Array): void;
  /** It is over, once. */
  ended(why: string): void;
}

/** How often a connection is looked at. */
const tickMillis = 1000;

/** So many ticks without a byte end it. */
const silentTicksMax = silentMillisMax / tickMillis;

/** A connection. */
export class Connection {
  readonly socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #messages = new MessageReader(kindMax);
  #handshake: Handshake | null;
  #records: Records | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #bytesRead = 0;
  #bytesWritten = 0;
  #silentTicks = 0;

  /** `handshake`: this end of it; when it is over, what came of it. */
  constructor(socket: Socket, handshake: Handshake | Records | undefined, events: ConnectionEvents) {
    this.socket = socket;
    this.#handshake = handshake !== undefined && 'push' in handshake ? handshake : null;
    this.#records = handshake !== undefined && 'writer' in handshake ? handshake : undefined;
    this.#events = events;
    let why = 'closed by the peer';
    socket.on('data', (chunk: Buffer) => this.feed(chunk));
    socket.on('error', (error) => {
      why = reasonOf(error);
      this.fail(why);
    });
    const over = (): void => {
      const hint = this.#handshake?.hint;
      if (hint !== undefined) why = `${why}: ${hint}`;
      this.fail(this.#messages.isMidway ? `${why} in the middle of a message` : why);
    };
    socket.on('end', over);
    socket.on('close', over);
  }

  /** Whether it is over. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Takes in what was read. */
  feed(chunk: Uint8Array): void {
    if (this.#hasEnded) return;
    if (this.#handshake === null) {
      const reason = this.#records?.reader.push(chunk, (bytes) => this.take(bytes));
      if (this.#records === undefined) this.take(chunk);
      else if (reason) this.fail(reason);
      return;
    }
    const result = this.#handshake.push(chunk);
    if (result.kind === 'more') return;
    this.#handshake = null;
    if (result.kind === 'bad') {
      this.fail(result.reason);
      return;
    }
    this.#records = result.records;
    if (result.answer !== undefined) this.socket.write(result.answer);
    this.#events.greeted?.(result.address);
    this.take(result.rest);
  }

  /** Takes in what was read, as it was before it was encrypted. */
  take(chunk: Uint8Array): void {
    if (this.#hasEnded) return;
    const reason = this.#messages.push(chunk, (bytes, kind) => {
      if (!this.#hasEnded) this.#events.message(kind, bytes);
    });
    if (reason !== null) this.fail(`it broke the protocol: ${reason}`);
  }

  /** Writes a message ahead of everything that waits. */
  say(kind: number, bytes: Uint8Array): void {
    if (!this.#hasEnded) writeMessages([bytes], (piece) => this.write(piece), kind);
  }

  /** Writes a part of messages; `taken` is called when the system has it. */
  write(piece: Uint8Array, taken?: () => void): void {
    if (this.#records === undefined) this.socket.write(piece, taken);
    else writeAll(this.socket, this.#records.writer.seal(piece), taken);
  }

  /** Tells the other end if the domain's key has changed. */
  rekey(): void {
    if (!this.#hasEnded && this.#records !== undefined) writeAll(this.socket, this.#records.writer.rekey());
  }

  /** From now on the other end must be heard, and hears from this one. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#tick(), tickMillis).unref();
  }

  /** Ends it, and tells why. */
  fail(why: string): void {
    if (this.#hasEnded) return;
    this.drop();
    this.#events.ended(why);
  }

  /** Ends it without a word. */
  drop(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    this.socket.destroy();
  }

  /** Ends it when the system has everything that was written; what still comes is read, or the other end would be reset. */
  finish(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    this.socket.end();
  }

  /** A stall of this process counts as one tick, so nobody is given up for what nobody has read. */
  #tick(): void {
    const { bytesRead, bytesWritten } = this.socket;
    this.#silentTicks = bytesRead === this.#bytesRead ? this.#silentTicks + 1 : 0;
    if (this.#silentTicks >= silentTicksMax) {
      this.fail(`silent for ${silentMillisMax / 1000} s`);
      return;
    }
    if (bytesWritten === this.#bytesWritten) this.say(Kind.alive, new Uint8Array(0));
    this.#bytesRead = bytesRead;
    this.#bytesWritten = this.socket.bytesWritten;
  }
}

/** Writes pieces in one go; `taken` is called when the system has the last. */
export function writeAll(socket: Socket, pieces: readonly Uint8Array[], taken?: () => void): void {
  const last = pieces.at(-1);
  if (last === undefined) return;
  socket.cork();
  for (let i = 0; i < pieces.length - 1; i++) socket.write(pieces[i] as Uint8Array);
  socket.write(last, taken);
  socket.uncork();
}
