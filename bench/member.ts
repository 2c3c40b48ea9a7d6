/**
 * The library, in one process of several: a plain member of a group that multicasts bytes and takes account of what its
 * function gets. Nothing here that a user would not write.
 *
 * The sender keeps pace by the receipts' `accepted`, looked at once per step of some kilobytes and awaited some steps
 * later, so that flow control always has something to let in and no promise is made per message.
 */
import { start } from 'nact';
import { domain as domainOf, groups, multicast, ready, spawnMember, tcp, udpMulticast } from '../actors/index.js';
import type { GroupRef, Receipt } from '../actors/index.js';
import type { Load } from './child.js';
import { serve } from './child.js';
import { createTally, take, writeMessage } from './payload.js';
import type { Tally } from './payload.js';
import { sendersOf } from './plan.js';
import type { OrderChoice } from './plan.js';
import type { Assignment } from './protocol.js';

/** A step: what is sent between two looks at a receipt. */
const stepBytes = 32 * 1024;
const stepMessagesMax = 256;
/** Steps sent ahead of the one that is awaited; beyond what the library lets in at a time. */
const stepsAhead = 32;
/** Retransmissions take their time; nothing is given up before. */
const quietMillis = 5000;

async function open({ contender, point, index, domain, address, port }: Assignment): Promise<Load> {
  const order = contender.kind === 'groups' ? contender.order : 'total';
  const isTcp = contender.kind === 'groups' && contender.transport === 'tcp';
  // the first process is ready before the others start, and is their seed
  const seeds = [`127.0.0.1:${port}`];
  const transport = isTcp
    ? tcp({ listen: index === 0 ? `127.0.0.1:${port}` : '127.0.0.1:0', seeds })
    : udpMulticast({ address, port });
  const system = start({ name: `bench-${index}` }, groups({ domain, name: `member-${index}`, transport }));
  await ready(system);
  // a member delivers its own messages, too
  const tally = createTally(point.members, point.bytes, -1);
  let full: () => void = () => undefined;
  const whenFull = new Promise<void>((resolve) => {
    full = resolve;
  });
  const ref = spawnMember(
    system,
    (state: Tally, message: Uint8Array) => {
      take(state, message, 0, message.length);
      return state;
    },
    'bench',
    {
      initialState: tally,
      order: order === 'uniform' ? 'total' : order,
      onView(_state, view) {
        if (view.members.length === point.members) full();
      },
    },
  );
  const sender = createSender(ref, order, point.bytes, index);
  const isSender = sendersOf(point).includes(index);
  return {
    description: isTcp ? `TCP from 127.0.0.1:${port}` : `multicast ${address}:${port}`,
    tally,
    quietMillis,
    full: whenFull,
    start() {
      if (isSender) sender.start();
    },
    stop: () => sender.stop(),
    sent() {
      const { packetsOut = NaN, bytesOut = NaN } = domainOf(system).statistics();
      return { datagrams: packetsOut, bytes: bytesOut };
    },
    // its parent wants it gone, not a graceful departure
    close: () => undefined,
  };
}

/** Sends as fast as flow control lets it. */
function createSender(ref: GroupRef<Uint8Array, Tally>, order: OrderChoice, bytes: number, index: number) {
  const message = new Uint8Array(bytes);
  const options = order === 'uniform' ? ({ order: 'total', uniform: true } as const) : { order };
  const stepMessages = Math.max(1, Math.min(stepMessagesMax, Math.floor(stepBytes / bytes)));
  const ahead: Promise<void>[] = [];
  let next = 0;
  let first = 0;
  let running = false;

  async function run(): Promise<void> {
    while (running) {
      let receipt: Receipt | undefined;
      for (let i = 0; i < stepMessages; i++) {
        writeMessage(message, 0, bytes, index, next++);
        receipt = multicast(ref, message, options);
      }
      if (receipt) ahead.push(receipt.accepted);
      if (ahead.length > stepsAhead) await ahead.shift();
    }
    await Promise.all(ahead.splice(0));
  }

  return {
    start(): void {
      first = next;
      running = true;
      // a rejection ends the measurement: the process reports what nobody handles
      void run();
    },
    stop(): number {
      running = false;
      return next - first;
    },
  };
}

void serve(open);
