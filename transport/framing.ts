/**
 * What goes over a connection: first a greeting, then messages, each behind its kind and length. The streams beside
 * multicast greet in one direction only and have one kind of message, 0; a mesh greets in both and has several.
 *
 * greeting = magic (4) · version (1) · domain tag (8) · length of the address (1) · the sender's address
 * message  = kind (1) · length (3, big-endian) · bytes
 *
 * Under a key another greeting comes first (`sealed-greeting.ts`), and the messages travel in records (`records.ts`). Without one
 * messages have no checksum of their own, unlike datagrams (`seal.ts`): TCP has sequence numbers and a sum for each segment,
 * and what the protocol decides by travels in datagrams wherever it fits. A damaged length or header is hung up on.
 *
 * Both readers are values without a socket: bytes go in, messages or a reason to hang up come out. Nothing is allocated
 * for bytes that have only been announced beyond the limits here.
 */
import { streamMessageBytesMax } from '../lib/limits.js';
import type { RecordReader, RecordWriter } from './records.js';

/** Bytes before each message. */
export const messageHeaderBytes = 4;

/** Where the kind is in them. */
const kindShift = 24;
const lengthMask = 0xff_ffff;

/** The first four bytes of a connection; "\x8bNG" opens no known protocol, is no text and no TLS record. */
export type Magic = readonly [number, number, number, number];

/** Opens the streams beside multicast: "\x8bNGS". */
export const streamsMagic: Magic = [0x8b, 0x4e, 0x47, 0x53];

/** Opens a connection of a mesh: "\x8bNGM". */
export const meshMagic: Magic = [0x8b, 0x4e, 0x47, 0x4d];

const magicBytes = 4;
const version = 1;
/** The version of greetings under a key. */
export const sealedVersion = 2;
const tagBytes = 8;
const greetingFixedBytes = magicBytes + 1 + tagBytes + 1;

/** The bytes that open a connection. The address must have 1 to 255 ASCII characters. */
export function encodeGreeting(tag: Uint8Array, address: string, magic = streamsMagic): Uint8Array {
  const text = Buffer.from(address, 'latin1');
  if (tag.length !== tagBytes || text.length < 1 || text.length > 255) throw new RangeError(`bad greeting: ${address}`);
  return new Uint8Array(Buffer.concat([Buffer.from([...magic, version]), tag, Buffer.from([text.length]), text]));
}

/**
 * What a greeting reader has to say about the bytes so far. `rest` are the bytes after the greeting; a stranger is one
 * who does not even speak this protocol.
 */
export type Greeting =
  | { readonly kind: 'more'; readonly answer?: Uint8Array }
  | { readonly kind: 'bad'; readonly reason: string; readonly isStranger: boolean }
  | {
      readonly kind: 'hello';
      readonly address: string;
      /** What has come after the greetings, decrypted. */
      readonly rest: Uint8Array;
      /** To be written before anything else. */
      readonly answer?: Uint8Array;
      /** Under a key: how everything else is encrypted and decrypted. */
      readonly records?: Records;
    };

/** Both directions of a connection under a key. */
export interface Records {
  readonly writer: RecordWriter;
  readonly reader: RecordReader;
}

/** One end of the beginning of a connection. */
export interface Handshake {
  /** What it may mean if the other end hangs up. */
  readonly hint?: string;
  /** Takes in what has arrived; `answer` in what it returns is to be written. */
  push(chunk: Uint8Array): Greeting;
}

/** Reads a greeting. Takes at most one chunk more than the greeting's 269 bytes. */
export class GreetingReader implements Handshake {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #tag: Uint8Array;
  readonly #magic: Magic;

  constructor(tag: Uint8Array, magic = streamsMagic) {
    this.#tag = tag;
    this.#magic = magic;
  }

