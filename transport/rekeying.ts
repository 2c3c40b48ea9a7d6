/**
 * A new group key whenever somebody is gone, so that who was excluded, or has left, cannot read on: neither with the domain's keys, nor with
 * all group keys that it ever had, whatever it records. (JGroups calls this `change_key_on_leave`; with the key drawn by
 * the oldest it is the centralized key distribution of secure group communication.)
 *
 * The domain's key admits nodes, as without this, and everything goes on travelling under it. Below that, whatever users say (multicasts,
 * letters, states) is encrypted under the group key; what keeps the membership going is not, so that it needs none.
 *
 *   - An *epoch* begins with a state of the domain in which a node of the state before is missing, and with a domain's first. Its number is
 *     that state's, so all nodes of a state mean the same epoch.
 *   - The oldest node of that state draws its key and *gives* it to each other one, sealed under a secret of the two (`key-agreement.ts`), and
 *     to those who join later. Whoever lacks it *asks*, again and again. If the oldest dies, its absence begins the next epoch, and
 *     the next oldest draws that one's key.
 *   - A key is taken only from the oldest node of the own state, and only for an epoch that has begun there: so who is gone can
 *     neither give one for later nor have kept one of it.
 *   - From the state that begins an epoch until its key is there, a node holds back what users say. Meanwhile it sends everything
 *     else: it is heard, acknowledges, votes, flushes. What came under a key that is not there yet waits.
 *
 * It cannot wait for ever: what is asked and given goes the ways that heartbeats go, so whom no answer reaches does not hear the
 * oldest, or is not heard by it, and one of them is excluded, which begins the next epoch. Nothing is lost that had been taken: what is
 * held and what waits is bounded by the window of the senders, and what is above the limits here is what a network may lose.
 */
import { randomBytes } from 'node:crypto';
import type { Incarnation, NodeId } from '../lib/ids.js';
import { incarnationOf } from '../lib/ids.js';
import {
  datagramBacklogBytesMax,
  frameOverheadBytes,
  streamBacklogBytesMax,
  waitingForKeyBytesMax,
} from '../lib/limits.js';
import { domainTag } from '../lib/membership/membership.js';
import type { DomainState, NodeInfo } from '../lib/membership/state.js';
import { concat, Malformed, owned, Reader, Writer } from '../lib/wire/bytes.js';
import {
  beginSection,
  endSection,
  Section,
  sectionHeaderBytes,
  stampHeader,
  tagOf,
  writeHeader,
} from '../lib/wire/packet.js';
import type { PacketHeader } from '../lib/wire/packet.js';
import { takeApart, type Parts } from '../lib/wire/parts.js';
import { blob, bool, struct, uint, union } from '../lib/wire/schema.js';
import { epochOf, GroupKeys, sealedSectionBytes, type Epoch } from './group-key.js';
import { givenBytes, type KeyPair } from './key-agreement.js';
import type { Transport } from './transport.js';
import { keyBytes } from './keyring.js';

/** Bytes by which a packet grows that is sealed: what a datagram may have is less by so many. */
export const rekeyingBytes = sealedSectionBytes;

/** A key that has not come is asked for after so long, in milliseconds: it is on its way as a rule. */
const askMillisMin = 10;
/** Then after twice as long each time, up to this. */
const askMillisMax = 160;
/** After so many questions in vain they and their answers go as multicasts do, too: a path may eat unicasts. */
const asksByUnicast = 2;
/** After so many it is logged. */
const asksToWarn = 8;

/** How a packet travels. */
type Way = { readonly by: 'multicast' } | { readonly by: 'unicast' | 'stream'; readonly to: string };

/** What is said about group keys, in a section of its own. */
export const groupKeyMessage = union({
  /** To the oldest node: give me the group key; `again`: by every way. */
  ask: struct({ again: bool }),
  /** The key of an epoch, as of a state, sealed for one node. */
  give: struct({ at: uint(), epoch: uint(), given: blob(givenBytes) }),
});

interface Given {
  readonly at: number;
  readonly epoch: Epoch;
  readonly given: Uint8Array;
}

/** What came and cannot be opened yet. */
interface Waiting {
  readonly by: 'datagram' | 'stream';
  readonly from: string;
  readonly header: PacketHeader;
  readonly head: Uint8Array;
  readonly section: Uint8Array;
}

/** A clock in milliseconds, and what runs by it. */
export interface Clock {
  now(): number;
  after(millis: number, run: () => void): object;
  cancel(timer: object | undefined): void;
}

