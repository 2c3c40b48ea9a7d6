/**
 * Datagrams under a key: encrypted, authenticated, each taken once, and only from who is there now.
 *
 * frame = magic (4) · version (1) · kind (1) · length of the frame (2) · key id (4) · domain tag (8) · incarnation (12) ·
 *         counter (6) · the sender's address (16, IPv4 mapped) and port (2) · milliseconds since it was opened (6) · tag (16) ·
 *         ciphertext; all big-endian
 *
 * What precedes the tag is authenticated. The key of a sender is derived from the domain's key, the domain and the sender's
 * incarnation, 96 random bits drawn when its transport is opened, and the nonce is a counter: no nonce is used twice, over restarts
 * neither.
 *
 * A frame that is authentic may still be a recorded one. Within a sender's incarnation a window refuses what has come before, and what
 * was sent so long ago, by its own clock, that it was withheld: then the sender is asked what its clock says now, and what it sends meanwhile
 * is taken as before. An incarnation that this node does not know, or has forgotten, is believed only once it has answered a *challenge*: it must say, in a
 * frame of its own, a number that was drawn for it just now. Until then nothing of it is handed on; afterwards nothing that it sent
 * before that answer. So whatever is replayed, to whomever and however much later, is either known, or older than the answer, or
 * of somebody who does not answer.
 *
 * challenge = incarnation that is asked (12; zeros: everybody) · my number for it (8; zeros: no answer wanted) · its number for me (8; or zeros)
 *
 * It goes to the address in the authenticated header, wherever the frame came from, and is never larger than what caused it.
 *
 * Who replays frames of many who are dead is not to keep out who lives. So challenges to strangers, challenges to those who had proven
 * themselves, and answers to these have tokens of their own; a stranger for whom there is no token takes no room; one that does not
 * answer is asked less and less often; and in a full table any of them makes room, so that frames replayed in a cycle are not all of strangers again.
 */
import { randomBytes } from 'node:crypto';
import { challengesPerSecondMax, challengesToAllPerSecondMax, provenMax, unprovenMax } from '../lib/limits.js';
import { addressBytes, domainTag, endpointAt, formatAddress, type Endpoint } from './addresses.js';
import { decrypt, encrypt, tagBytes } from './encryption.js';
import type { DomainKey, Keyring } from './keyring.js';
import { ReplayWindow } from './replay-window.js';
import { TokenBucket } from './token-bucket.js';

/** "\x8bNGD". */
const magic = 0x8b4e4744;
const version = 1;

/** What a frame is for. Multicasts and unicasts take different ways: each has its window. */
const Kind = { multicast: 0, unicast: 1, challenge: 2 } as const;
type Kind = (typeof Kind)[keyof typeof Kind];
const kinds = 3;

const at = {
  version: 4,
  kind: 5,
  length: 6,
  keyId: 8,
  tag: 12,
  incarnation: 20,
  counter: 32,
  address: 38,
  port: 54,
  sentAt: 56,
};
const authenticatedBytes = 62;
const incarnationBytes = 12;
const numberBytes = 8;

/** Bytes by which a datagram grows. */
export const sealedBytes = authenticatedBytes + tagBytes;

const challengeBytes = incarnationBytes + 2 * numberBytes;
const none = Buffer.alloc(numberBytes);
const everybody = Buffer.alloc(incarnationBytes);

/** A challenge is repeated when something comes after so long, in milliseconds: some round trips of a busy network; then after twice as long, */
const challengeMillis = 20;

/** and so on, up to so long: short of any time in which who has come back is given up. */
const challengeMillisMax = 160;

/** A datagram that was under way for so much longer than others of its sender, in milliseconds, is one that was withheld. */
const lateMillisMax = 10_000;

/** After so many in vain every other one goes to all: a path may carry no unicasts. */
const challengesInVain = 3;

/** For so long after it was opened an answer to the greeting of everybody counts, in milliseconds. */
export const greetingMillis = 1000;

interface Sender {
  readonly incarnation: Buffer;
  /** As others write it, and as it is sent to. */
  readonly address: string;
  readonly endpoint: Endpoint;
  /** By key, the latest last. */
  keys: { readonly id: number; readonly key: Buffer }[];
  windows: readonly ReplayWindow[];
  /** 'late': it was proven, and something came of it that is too late: it was withheld, or its clock stood still. */
  state: 'unproven' | 'proven' | 'late';
  /** Drawn for it by this node. */
  number: Buffer;
  /** How late its clock is by ours, with the way of a datagram: the least that was seen. */
  lag: number;
  challengedAt: number;
  challenges: number;
  /** By how much had been opened here. */
  heardAt: number;
}

