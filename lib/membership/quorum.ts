/**
 * Quorums (dynamic linear voting): more than half of the nodes, or exactly half if the oldest is among them. Any two
 * quorums of one state have a node in common, and a domain of two survives the loss of the younger.
 *
 * The oldest is the oldest of the state, suspected or not, in both phases and at every ballot: were it the oldest
 * *living*, two halves could both decide.
 */
import type { NodeId } from '../ids.js';
import type { Decree, DomainState, NodeInfo } from './state.js';

/** Whether those of `nodes` (by age) that are `among` make a quorum of them. */
export function isQuorum(nodes: readonly NodeInfo[], among: (id: NodeId) => boolean): boolean {
  let count = 0;
  for (const node of nodes) if (among(node.id)) count += 1;
  const oldest = nodes[0];
  return 2 * count > nodes.length || (2 * count === nodes.length && oldest !== undefined && among(oldest.id));
}

/**
 * Whether those who stay are a quorum of the state less its graceful leavers. Whoever proposes freely checks this first,
 * on top of the votes: in a domain of two, the younger could otherwise exclude the older *with its vote* and go on as a
 * state that the older, had it been only slow, would not know how to contradict.
 */
export function keepsQuorum(state: DomainState, decree: Decree): boolean {
  const left = new Set<NodeId>();
  const excluded = new Set<NodeId>();
  for (const change of decree.changes) {
    if (change.kind === 'leave') left.add(change.node);
    if (change.kind === 'exclude') excluded.add(change.node);
  }
  const base = state.nodes.filter((node) => !left.has(node.id));
  return base.length > 0 && isQuorum(base, (id) => !excluded.has(id));
}
