/** The processes of one contender, or of several that are all the library's. */
import { privateNetwork } from '../processes.js';
import { startRemote } from '../remote.js';
import type { Remote } from '../remote.js';
import type { GroupsNode } from './groups-node.js';
import type { NodeAssignment } from './peer.js';

/** Processes that are ready, the oldest member first. */
export interface Crew {
  /** Those of raw multicast serve neither `ask` nor `rush`. */
  readonly nodes: readonly Remote<GroupsNode>[];
  dismiss(): Promise<void>;
}

const readyMillisMax = 20_000;

/** Starts processes that multicast over plain sockets, or are members of a group. */
export async function assemble(kind: 'raw' | 'groups', members: number): Promise<Crew> {
  const network = privateNetwork();
  const nodes: Remote<GroupsNode>[] = [];
  const dismiss = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill()));
  };
  try {
    for (let index = 0; index < members; index++) {
      const assignment: NodeAssignment = { ...network, index, members };
      const file = new URL(`./${kind}-node.js`, import.meta.url);
      const node = startRemote<GroupsNode>(`${kind} process ${index}`, file, assignment);
      nodes.push(node);
      // the first is to be the oldest member
      await node.call('expect', { trial: 0, count: 0, bytes: 0 }, readyMillisMax);
    }
    await Promise.all(nodes.map((node) => node.call('ready', null, readyMillisMax)));
    return { nodes, dismiss };
  } catch (error) {
    await dismiss();
    throw error;
  }
}
