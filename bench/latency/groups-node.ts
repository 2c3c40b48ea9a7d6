/**
 * The library, in one process of several: a plain member of a group that notes what it gets, and one of a group that
 * replies. The order is told per multicast.
 */
import { start } from 'nact';
import { ask, flush, groups, multicast, ready, spawnMember, udpMulticast, views } from '../../actors/index.js';
import type { Context, GroupRef, MulticastOptions, Receipt } from '../../actors/index.js';
import { micros } from '../clock.js';
import { assignmentOf } from '../processes.js';
import { serve } from '../remote.js';
import type { Contender } from './contenders.js';
import { stamp } from './messages.js';
import { createPeer } from './peer.js';
import type { NodeAssignment } from './peer.js';

/** For how long to ask, how many at a time, with how many bytes. */
export interface Asking {
  readonly millis: number;
  readonly atOnce: number;
  readonly bytes: number;
}

/** For how long to send as fast as flow control lets it, of whom, with how many bytes. */
export interface Rushing {
  readonly contender: Contender;
  readonly millis: number;
  readonly bytes: number;
}

/** What asking took. */
export interface AskTimes {
  /** Microseconds of each. */
  readonly micros: Float32Array;
  readonly perSecond: number;
  /** Those that not all members replied to. */
  readonly incomplete: number;
}

const { index, members, domain, address, port } = assignmentOf<NodeAssignment>();
const transport = udpMulticast({ address, port });
const system = start({ name: `bench-${index}` }, groups({ domain, name: `member-${index}`, transport }));
await ready(system);

const options: Readonly<Record<Contender['order'], MulticastOptions>> = {
  raw: {},
  fifo: { order: 'fifo' },
  causal: { order: 'causal' },
  total: { order: 'total' },
  uniform: { order: 'total', uniform: true },
};
const put = (message: Uint8Array, { order }: Contender) => multicast(timed, message, options[order]);
const peer = createPeer(put);
const timed = spawnMember(system, (state: null, message: Uint8Array) => (peer.got(message, micros()), state), 'timed', {
  initialState: null,
});
const asked = spawnMember(
  system,
  (state: null, message: Uint8Array, ctx: Context<Uint8Array, Uint8Array>) => (ctx.reply(message), state),
  'asked',
  { initialState: null },
);

function isFull(ref: GroupRef<never, null>): Promise<void> {
  return new Promise((resolve) => {
    views(ref).subscribe((view) => view.members.length === members && resolve());
  });
}

/** Messages between two looks at a receipt, and how many such steps go ahead of the one that is awaited. */
const stepMessages = 64;
const stepsAhead = 32;

/** Returns the messages a second that were let in. None of them counts as one of a trial. */
async function rush({ contender, millis, bytes }: Rushing): Promise<number> {
  const message = new Uint8Array(bytes);
  const ahead: Promise<void>[] = [];
  const from = micros();
  let sent = 0;
  while (micros() - from < millis * 1000) {
    let receipt: Receipt | undefined;
    for (let i = 0; i < stepMessages; i++) {
      stamp(message, 0, sent++);
      receipt = put(message, contender);
    }
    if (receipt) ahead.push(receipt.accepted);
    if (ahead.length > stepsAhead) await ahead.shift();
  }
  await Promise.all(ahead);
  const taken = micros() - from;
  await flush(timed);
  return (1e6 * sent) / taken;
}

async function askAll({ millis, atOnce, bytes }: Asking): Promise<AskTimes> {
  const message = new Uint8Array(bytes).fill(7);
  const times: number[] = [];
  let incomplete = 0;
  const from = micros();
  const until = from + millis * 1000;
  async function caller(): Promise<void> {
    for (let now = micros(); now < until; now = micros()) {
      const { length } = await ask(asked, message, { replies: 'all' });
      times.push(micros() - now);
      if (length < members) incomplete += 1;
    }
  }
  await Promise.all(Array.from({ length: atOnce }, caller));
  return { micros: Float32Array.from(times), perSecond: (1e6 * times.length) / (micros() - from), incomplete };
}

const served = {
  ...peer.served,
  /** Resolves when this process sees all members in both groups. */
  ready: (_: null): Promise<unknown> => Promise.all([isFull(timed), isFull(asked)]),
  rush,
  ask: askAll,
};

/** What this process serves. */
export type GroupsNode = typeof served;

serve(served);
