/** What is made of the answers of a trial's processes, and that a loss is no rate. */
import test from 'ava';
import type { Crew } from '../../bench/crew.js';
import type { Point } from '../../bench/plan.js';
import type { Answer, Sample, Tallied, Traffic } from '../../bench/protocol.js';
import { NotARate, runTrial } from '../../bench/trial.js';

const times = { warmUpMillis: 0, measuredMillis: 1000, multicasts: null };
const pauses = { p50: 5, p99: 6, p999: 7, longest: 8, garbage: 2 };

function traffic(datagrams: number, withoutData: number, acks: number, bytes: number, payloadBytes = 0): Traffic {
  return { datagrams, bytes, withoutData, acks, payloadBytes };
}

interface Process {
  readonly sample: Partial<Sample> & Pick<Sample, 'delivered' | 'traffic'>;
  readonly sent: number;
  readonly wrong?: Partial<Tallied>;
  /** Of the whole trial. */
  readonly all: Traffic;
}

/** A crew whose processes answer that. */
function crewOf(processes: readonly Process[]): Crew {
  const answers: Record<string, Answer[]> = {
    measured: processes.map(({ sample }) => ({
      kind: 'measured',
      sample: { millis: 1000, cpuSeconds: 0.5, pauses, memoryBefore: 10, memory: 20, ...sample },
    })),
    stopped: processes.map(({ sent }) => ({ kind: 'stopped', sent })),
    drained: processes.map(({ wrong, all }) => ({
      kind: 'drained',
      tallied: { delivered: [], missing: 0, misordered: 0, damaged: 0, ...wrong },
      traffic: all,
    })),
  };
  return {
    description: '',
    ask: <K extends Answer['kind']>(_command: unknown, kind: K) =>
      Promise.resolve(answers[kind] as Extract<Answer, { kind: K }>[]),
    dismiss: () => Promise.resolve(),
  };
}

const point: Point = { bytes: 100, values: 'bytes', senders: 'one', members: 3 };

/** One sends, two receive; of 1200 messages 1000 and 900 come within the measured second. */
const processes: readonly Process[] = [
  {
    sample: { delivered: [7, 0, 0], traffic: traffic(20, 0, 0, 130_000) },
    sent: 1200,
    all: traffic(25, 0, 0, 125_000),
  },
  {
    sample: { delivered: [1000, 0, 0], traffic: traffic(6, 6, 4, 300), pauses: { ...pauses, longest: 50 }, memory: 30 },
    sent: 0,
    all: traffic(8, 8, 6, 400),
  },
  {
    sample: { delivered: [1800, 0, 0], millis: 2000, traffic: traffic(6, 6, 4, 300) },
    sent: 0,
    all: traffic(8, 8, 6, 600),
  },
];

test('a rate is that of a receiver, own deliveries do not count, shares are of all that was sent', async (t) => {
  const outcome = await runTrial(crewOf(processes), point, times, 0);
  t.is(outcome.rate, 950);
  t.is(outcome.cpuPerMillion, (1.5 / 2800) * 1e6);
  t.deepEqual(outcome.traffic, {
    datagramsPerMessage: 32 / 1400,
    bytesPerMessage: 130_600 / 1400,
    protocolBytesPerMessage: (126_000 - 1200 * 100) / 1200,
    withoutData: 12 / 32,
    dataPerAck: 20 / (8 / 2),
  });
  t.deepEqual(outcome.pauses, { ...pauses, longest: 50 });
  t.like(outcome, { memoryBefore: 10, memory: 30 });
});

test('protocol bytes beside objects are those that no object is encoded in', async (t) => {
  const encoded = processes.map((each) => ({ ...each, all: { ...each.all, payloadBytes: each.sent * 40 } }));
  const outcome = await runTrial(crewOf(encoded), { ...point, values: 'objects' }, times, 0);
  t.is(outcome.traffic.protocolBytesPerMessage, (126_000 - 1200 * 40) / 1200);
});

test('lost, twice, damaged, or nothing at all: not a rate', async (t) => {
  for (const wrong of [{ missing: 1 }, { misordered: 1 }, { damaged: 1 }]) {
    const crew = crewOf(processes.map((each, index) => (index === 2 ? { ...each, wrong } : each)));
    await t.throwsAsync(runTrial(crew, point, times, 0), { instanceOf: NotARate, message: /^not a rate: / });
  }
  // what the sender hears of itself is nothing
  const silent = processes.map((each, index) => ({
    ...each,
    sample: { ...each.sample, delivered: [index === 0 ? 9 : 0, 0, 0] },
  }));
  await t.throwsAsync(runTrial(crewOf(silent), point, times, 0), { message: /nothing was delivered/ });
});
