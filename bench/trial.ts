/**
 * One trial: all senders send as fast as they can for a while, then it is checked that everything has arrived.
 *
 * The rate of a point is what one receiver gets: for every sender the mean over the receivers other than itself, added
 * up over the senders. So the baseline, whose senders do not hear themselves, and the library, whose senders deliver
 * their own messages too, are counted alike. CPU is that of all processes, over the same deliveries.
 */
import type { Crew } from './crew.js';
import { MeasurementFailed } from './crew.js';
import { sendersOf } from './plan.js';
import type { Point } from './plan.js';
import type { Pauses } from './pauses.js';
import type { Sample, Tallied, Traffic } from './protocol.js';
import { mean, sum } from './statistics.js';

/** What all processes have sent, next to what they had to. */
export interface TrafficShares {
  /** Datagrams, and bytes in them, per message; acknowledgements and all. */
  readonly datagramsPerMessage: number;
  readonly bytesPerMessage: number;
  /** Of the bytes, per message, those that are no message; over the whole trial, warm-up and end included. */
  readonly protocolBytesPerMessage: number;
  /** Share of the datagrams in which no part of a message is. */
  readonly withoutData: number;
  /** Datagrams with data per acknowledging one, of one receiver; Infinity if there was none. */
  readonly dataPerAck: number;
}

/** What a trial has shown. */
export interface Outcome {
  /** Messages a second at one receiver. */
  readonly rate: number;
  /** CPU seconds of all processes per million deliveries. */
  readonly cpuPerMillion: number;
  readonly traffic: TrafficShares;
  /** Of the process that stood still longest, each. In milliseconds. */
  readonly pauses: Pauses;
  /** Resident memory of the largest process at the beginning and at the end of the measured time, in bytes. */
  readonly memoryBefore: number;
  readonly memory: number;
  /** Datagrams under way at most; 0 where the contender sees to that itself. */
  readonly window: number;
}

/** Messages were lost, or came twice, late or damaged: what was counted is no rate. The processes are well. */
export class NotARate extends MeasurementFailed {
  override readonly name = 'NotARate';
}

/** How long a trial takes. */
export interface TrialTimes {
  readonly warmUpMillis: number;
  readonly measuredMillis: number;
  /** Instead of the measured time; null if it goes by that. */
  readonly multicasts: number | null;
}

/** Beyond the trial's own time; a loaded machine is slow, a stuck contender is an error. */
const patienceMillis = 15_000;
/** For a trial that goes by count. */
const countMillisMax = 10 * 60 * 1000;

/** Runs a trial. Rejects with {@link NotARate}, or another {@link MeasurementFailed} if a process has failed. */
export async function runTrial(crew: Crew, point: Point, times: TrialTimes, window: number): Promise<Outcome> {
  const { warmUpMillis, measuredMillis, multicasts } = times;
  const millisMax = warmUpMillis + patienceMillis + (multicasts === null ? measuredMillis : countMillisMax);
  const command = { kind: 'run', warmUpMillis, measuredMillis, multicasts, window } as const;
  const measured = await crew.ask(command, 'measured', millisMax);
  const stopped = await crew.ask({ kind: 'stop' }, 'stopped', patienceMillis);
  const sent = stopped.map((answer) => answer.sent);
  const drained = await crew.ask({ kind: 'drain', sent }, 'drained', 2 * patienceMillis);
  checkTallies(drained.map(({ tallied }) => tallied));
  const samples = measured.map(({ sample }) => sample);
  const deliveries = deliveriesOf(point, samples);
  return {
    rate: rateOf(point, samples),
    cpuPerMillion: (sum(samples.map(({ cpuSeconds }) => cpuSeconds)) / deliveries) * 1e6,
    traffic: sharesOf(
      point,
      deliveries / (point.members - 1),
      samples.map(({ traffic }) => traffic),
      protocolBytes(
        point,
        sum(sent),
        drained.map(({ traffic }) => traffic),
      ),
    ),
    pauses: worst(samples.map(({ pauses }) => pauses)),
    memoryBefore: Math.max(...samples.map(({ memoryBefore }) => memoryBefore)),
    memory: Math.max(...samples.map(({ memory }) => memory)),
    window,
  };
}

function checkTallies(tallies: readonly Tallied[]): void {
  const missing = sum(tallies.map((tallied) => tallied.missing));
  const misordered = sum(tallies.map((tallied) => tallied.misordered));
  const damaged = sum(tallies.map((tallied) => tallied.damaged));
  if (missing + misordered + damaged === 0) return;
  throw new NotARate(`not a rate: ${missing} lost, ${misordered} out of order or twice, ${damaged} damaged`);
}

function rateOf(point: Point, samples: readonly Sample[]): number {
  const perSecond = (sample: Sample, sender: number) => ((sample.delivered[sender] ?? 0) / sample.millis) * 1000;
  return sum(
    sendersOf(point).map((sender) =>
      mean(samples.filter((_, index) => index !== sender).map((sample) => perSecond(sample, sender))),
    ),
  );
}

/** Deliveries in the measured time, but for those of one's own messages. */
function deliveriesOf(point: Point, samples: readonly Sample[]): number {
  const deliveries = sum(
    sendersOf(point).map((sender) =>
      sum(samples.filter((_, index) => index !== sender).map(({ delivered }) => delivered[sender] ?? 0)),
    ),
  );
  if (deliveries === 0) throw new NotARate('nothing was delivered in the measured time');
  return deliveries;
}

/** Bytes per message that are none of it. An object's are those that it is encoded in. */
function protocolBytes({ values, bytes }: Point, messages: number, traffic: readonly Traffic[]): number {
  const all = sum(traffic.map((each) => each.bytes));
  const payload = values === 'bytes' ? messages * bytes : sum(traffic.map(({ payloadBytes }) => payloadBytes));
  return (all - payload) / messages;
}

function sharesOf(
  { members }: Point,
  messages: number,
  traffic: readonly Traffic[],
  protocolBytesPerMessage: number,
): TrafficShares {
  const datagrams = sum(traffic.map((each) => each.datagrams));
  const withoutData = sum(traffic.map((each) => each.withoutData));
  const acks = sum(traffic.map((each) => each.acks));
  return {
    datagramsPerMessage: datagrams / messages,
    bytesPerMessage: sum(traffic.map(({ bytes }) => bytes)) / messages,
    protocolBytesPerMessage,
    withoutData: withoutData / datagrams,
    dataPerAck: ((datagrams - withoutData) * (members - 1)) / acks,
  };
}

/** Of the process, or the trial, that did worst, figure by figure. */
export function worst(pauses: readonly Pauses[]): Pauses {
  const most = (key: keyof Pauses) => Math.max(...pauses.map((each) => each[key]));
  return { p50: most('p50'), p99: most('p99'), p999: most('p999'), longest: most('longest'), garbage: most('garbage') };
}
