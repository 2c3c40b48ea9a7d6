/** The command `rates`: delivered multicasts a second, next to raw UDP multicast in the same run. */
import { writeFileSync } from 'node:fs';
import { lookAtMachine } from './machine.js';
import { checkFile, checkFolder, list, number, oneOf, readArgs, size } from './options.js';
import { messageBytesMin } from './payload.js';
import { contendersOf, orders, pointsOf, senderChoices, transports } from './plan.js';
import type { Plan } from './plan.js';
import type { Report } from './report.js';
import { headOf, rowsOf, tableOf } from './report.js';
import { runRounds } from './rounds.js';

/** What `--help` prints. */
const help = `Measures delivered multicasts a second, next to raw UDP multicast in the same run.

npm run bench -- rates [options]

  --sizes 100,1k,10k     bytes of a message (k: 1024, m: 1024 k)
  --orders total         any of ${orders.join(', ')}
  --transports udp       any of ${transports.join(', ')}
  --senders one          any of ${senderChoices.join(', ')}: the oldest member, one that is not, every member
  --members 4            processes
  --rounds 3             each figure is the median of so many
  --seconds 2            measured time of one trial
  --warm-up 1            seconds before that
  --limit                also the limit: messages packed by hand, without any protocol
  --json FILE            writes all figures to FILE
  --profile FOLDER       the processes write CPU profiles there (figures suffer)
  --quick                one short round, under 30 seconds
  --help

A rate is counted in the user's function, which touches every message; it is an error if any is lost, doubled or out of
order at any member. The raw baseline is one datagram per message with a window of unacknowledged ones, of which the
best without a loss is taken.
`;

/** What the command line asks for. */
export type Options =
  { readonly kind: 'help' } | { readonly kind: 'run'; readonly plan: Plan; readonly json: string | undefined };

const spec = {
  sizes: { type: 'string' },
  orders: { type: 'string' },
  transports: { type: 'string' },
  senders: { type: 'string' },
  members: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  limit: { type: 'boolean' },
  json: { type: 'string' },
  profile: { type: 'string' },
  quick: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const windows = [8, 16, 32, 64, 128, 256, 512, 1024];
/** A datagram that raw sends must hold a message. */
const messageBytesMax = 65_507;

/** Reads the command line. Throws {@link UsageError}. */
export function readOptions(args: readonly string[]): Options {
  const values = readArgs(args, spec);
  if (values.help) return { kind: 'help' };
  const { quick = false } = values;
  const members = number('members', values.members ?? '4', 2, 64, true);
  const choices = {
    sizes: list('sizes', values.sizes ?? '100,1k,10k', (item) => size('sizes', item, messageBytesMin, messageBytesMax)),
    orders: list('orders', values.orders ?? 'total', (item) => oneOf('orders', item, orders)),
    senders: list('senders', values.senders ?? 'one', (item) => oneOf('senders', item, senderChoices)),
    transports: list('transports', values.transports ?? 'udp', (item) => oneOf('transports', item, transports)),
    members,
    limit: values.limit ?? false,
  };
  const effort = {
    rounds: number('rounds', values.rounds ?? (quick ? '1' : '3'), 1, 100, true),
    warmUpMillis: 1000 * number('warm-up', values['warm-up'] ?? (quick ? '0.5' : '1'), 0, 60, false),
    measuredMillis: 1000 * number('seconds', values.seconds ?? (quick ? '1' : '2'), 0.1, 60, false),
    sweepMillis: quick ? 100 : 250,
    sweepPasses: quick ? 1 : 2,
    windows,
  };
  const plan = {
    points: pointsOf(choices),
    contenders: contendersOf(choices),
    effort,
    profiles: values.profile,
  };
  return { kind: 'run', plan, json: values.json };
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.kind === 'help') {
    console.log(help);
    return 0;
  }
  const { plan, json } = options;
  checkFile('json', json);
  checkFolder('profile', plan.profiles);
  const machine = lookAtMachine();
  console.log(headOf(machine, plan.effort));
  const rows = rowsOf(await runRounds(plan, (line) => console.error(line)));
  console.log(`\n${tableOf(rows)}`);
  if (json !== undefined) {
    const command = ['npm run bench -- rates', ...args].join(' ');
    const report: Report = { command, machine, effort: plan.effort, rows };
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return rows.some(({ failures }) => failures.length > 0) ? 1 : 0;
}
