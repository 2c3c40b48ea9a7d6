/** Four nodes with a member each in many groups. */
import type { Agreed, ManyAssignment, ManyNode } from './many-node.js';
import { startRemote, type Remote } from './remote.js';
import { freshDomain, monotonic, type Stage } from './stage.js';

/** Nodes of one domain, the oldest first. */
export interface ManyCrew {
  readonly domain: string;
  readonly groups: number;
  readonly nodes: Remote<ManyNode>[];
}

const formMillisMax = 60_000;

/** Starts the nodes one after the other, so that the first is the oldest; resolves when all are in all groups. */
export async function assemble(stage: Stage, names: readonly string[], groups: number): Promise<ManyCrew> {
  const crew: ManyCrew = { domain: freshDomain(), groups, nodes: [] };
  for (const name of names) {
    addNode(stage, crew, name);
    await crew.nodes[0]?.call('work', null, formMillisMax);
  }
  await agreed(crew, names);
  return crew;
}

/** One more node; whether it is in is for {@link agreed} to say. */
export function addNode(stage: Stage, crew: ManyCrew, name: string): void {
  const assignment: ManyAssignment = { domain: crew.domain, name, groups: crew.groups };
  crew.nodes.push(startRemote<ManyNode>(stage, `${name}-${crew.groups}`, './many-node.js', assignment));
}

/** Resolves when all groups of all nodes have these members. */
export function agreed(crew: ManyCrew, names: readonly string[]): Promise<Agreed[]> {
  return Promise.all(crew.nodes.map((node) => node.call('agreed', names, formMillisMax)));
}

/** Kills a node with SIGKILL; when, and when the groups had their new views at each survivor. */
export async function killNode(crew: ManyCrew, index: number): Promise<{ at: number; survivors: Agreed[] }> {
  const [victim] = crew.nodes.splice(index, 1);
  const at = monotonic();
  victim?.child.kill('SIGKILL');
  await victim?.exited;
  const names = crew.nodes.map(({ name }) => name.split('-')[0] as string);
  return { at, survivors: await agreed(crew, names) };
}
