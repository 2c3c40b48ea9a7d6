/**
 * A node just before it gets a packet, for each kind of packet: so what is made of the packet comes at the moment for which it is
 * meant. The node is copied for each input, as the explorer does it.
 */
import { ProtocolBug } from '../../lib/assert.js';
import { describePacket, gauge } from '../../lib/inspect.js';
import {
  aheadBytesMax,
  earlyBytesMax,
  futureBytesMax,
  lettersEarlyBytesMax,
  piecesBytesMax,
} from '../../lib/limits.js';
import { type Node, nextTick, ready, step } from '../../lib/node.js';
import type { PacketHeader } from '../../lib/wire/packet.js';
import { copyProcess } from '../explorer/copy.js';
import { everyKind } from '../lib/every-kind.js';
import type { Member, Network, Packet } from '../lib/network.js';
import { open, packet } from '../lib/packets.js';
import { libraryCore } from '../simulation/library.js';

/** See above. */
export interface Moment {
  /** The packet's kind. */
  readonly kind: string;
  readonly node: Node;
  readonly now: number;
  /** Of those who may speak: the packet's sender, a stranger. */
  readonly headers: readonly PacketHeader[];
  readonly from: string;
  /** The packet, and the same as the part of an input that is for this moment. */
  readonly packet: Uint8Array;
  readonly items: Uint8Array;
}

const stranger = 4_000_000;
/** The first byte of an item: a section's kind, who says it, and whether it comes over a stream; or all of a packet is given. */
const kindBits = 0x0f;
const strangerBit = 0x10;
const streamBit = 0x40;
const rawBit = 0x80;
/** After it the length, in two bytes, lowest first. */
const headBytes = 3;

/** What one input may make a node send. Much more than an answer of a megabyte for each of its packets is a flood. */
const sentBytesMax = 64 * 1024 * 1024;
const ticks = 3;

let known: Moment[] | undefined;

/** All moments, in the order of their kinds' first packets. */
export function moments(): readonly Moment[] {
  if (known) return known;
  const found = new Map<string, Moment>();
  everyKind((net, sent) => {
    const victim = [...net.members.values()].find(({ address }) => address === sent.to);
    for (const kind of sent.holds) {
      if (victim && !found.has(kind)) found.set(kind, momentOf(kind, net, victim, sent));
    }
  });
  known = [...found.values()];
  return known;
}

function momentOf(kind: string, net: Network, victim: Member, sent: Packet): Moment {
  const { header, sections } = open(sent.bytes);
  const over = sent.by === 'stream' ? streamBit : 0;
  return {
    kind,
    node: copyOf(victim.node, net.now),
    now: net.now,
    headers: [header, { ...header, source: stranger }],
    from: sent.from,
    packet: sent.bytes,
    items: itemsOf(sections.map(({ kind: of, body }) => ({ first: of | over, body }))),
  };
}

function itemsOf(items: readonly { readonly first: number; readonly body: Uint8Array }[]): Uint8Array {
  return Uint8Array.from(
    items.flatMap(({ first, body }) => [first, body.length & 0xff, (body.length >> 8) & 0xff, ...body]),
  );
}

function copyOf(node: Node, now: number): Node {
  return copyProcess(libraryCore, { node, replica: null, sent: 0, now, over: false }).node;
}

/** Each moment's number and packet. */
export function recorded(): readonly Uint8Array[] {
  return moments().map(({ items }, i) => Uint8Array.of(i, ...items));
}

/** An input that is these bytes as they are, in the place of the moment's packet. */
export function instead(bytes: Uint8Array): Uint8Array {
  return itemsOf([{ first: rawBit, body: bytes }]);
}

function packetOf({ headers }: Moment, first: number, body: Uint8Array): Uint8Array {
  if ((first & rawBit) !== 0) return body;
  const header = headers[(first & strangerBit) === 0 ? 0 : 1] as PacketHeader;
  return packet(header, [{ kind: first & kindBits, body }]);
}

/** Has a node take in the packets of an input at a moment of its life. Throws if it breaks, or grows beyond its limits. */
export function takeInAt(moment: Moment, input: Uint8Array): void {
  const node = copyOf(moment.node, moment.now);
  let { now } = moment;
  let bytes = 0;
  const end = (): void => {
    for (const effect of ready(node, now)) if ('bytes' in effect) bytes += effect.bytes.length;
    mustBeBounded(node);
    if (bytes > sentBytesMax) throw new Error(`${input.length} bytes made it send ${bytes}`);
  };
  for (let at = 0; at + headBytes <= input.length;) {
    const first = input[at] as number;
    const length = (input[at + 1] as number) | ((input[at + 2] as number) << 8);
    const body = input.slice(at + headBytes, at + headBytes + length);
    at += headBytes + body.length;
    const kind = (first & streamBit) === 0 ? 'datagram' : 'stream';
    const made = packetOf(moment, first, body);
    describePacket(made);
    try {
      step(node, { kind, bytes: made, from: moment.from }, now);
    } catch (error) {
      if (isContradiction(error)) return;
      throw error;
    }
    end();
  }
  for (let i = 0; i < ticks; i++) {
    now = Math.max(now, Math.min(nextTick(node), now + 1000));
    step(node, { kind: 'tick' }, now);
    end();
  }
}

/**
 * Who is told by the coordinator of its view that the others have delivered something else stops: that is what it has to do. The
 * fuzzer may say so in a coordinator's name.
 */
function isContradiction(error: unknown): boolean {
  return error instanceof ProtocolBug && /have delivered the same|is received up to the cut/.test(error.message);
}

function mustBeBounded(node: Node): void {
  const sizes: [string, number, number][] = [['pieces', node.pieces.bytes, piecesBytesMax]];
  for (const group of node.groups.values()) {
    sizes.push(['future', group.futureBytes, futureBytesMax], ['early', group.earlyBytes, 2 * earlyBytesMax]);
    for (const { aheadBytes } of group.current?.streams ?? []) sizes.push(['ahead', aheadBytes, aheadBytesMax]);
  }
  for (const { letters } of node.links.values()) sizes.push(['letters', letters.earlyBytes, 2 * lettersEarlyBytesMax]);
  for (const [what, size, most] of sizes) if (!(size <= most)) throw new Error(`${what}: ${size} of ${most} bytes`);
  if (!(gauge(node).unstableBytes < sentBytesMax)) throw new Error('unstable bytes without end');
}
