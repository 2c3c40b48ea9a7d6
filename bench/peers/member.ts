/**
 * A peer, in one process of several: its client sends, and what comes is taken account of in the client's own callback.
 *
 * The first process starts the peer's server, if it has one, and counts the server's CPU as its own. A process that sends
 * alone does not subscribe to what it sends: peers are spared what the library's senders do, which deliver their own, too.
 * Before anything is measured, senders say hello until every receiver has heard each of them: some peers lose what is
 * sent before a subscription has got through.
 */
import type { Load } from '../child.js';
import { serve } from '../child.js';
import { createTally, numberAt, take } from '../payload.js';
import { sendersOf } from '../plan.js';
import type { Assignment, Traffic } from '../protocol.js';
import { sum } from '../statistics.js';
import type { PeerName } from './catalogue.js';
import type { Channel, Setting } from './channel.js';
import { openNats } from './nats.js';
import { openAcknowledger, openSender } from './pace.js';
import { openPubSub, openStreams } from './redis.js';
import { startServer } from './server.js';
import { openZeroMq } from './zeromq.js';

const clients: Readonly<Record<Exclude<PeerName, 'corosync'>, (setting: Setting) => Promise<Channel>>> = {
  'redis-pubsub': openPubSub,
  'redis-streams': openStreams,
  nats: openNats,
  zeromq: openZeroMq,
};

const helloMillis = 20;
const quietMillis = 2000;
/** What clients and servers send is not counted. */
const unknown: Traffic = { datagrams: NaN, bytes: NaN, withoutData: NaN, acks: NaN, payloadBytes: NaN };

/** What goes wrong beside the benchmark's own calls ends the measurement. */
function fail(error: unknown): void {
  // not before the callback that found it has returned
  queueMicrotask(() => {
    throw error instanceof Error ? error : new Error(String(error));
  });
}

async function open(assignment: Assignment): Promise<Load> {
  const { contender, point, index, port } = assignment;
  if (contender.kind !== 'peer' || contender.peer === 'corosync') throw new Error('no peer with a client for Node.js');
  const server = index === 0 ? await startServer(contender.peer, port, fail) : null;
  const senders = sendersOf(point);
  const isSender = senders.includes(index);
  const receives = !isSender || point.senders === 'all';
  const tally = createTally(point.members, point.bytes, receives ? -1 : index);
  const acknowledger = await openAcknowledger(assignment);
  const missed = new Set(receives ? senders : []);
  let full: () => void = () => undefined;
  const whenFull = new Promise<void>((resolve) => (full = resolve));
  if (missed.size === 0) full();

  const channel = await clients[contender.peer]({
    modules: contender.modules,
    port,
    index,
    senders,
    receives,
    onError: fail,
    onMessage(message) {
      if (message.length === 1) {
        if (missed.delete(message[0] as number) && missed.size === 0) full();
        return;
      }
      const sender = take(tally, message, 0, message.length);
      if (sender >= 0) acknowledger.took(sender, numberAt(message, 0));
    },
  });
  const sender = await openSender(assignment, (message) => channel.publish(message), fail);
  const hello = isSender ? setInterval(() => void channel.publish(Buffer.of(index)), helloMillis) : undefined;
  return {
    description: channel.description,
    tally,
    quietMillis,
    full: whenFull,
    start(window) {
      clearInterval(hello);
      acknowledger.start(window);
      sender.start(window);
    },
    stop: () => sender.stop(),
    sent: () => unknown,
    otherCpuSeconds: () => server?.cpuSeconds() ?? 0,
    progress: () => (isSender && !receives ? sender.messages() : sum(tally.delivered)),
    close: () => server?.stop(),
  };
}

void serve(open);