/** What becomes of a frame. */
export type Opened =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array; readonly from: string }
  /** It was part of proving who is there. */
  | { readonly kind: 'challenge' }
  | { readonly kind: 'refused'; readonly why: Refusal };

/** Tokens for challenges, and for those of them that go to all. */
interface Budget {
  readonly tokens: TokenBucket;
  readonly toAll: TokenBucket;
}

function createBudget(): Budget {
  return {
    tokens: new TokenBucket(challengesPerSecondMax, challengesPerSecondMax),
    toAll: new TokenBucket(challengesToAllPerSecondMax, challengesToAllPerSecondMax),
  };
}

/** Why a frame is dropped. */
export type Refusal = 'not authentic' | 'seen before' | 'not proven yet';

/** What it needs. */
export interface SealedDatagramsOptions {
  readonly keyring: Keyring;
  readonly domain: string;
  /** This node. */
  readonly own: Endpoint;
  /** A clock, in milliseconds; default: that of the process. */
  readonly now?: () => number;
  /** Sends a frame, in pieces; null: to all. */
  readonly send: (pieces: readonly Uint8Array[], to: Endpoint | null) => void;
}

/** The datagrams of one incarnation. */
export class SealedDatagrams {
  readonly #options: SealedDatagramsOptions;
  readonly #tag: Buffer;
  readonly #tagHigh: number;
  readonly #tagLow: number;
  readonly #incarnation = randomBytes(incarnationBytes);
  readonly #proven = new Map<number, Sender>();
  /** Those who were asked. */
  readonly #unproven = new Map<number, Sender>();
  readonly #greeting = randomBytes(numberBytes);
  readonly #now: () => number;
  readonly #openedAt: number;
  readonly #budgets = { strangers: createBudget(), late: createBudget(), answers: createBudget() };
  #counter = 0;
  #opened = 0;
  #used: DomainKey;
  #key: Buffer;
  #header: Buffer;

  constructor(options: SealedDatagramsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#openedAt = this.#now();
    this.#tag = Buffer.from(domainTag(options.domain));
    this.#tagHigh = this.#tag.readUInt32BE(0);
    this.#tagLow = this.#tag.readUInt32BE(4);
    this.#used = options.keyring.used;
    this.#key = this.#derive(this.#used, this.#incarnation);
    this.#header = this.#headerFor(this.#used);
  }

  /** Incarnations that are believed. */
  get provenCount(): number {
    return this.#proven.size;
  }

  /** Says to all that this incarnation is there, so that they have proven themselves to each other before anything is to be said. */
  greet(): void {
    this.#send(Kind.challenge, Buffer.concat([everybody, this.#greeting, none]), null);
  }

  /** Seals what goes to all, into pieces to be sent behind one another. */
  sealMulticast(bytes: Uint8Array): readonly Uint8Array[] {
    return this.#seal(Kind.multicast, bytes);
  }

  /** Seals what goes to one. */
  sealUnicast(bytes: Uint8Array): readonly Uint8Array[] {
    return this.#seal(Kind.unicast, bytes);
  }

  /** Opens what has come. */
  open(bytes: Buffer): Opened {
    const domainKey = this.#keyOf(bytes);
    if (domainKey === undefined) return refusals['not authentic'];
    const kind = bytes[at.kind] as Kind;
    const counter = bytes.readUIntBE(at.counter, 6);
    const index = bytes.readUIntBE(at.incarnation, 6);
    if (this.#isOf(this.#incarnation, bytes)) return refusals['seen before'];
    const found = this.#proven.get(index) ?? this.#unproven.get(index);
    const known = found !== undefined && this.#isOf(found.incarnation, bytes) ? found : undefined;
    const window = known?.windows[kind];
    if (window?.isNew(counter) === false) return refusals['seen before'];
    const key =
      known === undefined
        ? this.#derive(domainKey, bytes.subarray(at.incarnation, at.counter))
        : this.#keyFor(known, domainKey);
    const plain = decrypt(
      key,
      counter,
      bytes.subarray(sealedBytes),
      bytes.subarray(0, authenticatedBytes),
      bytes.subarray(authenticatedBytes, sealedBytes),
    );
    if (plain === null) return refusals['not authentic'];
    const sender = known ?? senderOf(bytes, domainKey.id, key);
    sender.windows[kind]?.take(counter);
    this.#opened += 1;
    sender.heardAt = this.#opened;
    if (kind === Kind.challenge) {
      this.#onChallenge(sender, plain, counter, this.#lagOf(bytes));
      return { kind: 'challenge' };
    }
    if (!this.#isThere(sender, bytes)) {
      this.#challenge(sender, bytes.length);
      return refusals['not proven yet'];
    }
    return { kind: 'datagram', bytes: plain, from: sender.address };
  }

  /** Whether a frame comes from who has proven itself, and was under way for no longer than a network takes. */
  #isThere(sender: Sender, frame: Buffer): boolean {
    if (sender.state === 'unproven') return false;
    const lag = this.#lagOf(frame);
    if (lag < sender.lag) sender.lag = lag;
    if (lag <= sender.lag + lateMillisMax) return true;
    if (sender.state === 'proven') {
      sender.state = 'late';
      sender.number = randomBytes(numberBytes);
    }
    return false;
  }

