/**
 * One connection of a mesh: greetings, then messages of several kinds, in both directions. It knows nothing of peers; it
 * tells what it reads, and once that it has ended.
 *
 * A connection over which nothing comes is given up: the other end says that it lives when it has nothing else to say.
 * So one that is open at this end only (its machine lost power, a middlebox forgot it) does not stay.
 */
import type { Socket } from 'node:net';
import { reasonOf } from './errors.js';
import type { GreetingReader } from './framing.js';
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

/** So many ticks without a byte end it: far longer than the core's detector waits, so it only ever cleans up. */
const silentTicksMax = 5;

/** A connection. */
export class Connection {
  readonly socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #messages = new MessageReader(kindMax);
  #greeting: GreetingReader | null;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #bytesRead = 0;
  #bytesWritten = 0;
  #silentTicks = 0;

  /** `greeting`: reads the other end's, unless somebody has done so. */
  constructor(socket: Socket, greeting: GreetingReader | null, events: ConnectionEvents) {
    this.socket = socket;
    this.#greeting = greeting;
    this.#events = events;
    let why = 'closed by the peer';
    socket.on('data', (chunk: Buffer) => this.feed(chunk));
    socket.on('error', (error) => {
      why = reasonOf(error);
      this.fail(why);
    });
    const over = (): void => this.fail(this.#messages.isMidway ? `${why} in the middle of a message` : why);
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
    if (this.#greeting === null) {
      this.#read(chunk);
      return;
    }
    const result = this.#greeting.push(chunk);
    if (result.kind === 'more') return;
    this.#greeting = null;
    if (result.kind === 'bad') {
      this.fail(result.reason);
      return;
    }
    this.#events.greeted?.(result.address);
    if (!this.#hasEnded) this.#read(result.rest);
  }

  #read(chunk: Uint8Array): void {
    const reason = this.#messages.push(chunk, (bytes, kind) => {
      if (!this.#hasEnded) this.#events.message(kind, bytes);
    });
    if (reason !== null) this.fail(`it broke the protocol: ${reason}`);
  }

  /** Writes a message ahead of everything that waits. */
  say(kind: number, bytes: Uint8Array): void {
    if (!this.#hasEnded) writeMessages([bytes], (piece) => this.socket.write(piece), kind);
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
      this.fail(`silent for ${(silentTicksMax * tickMillis) / 1000} s`);
      return;
    }
    if (bytesWritten === this.#bytesWritten) this.say(Kind.alive, new Uint8Array(0));
    this.#bytesRead = bytesRead;
    this.#bytesWritten = this.socket.bytesWritten;
  }
}
