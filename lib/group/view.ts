/**
 * A view of a group as the data plane holds it: an agreed membership, read off a decree.
 *
 * A member is a node *and* the decree by which it joined: who leaves and comes back on the same node is somebody else,
 * so it is no survivor and nothing is expected of it.
 */
import type { NodeId, Rank, ViewId } from '../ids.js';
import type { GroupMember, GroupState } from '../membership/state.js';

/** An agreed membership, oldest member first. */
export interface View {
  readonly id: ViewId;
  readonly members: readonly GroupMember[];
  /** Rank by node. */
  readonly ranks: ReadonlyMap<NodeId, Rank>;
  /** All nodes of the domain by the same decree. */
  readonly nodes: ReadonlySet<NodeId>;
}

/** The view that a group's state describes, in a domain of these nodes. */
export function viewOf(group: GroupState, nodes: ReadonlySet<NodeId>): View {
  return {
    id: group.view,
    members: group.members,
    ranks: new Map(group.members.map((member, rank) => [member.node, rank])),
    nodes,
  };
}

/** The member's rank in the view, or undefined if it, as this member, is not in it. */
export function rankIn(view: View, member: GroupMember): Rank | undefined {
  const rank = view.ranks.get(member.node);
  return rank !== undefined && view.members[rank]?.joined === member.joined ? rank : undefined;
}