/** What it needs. */
export interface RekeyingOptions {
  /** The name of the domain, and this life. */
  readonly domain: string;
  readonly self: NodeId;
  readonly keyPair: KeyPair;
  /** Below it. */
  readonly transport: Pick<Transport, 'multicast' | 'unicast' | 'stream'>;
  readonly clock: Clock;
  /** Takes what came, in the clear. */
  readonly take: (by: 'datagram' | 'stream', bytes: Uint8Array, from: string) => void;
  /** What was to go over the stream to this address is lost. */
  readonly streamDown: (to: string, why: string) => void;
  /** Something that an operator should know; comes as often as it happens. */
  readonly warn: (message: string) => void;
}

/** What users say, under the group keys of one life of a node. */
export class Rekeying {
  readonly #options: RekeyingOptions;
  readonly #keys: GroupKeys;
  #state: DomainState | null = null;
  #nodes: ReadonlyMap<Incarnation, NodeInfo> = new Map();
  /** The number of the first state of the domain that this life was in. */
  #entered = 0;
  /** No key of an earlier epoch may be used any more. */
  #needed: Epoch = 0;
  /** The last that was given, until it can be taken. */
  #offered: Given | null = null;
  #timer: object | undefined;
  #asks = 0;
  #held: { readonly way: Way; readonly bytes: Uint8Array }[] = [];
  #heldDatagramBytes = 0;
  #heldStreamBytes = 0;
  /** Insertion order is age. */
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  readonly #counts = { groupKeysTaken: 0, payloadsHeld: 0, payloadsRefused: 0, payloadsDropped: 0 };

  constructor(options: RekeyingOptions) {
    this.#options = options;
    this.#keys = new GroupKeys(options.keyPair.publicKey, () => options.clock.now());
  }

  /** This life's; the public half is to be told to the domain. */
  get keyPair(): KeyPair {
    return this.#options.keyPair;
  }

  /** Why what users say is held back, in words; null if it is not. */
  get obstacle(): string | null {
    return this.#isReady || this.#state === null ? null : waitingFor(this.#state);
  }

  /** Counters: keys that came into use, packets held back for want of one, refused as nobody's, and dropped above a limit. */
  statistics(): Readonly<Record<string, number>> {
    return { ...this.#counts, groupKeyEpoch: this.#keys.epoch };
  }

  /** Asks for no more keys. */
  close(): void {
    this.#options.clock.cancel(this.#timer);
    this.#held = [];
    this.#waiting.clear();
  }

  // --- the domain ---

  /** The domain has a new state, and this life is in it. To be called for each, before anything is sent that follows from it. */
  follow(state: DomainState): void {
    const before = this.#state;
    this.#state = state;
    this.#nodes = new Map(state.nodes.map((node) => [node.incarnation, node]));
    if (before === null) this.#entered = state.number;
    const ids = new Set(state.nodes.map(({ id }) => id));
    if (before?.nodes.some(({ id }) => !ids.has(id))) {
      this.#needed = state.number;
      const publicKeys = new Set(state.nodes.map(({ publicKey }) => publicKey));
      this.#keys.keepOnly(publicKeys);
      this.#options.keyPair.keepOnly(publicKeys);
    }
    if (this.#isOldest(state)) {
      const isNew = !this.#isReady;
      if (isNew) this.#begin(state.number, randomBytes(keyBytes));
      for (const node of state.nodes) if (isNew || node.joined === state.number) this.#give(state, node, false);
    } else this.#takeOffered();
    if (!this.#isReady) this.#askLater();
    this.#openWaiting();
  }

  get #isReady(): boolean {
    return this.#keys.epoch > 0 && this.#keys.epoch >= this.#needed;
  }

  #isOldest(state: DomainState): boolean {
    return oldestOf(state).id === this.#options.self;
  }

  #begin(epoch: Epoch, key: Uint8Array): void {
    this.#keys.begin(epoch, key);
    this.#counts.groupKeysTaken += 1;
    if (!this.#isReady) return;
    this.#options.clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#asks = 0;
    const held = this.#held;
    this.#held = [];
    this.#heldDatagramBytes = 0;
    this.#heldStreamBytes = 0;
    for (const { way, bytes } of held) this.#sealAndSend(takeApart(this.#stamped(bytes)), way);
  }

  // --- keys ---

