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
import type { Sample, Tallied } from './protocol.js';
import { mean, sum } from './statistics.js';

/** What a trial has shown. */
export interface Outcome {
  /** Messages a second at one receiver. */
  readonly rate: number;
  /** CPU seconds of all processes per million deliveries. */
  readonly cpuPerMillion: number;
  /** Datagrams, and bytes in them, that all processes sent per message; acknowledgements and all. */
  readonly datagramsPerMessage: number;
  readonly bytesPerMessage: number;
  /** Resident memory of the largest process, in bytes. */
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
}

/** Beyond the trial's own time; a loaded machine is slow, a stuck contender is an error. */
const patienceMillis = 15_000;

/** Runs a trial. Rejects with {@link NotARate}, or another {@link MeasurementFailed} if a process has failed. */
export async function runTrial(crew: Crew, point: Point, times: TrialTimes, window: number): Promise<Outcome> {
  const millisMax = times.warmUpMillis + times.measuredMillis + patienceMillis;
  const measured = await crew.ask({ kind: 'run', ...times, window }, 'measured', millisMax);
  const stopped = await crew.ask({ kind: 'stop' }, 'stopped', patienceMillis);
  const sent = stopped.map((answer) => answer.sent);
  const drained = await crew.ask({ kind: 'drain', sent }, 'drained', 2 * patienceMillis);
  checkTallies(drained.map(({ tallied }) => tallied));
  return {
    ...evaluate(
      point,
      measured.map(({ sample }) => sample),
    ),
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

function evaluate(point: Point, samples: readonly Sample[]): Omit<Outcome, 'window'> {
  const perSecond = (sample: Sample, sender: number) => ((sample.delivered[sender] ?? 0) / sample.millis) * 1000;
  let rate = 0;
  let deliveries = 0;
  for (const sender of sendersOf(point)) {
    const receivers = samples.filter((_, index) => index !== sender);
    rate += mean(receivers.map((sample) => perSecond(sample, sender)));
    deliveries += sum(receivers.map((sample) => sample.delivered[sender] ?? 0));
  }
  const messages = deliveries / (samples.length - 1);
  if (deliveries === 0) throw new NotARate('nothing was delivered in the measured time');
  return {
    rate,
    cpuPerMillion: (sum(samples.map(({ cpuSeconds }) => cpuSeconds)) / deliveries) * 1e6,
    datagramsPerMessage: sum(samples.map(({ datagrams }) => datagrams)) / messages,
    bytesPerMessage: sum(samples.map(({ bytesSent }) => bytesSent)) / messages,
    memory: Math.max(...samples.map(({ memory }) => memory)),
  };
}
