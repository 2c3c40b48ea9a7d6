/**
 * The names that everything else is spelled in: who (nodes, incarnations, ranks), which state (decrees, views), which
 * multicast (seqnos), when (milliseconds).
 *
 * Numbers carry a flavor: a plain number fits, another flavor does not, so a rank is never passed for a seqno.
 */
type Flavor<T, F extends string> = T & { readonly __flavor?: F };

/** One life of a node, `name#incarnation`. Never used twice: whoever restarts is somebody else. */
export type NodeId = string & { readonly __brand: 'NodeId' };
/** The number in a node id, unique in the domain and for ever: a positive safe integer, handed in from outside. */
export type Incarnation = Flavor<number, 'Incarnation'>;
/** Number of a domain state; decree *k* turns state *k - 1* into *k*. */
export type DecreeNumber = Flavor<number, 'DecreeNumber'>;
/** A view's id: the number of the decree that made it. Ids of one group grow and may skip. */
export type ViewId = Flavor<number, 'ViewId'>;
/** Names one founding of a domain: the founder's node id. */
export type DomainId = string & { readonly __brand: 'DomainId' };
/** A group's number in its domain: the number of the decree that created it and a count within it. Never reused. */
export type GroupId = Flavor<number, 'GroupId'>;
/** Index of a member in its view, oldest first. */
export type Rank = Flavor<number, 'Rank'>;
/** A record's number in its sender's stream of one view, from 1. */
export type Seqno = Flavor<number, 'Seqno'>;
/** A multicast's number among those of its sender in its group, from 1; with the sender's node id it names the multicast for ever. */
export type MessageNumber = Flavor<number, 'MessageNumber'>;
/** A multicast's place in the total order of its group, from 1, carried on across views. */
export type Position = Flavor<number, 'Position'>;
/** Whole milliseconds since the epoch, as agreed by a group or as read off one node's clock. */
export type WallTime = Flavor<number, 'WallTime'>;
/** Monotonic time or a span of it, in milliseconds; fractions allowed. */
export type Millis = Flavor<number, 'Millis'>;

/** Spells a node id. */
export function nodeId(name: string, incarnation: Incarnation): NodeId {
  return `${name}#${incarnation}` as NodeId;
}

/** The name in a node id. */
export function nameOf(id: NodeId): string {
  return id.slice(0, id.lastIndexOf('#'));
}

/** The incarnation in a node id. */
export function incarnationOf(id: NodeId): Incarnation {
  return Number(id.slice(id.lastIndexOf('#') + 1));
}
