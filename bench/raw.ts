/**
 * The baselines, in one process of several: UDP multicast straight from Node, as fast as it goes without loss.
 *
 * Raw sends one datagram per message, packed as many messages as fit into 60,000 bytes; a message that does not fit a
 * datagram goes in parts, and counts with its last one. Neither has a protocol: receivers tell the sender by unicast how far they are, four times a window, and the sender waits while a window is under way.
 * All that is known to help is done: numeric addresses without a lookup, large buffers, bursts, no buffer made anew,
 * no payload copied, unless it is copies that are to be measured. Nothing is ever sent again: a trial with a loss has no rate.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import type { Load } from './child.js';
import { serve } from './child.js';
import { layoutOf, partBytes } from './datagrams.js';
import type { Layout } from './datagrams.js';
import { createTally, messageBytesMin, numberAt, take, writeMessage } from './payload.js';
import type { Tally } from './payload.js';
import { sendersOf } from './plan.js';
import type { Assignment } from './protocol.js';
import { loopback, openMulticast, openUnicast } from './sockets.js';
import { sum } from './statistics.js';

/** Datagrams sent before the event loop turns. */
const burst = 64;
const quietMillis = 300;

async function open(assignment: Assignment): Promise<Load> {
  const { contender, point, index, address, port } = assignment;
  const layout = layoutOf(contender.kind, point.bytes);
  const isSender = sendersOf(point).includes(index);
  const unicast = await openUnicast();
  const tally = createTally(point.members, point.bytes, isSender ? index : -1, layout.parts);
  const isCopied = contender.kind === 'copied';
  const receiver = createReceiver(
    unicast,
    tally,
    index,
    isCopied ? createCopier(point.bytes, layout.parts) : undefined,
  );
  const users = isCopied ? new Uint8Array(layout.bytes).fill(1) : undefined;
  const sender = createSender(unicast, assignment, layout, users);
  let group: Socket | undefined;
  // a process that only sends is spared its own datagrams
  if (!isSender || point.senders === 'all') {
    group = await openMulticast(address, port);
    const ownPort = unicast.address().port;
    group.on('message', (bytes, from) => {
      if (from.port !== ownPort) receiver.receive(bytes, from);
    });
  }
  unicast.on('message', (bytes) => sender.acknowledged(bytes));
  const granted = (group ?? unicast).getRecvBufferSize();
  return {
    description: `multicast ${address}:${port} on ${loopback}, receive buffer ${granted} B`,
    tally,
    quietMillis,
    full: Promise.resolve(),
    start(window) {
      receiver.start(window);
      if (isSender) sender.start(window);
    },
    stop: () => sender.stop(),
    sent() {
      const acks = receiver.acks();
      const payloadBytes = sender.messages() * point.bytes;
      return {
        datagrams: (sender.messages() * layout.parts) / layout.messages + acks,
        bytes: payloadBytes + acks * messageBytesMin,
        withoutData: acks,
        acks,
        payloadBytes,
      };
    },
    progress: () => sum(tally.delivered) + sender.messages(),
    close() {
      unicast.close();
      group?.close();
    },
  };
}

/** Copies what comes into memory that nobody else has, of a datagram's messages together, of a message in parts all of it. */
function createCopier(messageBytes: number, parts: number): (bytes: Uint8Array) => void {
  let whole = new Uint8Array(0);
  let filled = 0;
  return (bytes) => {
    if (filled === 0) whole = new Uint8Array(Buffer.allocUnsafeSlow(parts > 1 ? messageBytes : bytes.length).buffer);
    whole.set(bytes, filled);
    filled = (filled + bytes.length) % whole.length;
  };
}

