/**
 * Times messages: in each round by processes started anew and warmed up alike, the baseline and the library in turns of less
 * than a second at low load, so that what disturbs the machine disturbs all.
 *
 * The time of a message is that until the last of the members that did not send it has it. Half load is half of what the
 * same contender reached in a short trial at full speed just before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasurementFailed } from '../crew.js';
import type { Effort } from '../plan.js';
import type { Remote } from '../remote.js';
import { runRounds } from '../rounds.js';
import { mean, merged, sum } from '../statistics.js';
import { type Track, untold } from '../track.js';
import type { Contender } from './contenders.js';
import { assemble } from './crew.js';
import type { Crew } from './crew.js';
import type { GroupsNode } from './groups-node.js';
import { latest } from './messages.js';
import type { Pace } from './pace.js';
import type { Sending } from './peer.js';

/** How much is going on: messages now and then, or half of what is possible. */
export const loads = ['low', 'half'] as const;
export type LoadChoice = (typeof loads)[number];

/** What is timed, and for how long. */
export interface LatencyPlan {
  /** Bytes of a message. */
  readonly sizes: readonly number[];
  readonly loads: readonly LoadChoice[];
  /** In this order. */
  readonly contenders: readonly Contender[];
  readonly members: number;
  readonly rounds: number;
  /** Messages of a trial at low load. */
  readonly messages: number;
  /** Of a trial at half load, and of one that asks; 0: nobody asks. */
  readonly halfMillis: number;
  readonly askMillis: number;
  /** Messages of each contender before any is timed. */
  readonly warmUp: number;
}

/** What a trial has shown; times in microseconds. */
export interface Timing {
  /** Of each message, ascending. */
  readonly sorted: Float64Array;
  /** At the sender's own function, ascending; empty where the sender does not hear itself. */
  readonly own: Float64Array;
  /** Messages that were sent a second. */
  readonly perSecond: number;
  /** The share of those that were meant to be; less than 1: the sender could not keep the pace. */
  readonly kept: number;
  readonly lost: number;
}

/** What asking has shown. */
export interface AskTiming {
  readonly sorted: Float32Array;
  readonly perSecond: number;
}

/** A kind of trial. */
export interface LatencyKind {
  readonly bytes: number;
  readonly load: LoadChoice;
  readonly contender: Contender;
}

/** Who asks: the member that sequences the total order or another one, so many at a time. */
export interface AskKind {
  readonly asker: 'oldest' | 'other';
  readonly atOnce: number;
}

/** The processes of a round. */
interface Crews {
  readonly raw: Crew;
  readonly groups: Crew;
}

/** All trials of one kind. */
export interface Course<K, T> {
  readonly kind: K;
  /** A round's trial is done in so many parts, in turns with the others, */
  readonly parts: number;
  readonly run: (crews: Crews) => Promise<T>;
  /** and put together. */
  readonly merge: (parts: readonly T[]) => T;
  /** By round; null where the measurement failed. */
  readonly trials: (T | null)[];
  readonly failures: string[];
}

/** All that a run has shown. */
export interface Measured {
  readonly latencies: readonly Course<LatencyKind, Timing>[];
  readonly asks: readonly Course<AskKind, AskTiming>[];
}

/** Turns of a round at low load. */
const turns = 5;
/** At low load messages are so far apart. */
const apart: Pace = { kind: 'apart', leastMillis: 5, mostMillis: 10 };
const warmUpPace: Pace = { kind: 'steady', perSecond: 10_000 };
/** More could not be sent at that pace. */
const warmUpBytesMax = 1024;
/** Bytes that are asked, and replied with. */
const askBytes = 100;
/** Raw sends nothing again; the library does, and nothing is given up before it has. */
const quietMillis = { raw: 300, groups: 5000 } as const;
/** How long a contender is tried at full speed. */
const rushMillis = 500;
const rawRush: Effort = {
  rounds: 1,
  warmUpMillis: 500,
  measuredMillis: 500,
  multicasts: null,
  sweepMillis: 100,
  sweepPasses: 1,
  windows: [16, 64, 256, 1024],
};

/** Of how many parts the plan is, if none fails. */
export function latencyParts(plan: LatencyPlan): number {
  const { latencies, asks } = coursesOf(plan);
  return plan.rounds * turns * (latencies.length + asks.length);
}

