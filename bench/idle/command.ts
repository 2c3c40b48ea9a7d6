/** The command `idle`: what a domain costs in which nothing is said. */
import { perform } from '../command.js';
import { list, number, readArgs } from '../options.js';
import { domainsOf, measureIdle } from './measure.js';
import type { IdlePlan } from './measure.js';
import { growthsOf, tablesOf } from './report.js';

const help = `Measures what nodes cost while nothing is sent: packets, bytes, processor time, and memory by groups and members.

npm run bench -- idle [options]

  --groups 1,100,1000    groups of a domain, each with a member at each node
  --members 4            nodes of those domains
  --member-counts 2,4,8  nodes of further domains, which tell what a member takes,
  --member-groups 100    with so many groups
  --seconds 10           measured time of each domain
  --json FILE            writes all figures to FILE
  --quick                1 and 10 groups, 2 and 3 members, a second each
  --help

Packets and bytes are those of the whole domain, processor time and memory the mean of its nodes. Memory is that after
garbage was collected; resident memory includes the code of Node.js itself.
`;

const spec = {
  groups: { type: 'string' },
  members: { type: 'string' },
  'member-counts': { type: 'string' },
  'member-groups': { type: 'string' },
  seconds: { type: 'string' },
  json: { type: 'string' },
  quick: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const groupsMax = 10_000;
const membersMax = 32;

/** What the command line asks for; null: help. Throws {@link UsageError}. */
export function readPlan(args: readonly string[]): { plan: IdlePlan; json: string | undefined } | null {
  const values = readArgs(args, spec);
  if (values.help) return null;
  const { quick = false } = values;
  const count = (option: string, text: string, least: number, most: number) => number(option, text, least, most, true);
  const plan: IdlePlan = {
    groups: list('groups', values.groups ?? (quick ? '1,10' : '1,100,1000'), (item) =>
      count('groups', item, 1, groupsMax),
    ),
    members: count('members', values.members ?? (quick ? '2' : '4'), 1, membersMax),
    memberCounts: list('member-counts', values['member-counts'] ?? (quick ? '2,3' : '2,4,8'), (item) =>
      count('member-counts', item, 1, membersMax),
    ),
    memberGroups: count('member-groups', values['member-groups'] ?? (quick ? '10' : '100'), 1, groupsMax),
    settleMillis: quick ? 500 : 3000,
    measuredMillis: 1000 * number('seconds', values.seconds ?? (quick ? '1' : '10'), 0.1, 600, false),
  };
  return { plan, json: values.json };
}

/** Measures as the command line asks; resolves with the exit status: 1 if a measurement failed. */
export function run(args: readonly string[]): Promise<number> {
  return perform(args, {
    name: 'idle',
    help,
    readPlan,
    subject: ({ members }) => `${members} nodes, a process each, UDP multicast on loopback`,
    parts: (plan) => domainsOf(plan).length,
    async measure(plan, to) {
      const domains = await measureIdle(plan, to);
      const growths = growthsOf(domains, plan.members, plan.memberGroups);
      return { tables: tablesOf(domains, growths), figures: { domains, growths }, isPartial: false };
    },
  });
}
