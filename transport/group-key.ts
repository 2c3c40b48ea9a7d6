/**
 * The keys under which what users say travels, one for each *epoch*: the states of a domain from one in which somebody is gone up to the
 * next such. The latest seals; those before it are taken for a while, for what was sent before their holders knew.
 *
 * sealed = epoch · counter (6, big-endian) · tag (16) · ciphertext
 *
 * The header of the packet is authenticated as well. The key of a sender is derived from the epoch's and the sender's public key, which
 * it drew for one life, and the nonce is a counter over that life: no nonce is used twice.
 */
import { formerKeyMillis, formerKeysMax } from '../lib/limits.js';
import { Reader, Writer } from '../lib/wire/bytes.js';
import { beginSection, endSection, Section, sectionHeaderBytes } from '../lib/wire/packet.js';
import { decrypt, encrypt, tagBytes } from './encryption.js';
import { domainKey, type DomainKey } from './keyring.js';

/** The number of the state with which an epoch begins. */
export type Epoch = number;

const counterBytes = 6;
const epochBytesMax = 8;

/** Bytes by which a packet grows that is sealed. */
export const sealedSectionBytes = sectionHeaderBytes + epochBytesMax + counterBytes + tagBytes;

interface Held {
  readonly epoch: Epoch;
  readonly key: Uint8Array;
  readonly root: DomainKey;
  /** By the sender's public key. */
  readonly senders: Map<string, Buffer>;
  until: number;
}

/** The keys of the epochs that one life of a node has part in. */
export class GroupKeys {
  readonly #publicKey: string;
  readonly #now: () => number;
  /** The latest first. */
  #held: Held[] = [];
  #counter = 0;

  /** `publicKey`: this life's; `now`: a clock, in milliseconds. */
  constructor(publicKey: string, now: () => number) {
    this.#publicKey = publicKey;
    this.#now = now;
  }

  /** The latest epoch; 0 if there is none. */
  get epoch(): Epoch {
    return this.#held[0]?.epoch ?? 0;
  }

  /** The latest key. */
  get key(): Uint8Array | undefined {
    return this.#held[0]?.key;
  }

  /** Has a later epoch begin. */
  begin(epoch: Epoch, key: Uint8Array): void {
    if (epoch <= this.epoch) throw new RangeError(`epoch ${epoch} is no later than ${this.epoch}`);
    const now = this.#now();
    if (this.#held[0] !== undefined) this.#held[0].until = now + formerKeyMillis;
    this.#forget(now);
    this.#held = [
      { epoch, key, root: domainKey(key), senders: new Map(), until: Infinity },
      ...this.#held.slice(0, formerKeysMax),
    ];
  }

  /** Forgets the keys of all senders but these. */
  keepOnly(publicKeys: ReadonlySet<string>): void {
    for (const { senders } of this.#held) {
      for (const each of senders.keys()) if (!publicKeys.has(each)) senders.delete(each);
    }
  }

  /** A packet of this head, then these sections in the clear, then the payload under the latest key. */
  seal(head: Uint8Array, plain: Uint8Array, payload: Uint8Array): Uint8Array {
    const [latest] = this.#held;
    if (latest === undefined) throw new Error('there is no group key yet');
    const sectionAt = head.length + plain.length;
    const w = new Writer(sectionAt + sealedSectionBytes + payload.length, (bytes) => Buffer.allocUnsafe(bytes));
    w.raw(head);
    w.raw(plain);
    const section = beginSection(w, Section.sealed);
    w.varint(latest.epoch);
    const counterAt = w.length;
    const tagAt = counterAt + counterBytes;
    (w.bytes as Buffer).writeUIntBE(this.#counter, counterAt, counterBytes);
    w.length = tagAt + tagBytes;
    w.raw(encrypt(keyOf(latest, this.#publicKey), this.#counter, payload, head, w.bytes, tagAt));
    this.#counter += 1;
    endSection(w, section);
    return w.bytes.subarray(0, w.length);
  }

  /** What a section holds that came with this head from who has this public key; null if it is not authentic, or under no key that is held. */
  open(head: Uint8Array, section: Uint8Array, publicKey: string): Uint8Array | null {
    const r = new Reader(section, sectionHeaderBytes);
    const epoch = r.varint();
    const counter = Buffer.from(r.raw(counterBytes)).readUIntBE(0, counterBytes);
    const tag = r.raw(tagBytes);
    this.#forget(this.#now());
    const held = this.#held.find((each) => each.epoch === epoch);
    return held === undefined ? null : decrypt(keyOf(held, publicKey), counter, r.raw(r.left), head, tag);
  }

  #forget(now: number): void {
    if ((this.#held.at(-1)?.until ?? Infinity) > now) return;
    this.#held = this.#held.filter(({ until }) => until > now);
  }
}

/** The epoch that a section names. Throws `Malformed` also if the section is too short to be opened under any key. */
export function epochOf(section: Uint8Array): Epoch {
  const r = new Reader(section, sectionHeaderBytes);
  const epoch = r.varint();
  r.skip(counterBytes + tagBytes);
  return epoch;
}

function keyOf({ root, senders }: Held, publicKey: string): Buffer {
  let key = senders.get(publicKey);
  if (key === undefined) {
    key = root.derive('payload', Buffer.from(publicKey));
    senders.set(publicKey, key);
  }
  return key;
}
