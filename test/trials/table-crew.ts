/** Nodes that replicate a table. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startRemote, type Remote } from './remote.js';
import { freshDomain, monotonic, type Stage } from './stage.js';
import type { TableAssignment, TableNode } from './table-node.js';
import type { Variant } from './table.js';

/** Nodes of one domain, the oldest first. */
export interface TableCrew {
  readonly domain: string;
  readonly variant: Variant;
  readonly nodes: Remote<TableNode>[];
}

/** How long a joiner takes with the chunks of its state. */
export type Pace = Pick<TableAssignment, 'chunkMillis' | 'firstChunkMillis'>;

const prompt: Pace = { chunkMillis: 0, firstChunkMillis: 0 };
const arriveMillisMax = 90_000;

/** Starts nodes one after the other, each with the state before the next. */
export async function assembleTable(stage: Stage, variant: Variant, names: readonly string[]): Promise<TableCrew> {
  const crew: TableCrew = { domain: freshDomain(), variant, nodes: [] };
  for (const name of names) await addTableNode(stage, crew, name).call('arrived', null, arriveMillisMax);
  return crew;
}

/** One more node. */
export function addTableNode(stage: Stage, crew: TableCrew, name: string, pace: Pace = prompt): Remote<TableNode> {
  const { domain, variant, nodes } = crew;
  const assignment: TableAssignment = { domain, name, variant, founder: nodes.length === 0, ...pace };
  const node = startRemote<TableNode>(stage, `${name}-${variant.kind}`, './table-node.js', assignment);
  nodes.push(node);
  return node;
}

/** The number of different states once nothing is under way: digests are asked for until they agree, for a while. */
export async function differentStates({ nodes }: TableCrew): Promise<number> {
  const until = monotonic() + 15_000;
  for (;;) {
    const applied = await Promise.all(nodes.map((node) => node.call('state', null)));
    if (new Set(applied.map((state) => state.applied)).size === 1 || monotonic() > until) break;
    await sleep(50);
  }
  return new Set(await Promise.all(nodes.map((node) => node.call('digest', null, arriveMillisMax)))).size;
}
