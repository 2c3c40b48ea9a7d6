/**
 * What the nodes of a domain agree on: who is in it, by age, and for each group its members by age.
 *
 * Immutable values. Decree *k* turns state *k - 1* into state *k*, the same at every node; a group's views are read
 * off the decrees, so the data plane never has to agree on membership, only on the cut.
 */
import type { DecreeNumber, DomainId, GroupId, Incarnation, Millis, NodeId, ViewId } from '../ids.js';

/** A node as the domain knows it. `address` is where its transport takes unicast datagrams and streams. */
export interface NodeInfo {
  readonly id: NodeId;
  readonly name: string;
  readonly incarnation: Incarnation;
  readonly address: string;
  /** What it counts for beside being one: see {@link Rules}. */
  readonly weight: number;
  /** What tells its process from all others of its machine, for the system to say whether it lives; '' if nothing does. */
  readonly process: string;
  /** What it says of itself, for `authorize`. */
  readonly metadata: string;
  /** By which it agrees on secrets with the others, base64url; '' if it does not: see `transport/key-agreement.ts`. */
  readonly publicKey: string;
  /** The newest version of the protocol that it can speak. */
  readonly version: number;
  /** The decree that let it in. */
  readonly joined: DecreeNumber;
}

/** Delivery order of a group's multicasts, weakest first. */
export type GroupOrder = 'fifo' | 'causal' | 'total';
/** Delivery order of one multicast, weakest first. `barrier`: ordered against everything, views included. */
export type Order = GroupOrder | 'barrier';

/** What all members of a group must have in common; agreed in the decree that creates the group. */
export interface GroupSettings {
  /** Whether members replicate one state, so that a joiner gets it. */
  readonly kind: 'replicated' | 'plain';
  /** The default order of its multicasts. */
  readonly order: GroupOrder;
  /** Name and version of the value codec. */
  readonly codec: string;
}

/** A member of a group: a node and the decree by which it joined. Leave and rejoin on one node make two members. */
export interface GroupMember {
  readonly node: NodeId;
  readonly joined: DecreeNumber;
}

/** A group as the domain knows it. */
export interface GroupState {
  readonly id: GroupId;
  readonly name: string;
  readonly settings: GroupSettings;
  /** The decree that last changed its members, or was asked for by a barrier. */
  readonly view: ViewId;
  /** Oldest first; never empty. */
  readonly members: readonly GroupMember[];
}

/** How a domain decides; its founder's, for as long as it lasts. */
export interface Rules {
  /**
   * `majority`: more than half of the nodes, or half with the oldest. `verified-deaths`: also all who are not known to be
   * dead, see `deaths.ts`.
   */
  readonly quorum: 'majority' | 'verified-deaths';
  /** No decree takes the nodes' weight from above this to this or below. A whole number of halves. */
  readonly minimumWeight: number;
  /** What confirmed deaths rest on: the detector's times, the same at all nodes; 0 if deaths do not count. */
  readonly heartbeat: Millis;
  readonly timeout: Millis;
}

/** One state of the domain. */
export interface DomainState {
  readonly id: DomainId;
  readonly number: DecreeNumber;
  readonly rules: Rules;
  /** The version of the protocol that its nodes speak: see protocol.ts. */
  readonly version: number;
  /** Oldest first; never empty. */
  readonly nodes: readonly NodeInfo[];
  /** By name, in the order of creation. */
  readonly groups: ReadonlyMap<string, GroupState>;
}

/** Why somebody is no longer there. */
export type LeaveCause = 'left' | 'failed' | 'excluded';

/** One change that a decree makes. */
export type Change =
  | {
      readonly kind: 'join';
      readonly name: string;
      readonly incarnation: Incarnation;
      readonly address: string;
      readonly weight: number;
      readonly process: string;
      readonly metadata: string;
      readonly publicKey: string;
      readonly version: number;
    }
  | { readonly kind: 'leave'; readonly node: NodeId }
  /** `failed`: nobody hears it. `excluded`: it lives, but cannot stay (two nodes that do not hear each other). */
  | {
      readonly kind: 'exclude';
      readonly node: NodeId;
      readonly cause: 'failed' | 'excluded';
      /** Its death is confirmed: it does not count for what has to stay. */
      readonly dead: boolean;
    }
  | { readonly kind: 'group-join'; readonly group: string; readonly node: NodeId; readonly settings: GroupSettings }
  | { readonly kind: 'group-leave'; readonly group: string; readonly node: NodeId }
  /** This view is to be followed by one of the same members: the member has sent a barrier in it. */
  | { readonly kind: 'group-barrier'; readonly group: string; readonly node: NodeId; readonly view: ViewId };

/** One agreed change of the domain. */
export interface Decree {
  readonly number: DecreeNumber;
  readonly changes: readonly Change[];
}

/** The node of this identity, if the state has it. */
export function nodeOf(state: DomainState, id: NodeId): NodeInfo | undefined {
  return state.nodes.find((node) => node.id === id);
}

/** The node of this incarnation, if the state has it. */
export function nodeByIncarnation(state: DomainState, incarnation: Incarnation): NodeInfo | undefined {
  return state.nodes.find((node) => node.incarnation === incarnation);
}

/** The node's place by age, 0 for the oldest; -1 if the state does not have it. */
export function ageRank(state: DomainState, id: NodeId): number {
  return state.nodes.findIndex((node) => node.id === id);
}

/** Whether two groups' settings are the same, so that their members understand each other. */
export function sameSettings(a: GroupSettings, b: GroupSettings): boolean {
  return a.kind === b.kind && a.order === b.order && a.codec === b.codec;
}

/** The node as a member of the group, if it is one. */
export function membershipIn(group: GroupState | undefined, id: NodeId): GroupMember | undefined {
  return group?.members.find((member) => member.node === id);
}

/** Whether the nodes of this state agree on secrets: all do, or none. */
export function hasPublicKeys({ nodes }: DomainState): boolean {
  return nodes[0]?.publicKey !== '';
}
