/** The command `latency`: from sending to the last member's function, next to raw UDP multicast in the same run. */
import { perform } from '../command.js';
import { list, number, oneOf, readArgs, size } from '../options.js';
import { contenderNames, contenders } from './contenders.js';
import { latencyParts, loads, measureLatency, warmUpMessages } from './measure.js';
import type { LatencyPlan } from './measure.js';
import { messageBytesMin } from './messages.js';
import { askRows, latencyRows, tablesOf } from './report.js';

const help = `Measures how long a multicast takes from its sender to the function of the last other member, and how long
it takes to ask all members, next to raw UDP multicast in the same run.

npm run bench -- latency [options]

  --sizes 100            bytes of a message (k: 1024)
  --loads low,half       messages 5 to 10 ms apart; half as many as the contender can send at all
  --contenders NAMES     any of ${contenderNames.slice(1).join(', ')}; default all
  --members 4            processes, from 2
  --rounds 5             each ratio is the median of so many, each in new processes
  --messages 500         of a trial at low load
  --seconds 1            of a trial at half load, and of one that asks
  --no-ask               nobody asks
  --json FILE            writes all figures to FILE
  --quick                one short round at low load, under 30 seconds
  --help

fifo, causal, total and uniform are sent by the oldest member, which sequences the total order; total-other by another one, so that it
takes two hops. The clock is read in the same way for all, just before a message is handed over and first thing in the
handler; 'own p50' is the time to the sender's own function. Raw is one datagram per message from Node's dgram.
`;

const spec = {
  sizes: { type: 'string' },
  loads: { type: 'string' },
  contenders: { type: 'string' },
  members: { type: 'string' },
  rounds: { type: 'string' },
  messages: { type: 'string' },
  seconds: { type: 'string' },
  'no-ask': { type: 'boolean' },
  json: { type: 'string' },
  quick: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** What one datagram holds. */
const messageBytesMax = 65_507;

/** What the command line asks for; null: help. Throws {@link UsageError}. */
export function readPlan(args: readonly string[]): { plan: LatencyPlan; json: string | undefined } | null {
  const values = readArgs(args, spec);
  if (values.help) return null;
  const { quick = false } = values;
  const names = list('contenders', values.contenders ?? contenderNames.slice(1).join(), (item) =>
    oneOf('contenders', item, contenderNames),
  );
  const millis = 1000 * number('seconds', values.seconds ?? (quick ? '0.4' : '1'), 0.1, 60, false);
  const plan: LatencyPlan = {
    sizes: list('sizes', values.sizes ?? '100', (item) => size('sizes', item, messageBytesMin, messageBytesMax)),
    loads: list('loads', values.loads ?? (quick ? 'low' : loads.join()), (item) => oneOf('loads', item, loads)),
    // the baseline is always there
    contenders: contenders.filter(({ name, order }) => order === 'raw' || names.includes(name)),
    members: number('members', values.members ?? '4', 2, 64, true),
    rounds: number('rounds', values.rounds ?? (quick ? '1' : '5'), 1, 100, true),
    messages: number('messages', values.messages ?? (quick ? '100' : '500'), 10, 100_000, true),
    halfMillis: millis,
    askMillis: values['no-ask'] ? 0 : millis,
    warmUp: warmUpMessages(quick),
  };
  return { plan, json: values.json };
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export function run(args: readonly string[]): Promise<number> {
  return perform(args, {
    name: 'latency',
    help,
    readPlan,
    subject: ({ rounds, members }) => `median of ${rounds} rounds; ${members} processes, UDP multicast on loopback`,
    parts: latencyParts,
    async measure(plan, to) {
      const measured = await measureLatency(plan, to);
      const [latencies, asks] = [latencyRows(measured), askRows(measured)];
      const isPartial = [...latencies, ...asks].some(({ failures }) => failures.length > 0);
      return { tables: tablesOf(latencies, asks), figures: { latencies, asks }, isPartial };
    },
  });
}
