/**
 * Somebody who was in a domain, and has kept everything: the domain's keys, so that it sees what goes into the transports; its own
 * secrets, and with them every group key that was ever given to it, or that it gave. It opens what can be opened with these, by trying all.
 */
import { createHmac } from 'node:crypto';
import type { Incarnation } from '../../lib/ids.js';
import { incarnationOf } from '../../lib/ids.js';
import type { DomainState } from '../../lib/membership/state.js';
import { Reader } from '../../lib/wire/bytes.js';
import { sectionHeaderBytes } from '../../lib/wire/packet.js';
import { takeApart } from '../../lib/wire/parts.js';
import { decrypt } from '../../transport/encryption.js';
import type { KeyPair } from '../../transport/key-agreement.js';
import { contextOf, groupKeyMessage } from '../../transport/rekeying.js';

/** What a thief makes of a packet with messages of users. */
export interface Stolen {
  /** The state of the domain that its sender knew when it left. */
  readonly number: number;
  readonly source: Incarnation;
  /** The sections in the clear, null if no key of the thief's opens them. */
  readonly payload: Uint8Array | null;
}

/** See above. */
export class Thief {
  readonly #keyPair: KeyPair;
  readonly #own: Incarnation;
  readonly #states: DomainState[] = [];
  readonly #roots: Uint8Array[] = [];

  constructor(id: string, keyPair: KeyPair) {
    this.#own = incarnationOf(id as never);
    this.#keyPair = keyPair;
  }

  /** Group keys that it has. */
  get keys(): number {
    return this.#roots.length;
  }

  /** Control messages are no secret to it: so it knows who is there. */
  learn(state: DomainState): void {
    this.#states.push(state);
  }

  /** Takes the keys that are in these packets. */
  collect(packets: readonly Uint8Array[]): void {
    for (const packet of packets) {
      const { header, parts } = takeApart(packet);
      for (const { purpose, bytes } of parts) {
        if (purpose !== 'keys') continue;
        const said = groupKeyMessage.read(new Reader(bytes, sectionHeaderBytes));
        if (said.kind === 'give') this.#tryGiven(header.source, header.destination, said);
      }
    }
  }

  #tryGiven(from: Incarnation, to: Incarnation, said: { at: number; epoch: number; given: Uint8Array }): void {
    const [source, destination] = [from, to].map((one) => this.#nodeOf(one));
    if (!source || !destination) return;
    // whoever the two are, it tries with each of them
    for (const other of from === this.#own ? [destination] : [source, destination]) {
      for (const state of this.#states) {
        const context = contextOf(state, said.epoch, said.at, source.id, destination.id);
        const key = this.#keyPair.take(other.publicKey, context, said.given);
        if (key !== null && !this.#roots.some((root) => Buffer.compare(root, key) === 0)) this.#roots.push(key);
      }
    }
  }

  /** What is said in a packet by users, if anything is. */
  steal(packet: Uint8Array): Stolen | null {
    const { header, head, parts } = takeApart(packet);
    const { number, source } = header;
    const spoken = parts.filter(({ purpose }) => purpose === 'payload' || purpose === 'sealed');
    if (spoken.length === 0) return null;
    const opened = spoken.map(({ purpose, bytes }) =>
      purpose === 'payload' ? bytes : this.#open(source, head, bytes),
    );
    return { number, source, payload: opened.find((bytes) => bytes !== null) ?? null };
  }

  #open(source: Incarnation, head: Uint8Array, section: Uint8Array): Uint8Array | null {
    const r = new Reader(section, sectionHeaderBytes);
    r.varint();
    const counter = Buffer.from(r.raw(6)).readUIntBE(0, 6);
    const tag = r.raw(16);
    const ciphertext = r.raw(r.left);
    const publicKey = this.#nodeOf(source)?.publicKey ?? '';
    for (const root of this.#roots) {
      const plain = decrypt(senderKey(root, publicKey), counter, ciphertext, head, tag);
      if (plain !== null) return plain;
    }
    return null;
  }

  #nodeOf(incarnation: Incarnation) {
    for (const { nodes } of this.#states) {
      const found = nodes.find((node) => node.incarnation === incarnation);
      if (found) return found;
    }
    return undefined;
  }
}

/** As the documents say, not as the code does it. */
function senderKey(root: Uint8Array, publicKey: string): Buffer {
  return createHmac('sha256', root).update('nact-groups payload\0').update(publicKey).update('\u0001').digest();
}
