/**
 * One node of a domain as a value that is stepped: `step` takes what happened, `ready` gives what is to be done.
 * No clock, no socket, no randomness: the same core runs under the simulator, the transports and the tests.
 */
import type { NodeEvent, Effect } from './events.js';
import type { Incarnation, Millis } from './ids.js';

/** Limits and times of a node; see `defaults` for the reasons. */
export interface NodeOptions {
  /** The domain's name; nodes of other names are not heard. */
  readonly domain: string;
  /** The node's name, unique among the living of the domain. */
  readonly name: string;
  readonly incarnation: Incarnation;
  /** Where this node's transport takes unicasts and streams. */
  readonly address: string;
  /** Seeds what little is drawn by chance (who retries first). */
  readonly seed: number;
  /** Whether trace effects are wanted. */
  readonly trace: boolean;
  /** No group forms before this many nodes are in. */
  readonly minimumNodes: number;
  /** A node that says nothing for so long says that it lives. */
  readonly heartbeat: Millis;
  /** A node that is not heard for so long is suspected. */
  readonly timeout: Millis;
  /** How long a node looks for a domain before it founds one. */
  readonly discovery: Millis;
  /** Largest datagram that is sent. */
  readonly datagramBytesMax: number;
  /** Own unstable bytes above which nothing new is sent, over all groups. */
  readonly windowBytes: number;
  /** Multicasts that wait to be let in, per group. */
  readonly queueLengthMax: number;
  /** Largest payload of one multicast. */
  readonly messageBytesMax: number;
  /** Bytes delivered and not yet consumed by a member's actor above which senders wait. */
  readonly backlogBytesMax: number;
}

/** Reasonable values for everything that is not a name. */
export const defaults = {
  seed: 1,
  trace: false,
  minimumNodes: 1,
  heartbeat: 100,
  timeout: 1000,
  discovery: 400,
  datagramBytesMax: 60_000,
  windowBytes: 512 * 1024,
  queueLengthMax: 65_536,
  messageBytesMax: 16 * 1024 * 1024,
  backlogBytesMax: 4 * 1024 * 1024,
} as const;

/** A node. Its fields are the core's own. */
export interface Node {
  readonly options: NodeOptions;
}

/** A node at the start of one life; nothing is sent before the first `ready`. */
export declare function createNode(options: NodeOptions, now: Millis): Node;
/** Takes in one event. Several may be taken in before the next `ready`: what they cause is packed together. */
export declare function step(node: Node, event: NodeEvent, now: Millis): void;
/** Ends a batch of steps: what is to be done, in order. */
export declare function ready(node: Node, now: Millis): readonly Effect[];
/** When the next `tick` is due, in the time base of `now`. */
export declare function nextTick(node: Node): Millis;
