/**
 * The library, in one process of several: a plain member of a group that multicasts and takes account of what its
 * function gets. Nothing here that a user would not write.
 *
 * The sender keeps pace by the receipts' `accepted`, looked at once per step of some kilobytes and awaited some steps
 * later, so that flow control always has something to let in and no promise is made per message. A `dispatch` has no
 * receipt: there the last message of each step is a `multicast`.
 */
import { createHash } from 'node:crypto';
import { dispatch, start } from 'nact';
import { domain as domainOf, groups, multicast, ready, spawnMember, tcp, udpMulticast } from '../actors/index.js';
import type { GroupRef, Receipt } from '../actors/index.js';
import type { Load } from './child.js';
import { serve } from './child.js';
import { createChanges, createTaker } from './objects.js';
import type { Change } from './objects.js';
import { createTally, take, writeMessage } from './payload.js';
import type { Tally } from './payload.js';
import { sendersOf } from './plan.js';
import type { GroupsContender, Point } from './plan.js';
import type { Assignment } from './protocol.js';
import { sum } from './statistics.js';

/** A step: what is sent between two looks at a receipt; more than one message where not each has a receipt. */
const stepBytes = 32 * 1024;
const stepMessagesMax = 256;
const stepDispatchesMin = 4;
/** Steps sent ahead of the one that is awaited; beyond what the library lets in at a time. */
const stepsAheadMax = 32;
const stepsAheadMin = 4;
const aheadBytes = 4 * 1024 * 1024;
/** Retransmissions take their time; nothing is given up before. */
const quietMillis = 5000;

type Message = Uint8Array | Change;

async function open({ contender, point, index, domain, address, port }: Assignment): Promise<Load> {
  if (contender.kind !== 'groups') throw new Error(`'${contender.kind}' is no member of a group`);
  const isTcp = contender.transport === 'tcp';
  // the first process is ready before the others start, and is their seed
  const seeds = [`127.0.0.1:${port}`];
  const transport = isTcp
    ? tcp({ listen: index === 0 ? `127.0.0.1:${port}` : '127.0.0.1:0', seeds })
    : udpMulticast({ address, port });
  const { keyed } = contender;
  const key = keyed ? { key: createHash('sha256').update(domain).digest(), rekey: keyed === 'rekey' } : {};
  const system = start({ name: `bench-${index}` }, groups({ domain, name: `member-${index}`, transport, ...key }));
  await ready(system);
  // a member delivers its own messages, too
  const tally = createTally(point.members, point.bytes, -1);
  let full: () => void = () => undefined;
  const whenFull = new Promise<void>((resolve) => {
    full = resolve;
  });
  const ref = spawnMember(
    system,
    point.values === 'objects' ? createObjectsFunction(point.members) : takeBytes,
    'bench',
    {
      initialState: tally,
      order: contender.order === 'uniform' ? 'total' : contender.order,
      onView(_state, view) {
        if (view.members.length === point.members) full();
      },
    },
  );
  const sender = createSender(ref, contender, point, index);
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
      const counters = domainOf(system).statistics();
      return {
        datagrams: counters['packetsOut'] ?? NaN,
        bytes: counters['bytesOut'] ?? NaN,
        withoutData: counters['packetsWithoutDataOut'] ?? NaN,
        acks: counters['acksOut'] ?? NaN,
        payloadBytes: counters['payloadBytesOut'] ?? NaN,
      };
    },
    progress: () => sum(tally.delivered),
    // its parent wants it gone, not a graceful departure
    close: () => undefined,
  };
}

function takeBytes(tally: Tally, message: Message): Tally {
  // a message of another kind has no length, and so counts as damaged
  take(tally, message as Uint8Array, 0, (message as Uint8Array).length);
  return tally;
}

function createObjectsFunction(members: number): (tally: Tally, message: Message) => Tally {
  const takeChange = createTaker(members);
  return (tally, message) => {
    takeChange(tally, message as Change);
    return tally;
  };
}

/** Makes message after message by their numbers; bytes in the same memory, since what is sent was encoded when that returns. */
function createMessages({ values, bytes }: Point, index: number): (number: number) => Message {
  if (values === 'objects') return createChanges(index);
  const message = new Uint8Array(bytes);
  return (number) => {
    writeMessage(message, 0, bytes, index, number);
    return message;
  };
}

/** Sends as fast as flow control lets it. */
function createSender(ref: GroupRef<Message, Tally>, { order, through }: GroupsContender, point: Point, index: number) {
  const messageOf = createMessages(point, index);
  const options = order === 'uniform' ? ({ order: 'total', uniform: true } as const) : { order };
  const isDispatch = through === 'dispatch';
  const stepMessages = Math.max(
    isDispatch ? stepDispatchesMin : 1,
    Math.min(stepMessagesMax, Math.floor(stepBytes / point.bytes)),
  );
  const stepsAhead = Math.max(
    stepsAheadMin,
    Math.min(stepsAheadMax, Math.floor(aheadBytes / (stepMessages * point.bytes))),
  );
  const ahead: Promise<void>[] = [];
  let next = 0;
  let first = 0;
  let running = false;

  async function run(): Promise<void> {
    while (running) {
      let receipt: Receipt | undefined;
      for (let left = stepMessages; left > 0; left--) {
        const message = messageOf(next++);
        if (isDispatch && left > 1) dispatch(ref, message);
        else receipt = multicast(ref, message, options);
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
