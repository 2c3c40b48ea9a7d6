/**
 * A stream of bytes under a key: cut into records, each encrypted and authenticated, under a counter that both ends keep. Bytes that
 * were changed, left out, doubled or moved, and those of any other connection, end it.
 *
 * record = kind (1) · length of the ciphertext (3, big-endian) · tag (16) · ciphertext
 *
 * Kind 1 says that what follows is under another key of the ring, whose id is its content: so a domain changes its key while its
 * connections last. The keys of the two directions are derived from the domain's key and all that was said when the
 * connection began, with a secret of its two ends.
 */
import { recordBytesMax } from '../lib/limits.js';
import { decryptPieces, encrypt, tagBytes } from './encryption.js';
import type { DomainKey, Keyring } from './keyring.js';

const Kind = { bytes: 0, rekey: 1 } as const;

const headerBytes = 4;
const headBytes = headerBytes + tagBytes;

/** What both directions of a connection go by. */
export interface RecordsOptions {
  readonly keyring: Keyring;
  /** The key that the connection began with. */
  readonly key: DomainKey;
  /** A digest of how it began, and of what only its ends know. */
  readonly transcript: Uint8Array;
  /** Who writes in this direction: who connected, or who accepted. */
  readonly writer: 'connecting' | 'accepting';
}

function derive(key: DomainKey, { writer, transcript }: RecordsOptions): Buffer {
  return key.derive(`${writer} connection`, transcript);
}

/** Encrypts one direction. */
export class RecordWriter {
  readonly #options: RecordsOptions;
  #domainKey: DomainKey;
  #key: Buffer;
  #counter = 0;

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.#domainKey = options.key;
    this.#key = derive(options.key, options);
  }

  /** The pieces to be written in place of these bytes. */
  seal(bytes: Uint8Array): Uint8Array[] {
    const pieces = this.rekey();
    let from = 0;
    do {
      this.#record(pieces, Kind.bytes, bytes.subarray(from, from + recordBytesMax));
      from += recordBytesMax;
    } while (from < bytes.length);
    return pieces;
  }

  /** An empty record under the key that the connection began with: who connected has the key, and is there. */
  prove(): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    this.#record(pieces, Kind.bytes, new Uint8Array(0));
    return pieces;
  }

  /** What is to be written if the domain's key has changed; nothing if it has not. */
  rekey(): Uint8Array[] {
    const { used } = this.#options.keyring;
    const pieces: Uint8Array[] = [];
    if (used.id === this.#domainKey.id) return pieces;
    const id = Buffer.alloc(4);
    id.writeUInt32BE(used.id);
    this.#record(pieces, Kind.rekey, id);
    this.#domainKey = used;
    this.#key = derive(used, this.#options);
    return pieces;
  }

  #record(pieces: Uint8Array[], kind: number, bytes: Uint8Array): void {
    const head = Buffer.allocUnsafe(headBytes);
    head.writeUInt32BE(kind * 0x100_0000 + bytes.length);
    pieces.push(head, encrypt(this.#key, this.#counter, bytes, head.subarray(0, headerBytes), head, headerBytes));
    this.#counter += 1;
  }
}

/** Decrypts one direction. */
export class RecordReader {
  readonly #options: RecordsOptions;
  #domainKey: DomainKey;
  #key: Buffer;
  #counter = 0;
  readonly #head = Buffer.alloc(headBytes);
  #headFilled = 0;
  #kind: number = Kind.bytes;
  #missing = 0;
  #pieces: Uint8Array[] = [];

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.#domainKey = options.key;
    this.#key = derive(options.key, options);
  }

  /** Whether a record has come: the other end has the key, and is there. */
  get isProven(): boolean {
    return this.#counter > 0;
  }

  /** Takes in a chunk that nobody will write to again; returns why to hang up, or null. What it hands on is authentic. */
  push(chunk: Uint8Array, take: (bytes: Uint8Array) => void): string | null {
    let at = 0;
    while (at < chunk.length || this.#isWhole) {
      if (this.#headFilled < headBytes) {
        const end = Math.min(chunk.length, at + headBytes - this.#headFilled);
        this.#head.set(chunk.subarray(at, end), this.#headFilled);
        this.#headFilled += end - at;
        at = end;
        if (this.#headFilled < headBytes) return null;
        const word = this.#head.readUInt32BE(0);
        this.#kind = word >>> 24;
        this.#missing = word & 0xff_ffff;
        if (this.#kind > Kind.rekey || this.#missing > this.#bytesMax) return notAuthentic;
        continue;
      }
      if (this.#missing > 0) {
        const end = Math.min(chunk.length, at + this.#missing);
        this.#pieces.push(chunk.subarray(at, end));
        this.#missing -= end - at;
        at = end;
      }
      if (this.#missing > 0) return null;
      const reason = this.#open(take);
      if (reason !== null) return reason;
    }
    return null;
  }

  /** Who connected proves itself by an empty record: nothing is kept for it before. */
  get #bytesMax(): number {
    return this.#counter === 0 && this.#options.writer === 'connecting' ? 0 : recordBytesMax;
  }

  /** A record has come that has no bytes, or all of them. */
  get #isWhole(): boolean {
    return this.#headFilled === headBytes && this.#missing === 0;
  }

  #open(take: (bytes: Uint8Array) => void): string | null {
    if (this.#options.keyring.find(this.#domainKey.id) === undefined) {
      return `key ${this.#domainKey.name} was removed here and is still used there`;
    }
    const opened = decryptPieces(
      this.#key,
      this.#counter,
      this.#pieces,
      this.#head.subarray(0, headerBytes),
      this.#head.subarray(headerBytes),
    );
    this.#pieces = [];
    this.#headFilled = 0;
    if (opened === null) return notAuthentic;
    this.#counter += 1;
    if (this.#kind === Kind.rekey) return this.#rekey(Buffer.concat(opened));
    for (const bytes of opened) take(bytes);
    return null;
  }

  #rekey(content: Buffer): string | null {
    const key = content.length === 4 ? this.#options.keyring.find(content.readUInt32BE(0)) : undefined;
    if (key === undefined) return 'a key is used there that is not installed here';
    this.#domainKey = key;
    this.#key = derive(key, this.#options);
    return null;
  }
}

const notAuthentic = 'what came is not authentic: damaged, or forged';
