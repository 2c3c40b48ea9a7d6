/** The command `changes`: how long a group takes to agree on another membership. */
import { perform } from '../command.js';
import { number, readArgs, size } from '../options.js';
import { median } from '../statistics.js';
import { formatTable } from '../table.js';
import { changes, changesParts, measureChanges } from './measure.js';
import type { Change, ChangesPlan, Timed } from './measure.js';

const help = `Measures how long views take to change: a member is killed, leaves, joins, joins with a large state.

npm run bench -- changes [options]

  --members 4            processes, from 3
  --repetitions 10       of each change; members of each rank in turn
  --state 50m            bytes of the state that a joiner gets (k: 1024, m: 1024 k); 0: none
  --json FILE            writes all figures to FILE
  --quick                two repetitions, and 5m of state
  --help

A change ends when the last member of the new view has it and whoever leaves or joins is out or in, with the state. Nothing
is multicast meanwhile. The rate is that of the state from when the joiner began to join.
`;

const spec = {
  members: { type: 'string' },
  repetitions: { type: 'string' },
  state: { type: 'string' },
  json: { type: 'string' },
  quick: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const stateBytesMax = 1024 ** 3;

/** What the command line asks for; null: help. Throws {@link UsageError}. */
export function readPlan(args: readonly string[]): { plan: ChangesPlan; json: string | undefined } | null {
  const values = readArgs(args, spec);
  if (values.help) return null;
  const { quick = false } = values;
  const plan: ChangesPlan = {
    members: number('members', values.members ?? '4', 3, 32, true),
    repetitions: number('repetitions', values.repetitions ?? (quick ? '2' : '10'), 1, 1000, true),
    stateBytes: size('state', values.state ?? (quick ? '5m' : '50m'), 0, stateBytesMax),
  };
  return { plan, json: values.json };
}

/** All repetitions of a change; in milliseconds. */
export interface ChangeRow {
  readonly change: Change;
  readonly median: number;
  readonly max: number;
  readonly repetitions: number;
  /** Of the state, at the median; null if there is none. */
  readonly megabytesPerSecond: number | null;
}

/** Medians of what was timed, in the order in which changes are listed. */
export function rowsOf(timed: readonly Timed[]): ChangeRow[] {
  return changes.flatMap((change) => {
    const all = timed.filter((each) => each.change === change);
    if (all.length === 0) return [];
    const times = all.map(({ millis }) => millis);
    const rates = all.flatMap(({ bytes, millis }) => (bytes > 0 ? [bytes / 1000 / millis] : []));
    return {
      change,
      median: median(times),
      max: Math.max(...times),
      repetitions: all.length,
      megabytesPerSecond: rates.length > 0 ? median(rates) : null,
    };
  });
}

function tableOf(rows: readonly ChangeRow[]): string {
  const lines = rows.map((row) => [
    row.change,
    row.median.toFixed(0),
    row.max.toFixed(0),
    String(row.repetitions),
    row.megabytesPerSecond?.toFixed(0) ?? '',
  ]);
  return formatTable(['change', 'median ms', 'max ms', 'times', 'MB/s'], lines, 1);
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export function run(args: readonly string[]): Promise<number> {
  return perform(args, {
    name: 'changes',
    help,
    readPlan,
    subject: ({ members }) => `${members} members, a process each, UDP multicast on loopback`,
    parts: changesParts,
    async measure(plan, to) {
      const rows = rowsOf(await measureChanges(plan, to));
      return { tables: tableOf(rows), figures: { rows }, isPartial: false };
    },
  });
}