  #give(state: DomainState, to: NodeInfo, again: boolean): void {
    const { self, keyPair } = this.#options;
    const { epoch, key } = this.#keys;
    if (to.id === self || key === undefined) return;
    const given = keyPair.give(to.publicKey, contextOf(state, epoch, state.number, self, to.id), key);
    if (given !== null) this.#tell(state, to, { kind: 'give', at: state.number, epoch, given }, again);
  }

  #askLater(): void {
    const millis = Math.min(askMillisMin * 2 ** this.#asks, askMillisMax);
    this.#timer ??= this.#options.clock.after(millis, () => {
      this.#timer = undefined;
      this.#ask();
    });
  }

  #ask(): void {
    const state = this.#state;
    if (state === null || this.#isReady) return;
    this.#asks += 1;
    if (this.#asks % asksToWarn === 0) this.#options.warn(`${waitingFor(state)}; what it has to send waits`);
    const again = this.#asks > asksByUnicast;
    this.#tell(state, oldestOf(state), { kind: 'ask', again }, again);
    this.#askLater();
  }

  #tell(
    state: DomainState,
    to: NodeInfo,
    said: Parameters<typeof groupKeyMessage.write>[1],
    byMulticast: boolean,
  ): void {
    const { domain, self, transport } = this.#options;
    const w = new Writer();
    writeHeader(w, {
      version: state.version,
      domain: tagOf(domain),
      source: incarnationOf(self),
      destination: to.incarnation,
      founding: domainTag(state.id),
      number: state.number,
    });
    const section = beginSection(w, Section.groupKey);
    groupKeyMessage.write(w, said);
    endSection(w, section);
    const bytes = w.take();
    transport.unicast(to.address, bytes);
    if (byMulticast) transport.multicast(bytes);
  }

  #hear({ header, parts }: Parts): void {
    const state = this.#state;
    if (header.destination !== incarnationOf(this.#options.self)) return;
    const source = this.#nodes.get(header.source);
    for (const { purpose, bytes } of parts) {
      if (purpose !== 'keys') continue;
      const r = new Reader(bytes, sectionHeaderBytes);
      const said = groupKeyMessage.read(r);
      r.mustEnd();
      if (said.kind === 'give') {
        this.#offered = said;
        this.#takeOffered();
      } else if (state !== null && source !== undefined && this.#isOldest(state)) this.#give(state, source, said.again);
    }
  }

  #takeOffered(): void {
    const state = this.#state;
    const offered = this.#offered;
    if (state === null || offered === null) return;
    const { self, keyPair } = this.#options;
    const oldest = oldestOf(state);
    const { at, epoch, given } = offered;
    // it is for a state that this node does not know yet, and so maybe of who is gone by then
    if (epoch > state.number) return;
    this.#offered = null;
    // who has not heard yet of the state that let this node in may not know who is gone
    if (at < this.#entered || epoch <= this.#keys.epoch) return;
    const key = keyPair.take(oldest.publicKey, contextOf(state, epoch, at, oldest.id, self), given);
    if (key === null) {
      this.#counts.payloadsRefused += 1;
      return;
    }
    this.#begin(epoch, key);
    this.#openWaiting();
  }

  // --- out ---

  /** Sends a packet to all. Whether its bytes are done with. */
  multicast(bytes: Uint8Array): boolean {
    return this.#send(bytes, { by: 'multicast' });
  }

  /** Sends a packet to one. */
  unicast(to: string, bytes: Uint8Array): void {
    this.#send(bytes, { by: 'unicast', to });
  }

  /** Sends a packet over the stream to one. */
  stream(to: string, bytes: Uint8Array): void {
    this.#send(bytes, { by: 'stream', to });
  }

  #send(bytes: Uint8Array, way: Way): boolean {
    const parts = takeApart(bytes);
    if (!parts.parts.some(({ purpose }) => purpose === 'payload')) return this.#carry(bytes, way);
    if (this.#isReady) this.#sealAndSend(parts, way);
    else this.#hold(parts, way);
    // what goes, or waits, is a copy
    return true;
  }

  #carry(bytes: Uint8Array, way: Way): boolean {
    const { transport } = this.#options;
    if (way.by === 'multicast') return transport.multicast(bytes);
    transport[way.by](way.to, bytes);
    return false;
  }

  #sealAndSend({ head, parts }: Parts, way: Way): void {
    this.#carry(this.#keys.seal(head, together(parts, 'plain'), together(parts, 'payload')), way);
  }

  /** What is not of users goes at once, and of what goes to all at least the sign of life. */
  #hold({ head, parts }: Parts, way: Way): void {
    const plain = together(parts, 'plain');
    if (plain.length > 0 || way.by === 'multicast') this.#carry(concat([head], plain), way);
    const bytes = concat([head], together(parts, 'payload'));
    this.#counts.payloadsHeld += 1;
    if (way.by === 'stream') {
      if (this.#heldStreamBytes + bytes.length > streamBacklogBytesMax) {
        this.#breakStream(way.to);
        return;
      }
      this.#heldStreamBytes += bytes.length;
    } else if (this.#heldDatagramBytes + bytes.length > datagramBacklogBytesMax) {
      this.#counts.payloadsDropped += 1;
      return;
    } else this.#heldDatagramBytes += bytes.length;
    this.#held.push({ way, bytes });
  }

  /** As any transport does with a stream for which too much waits. */
  #breakStream(to: string): void {
    const isOfStream = ({ way }: { way: Way }): boolean => way.by === 'stream' && way.to === to;
    for (const { bytes } of this.#held.filter(isOfStream)) this.#heldStreamBytes -= bytes.length;
    this.#held = this.#held.filter((each) => !isOfStream(each));
    this.#counts.payloadsDropped += 1;
    const why = `more than ${streamBacklogBytesMax} bytes wait for a group key`;
    this.#options.clock.after(0, () => this.#options.streamDown(to, why));
  }

  /** A packet shows the state in which it leaves. */
  #stamped(bytes: Uint8Array): Uint8Array {
    const state = this.#state;
    if (state !== null) stampHeader(bytes, { founding: domainTag(state.id), number: state.number });
    return bytes;
  }

  // --- in ---

  /** Takes in what came. */
  receive(by: 'datagram' | 'stream', bytes: Uint8Array, from: string): void {
    this.#refusing(() => this.#receive(by, bytes, from));
  }

  /** What came may be bad whenever it is looked at, also when it has waited: that is counted, and the next is taken. */
  #refusing(take: () => void): void {
    try {
      take();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#counts.payloadsRefused += 1;
    }
  }

  #receive(by: 'datagram' | 'stream', bytes: Uint8Array, from: string): void {
    const whole = takeApart(bytes);
    const { header, head, parts } = whole;
    if (parts.every(({ purpose }) => purpose === 'plain')) {
      this.#options.take(by, bytes, from);
      return;
    }
    this.#hear(whole);
    const opened: Uint8Array[] = [];
    for (const { purpose, bytes: part } of parts) {
      if (purpose === 'plain') opened.push(part);
      // who says it in the clear has no group key, or had none of this domain's
      if (purpose === 'payload') this.#counts.payloadsRefused += 1;
      if (purpose !== 'sealed') continue;
      const plain = this.#open({ by, from, header, head, section: part });
      if (plain !== null) opened.push(plain);
    }
    if (opened.length > 0) this.#options.take(by, concat([head, ...opened], nothing), from);
  }

  /** What is sealed; null if it waits, or is nothing. */
  #open(sealed: Waiting): Uint8Array | null {
    const { header, head, section } = sealed;
    // who is in no domain has no part in what is said in one
    if (this.#state === null) return null;
    const sender = this.#nodes.get(header.source);
    const epoch = epochOf(section);
    // who is not in a state that this node knows is gone; of one that it does not know yet it may be
    if (sender === undefined ? header.number > this.#state.number : epoch > this.#keys.epoch) {
      this.#await(sealed);
      return null;
    }
    const plain = sender === undefined ? null : this.#keys.open(head, section, sender.publicKey);
    if (plain === null) this.#counts.payloadsRefused += 1;
    return plain;
  }

  #await(sealed: Waiting): void {
    this.#waiting.add({ ...sealed, head: owned(sealed.head), section: owned(sealed.section) });
    this.#waitingBytes += sealed.section.length + frameOverheadBytes;
    for (const oldest of this.#waiting) {
      if (this.#waitingBytes <= waitingForKeyBytesMax) return;
      this.#forget(oldest);
      this.#counts.payloadsDropped += 1;
    }
  }

  #forget(sealed: Waiting): void {
    if (this.#waiting.delete(sealed)) this.#waitingBytes -= sealed.section.length + frameOverheadBytes;
  }

  /** There is a new key, or a new node: tries again what waits. */
  #openWaiting(): void {
    for (const sealed of [...this.#waiting]) {
      this.#forget(sealed);
      this.#refusing(() => {
        const plain = this.#open(sealed);
        if (plain !== null) this.#options.take(sealed.by, concat([sealed.head], plain), sealed.from);
      });
    }
  }
}

const nothing = new Uint8Array(0);

function oldestOf({ nodes }: DomainState): NodeInfo {
  return nodes[0] as NodeInfo;
}

function waitingFor(state: DomainState): string {
  return `this node waits for the group key of ${oldestOf(state).id}`;
}

/** The parts for one purpose, behind one another. */
function together(parts: Parts['parts'], purpose: Parts['parts'][number]['purpose']): Uint8Array {
  const [first, ...others] = parts.filter((part) => part.purpose === purpose).map(({ bytes }) => bytes);
  if (first === undefined) return nothing;
  return others.length === 0 ? first : concat([first], concat(others, nothing));
}

/** Binds a key that is given. No two are in one context: an epoch has one key, and who draws it draws one. */
export function contextOf({ id }: Pick<DomainState, 'id'>, epoch: Epoch, at: number, from: NodeId, to: NodeId): string {
  return JSON.stringify([id, epoch, at, from, to]);
}
