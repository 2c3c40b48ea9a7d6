/**
 * Flow control for peers that have none of their own: so many messages may be under way to the slowest receiver.
 *
 * Receivers say how far they are by datagrams, beside the peer, four times a window. That is cheaper than any way through
 * the peer, and so in its favour.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { messageBytesMin, numberAt, writeMessage } from '../payload.js';
import { sendersOf } from '../plan.js';
import type { Assignment } from '../protocol.js';
import { openMulticast, openUnicast } from '../sockets.js';

/** Messages handed over before the event loop turns. */
const burst = 64;
/** Receiver and its number, as in a message, then the sender that is meant. */
const ackBytes = messageBytesMin + 1;

/** At a receiver. */
export interface Acknowledger {
  start(window: number): void;
  /** Message `number` of a sender has come. */
  took(sender: number, number: number): void;
}

/** Opens a receiver's way to tell senders how far it is. */
export async function openAcknowledger({ point, index, address, port }: Assignment): Promise<Acknowledger> {
  const socket = await openUnicast();
  // the process ends when its parent says so, not when its sockets are closed
  socket.unref();
  const told = new Float64Array(point.members);
  let every = 1;
  return {
    start(window) {
      every = Math.max(1, window >> 2);
    },
    took(sender, number) {
      if (number + 1 - (told[sender] as number) < every) return;
      told[sender] = number + 1;
      const ack = new Uint8Array(ackBytes);
      writeMessage(ack, 0, messageBytesMin, index, number + 1);
      ack[messageBytesMin] = sender;
      socket.send(ack, port, address);
    },
  };
}

/** At a sender. */
export interface Sender {
  /** Sends messages as fast as a window allows. */
  start(window: number): void;
  /** Resolves with the number of messages sent since. */
  stop(): Promise<number>;
  /** Messages ever sent. */
  messages(): number;
}

/** Opens a sender, which hands each message to `publish`. A message's buffer is used again once all have it. */
export async function openSender(
  { point, index, address, port }: Assignment,
  publish: (message: Buffer) => void | Promise<void>,
  onError: (error: unknown) => void,
): Promise<Sender> {
  const socket = await openMulticast(address, port);
  socket.unref();
  const isSender = sendersOf(point).includes(index);
  const reached = new Float64Array(point.members);
  let ring: Buffer[] = [];
  let next = 0;
  let first = 0;
  let acked = 0;
  let window = 0;
  let running = false;
  let done: Promise<void> = Promise.resolve();
  let wake: () => void = () => undefined;

  socket.on('message', (ack) => {
    const receiver = ack[0] as number;
    if (ack.length !== ackBytes || ack[messageBytesMin] !== index || receiver >= reached.length) return;
    reached[receiver] = Math.max(reached[receiver] as number, numberAt(ack, 0));
    acked = Math.min(...reached);
    if (next - acked < window) wake();
  });

  async function run(): Promise<void> {
    while (running) {
      for (let left = burst; left > 0 && running && next - acked < window; left--) {
        const message = ring[next % window] as Buffer;
        writeMessage(message, 0, message.length, index, next++);
        const handedOver = publish(message);
        if (handedOver) await handedOver;
      }
      if (!running || next - acked < window) await turn();
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return {
    start(messages) {
      if (!isSender) return;
      window = messages;
      ring = Array.from({ length: window }, () => Buffer.alloc(point.bytes));
      first = next;
      acked = next;
      reached.fill(next);
      reached[index] = Infinity;
      running = true;
      done = run().catch(onError);
    },
    async stop() {
      running = false;
      wake();
      await done;
      return next - first;
    },
    messages: () => next,
  };
}
