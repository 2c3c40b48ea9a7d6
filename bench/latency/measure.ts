/**
 * Times messages: in each round the baseline and then the library, in processes started anew and warmed up alike, so that
 * each is compared with a baseline of the same minute on the same machine.
 *
 * The time of a message is that until the last of the members that did not send it has it. Half load is half of what the
 * same contender reached in a short trial at full speed just before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasurementFailed } from '../crew.js';
import type { Effort } from '../plan.js';
import type { Remote } from '../remote.js';
import { runRounds } from '../rounds.js';
import { sum } from '../statistics.js';
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

/** All trials of one kind. */
export interface Course<K, T> {
  readonly kind: K;
  readonly crew: 'raw' | 'groups';
  readonly run: (crew: Crew) => Promise<T>;
  /** By round; null where the measurement failed. */
  readonly trials: (T | null)[];
  readonly failures: string[];
}

/** All that a run has shown. */
export interface Measured {
  readonly latencies: readonly Course<LatencyKind, Timing>[];
  readonly asks: readonly Course<AskKind, AskTiming>[];
}

/** At low load messages are so far apart. */
const apart: Pace = { kind: 'apart', leastMillis: 5, mostMillis: 10 };
const warmUpPace: Pace = { kind: 'steady', perSecond: 1000 };
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

/** Runs the plan; `tell` gets a line for each thing done. */
export async function measureLatency(plan: LatencyPlan, tell: (line: string) => void): Promise<Measured> {
  const kinds = plan.sizes.flatMap((bytes) =>
    plan.loads.flatMap((load) => plan.contenders.map((contender) => ({ bytes, load, contender }))),
  );
  const latencies = kinds.map((kind) => latencyCourse(plan, kind));
  const asks = plan.askMillis > 0 ? askCourses(plan) : [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const crew of ['raw', 'groups'] as const) {
      tell(`round ${round} of ${plan.rounds}: ${crew}`);
      const due = [...latencies, ...asks].filter((each) => each.crew === crew);
      await runAll(plan, crew, due, tell);
    }
  }
  return { latencies, asks };
}

/** One trial of each course, by processes of their own. */
async function runAll(
  plan: LatencyPlan,
  kind: 'raw' | 'groups',
  courses: readonly Course<unknown, unknown>[],
  tell: (line: string) => void,
): Promise<void> {
  if (courses.length === 0) return;
  let crew: Crew | undefined;
  let broken: string | undefined;
  try {
    crew = await assemble(kind, plan.members);
    for (const contender of plan.contenders) if (crewOf(contender) === kind) await warmUp(crew, plan, contender);
  } catch (error) {
    broken = reasonOf(error);
  }
  for (const course of courses) {
    try {
      if (!crew || broken !== undefined) throw new MeasurementFailed(broken ?? 'no processes');
      course.trials.push(await course.run(crew));
    } catch (error) {
      const reason = reasonOf(error);
      tell(reason);
      course.trials.push(null);
      course.failures.push(reason);
    }
  }
  await crew?.dismiss();
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
  const run = async (crew: Crew): Promise<Timing> => {
    if (load === 'low') return timeMessages(crew, { contender, pace: apart, count: plan.messages, bytes });
    const perSecond = (await highestRate(plan, kind, crew)) / 2;
    const count = Math.ceil((perSecond * plan.halfMillis) / 1000);
    return timeMessages(crew, { contender, pace: { kind: 'steady', perSecond }, count, bytes });
  };
  return { kind, crew: crewOf(contender), run, trials: [], failures: [] };
}

function askCourses({ members, askMillis }: LatencyPlan): Course<AskKind, AskTiming>[] {
  return (['oldest', 'other'] as const).flatMap((asker) =>
    [1, 10].map((atOnce) => ({
      kind: { asker, atOnce },
      crew: 'groups' as const,
      run: (crew: Crew) => timeAsks(crew, { asker, atOnce }, members, askMillis),
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
  const [result] = await runRounds(plan, () => undefined);
  const rate = result?.outcomes[0]?.rate;
  if (rate === undefined) throw new MeasurementFailed(`raw at full speed: ${result?.failures.join('; ') ?? 'nothing'}`);
  return rate;
}

function senderOf({ nodes }: Crew, { sender }: Contender): Remote<GroupsNode> {
  const node = nodes[sender];
  if (!node) throw new MeasurementFailed(`no process ${sender}`);
  return node;
}

/** Code is compiled, at sender and receivers. */
async function warmUp(crew: Crew, { sizes, warmUp: count }: LatencyPlan, contender: Contender): Promise<void> {
  const [bytes = 0] = sizes;
  await timeMessages(crew, { contender, pace: warmUpPace, count, bytes });
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
