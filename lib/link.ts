/**
 * A reliable link from node to node, for state and for messages from member to member: numbered messages on the
 * transport's stream, acknowledged by datagram, or over the stream if that seems to get lost, sent again when the stream
 * broke. In order, once, while both live.
 */
import type { Millis, NodeId } from './ids.js';
import { incarnationOf } from './ids.js';
import { type Letters, createLetters } from './letter-box.js';
import { linkRepeat, linkReopenDelay, linkWindowBytes } from './limits.js';
import { type Outbox, addSection, overStream, room, toNode } from './outbox.js';
import { Queue } from './queue.js';
import { Malformed, type Reader, Writer } from './wire/bytes.js';
import { Section, beginSection, endSection, sectionHeaderBytes } from './wire/packet.js';

/** A message's number, as a varint. */
const numberBytesMax = 8;

/** Both directions of a link, at one end. */
export interface Link {
  readonly peer: NodeId;
  readonly address: string;
  /** Sent and not acknowledged. */
  readonly unacknowledged: Queue<{ readonly number: number; readonly message: Uint8Array }>;
  bytes: number;
  sent: number;
  /** When to send again what is not acknowledged. */
  repeatAt: Millis;
  /** Messages taken in. */
  received: number;
  /** An acknowledgement is due, and how it goes. */
  owesAck: 'no' | 'datagram' | 'stream';
  readonly letters: Letters;
}

/** A link that nothing went over. */
export function createLink(peer: NodeId, address: string): Link {
  return {
    peer,
    address,
    unacknowledged: new Queue(),
    bytes: 0,
    sent: 0,
    repeatAt: Infinity,
    received: 0,
    owesAck: 'no',
    letters: createLetters(),
  };
}

/** Sends a message. */
export function sendOver(out: Outbox, link: Link, message: Uint8Array, now: Millis): void {
  link.sent++;
  link.unacknowledged.push({ number: link.sent, message });
  link.bytes += message.length;
  if (link.repeatAt === Infinity) link.repeatAt = now + linkRepeat;
  write(out, link, link.sent, message);
}

/** Whether a donor may send more. */
export function hasRoom(link: Link): boolean {
  return link.bytes < linkWindowBytes;
}

function write(out: Outbox, link: Link, number: number, message: Uint8Array): void {
  const packer = overStream(out, incarnationOf(link.peer), link.address);
  const w = room(out, packer, sectionHeaderBytes + numberBytesMax + message.length);
  const section = beginSection(w, Section.link);
  w.varint(number);
  w.raw(message);
  endSection(w, section);
}

/**
 * The message, if it is the next; null if it was there before or others are missing. Whoever takes it in counts it in
 * `received`; one that is not taken in is not acknowledged and comes again.
 */
export function nextLinkMessage(link: Link, r: Reader): Uint8Array | null {
  const number = r.varint();
  // it comes again: what was said may have been lost on a way that carries no datagrams
  if (number <= link.received) link.owesAck = 'stream';
  else if (link.owesAck === 'no') link.owesAck = 'datagram';
  return number === link.received + 1 ? r.raw(r.left) : null;
}

/** Takes in an acknowledgement; of what was not sent there is none. */
export function takeLinkAck(link: Link, r: Reader, now: Millis): void {
  const received = r.varint();
  if (received > link.sent || r.left > 0) throw new Malformed(`an acknowledgement of ${received} of ${link.sent}`);
  for (
    let oldest = link.unacknowledged.first;
    oldest && oldest.number <= received;
    oldest = link.unacknowledged.first
  ) {
    link.unacknowledged.shift();
    link.bytes -= oldest.message.length;
    link.repeatAt = now + linkRepeat;
  }
  if (link.unacknowledged.length === 0) link.repeatAt = Infinity;
}

/** The stream broke: what is not acknowledged goes again soon. */
export function linkBroke(link: Link, now: Millis): void {
  if (link.unacknowledged.length > 0) link.repeatAt = now + linkReopenDelay;
}

/** Acknowledges and repeats, when due. */
export function serveLink(out: Outbox, link: Link, now: Millis): void {
  if (link.owesAck !== 'no') {
    const packer = link.owesAck === 'stream' ? overStream : toNode;
    link.owesAck = 'no';
    const w = new Writer(8);
    w.varint(link.received);
    addSection(out, packer(out, incarnationOf(link.peer), link.address), Section.linkAck, w.take());
  }
  if (now < link.repeatAt) return;
  link.repeatAt = now + linkRepeat;
  for (const { number, message } of link.unacknowledged) write(out, link, number, message);
}