/** Runs the plan. */
export async function measureLatency(plan: LatencyPlan, to: Track): Promise<Measured> {
  const { latencies, asks } = coursesOf(plan);
  for (let round = 1; round <= plan.rounds; round++) {
    to.tell(`round ${round} of ${plan.rounds}`);
    await runRound(plan, latencies, asks, to);
  }
  return { latencies, asks };
}

function coursesOf(plan: LatencyPlan): Measured {
  const kinds = plan.sizes.flatMap((bytes) =>
    plan.loads.flatMap((load) => plan.contenders.map((contender) => ({ bytes, load, contender }))),
  );
  return {
    latencies: kinds.map((kind) => latencyCourse(plan, kind)),
    asks: plan.askMillis > 0 ? askCourses(plan) : [],
  };
}

async function runRound(
  plan: LatencyPlan,
  latencies: readonly Course<LatencyKind, Timing>[],
  asks: readonly Course<AskKind, AskTiming>[],
  { tell, done }: Track,
): Promise<void> {
  const trials = [...latencies.map(trialOf), ...asks.map(trialOf)];
  const crews: Partial<Record<keyof Crews, Crew>> = {};
  try {
    crews.raw = await assemble('raw', plan.members);
    crews.groups = await assemble('groups', plan.members);
    const both = { raw: crews.raw, groups: crews.groups };
    for (const contender of plan.contenders) await warmUp(both, plan, contender);
    for (let turn = 0; turn < turns; turn++) {
      for (const trial of trials) {
        const failure = await trial.next(both);
        if (failure !== undefined) tell(failure);
        done();
      }
    }
  } catch (error) {
    for (const trial of trials) trial.fail(reasonOf(error));
  } finally {
    await Promise.all([crews.raw?.dismiss(), crews.groups?.dismiss()]);
  }
  for (const trial of trials) trial.end();
}

/** One round's trial of a course. */
function trialOf<K, T>({ parts, run, merge, trials, failures }: Course<K, T>) {
  const done: T[] = [];
  let failure: string | undefined;
  return {
    /** Does the next part, if there is one and none has failed; resolves with what went wrong. */
    async next(crews: Crews): Promise<string | undefined> {
      if (failure !== undefined || done.length === parts) return undefined;
      try {
        done.push(await run(crews));
      } catch (error) {
        failure = reasonOf(error);
      }
      return failure;
    },
    fail(why: string): void {
      failure ??= why;
    },
    end(): void {
      if (failure !== undefined) failures.push(failure);
      trials.push(failure === undefined ? merge(done) : null);
    },
  };
}

/** Of a measurement that failed. Throws any other error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof MeasurementFailed)) throw error;
  return error.message;
}

function crewOf({ order }: Contender): 'raw' | 'groups' {
  return order === 'raw' ? 'raw' : 'groups';
}

function latencyCourse(plan: LatencyPlan, kind: LatencyKind): Course<LatencyKind, Timing> {
  const { bytes, contender, load } = kind;
  const parts = load === 'low' ? turns : 1;
  const run = async (crews: Crews): Promise<Timing> => {
    const crew = crews[crewOf(contender)];
    if (load === 'low') {
      return timeMessages(crew, { contender, pace: apart, count: Math.ceil(plan.messages / turns), bytes });
    }
    const perSecond = (await highestRate(plan, kind, crew)) / 2;
    const count = Math.ceil((perSecond * plan.halfMillis) / 1000);
    return timeMessages(crew, { contender, pace: { kind: 'steady', perSecond }, count, bytes });
  };
  return { kind, parts, run, merge: mergeTimings, trials: [], failures: [] };
}

function mergeTimings(parts: readonly Timing[]): Timing {
  return {
    sorted: merged(parts.map(({ sorted }) => sorted)),
    own: merged(parts.map(({ own }) => own)),
    perSecond: mean(parts.map(({ perSecond }) => perSecond)),
    kept: mean(parts.map(({ kept }) => kept)),
    lost: sum(parts.map(({ lost }) => lost)),
  };
}

function askCourses({ members, askMillis }: LatencyPlan): Course<AskKind, AskTiming>[] {
  return (['oldest', 'other'] as const).flatMap((asker) =>
    [1, 10].map((atOnce) => ({
      kind: { asker, atOnce },
      parts: 1,
      run: ({ groups }: Crews) => timeAsks(groups, { asker, atOnce }, members, askMillis),
      merge: ([only]: readonly AskTiming[]) => only as AskTiming,
      trials: [],
      failures: [],
    })),
  );
}

/** Messages a second of a contender at full speed, now. Raw, which has no flow control, is tried with several windows. */
async function highestRate({ members }: LatencyPlan, { bytes, contender }: LatencyKind, crew: Crew): Promise<number> {
  if (contender.order !== 'raw') {
    const rate = await senderOf(crew, contender).call('rush', { contender, millis: rushMillis, bytes });
    // what was sent last is applied
    await sleep(quietMillis.raw);
    return rate;
  }
  const point = { bytes, values: 'bytes', senders: 'one', members } as const;
  const plan = { measurements: [{ point, contender: { kind: 'raw' } }], effort: rawRush, profiles: undefined } as const;
  const [result] = await runRounds(plan, untold);
  const rate = result?.outcomes[0]?.rate;
  if (rate === undefined) throw new MeasurementFailed(`raw at full speed: ${result?.failures.join('; ') ?? 'nothing'}`);
  return rate;
}