  /** Takes in what has arrived. */
  push(chunk: Uint8Array): Greeting {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const bytes = this.#bytes;
    for (let i = 0; i < Math.min(magicBytes, bytes.length); i++) {
      if (bytes[i] !== this.#magic[i]) return bad('it does not speak this protocol', true);
    }
    if (bytes.length < greetingFixedBytes) return { kind: 'more' };
    const theirs = bytes.readUInt8(magicBytes);
    if (theirs === sealedVersion) return bad('it has a key, and this node has none');
    if (theirs !== version) return bad(`it speaks version ${theirs}, this node ${version}`);
    if (bytes.compare(this.#tag, 0, tagBytes, magicBytes + 1, magicBytes + 1 + tagBytes) !== 0) {
      return bad('it belongs to another domain');
    }
    const end = greetingFixedBytes + bytes.readUInt8(greetingFixedBytes - 1);
    if (end === greetingFixedBytes) return bad('it gives no address');
    if (bytes.length < end) return { kind: 'more' };
    return { kind: 'hello', address: bytes.toString('latin1', greetingFixedBytes, end), rest: bytes.subarray(end) };
  }
}

function bad(reason: string, isStranger = false): Greeting {
  return { kind: 'bad', reason, isStranger };
}

/**
 * Cuts a stream into messages. A message's bytes are never written again. One that fills at least a quarter of
 * the chunk it came in is a part of that chunk, which Node allocates anew for every read; a smaller one is copied,
 * so that a message that is kept holds at most four times its size in memory. One that spans chunks is copied too.
 */
export class MessageReader {
  readonly #header = new Uint8Array(messageHeaderBytes);
  #headerFilled = 0;
  #body: Uint8Array | null = null;
  #bodyFilled = 0;
  #kind = 0;
  readonly #kindMax: number;

  /** `kindMax`: the largest kind of message that is known. */
  constructor(kindMax = 0) {
    this.#kindMax = kindMax;
  }

  /** Whether a message has begun and not ended. */
  get isMidway(): boolean {
    return this.#body !== null || this.#headerFilled > 0;
  }

  /** Takes in a chunk that nobody will write to again; returns why to hang up, or null. */
  push(chunk: Uint8Array, take: (message: Uint8Array, kind: number) => void): string | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body !== null) {
        at = this.#fill(chunk, at, this.#body, take);
        continue;
      }
      let word: number;
      if (this.#headerFilled === 0 && chunk.length - at >= messageHeaderBytes) {
        word = wordAt(chunk, at);
        at += messageHeaderBytes;
      } else {
        while (this.#headerFilled < messageHeaderBytes && at < chunk.length) {
          this.#header[this.#headerFilled++] = chunk[at++] ?? 0;
        }
        if (this.#headerFilled < messageHeaderBytes) return null;
        this.#headerFilled = 0;
        word = wordAt(this.#header, 0);
      }
      // a kind that is not known is taken for a part of the length: garbage more likely than a later version
      const kind = word >>> kindShift;
      const length = kind <= this.#kindMax ? word & lengthMask : word;
      if (length > streamMessageBytesMax)
        return `it announced a message of ${length} bytes; the limit is ${streamMessageBytesMax}`;
      const end = at + length;
      if (end > chunk.length) {
        // its memory is touched, and so really taken, only as bytes arrive
        this.#body = new Uint8Array(length);
        this.#kind = kind;
      } else {
        take(length * 4 >= chunk.length ? view(chunk, at, length) : copy(chunk, at, length), kind);
        at = end;
      }
    }
    return null;
  }

  #fill(chunk: Uint8Array, at: number, body: Uint8Array, take: (message: Uint8Array, kind: number) => void): number {
    const end = Math.min(chunk.length, at + body.length - this.#bodyFilled);
    body.set(chunk.subarray(at, end), this.#bodyFilled);
    this.#bodyFilled += end - at;
    if (this.#bodyFilled === body.length) {
      this.#body = null;
      this.#bodyFilled = 0;
      take(body, this.#kind);
    }
    return end;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  const high = bytes[at] ?? 0;
  return high * 0x100_0000 + (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}

/** A plain Uint8Array: on a Buffer `slice` would mean something else to the receiver. */
function view(chunk: Uint8Array, at: number, length: number): Uint8Array {
  return new Uint8Array(chunk.buffer, chunk.byteOffset + at, length);
}

function copy(chunk: Uint8Array, at: number, length: number): Uint8Array {
  const own = new Uint8Array(length);
  own.set(chunk.subarray(at, at + length));
  return own;
}

/** Messages up to this size are copied together into one buffer: a system call and a list entry cost more than a copy. */
const packedMessageBytesMax = 8 * 1024;

/** Size of such a buffer: what one read takes at the other end. */
const packBytesMax = 64 * 1024;

/** Hands the messages with their headers to `write` in few pieces: small ones packed, large ones as they are. */
export function writeMessages(messages: readonly Uint8Array[], write: (bytes: Uint8Array) => void, kind = 0): void {
  const kindBits = kind * 2 ** kindShift;
  let from = 0;
  while (from < messages.length) {
    let size = 0;
    let to = from;
    for (; to < messages.length; to++) {
      const length = messages[to]?.length ?? 0;
      if (length > packedMessageBytesMax || size + messageHeaderBytes + length > packBytesMax) break;
      size += messageHeaderBytes + length;
    }
    // the header of a large message that follows goes with the pack
    const large = to < messages.length && size + messageHeaderBytes <= packBytesMax ? messages[to] : undefined;
    const isLarge = large !== undefined && large.length > packedMessageBytesMax;
    const pack = Buffer.allocUnsafe(size + (isLarge ? messageHeaderBytes : 0));
    let at = 0;
    for (; from < to; from++) {
      const message = messages[from];
      if (message === undefined) continue;
      pack.writeUInt32BE(kindBits + message.length, at);
      pack.set(message, at + messageHeaderBytes);
      at += messageHeaderBytes + message.length;
    }
    if (isLarge) pack.writeUInt32BE(kindBits + large.length, at);
    if (pack.length > 0) write(pack);
    if (isLarge) {
      write(large);
      from = to + 1;
    }
  }
}
