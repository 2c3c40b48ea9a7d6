/**
 * One process of the explored world: a core with the model application on it, and a clock of its own that stands still
 * until it is told to go on. What happens to it is taken in as a runner would, turn by turn, until nothing is left that is
 * due; what it does is handed back and touches nobody else. So what it does next depends on itself and the event alone.
 */
import type { Effect, NodeEvent } from '../../lib/events.js';
import type { NodeId } from '../../lib/ids.js';
import type { GroupSettings, Order } from '../../lib/membership/state.js';
import type { Node } from '../../lib/node.js';
import type { TraceRecord } from '../../lib/trace/format.js';
import { type Habits, type Replica, createReplica, payloadOf, take } from '../simulation/application.js';
import { keepAwake, silence } from '../simulation/by-hand.js';
import type { Core } from '../simulation/core.js';

/** What the explorer does not vary. */
export interface Setting {
  readonly core: Core;
  readonly group: string;
  readonly settings: GroupSettings;
  readonly habits: Habits;
  /** How far the clocks go on when time passes: beyond every repetition, and nowhere near the detector's patience. */
  readonly rest: number;
}

/** A process between two events. */
export interface Process {
  readonly node: Node;
  replica: Replica | null;
  /** Own multicasts so far. */
  sent: number;
  /** Its clock. */
  now: number;
  /** Its life has ended by itself. */
  over: boolean;
}

/** What may happen to a process. */
export type LocalEvent =
  | {
      readonly kind: 'packet';
      readonly channel: 'datagram' | 'stream';
      readonly bytes: Uint8Array;
      readonly from: string;
    }
  /** Time passes, and its timers go off. */
  | { readonly kind: 'time' }
  | { readonly kind: 'join' }
  | { readonly kind: 'send'; readonly order: Order; readonly uniform: boolean }
  /** Its detector has not heard a node for too long. */
  | { readonly kind: 'suspect'; readonly who: NodeId }
  /** The system says that a node's process is dead. */
  | { readonly kind: 'death'; readonly who: NodeId }
  /** It stood still for so long that it is suspected, and notices. */
  | { readonly kind: 'slept' };

/** A packet that a process sends. */
export type Sent = Effect & { readonly kind: 'multicast' | 'unicast' | 'stream' };

/** What a process did. */
export interface Outcome {
  readonly sent: Sent[];
  readonly records: TraceRecord[];
  /** Something that must not be. */
  failure: { readonly property: string; readonly detail: string } | null;
}

/** Turns and ticks that one event may take; more is a core that runs wild. */
const turnsMax = 50;

/** Takes in an event and all that follows from it at once. */
export function act(setting: Setting, process: Process, event: LocalEvent): Outcome {
  const outcome: Outcome = { sent: [], records: [], failure: null };
  try {
    begin(setting, process, event, outcome);
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    outcome.failure = { property: 'CORE', detail };
  }
  return outcome;
}

function begin(setting: Setting, process: Process, event: LocalEvent, outcome: Outcome): void {
  switch (event.kind) {
    case 'packet':
      // the core owns what it is given
      return run(setting, process, [{ kind: event.channel, bytes: event.bytes.slice(), from: event.from }], outcome);
    case 'time':
      process.now += setting.rest;
      keepAwake(process.node, process.now);
      return run(setting, process, [{ kind: 'tick' }], outcome);
    case 'suspect':
      silence(process.node, event.who, process.now);
      return run(setting, process, [{ kind: 'tick' }], outcome);
    case 'death':
      return run(setting, process, [event], outcome);
    case 'slept':
      process.node.membership.detector.awakeSince = process.now;
      return;
    case 'join':
      process.replica = createReplica(setting.group, setting.settings, setting.habits, process.sent);
      return run(setting, process, [{ kind: 'join-group', group: setting.group, settings: setting.settings }], outcome);
    case 'send': {
      process.sent += 1;
      if (process.replica !== null) process.replica.sent = process.sent;
      const payload = payloadOf(process.node.self, process.sent, payloadBytes);
      const { order, uniform } = event;
      const multicast = {
        kind: 'multicast',
        group: setting.group,
        message: process.sent,
        payload,
        order,
        uniform,
      } as const;
      return run(setting, process, [multicast], outcome);
    }
  }
}

const payloadBytes = 16;

function run(setting: Setting, process: Process, first: NodeEvent[], outcome: Outcome): void {
  const { core } = setting;
  let inbox = first;
  for (let turns = 0; turns < turnsMax; turns += 1) {
    for (const event of inbox) core.step(process.node, event, process.now);
    inbox = [];
    for (const effect of core.ready(process.node, process.now)) carryOut(process, effect, inbox, outcome);
    if (process.over || outcome.failure !== null) return;
    if (inbox.length > 0) continue;
    if (core.nextTick(process.node) > process.now) return;
    inbox.push({ kind: 'tick' });
  }
  outcome.failure = { property: 'RUNAWAY', detail: `${process.node.self}: more than ${turnsMax} turns at once` };
}

function carryOut(process: Process, effect: Effect, inbox: NodeEvent[], outcome: Outcome): void {
  switch (effect.kind) {
    case 'multicast':
    case 'unicast':
    case 'stream':
      outcome.sent.push(effect);
      return;
    case 'deliver':
      if (process.replica === null) return;
      return take(process.replica, effect.items, {
        emit: (event) => inbox.push(event),
        trace: (record) => {
          if (process.replica?.ended === false) outcome.records.push(record);
        },
        later: () => {
          throw new Error('an application without a pace has nothing to do later');
        },
        passOn: () => false,
        reset: () => {
          throw new Error('an application that never fails has no need to start anew');
        },
        fail: (property, detail) => {
          outcome.failure = { property, detail: `${process.node.self}: ${detail}` };
        },
      });
    case 'trace':
      outcome.records.push(effect.record);
      if ((effect.record.e === 'left' || effect.record.e === 'excluded') && process.replica)
        process.replica.ended = true;
      return;
    case 'left':
    case 'restart':
      process.over = true;
      return;
    case 'refused':
    case 'group-refused':
      outcome.failure = { property: 'REFUSED', detail: `${process.node.self}: ${effect.why}` };
      return;
    case 'force-refused':
    case 'confirm':
    case 'log':
    case 'tether':
    case 'probe':
    case 'domain':
    case 'joined':
    case 'answer':
    case 'answered':
    case 'remote':
      return;
  }
}
