/**
 * A reliable link from node to node, for state and for messages from member to member: numbered messages on the
 * transport's stream, acknowledged by datagram, sent again when the stream broke. In order, once, while both live.
 *
 * A path may carry no streams, or one way only. What makes no progress is sent again by another way each time: in small
 * datagrams, then as multicasts travel. The way that got through is kept for a while, with little under way at a time.
 * What comes twice is acknowledged by every way.
 */
import type { Millis, NodeId } from './ids.js';
import { must } from './assert.js';
import { incarnationOf } from './ids.js';
import { type Letters, createLetters } from './letter-box.js';
import {
  linkDatagramsBytesMax,
  linkReopenDelay,
  linkRepeat,
  linkRepeatOfDatagrams,
  linkWindowBytes,
  safeDatagramBytes,
  smallDatagramsFor,
  smallDatagramsForMax,
} from './limits.js';
import { type Outbox, type Packer, addEveryWay, addSection, byMulticast, overStream, room, toNode } from './outbox.js';
import { Queue } from './queue.js';
import { Malformed, type Reader, Writer } from './wire/bytes.js';
import { Section, beginSection, endSection, sectionHeaderBytes } from './wire/packet.js';

/** A message's number, as a varint. */
const numberBytesMax = 8;

/** Times in vain before the next way is tried; streams that break at once count little. */
const repeatsPerWay = 2;
const breaksMax = 8;
/** After an acknowledgement that seems to have been lost, so many go by every way. */
const acksEveryWay = 64;

const ways = ['stream', 'datagram', 'multicast'] as const;
/** How a link's messages go at present. */
export type Way = (typeof ways)[number];

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
  way: Way;
  /** How often it was repeated, and how often the stream broke, since anything was acknowledged. */
  repeats: number;
  breaks: number;
  /** The last message that was sent by this way since it was chosen or something was last repeated. */
  written: number;
  /** When the stream is tried again if the way is another, and how long not if it is then in vain. */
  streamAt: Millis;
  streamAfter: Millis;
  /** Messages taken in. */
  received: number;
  owesAck: boolean;
  /** So many acknowledgements go by every way, since some seem to have been lost. */
  acksEveryWay: number;
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
    way: 'stream',
    repeats: 0,
    breaks: 0,
    written: 0,
    streamAt: Infinity,
    streamAfter: smallDatagramsFor,
    received: 0,
    owesAck: false,
    acksEveryWay: 0,
    letters: createLetters(),
  };
}

/** Sends a message. */
export function sendOver(out: Outbox, link: Link, message: Uint8Array, now: Millis): void {
  link.sent++;
  link.unacknowledged.push({ number: link.sent, message });
  link.bytes += message.length;
  if (link.repeatAt === Infinity) link.repeatAt = now + repeatOf(link);
  if (link.way !== 'stream') return;
  write(out, link, link.sent, message);
  link.written = link.sent;
}

function repeatOf({ way }: Link): Millis {
  return way === 'stream' ? linkRepeat : linkRepeatOfDatagrams;
}

/** Whether a donor may send more. */
export function hasRoom(link: Link): boolean {
  return link.bytes < linkWindowBytes;
}

function write(out: Outbox, link: Link, number: number, message: Uint8Array): void {
  const packer = packerOf(out, link);
  if (link.way !== 'stream') {
    const body = new Writer(numberBytesMax + message.length);
    body.varint(number);
    body.raw(message);
    addSection(out, packer, Section.link, body.bytes.subarray(0, body.length), safeDatagramBytes);
    packer.payloadBytes += message.length;
    return;
  }
  const w = room(out, packer, sectionHeaderBytes + numberBytesMax + message.length);
  packer.payloadBytes += message.length;
  const section = beginSection(w, Section.link);
  w.varint(number);
  w.raw(message);
  endSection(w, section);
}

