/** The members of a group whose views are made to change. */
import { millis } from '../clock.js';
import { privateNetwork } from '../processes.js';
import type { Network } from '../processes.js';
import { startRemote } from '../remote.js';
import type { Remote } from '../remote.js';
import type { ChangesNode, NodeAssignment } from './node.js';

/** Members by name; those that are there, oldest first. */
export interface Crew {
  readonly network: Network;
  readonly nodes: Map<string, Remote<ChangesNode>>;
}

/** How a member came in; milliseconds. */
export interface Joined {
  /** From when it began to join to its first view, with the state. */
  readonly join: number;
  /** From the start of its process. */
  readonly fromStart: number;
  /** Of the state that it got. */
  readonly bytes: number;
}

/** Starts members one after the other; the first founds the group with a state of so many bytes. */
export async function assemble(members: number, stateBytes: number): Promise<Crew> {
  const crew: Crew = { network: privateNetwork(), nodes: new Map() };
  try {
    for (let i = 0; i < members; i++) await addMember(crew, `member-${i}`, i === 0 ? stateBytes : 0);
  } catch (error) {
    await dismiss(crew);
    throw error;
  }
  return crew;
}

/** Starts a member; resolves when all have the view with it. */
export async function addMember(crew: Crew, name: string, stateBytes = 0): Promise<Joined> {
  const startedAt = millis();
  const assignment: NodeAssignment = { ...crew.network, name, stateBytes };
  const node = startRemote<ChangesNode>(name, new URL('./node.js', import.meta.url), assignment);
  crew.nodes.set(name, node);
  const arrival = await node.call('arrived', null);
  await viewOfAll(crew);
  return { join: arrival.activeAt - arrival.startedAt, fromStart: arrival.activeAt - startedAt, bytes: arrival.bytes };
}

/** Resolves when all members have a view of just them that they have not forgotten, with the time the last one saw it. */
export async function viewOfAll({ nodes }: Crew, except?: string): Promise<number> {
  const seeing = [...nodes].filter(([name]) => name !== except);
  const names = seeing.map(([name]) => name);
  return Math.max(...(await Promise.all(seeing.map(([, node]) => node.call('view', names)))));
}

/** Members know of no view; the next one is new. */
export async function forgetViews({ nodes }: Crew): Promise<void> {
  await Promise.all([...nodes.values()].map((node) => node.call('forget', null)));
}

/** Ends all processes. */
export async function dismiss({ nodes }: Crew): Promise<void> {
  await Promise.all([...nodes.values()].map((node) => node.kill()));
}
