/**
 * How a connection begins under a key: each end proves to the other that it has the key, and that it is there now.
 *
 * greeting = magic (4) · version (1) · key id (4) · domain tag (8) · number (16) · share (32) · length of the address (1) ·
 *            address · proof (32)
 *
 *   greeting →   ← greeting   an empty record →
 *
 * The numbers are drawn for this connection. The proof of the first greeting covers its bytes; that of the second covers both, so it
 * cannot be a recorded one; and the keys of the connection follow from both, so the record that comes third cannot be either. Until
 * then whoever connected has no name and has taken nobody's place. To a greeting that is not authentic nothing is said.
 *
 * The keys follow as well from a secret of the two (X25519, of shares that are drawn for this connection and forgotten with it): who
 * has the domain's key and has recorded a connection cannot read it. Who has that key and is between the two can.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Greeting, Handshake, Magic, Records } from './framing.js';
import { sealedVersion } from './framing.js';
import { drawShare, type Share } from './key-agreement.js';
import type { DomainKey, Keyring } from './keyring.js';
import { RecordReader, RecordWriter, type RecordsOptions } from './records.js';

const numberBytes = 16;
const proofBytes = 32;
const at = { version: 4, keyId: 5, tag: 9, number: 17, share: 33, length: 65 };
const fixedBytes = 66;

/** What the greetings of a node's connections have in common. */
export interface SealedGreetingOptions {
  readonly keyring: Keyring;
  /** Of the domain. */
  readonly tag: Uint8Array;
  /** What this node says it is. */
  readonly address: string;
  readonly magic: Magic;
}

/** Which end. */
type Role = RecordsOptions['writer'];

const none = Buffer.alloc(0);

/** A greeting by this end; `before` is what the proof covers besides. */
function greetingOf(
  options: SealedGreetingOptions,
  key: DomainKey,
  role: Role,
  share: Share,
  before: Uint8Array,
): Buffer {
  const { magic, tag, address } = options;
  const text = Buffer.from(address, 'latin1');
  const id = Buffer.alloc(4);
  id.writeUInt32BE(key.id);
  const body = Buffer.concat([
    Buffer.from([...magic, sealedVersion]),
    id,
    tag,
    randomBytes(numberBytes),
    share.bytes,
    Buffer.from([text.length]),
    text,
  ]);
  return Buffer.concat([body, proofOf(options, key, role, before, body)]);
}

function proofOf(
  options: SealedGreetingOptions,
  key: DomainKey,
  role: Role,
  before: Uint8Array,
  body: Uint8Array,
): Buffer {
  return createHmac('sha256', key.derive(`greeting of who is ${role}`, options.tag))
    .update(before)
    .update(body)
    .digest();
}

interface Read {
  readonly kind: 'read';
  readonly key: DomainKey;
  readonly share: Uint8Array;
  readonly address: string;
  readonly bytes: Buffer;
  readonly rest: Buffer;
}

/** Reads the other end's greeting. Whatever is wrong with it, there is one word for it that tells a prober nothing. */
function readGreeting(
  options: SealedGreetingOptions,
  role: Role,
  before: Uint8Array,
  bytes: Buffer,
): Read | Extract<Greeting, { kind: 'more' | 'bad' }> {
  const { magic, tag, keyring } = options;
  for (let i = 0; i < Math.min(magic.length, bytes.length); i++) {
    if (bytes[i] !== magic[i]) return bad('it does not speak this protocol');
  }
  if (bytes.length <= at.version) return { kind: 'more' };
  const version = bytes.readUInt8(at.version);
  if (version !== sealedVersion) return bad(version === 1 ? 'it has no key' : `it speaks version ${version}`);
  if (bytes.length < fixedBytes) return { kind: 'more' };
  const key = keyring.find(bytes.readUInt32BE(at.keyId));
  if (Buffer.compare(bytes.subarray(at.tag, at.number), tag) !== 0) return bad('it belongs to another domain');
  if (key === undefined) return bad('it has another key');
  const bodyEnd = fixedBytes + bytes.readUInt8(at.length);
  const end = bodyEnd + proofBytes;
  if (bytes.length < end) return { kind: 'more' };
  const proof = proofOf(options, key, role, before, bytes.subarray(0, bodyEnd));
  if (!timingSafeEqual(proof, bytes.subarray(bodyEnd, end))) return bad('its greeting is not authentic');
  const address = bytes.toString('latin1', fixedBytes, bodyEnd);
  const share = bytes.subarray(at.share, at.length);
  return { kind: 'read', key, share, address, bytes: bytes.subarray(0, end), rest: bytes.subarray(end) };
}