function senderOf({ nodes }: Crew, { sender }: Contender): Remote<GroupsNode> {
  const node = nodes[sender];
  if (!node) throw new MeasurementFailed(`no process ${sender}`);
  return node;
}

/** How many of each contender go first: at {@link warmUpPace}, for a third of a second or for two. */
export function warmUpMessages(quick: boolean): number {
  return quick ? 3000 : 20_000;
}

/** Code is compiled and optimized, at sender and receivers, as it is in a program that has run for some minutes. */
async function warmUp(crews: Crews, { sizes, warmUp: count }: LatencyPlan, contender: Contender): Promise<void> {
  const bytes = Math.min(...sizes, warmUpBytesMax);
  await timeMessages(crews[crewOf(contender)], { contender, pace: warmUpPace, count, bytes });
}

let trials = 0;

async function timeMessages(crew: Crew, sending: Omit<Sending, 'trial'>): Promise<Timing> {
  const { contender, pace, count, bytes } = sending;
  const sender = senderOf(crew, contender);
  trials += 1;
  await Promise.all(crew.nodes.map((node) => node.call('expect', { trial: trials, count, bytes })));
  const millis = await sender.call('send', { ...sending, trial: trials });
  const patience = { count, quietMillis: quietMillis[crewOf(contender)] };
  const others = crew.nodes.filter((node) => node !== sender);
  const got = await Promise.all(others.map((node) => node.call('collect', patience)));
  const own = contender.order === 'raw' ? [] : [await sender.call('collect', patience)];
  const faults = sum([...got, ...own].map((each) => each.faults));
  const sorted = latest(got.map(({ micros }) => micros)).sort();
  const atSender = latest(own.map(({ micros }) => micros)).sort();
  const lost = count - Math.min(sorted.length, ...own.map(() => atSender.length));
  const isWrong = faults > 0 || sorted.length === 0 || (contender.order !== 'raw' && lost > 0);
  if (isWrong) throw new MeasurementFailed(`${contender.name}: ${lost} of ${count} lost, ${faults} doubled or damaged`);
  const perSecond = (1000 * count) / millis;
  const kept = pace.kind === 'steady' ? perSecond / pace.perSecond : 1;
  return { sorted, own: atSender, perSecond, kept, lost };
}

async function timeAsks(
  { nodes }: Crew,
  { asker, atOnce }: AskKind,
  members: number,
  millis: number,
): Promise<AskTiming> {
  const node = nodes[asker === 'oldest' ? 0 : 1];
  if (!node) throw new MeasurementFailed(`no process asks: ${members} members`);
  const ask = (millisAsked: number) => node.call('ask', { millis: millisAsked, atOnce, bytes: askBytes });
  // code is compiled
  await ask(millis / 4);
  const { micros, perSecond, incomplete } = await ask(millis);
  if (incomplete > 0) throw new MeasurementFailed(`ask: ${incomplete} of ${micros.length} without a reply of each`);
  return { sorted: micros.sort(), perSecond };
}
