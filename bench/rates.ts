/** The command `rates`: delivered multicasts a second, next to raw UDP multicast in the same run. */
import { writeFileSync } from 'node:fs';
import { datagramBytesMax } from './datagrams.js';
import { effortHelp, effortSpec, readEffort } from './effort.js';
import { lookAtMachine } from './machine.js';
import { checkFile, checkFolder, list, number, oneOf, readArgs, size, UsageError } from './options.js';
import { lookMillis } from './pauses.js';
import { messageBytesMin } from './payload.js';
import {
  measurementsOf,
  objectBytes,
  orders,
  senderChoices,
  throughChoices,
  transports,
  valueChoices,
} from './plan.js';
import type { Choices, Plan } from './plan.js';
import { plotOf } from './plot.js';
import type { Report } from './report.js';
import { headOf, rowsOf, seriesOf, tableOf } from './report.js';
import { partsOf, runRounds } from './rounds.js';
import { track } from './track.js';

/** What `--help` prints. */
const help = `Measures delivered multicasts a second, next to raw UDP multicast in the same run.

npm run bench -- rates [options]

  --sizes 100,1k,10k     bytes of a message (k: 1024, m: 1024 k)
  --values bytes         any of ${valueChoices.join(', ')}: objects are small ones, beside datagrams of ${objectBytes} bytes
  --orders total         any of ${orders.join(', ')}
  --transports udp       any of ${transports.join(', ')}
  --senders one          any of ${senderChoices.join(', ')}: the oldest member, one that is not, every member
  --through multicast    any of ${throughChoices.join(', ')}: the library's function, or nact's own
  --members 4            processes; several numbers for several groups
  --rounds 3             each figure is the median of so many
${effortHelp}
  --multicasts N         instead, until every process has seen so many
  --key                  also under a key: everything encrypted
  --rekey                also with a group key besides: messages encrypted twice
  --limit                also the limit: messages packed by hand, without any protocol; and that with a copy at each process
  --json FILE            writes all figures to FILE
  --svg FILE             writes a plot: times raw over bytes of a message
  --profile FOLDER       the processes write CPU profiles there (figures suffer)
  --quick                one short round, under 30 seconds
  --help

A rate is counted in the user's function, which touches every message; it is an error if any is lost, doubled or out of
order at any member. The raw baseline is one datagram per message with a window of unacknowledged ones, of which the
best without a loss is taken. A message above ${datagramBytesMax} bytes goes in several datagrams there.

A pause is the time between two looks at the clock by the event loop, ${lookMillis} ms of which are meant. Protocol bytes are all
bytes in datagrams but those of the messages; of an object, but those that it is encoded in.
`;

/** What the command line asks for. */
export type Options =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'run';
      readonly plan: Plan;
      readonly json: string | undefined;
      readonly svg: string | undefined;
    };

const spec = {
  ...effortSpec,
  sizes: { type: 'string' },
  values: { type: 'string' },
  orders: { type: 'string' },
  transports: { type: 'string' },
  senders: { type: 'string' },
  through: { type: 'string' },
  members: { type: 'string' },
  multicasts: { type: 'string' },
  key: { type: 'boolean' },
  rekey: { type: 'boolean' },
  limit: { type: 'boolean' },
  json: { type: 'string' },
  svg: { type: 'string' },
  profile: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** What fits several times into what the library keeps for its senders. */
const messageBytesMax = 4 * 1024 * 1024;

/** Reads the command line. Throws {@link UsageError}. */
export function readOptions(args: readonly string[]): Options {
  const values = readArgs(args, spec);
  if (values.help) return { kind: 'help' };
  const plan = {
    measurements: measurementsOf(readChoices(values)),
    effort: { ...readEffort(values, 3), multicasts: readMulticasts(values) },
    profiles: values.profile,
  };
  return { kind: 'run', plan, json: values.json, svg: values.svg };
}

type Given = ReturnType<typeof readArgs<typeof spec>>;

function readChoices(given: Given): Choices {
  const choices = {
    sizes: list('sizes', given.sizes ?? '100,1k,10k', (item) => size('sizes', item, messageBytesMin, messageBytesMax)),
    values: list('values', given.values ?? 'bytes', (item) => oneOf('values', item, valueChoices)),
    orders: list('orders', given.orders ?? 'total', (item) => oneOf('orders', item, orders)),
    senders: list('senders', given.senders ?? 'one', (item) => oneOf('senders', item, senderChoices)),
    transports: list('transports', given.transports ?? 'udp', (item) => oneOf('transports', item, transports)),
    throughs: list('through', given.through ?? 'multicast', (item) => oneOf('through', item, throughChoices)),
    members: list('members', given.members ?? '4', (item) => number('members', item, 2, 64, true)),
    keyed: [false, ...(given.key ? [true] : []), ...(given.rekey ? ['rekey' as const] : [])],
    limit: given.limit ?? false,
  };
  if (choices.throughs.includes('dispatch') && choices.orders.includes('uniform')) {
    throw new UsageError('--through dispatch --orders uniform: a dispatch is never uniform; leave one of them out');
  }
  return choices;
}

function readMulticasts({ multicasts }: Given): number | null {
  return multicasts === undefined ? null : number('multicasts', multicasts, 1, 1e9, true);
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.kind === 'help') {
    console.log(help);
    return 0;
  }
  const { plan, json, svg } = options;
  checkFile('json', json);
  checkFile('svg', svg);
  checkFolder('profile', plan.profiles);
  const machine = lookAtMachine();
  console.log(headOf(machine, plan.effort));
  const results = await track(partsOf(plan), (to) => runRounds(plan, to));
  const rows = rowsOf(results);
  console.log(`\n${tableOf(rows)}`);
  if (svg !== undefined) writeFileSync(svg, plotOf(seriesOf(rows), headOf(machine, plan.effort).split('\n')));
  if (json !== undefined) {
    const command = ['npm run bench -- rates', ...args].join(' ');
    const report: Report = { command, machine, effort: plan.effort, rows };
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return rows.some(({ failures }) => failures.length > 0) ? 1 : 0;
}
