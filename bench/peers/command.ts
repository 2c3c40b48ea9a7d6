/** The command `peers`: delivered messages a second of other systems, next to this library's in the same run. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lookAtMachine } from '../machine.js';
import { checkFile, list, number, oneOf, readArgs, size, UsageError } from '../options.js';
import { messageBytesMin } from '../payload.js';
import type { Contender, Measurement, Plan, Point } from '../plan.js';
import { senderChoices } from '../plan.js';
import { headOf } from '../report.js';
import { partsOf, runRounds } from '../rounds.js';
import { track } from '../track.js';
import { peers } from './catalogue.js';
import type { PeerName } from './catalogue.js';
import { absencesOf, lacksOf, presentOf, rowsOf, tableOf } from './report.js';

/** Not the user's project, whose dependencies stay as they are. */
const defaultModules = path.join(tmpdir(), 'nact-groups-peers');

const help = `Measures other systems that get messages from one process to several, next to this library in total order.

npm run bench -- peers [options]

  --peers ${peers.join(',')}
                         those to measure; which are installed is found out
  --modules FOLDER       where the npm packages of their clients are installed, by default
                         ${defaultModules}
  --sizes 100,1k         bytes of a message (k: 1024)
  --senders one          any of ${senderChoices.join(', ')}: the first process, another one, every process
  --members 4            processes
  --rounds 5             each figure is the median of so many
  --seconds 2            measured time of one trial
  --warm-up 1            seconds before that
  --json FILE            writes all figures to FILE
  --quick                one short round, about a minute
  --help

A message is counted in the receiver's function, which touches it; it is an error if any is lost, doubled or out of its
sender's order. Servers are started here, on loopback, and keep nothing on disk; their CPU is counted. Peers without flow
control get a window of messages under way, of which the best without a loss is taken. corosync needs Linux and root.
`;

const spec = {
  peers: { type: 'string' },
  modules: { type: 'string' },
  sizes: { type: 'string' },
  senders: { type: 'string' },
  members: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  json: { type: 'string' },
  quick: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** Messages under way that are tried. */
const windows = [64, 256, 1024, 4096, 16_384];
/** corosync cuts larger ones, and others keep a window of them in memory. */
const messageBytesMax = 64 * 1024;

/** What the command line asks for. */
export interface Request {
  readonly chosen: readonly PeerName[];
  readonly modules: string;
  readonly points: readonly Point[];
  readonly effort: Plan['effort'];
  readonly json: string | undefined;
}

/** Reads the command line; null if it asks for help. Throws {@link UsageError}. */
export function readRequest(args: readonly string[]): Request | null {
  const values = readArgs(args, spec);
  if (values.help) return null;
  const { quick = false } = values;
  const members = number('members', values.members ?? '4', 2, 16, true);
  const sizes = list('sizes', values.sizes ?? '100,1k', (item) =>
    size('sizes', item, messageBytesMin, messageBytesMax),
  );
  const senders = list('senders', values.senders ?? 'one', (item) => oneOf('senders', item, senderChoices));
  return {
    chosen: list('peers', values.peers ?? peers.join(','), (item) => oneOf('peers', item, peers)),
    modules: values.modules ?? defaultModules,
    points: senders.flatMap((who) => sizes.map((bytes) => ({ bytes, values: 'bytes', senders: who, members }))),
    effort: {
      rounds: number('rounds', values.rounds ?? (quick ? '1' : '5'), 1, 100, true),
      warmUpMillis: 1000 * number('warm-up', values['warm-up'] ?? (quick ? '0.5' : '1'), 0, 60, false),
      measuredMillis: 1000 * number('seconds', values.seconds ?? (quick ? '1' : '2'), 0.1, 60, false),
      multicasts: null,
      sweepMillis: quick ? 200 : 400,
      sweepPasses: quick ? 1 : 2,
      windows,
    },
    json: values.json,
  };
}

/** Every contender at every point: the library first, then those of the peers that are here. */
function measurementsOf({ chosen, modules, points }: Request): Measurement[] {
  const library: Contender = { kind: 'groups', order: 'total', transport: 'udp', through: 'multicast', keyed: false };
  const others = presentOf(chosen, modules).map((peer): Contender => ({ kind: 'peer', peer, modules }));
  return points.flatMap((point) => [library, ...others].map((contender) => ({ point, contender })));
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export async function run(args: readonly string[]): Promise<number> {
  const request = readRequest(args);
  if (request === null) {
    console.log(help);
    return 0;
  }
  const { chosen, modules, effort, json } = request;
  checkFile('json', json);
  const absences = absencesOf(chosen, modules);
  const machine = lookAtMachine();
  console.log([headOf(machine, effort), ...absences].join('\n'));
  const measurements = measurementsOf(request);
  if (measurements.length === request.points.length) {
    throw new UsageError(`--peers ${chosen.join(',')}: none of them is installed; see above for what to type`);
  }
  const plan = { measurements, effort, profiles: undefined };
  const rows = rowsOf(await track(partsOf(plan), (to) => runRounds(plan, to)));
  console.log(`\n${tableOf(rows)}\n\n${lacksOf(presentOf(chosen, modules))}`);
  if (json !== undefined) {
    const command = ['npm run bench -- peers', ...args].join(' ');
    writeFileSync(json, `${JSON.stringify({ command, machine, effort, absences, rows }, null, 2)}\n`);
  }
  return rows.some(({ failures }) => failures.length > 0) ? 1 : 0;
}
