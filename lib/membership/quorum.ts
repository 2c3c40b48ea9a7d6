/**
 * Quorums (dynamic linear voting): more than half of the nodes, or exactly half if the oldest is among them. Any two
 * quorums of one state have a node in common, and a domain of two survives the loss of the younger.
 *
 * The oldest is the oldest of the state, suspected or not, in both phases and at every ballot: were it the oldest
 * *living*, two halves could both decide.
 */
import type { NodeId } from '../ids.js';
import { applyDecree } from './decree.js';
import type { Decree, DomainState, NodeInfo } from './state.js';

/** Whether those of `nodes` (by age) that are `among` make a quorum of them. */
export function isQuorum(nodes: readonly NodeInfo[], among: (id: NodeId) => boolean): boolean {
  let count = 0;
  for (const node of nodes) if (among(node.id)) count += 1;
  const oldest = nodes[0];
  return 2 * count > nodes.length || (2 * count === nodes.length && oldest !== undefined && among(oldest.id));
}

/**
 * Whether those who stay are a quorum of the state less its graceful leavers and those who are confirmed to be dead. Whoever proposes freely checks this first,
 * on top of the votes: in a domain of two, the younger could otherwise exclude the older *with its vote* and go on as a
 * state that the older, had it been only slow, would not know how to contradict.
 */
export function keepsQuorum(state: DomainState, decree: Decree): boolean {
  const left = new Set<NodeId>();
  const excluded = new Set<NodeId>();
  for (const change of decree.changes) {
    // neither can go on by itself
    if (change.kind === 'leave' || (change.kind === 'exclude' && change.dead)) left.add(change.node);
    else if (change.kind === 'exclude') excluded.add(change.node);
  }
  const base = state.nodes.filter((node) => !left.has(node.id));
  return base.length > 0 && isQuorum(base, (id) => !excluded.has(id));
}

/** What nodes weigh together. */
export function weightOf(nodes: readonly Pick<NodeInfo, 'weight'>[]): number {
  return nodes.reduce((sum, { weight }) => sum + weight, 0);
}

/** Whether nodes weigh enough for groups. */
export function isHeavy({ rules }: DomainState, nodes: readonly NodeInfo[]): boolean {
  return weightOf(nodes) > rules.minimumWeight;
}

/** Whether a decree does not take the nodes' weight below the minimum. It may be below in a domain that is being set up. */
export function keepsWeight(state: DomainState, decree: Decree): boolean {
  if (state.rules.minimumWeight === 0 || !isHeavy(state, state.nodes)) return true;
  return isHeavy(state, applyDecree(state, decree).nodes);
}