  #lagOf(frame: Buffer): number {
    return this.#now() - frame.readUIntBE(at.sentAt, 6);
  }

  // --- frames ---

  #headerFor(key: DomainKey): Buffer {
    const { host, port } = this.#options.own;
    const header = Buffer.alloc(sealedBytes);
    header.writeUInt32BE(magic, 0);
    header.writeUInt8(version, at.version);
    header.writeUInt32BE(key.id, at.keyId);
    header.set(this.#tag, at.tag);
    header.set(this.#incarnation, at.incarnation);
    header.set(addressBytes(host), at.address);
    header.writeUInt16BE(port, at.port);
    return header;
  }

  #seal(kind: Kind, bytes: Uint8Array): readonly Uint8Array[] {
    const { used } = this.#options.keyring;
    if (used !== this.#used) this.#use(used);
    const counter = this.#counter;
    this.#counter += 1;
    const header = Buffer.from(this.#header);
    header[at.kind] = kind;
    header.writeUInt16BE(sealedBytes + bytes.length, at.length);
    header.writeUIntBE(counter, at.counter, 6);
    header.writeUIntBE(Math.floor(this.#now() - this.#openedAt), at.sentAt, 6);
    const encrypted = encrypt(
      this.#key,
      counter,
      bytes,
      header.subarray(0, authenticatedBytes),
      header,
      authenticatedBytes,
    );
    return [header, encrypted];
  }

  #use(key: DomainKey): void {
    this.#used = key;
    this.#key = this.#derive(key, this.#incarnation);
    this.#header = this.#headerFor(key);
  }

  #send(kind: Kind, bytes: Uint8Array, to: Endpoint | null): void {
    this.#options.send(this.#seal(kind, bytes), to);
  }

  /** The key that a frame names, if it is one of this domain and is as long as it says. */
  #keyOf(bytes: Buffer): DomainKey | undefined {
    if (bytes.length < sealedBytes || bytes.readUInt32BE(0) !== magic || bytes[at.version] !== version)
      return undefined;
    if ((bytes[at.kind] ?? kinds) >= kinds || bytes.readUInt16BE(at.length) !== bytes.length) return undefined;
    if (bytes.readUInt32BE(at.tag) !== this.#tagHigh || bytes.readUInt32BE(at.tag + 4) !== this.#tagLow)
      return undefined;
    // nothing can be sent there
    if (bytes.readUInt16BE(at.port) === 0) return undefined;
    return this.#options.keyring.find(bytes.readUInt32BE(at.keyId));
  }

  #derive(key: DomainKey, incarnation: Uint8Array): Buffer {
    return key.derive('datagrams', Buffer.concat([this.#tag, incarnation]));
  }

  // --- senders ---

  /** Whether a frame says that it is of this incarnation. */
  #isOf(incarnation: Buffer, frame: Buffer): boolean {
    for (let i = 0; i < incarnationBytes; i += 4) {
      if (incarnation.readUInt32BE(i) !== frame.readUInt32BE(at.incarnation + i)) return false;
    }
    return true;
  }

  #keyFor(sender: Sender, { id }: DomainKey): Buffer {
    for (const each of sender.keys) if (each.id === id) return each.key;
    // derived anew for each key that comes into use; those that are in the ring no more go
    const { keyring } = this.#options;
    const key = this.#derive(keyring.find(id) as DomainKey, sender.incarnation);
    sender.keys = [...sender.keys.filter((each) => keyring.find(each.id) !== undefined), { id, key }];
    return key;
  }

  /** Takes a sender into the table of those who have proven nothing; any of them makes room. */
  #remember(sender: Sender): void {
    const index = indexOf(sender.incarnation);
    if (this.#unproven.size >= unprovenMax && !this.#unproven.has(index)) {
      let before = Math.floor(Math.random() * this.#unproven.size);
      for (const each of this.#unproven.keys()) {
        if (before === 0) {
          this.#unproven.delete(each);
          break;
        }
        before -= 1;
      }
    }
    this.#unproven.set(index, sender);
  }

  /**
   * It lives: nothing that it sent before is taken any more. If it had proven itself, and its clock goes on as before, that clock
   * tells what was withheld, and all else is taken.
   */
  #prove(sender: Sender, counter: number, lag: number): void {
    const index = indexOf(sender.incarnation);
    const isAsBefore = sender.state === 'late' && lag <= sender.lag + lateMillisMax;
    sender.state = 'proven';
    if (isAsBefore) return;
    sender.lag = lag;
    sender.windows = windowsAfter(counter);
    this.#unproven.delete(index);
    this.#proven.delete(index);
    if (this.#proven.size >= provenMax) this.#forgetQuietest();
    this.#proven.set(index, sender);
  }

  #forgetQuietest(): void {
    let quietest = -1;
    let since = Infinity;
    for (const [index, { heardAt }] of this.#proven) {
      if (heardAt >= since) continue;
      since = heardAt;
      quietest = index;
    }
    this.#proven.delete(quietest);
  }

  // --- challenges ---

  /** Asks a sender to prove itself, unless it was asked just now, or what came is too small to be answered. */
  #challenge(sender: Sender, frameLength: number): void {
    const millis = Math.min(challengeMillis * 2 ** Math.max(0, sender.challenges - 1), challengeMillisMax);
    if (this.#now() < sender.challengedAt + millis || frameLength < sealedBytes + challengeBytes) return;
    const toAll = sender.challenges >= challengesInVain && sender.challenges % 2 === 1;
    const { strangers, late } = this.#budgets;
    if (!this.#ask(sender, none, toAll, sender.state === 'late' ? late : strangers)) return;
    sender.challengedAt = this.#now();
    sender.challenges += 1;
  }

  /** Says whether it was sent: if the tokens are used up it is not, for whoever replays what was recorded is not to have a domain flood anybody. */
  #ask(sender: Sender, theirs: Uint8Array, wantsAll: boolean, { tokens, toAll }: Budget): boolean {
    const now = this.#now();
    if (!tokens.take(now)) return false;
    if (sender.state === 'unproven') this.#remember(sender);
    const mine = sender.state === 'proven' ? none : sender.number;
    const to = wantsAll && toAll.take(now) ? null : sender.endpoint;
    this.#send(Kind.challenge, Buffer.concat([sender.incarnation, mine, theirs]), to);
    return true;
  }

  #onChallenge(sender: Sender, plain: Uint8Array, counter: number, lag: number): void {
    if (plain.length !== challengeBytes) return;
    const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
    const asked = bytes.subarray(0, incarnationBytes);
    const toEverybody = asked.equals(everybody);
    if (!toEverybody && !asked.equals(this.#incarnation)) return;
    const theirs = bytes.subarray(incarnationBytes, incarnationBytes + numberBytes);
    const mine = bytes.subarray(incarnationBytes + numberBytes);
    if (sender.state !== 'proven' && !mine.equals(none) && this.#isOwn(mine, sender)) this.#prove(sender, counter, lag);
    if (theirs.equals(none)) return;
    const { strangers, answers } = this.#budgets;
    this.#ask(sender, theirs, sender.challenges > challengesInVain, sender.state === 'unproven' ? strangers : answers);
  }

  /** Whether a number was drawn here, for this sender or for everybody just now. */
  #isOwn(number: Buffer, sender: Sender): boolean {
    if (number.equals(sender.number)) return true;
    return number.equals(this.#greeting) && this.#now() < this.#openedAt + greetingMillis;
  }
}

/** One object for each: under a flood none is made. */
const refusals: Readonly<Record<Refusal, Opened>> = {
  'not authentic': { kind: 'refused', why: 'not authentic' },
  'seen before': { kind: 'refused', why: 'seen before' },
  'not proven yet': { kind: 'refused', why: 'not proven yet' },
};

/** Who has sent a frame that is authentic, and of whom nothing is known yet. */
function senderOf(frame: Buffer, id: number, key: Buffer): Sender {
  const endpoint = endpointAt(frame.subarray(at.address, at.port), frame.readUInt16BE(at.port));
  return {
    incarnation: Buffer.from(frame.subarray(at.incarnation, at.counter)),
    address: formatAddress(endpoint.host, endpoint.port),
    endpoint,
    keys: [{ id, key }],
    windows: windowsAfter(-1),
    state: 'unproven',
    number: randomBytes(numberBytes),
    lag: Infinity,
    challengedAt: -Infinity,
    challenges: 0,
    heardAt: 0,
  };
}

function windowsAfter(counter: number): readonly ReplayWindow[] {
  return Array.from({ length: kinds }, () => new ReplayWindow(counter));
}

/** Half of an incarnation, as a number: a key of a map for which no string is made. Of two that share it one is forgotten. */
function indexOf(incarnation: Buffer): number {
  return incarnation.readUIntBE(0, 6);
}