/** Takes datagrams apart, touches every message, tells senders how far it is. */
function createReceiver(unicast: Socket, tally: Tally, index: number, copy?: (bytes: Uint8Array) => void) {
  const acknowledged = new Float64Array(tally.next.length);
  const sources: (RemoteInfo | undefined)[] = [];
  const datagrams = new Float64Array(tally.next.length);
  let every = 1;
  let acks = 0;

  function acknowledge(sender: number): void {
    const source = sources[sender];
    if (!source) return;
    acknowledged[sender] = datagrams[sender] as number;
    acks++;
    const ack = new Uint8Array(messageBytesMin);
    writeMessage(ack, 0, ack.length, index, tally.next[sender] as number);
    unicast.send(ack, source.port, source.address);
  }

  return {
    acks: () => acks,
    start(window: number): void {
      every = Math.max(1, window >> 2);
      for (let sender = 0; sender < tally.next.length; sender++) acknowledge(sender);
    },
    receive(bytes: Uint8Array, from: RemoteInfo): void {
      let sender = -1;
      for (let at = 0; at < bytes.length; at += tally.bytes) {
        sender = take(tally, bytes, at, Math.min(tally.bytes, bytes.length - at));
      }
      if (sender < 0) return;
      copy?.(bytes);
      sources[sender] ??= from;
      datagrams[sender] = (datagrams[sender] as number) + 1;
      if ((datagrams[sender] as number) - (acknowledged[sender] as number) >= every) acknowledge(sender);
    },
  };
}

/** Sends as long as fewer than a window's datagrams are under way to the slowest receiver; copies of `users`, if that is given. */
function createSender(unicast: Socket, assignment: Assignment, layout: Layout, users?: Uint8Array) {
  const { point, index, address, port } = assignment;
  const { messages, parts } = layout;
  const reached = new Float64Array(point.members);
  let ring: Uint8Array[] = [];
  /** Counts messages, or parts where they have any. */
  let next = 0;
  let first = 0;
  let acked = 0;
  let window = 0;
  let running = false;
  let waiting = false;
  let ended: (messages: number) => void = () => undefined;

  function send(): void {
    // a buffer is used again only when its last datagram is acknowledged
    const bytes = ring[(next / messages) % ring.length] as Uint8Array;
    if (users) bytes.set(users);
    if (parts > 1) {
      const part = bytes.subarray(0, partBytes(point.bytes, parts, next % parts));
      writeMessage(part, 0, part.length, index, next++);
      unicast.send(part, port, address);
      return;
    }
    for (let at = 0; at < bytes.length; at += point.bytes) writeMessage(bytes, at, point.bytes, index, next++);
    unicast.send(bytes, port, address);
  }

  /** What was begun is sent whole. */
  function isDone(): boolean {
    return !running && next % parts === 0;
  }

  function pump(): void {
    for (let left = burst; left > 0 && !isDone() && next - acked < window; left--) send();
    if (isDone()) return ended((next - first) / parts);
    waiting = next - acked >= window;
    if (!waiting) setImmediate(pump);
  }

  return {
    start(datagrams: number): void {
      ring = Array.from({ length: datagrams }, () => new Uint8Array(layout.bytes));
      window = datagrams * messages;
      first = next;
      acked = next;
      reached.fill(next);
      reached[index] = Infinity;
      running = true;
      pump();
    },
    /** Messages ever sent. */
    messages: () => next / parts,
    /** Resolves with the number of messages of this trial, that are whole. */
    stop(): number | Promise<number> {
      running = false;
      if (isDone()) return (next - first) / parts;
      return new Promise((resolve) => {
        // what is lost is never acknowledged
        const timer = setTimeout(() => {
          next -= next % parts;
          resolve((next - first) / parts);
        }, quietMillis);
        ended = (messages) => {
          clearTimeout(timer);
          resolve(messages);
        };
      });
    },
    acknowledged(bytes: Uint8Array): void {
      const receiver = bytes[0] as number;
      if (receiver >= reached.length) return;
      const number = numberAt(bytes, 0);
      if (number <= (reached[receiver] as number)) return;
      reached[receiver] = number;
      acked = Math.min(...reached);
      if (!waiting || next - acked >= window) return;
      waiting = false;
      pump();
    },
  };
}

void serve(open);