function packerOf(out: Outbox, { way, peer, address }: Link): Packer {
  if (way === 'multicast') return byMulticast(out, incarnationOf(peer));
  return (way === 'stream' ? overStream : toNode)(out, incarnationOf(peer), address);
}

/** Sends what is not acknowledged and was not sent by this way yet; of datagrams only so much that no buffer overflows. */
function writeRest(out: Outbox, link: Link): void {
  let bytes = 0;
  for (const { number, message } of link.unacknowledged) {
    bytes += message.length;
    if (number <= link.written) continue;
    if (link.way !== 'stream' && bytes > linkDatagramsBytesMax && bytes > message.length) return;
    write(out, link, number, message);
    link.written = number;
  }
}

/**
 * The message, if it is the next; null if it was there before or others are missing. Whoever takes it in counts it in
 * `received`; one that is not taken in is not acknowledged and comes again.
 */
export function nextLinkMessage(link: Link, r: Reader): Uint8Array | null {
  const number = r.varint();
  // it comes again: what was said may have been lost on a path that carries no datagrams
  if (number <= link.received) link.acksEveryWay = acksEveryWay;
  link.owesAck = true;
  return number === link.received + 1 ? r.raw(r.left) : null;
}

/** Takes in an acknowledgement; of what was not sent there is none. */
export function takeLinkAck(link: Link, r: Reader, now: Millis): void {
  const received = r.varint();
  r.mustEnd();
  if (received > link.sent) throw new Malformed(`an acknowledgement of ${received} of ${link.sent}`);
  // even if it has no room for what comes next, it hears
  link.repeats = 0;
  link.breaks = 0;
  for (
    let oldest = link.unacknowledged.first;
    oldest && oldest.number <= received;
    oldest = link.unacknowledged.first
  ) {
    link.unacknowledged.shift();
    link.bytes -= oldest.message.length;
    link.repeatAt = now + repeatOf(link);
    if (link.way === 'stream') link.streamAfter = smallDatagramsFor;
  }
  if (link.unacknowledged.length === 0) link.repeatAt = Infinity;
}

/** The stream broke: what is not acknowledged goes again soon; not for ever, there may be no stream to be had. */
export function linkBroke(link: Link, now: Millis): void {
  if (link.unacknowledged.length === 0 || link.way !== 'stream' || link.breaks >= breaksMax) return;
  link.breaks++;
  link.repeatAt = now + linkReopenDelay;
}

/** Acknowledges and repeats, when due. */
export function serveLink(out: Outbox, link: Link, now: Millis): void {
  if (link.owesAck) acknowledge(out, link);
  if (link.way !== 'stream' && now >= link.streamAt) beginAnew(link, 'stream');
  if (now >= link.repeatAt) repeat(link, now);
  if (link.written < link.sent) writeRest(out, link);
}

function acknowledge(out: Outbox, link: Link): void {
  link.owesAck = false;
  const w = new Writer(8);
  w.varint(link.received);
  const incarnation = incarnationOf(link.peer);
  if (link.acksEveryWay > 0) {
    link.acksEveryWay--;
    addEveryWay(out, incarnation, link.address, Section.linkAck, w.take());
  } else addSection(out, toNode(out, incarnation, link.address), Section.linkAck, w.take());
}

/** Nothing was acknowledged for long: after two tries the other ways in turn. */
function repeat(link: Link, now: Millis): void {
  link.repeats++;
  if (link.repeats >= repeatsPerWay) {
    const way = must(ways[(ways.indexOf(link.way) + 1) % ways.length], 'way');
    if (link.way === 'stream') {
      link.streamAt = now + link.streamAfter;
      link.streamAfter = Math.min(2 * link.streamAfter, smallDatagramsForMax);
    }
    link.repeats = 0;
    beginAnew(link, way);
  } else beginAnew(link, link.way);
  link.repeatAt = now + repeatOf(link);
}

function beginAnew(link: Link, way: Way): void {
  link.way = way;
  link.written = (link.unacknowledged.first?.number ?? link.sent + 1) - 1;
}