function bad(reason: string): Extract<Greeting, { kind: 'bad' }> {
  return { kind: 'bad', reason, isStranger: true };
}

function recordsOf(
  keyring: Keyring,
  key: DomainKey,
  secret: Uint8Array,
  greetings: readonly Uint8Array[],
  role: Role,
): Records {
  const hash = createHash('sha256').update(secret);
  for (const greeting of greetings) hash.update(greeting);
  const common = { keyring, key, transcript: hash.digest() };
  const other = role === 'connecting' ? 'accepting' : 'connecting';
  return {
    writer: new RecordWriter({ ...common, writer: role }),
    reader: new RecordReader({ ...common, writer: other }),
  };
}

/** The end that connects. */
export class ConnectingHandshake implements Handshake {
  /** To be written when the connection stands. */
  readonly greeting: Buffer;
  readonly hint = 'it may have another key, or none';
  readonly #options: SealedGreetingOptions;
  readonly #key: DomainKey;
  readonly #share = drawShare();
  #bytes = none;

  constructor(options: SealedGreetingOptions) {
    this.#options = options;
    this.#key = options.keyring.used;
    this.greeting = greetingOf(options, this.#key, 'connecting', this.#share, none);
  }

  push(chunk: Uint8Array): Greeting {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const read = readGreeting(this.#options, 'accepting', this.greeting, this.#bytes);
    if (read.kind !== 'read') return read;
    if (read.key.id !== this.#key.id) return bad('it answers under another key');
    const secret = this.#share.secretWith(read.share);
    if (secret === null) return bad('its share is none');
    const greetings = [this.greeting, read.bytes];
    const records = recordsOf(this.#options.keyring, read.key, secret, greetings, 'connecting');
    const answer = Buffer.concat(records.writer.prove());
    return hello(read.address, records, read.rest, answer);
  }
}

/** The end that accepts. */
export class AcceptingHandshake implements Handshake {
  readonly #options: SealedGreetingOptions;
  readonly #isAffordable: () => boolean;
  #bytes = none;
  #address = '';
  #records: Records | null = null;

  /** `isAffordable` is asked before an authentic greeting is answered, which takes time: if it says no the connection is closed. */
  constructor(options: SealedGreetingOptions, isAffordable = () => true) {
    this.#options = options;
    this.#isAffordable = isAffordable;
  }

  push(chunk: Uint8Array): Greeting {
    if (this.#records !== null) return this.#prove(this.#records, chunk);
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const read = readGreeting(this.#options, 'connecting', none, this.#bytes);
    if (read.kind !== 'read') return read;
    // who connects waits for the answer: nothing can have been written that is not forged
    if (read.rest.length > 0) return bad('it did not wait for the answer to its greeting');
    if (!this.#isAffordable()) return bad('too many others greet as well');
    const share = drawShare();
    const secret = share.secretWith(read.share);
    if (secret === null) return bad('its share is none');
    const answer = greetingOf(this.#options, read.key, 'accepting', share, read.bytes);
    this.#records = recordsOf(this.#options.keyring, read.key, secret, [read.bytes, answer], 'accepting');
    this.#address = read.address;
    this.#bytes = none;
    return { kind: 'more', answer };
  }

  #prove(records: Records, chunk: Uint8Array): Greeting {
    const result = hello(this.#address, records, chunk);
    return result.kind === 'hello' && !records.reader.isProven ? { kind: 'more' } : result;
  }
}

/** The end of a handshake; `chunk` are records that have come already. */
function hello(address: string, records: Records, chunk: Uint8Array, answer?: Uint8Array): Greeting {
  const rest: Uint8Array[] = [];
  const reason = records.reader.push(chunk, (bytes) => rest.push(bytes));
  if (reason !== null) return bad(reason);
  return { kind: 'hello', address, rest: Buffer.concat(rest), records, ...(answer === undefined ? {} : { answer }) };
}
