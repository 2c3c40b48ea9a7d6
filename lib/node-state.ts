/** What one node holds, in one life: the control plane's state, its groups, and what is to be sent. Plain data. */
import type { Effect } from './events.js';
import type { Asks } from './asks.js';
import type { DecreeNumber, GroupId, Incarnation, NodeId } from './ids.js';
import type { Group, Host } from './group/state.js';
import type { Past } from './letter-box.js';
import { type Link, createLink } from './link.js';
import type { Membership } from './membership/membership.js';
import type { DomainState } from './membership/state.js';
import type { NodeOptions } from './options.js';
import type { Outbox } from './outbox.js';
import type { Pieces } from './wire/pieces.js';

/** A node. Its fields are the core's own. */
export interface Node {
  readonly options: NodeOptions;
  readonly self: NodeId;
  readonly membership: Membership;
  /** The state of the domain as last installed, null before. */
  domain: DomainState | null;
  /** Who speaks, by the incarnation in the packets' headers. */
  sources: Map<Incarnation, NodeId>;
  readonly addresses: Map<NodeId, string>;
  readonly groups: Map<string, Group>;
  readonly groupsById: Map<number, Group>;
  /** Last multicast of memberships that ended, by group. */
  readonly lastMessages: Map<string, number>;
  /** The decree of the last view as of which a state came for a member that was not there any more, by group. */
  readonly lostStates: Map<string, DecreeNumber>;
  readonly links: Map<NodeId, Link>;
  /** Links with letters that wait. */
  readonly writing: Set<Link>;
  /** What others have told of groups in which this node is no member. */
  readonly pasts: Map<GroupId, Past>;
  readonly asks: Asks;
  readonly out: Outbox;
  /** Sections that came in part. */
  readonly pieces: Pieces;
  readonly host: Host;
  /** Groups with work for the end of the batch, and groups that wait for a time. */
  readonly dirty: Set<Group>;
  readonly timed: Set<Group>;
  leavingDomain: 'no' | 'groups' | 'asked';
  effects: Effect[];
  /** What ends a life or says that it began: last of a batch. */
  lastEffects: Effect[];
  readonly dropped: { malformed: number; foreign: number; unknown: number };
  /** How often this node has begun to suspect another. */
  suspicions: number;
  packetsIn: number;
  packetsOut: number;
  bytesOut: number;
}

/** The link to another node, made when it is first needed; undefined if the node is not in the domain. */
export function linkTo(node: Node, peer: NodeId): Link | undefined {
  const address = node.addresses.get(peer);
  let link = node.links.get(peer);
  if (!link && address !== undefined) {
    link = createLink(peer, address);
    node.links.set(peer, link);
  }
  return link;
}
