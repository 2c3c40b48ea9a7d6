/**
 * What a user or a runner may set of a node, with values that are reasonable for a LAN. The bounds that nobody sets are
 * in `limits.ts`.
 */
import { type Allocate, cleared } from './wire/bytes.js';
import type { Incarnation, Millis, WallTime } from './ids.js';
import { type Authorize, letIn } from './membership/authorizing.js';
import { type Versions, versions } from './membership/protocol.js';
import type { Rules } from './membership/state.js';

/** Names, times and limits of a node. */
export interface NodeOptions {
  /** The domain's name; nodes of other names are not heard. */
  readonly domain: string;
  /** The node's name, unique among the living of the domain. */
  readonly name: string;
  readonly incarnation: Incarnation;
  /** Where this node's transport takes unicasts and streams. */
  readonly address: string;
  /** The wall clock when the core's own time is zero; a fraction is allowed. A `clock` event sets it anew. */
  readonly wall: WallTime;
  /** Seeds what little is drawn by chance (who retries first). */
  readonly seed: number;
  /** Whether trace effects are wanted. */
  readonly trace: boolean;
  /** No group forms before this many nodes are in. */
  readonly minimumNodes: number;
  /** What this node counts for beside being one, a whole number. */
  readonly weight: number;
  /** What tells this process from all others of its machine, for whoever can ask the system whether it lives; '' if nothing. */
  readonly process: string;
  /** What it says of itself, for the others' `authorize`. */
  readonly metadata: string;
  /** By which it agrees on secrets with the others; '' if it does not. All nodes of a domain do, or none. */
  readonly publicKey: string;
  /** The versions of the protocol that it can speak. */
  readonly versions: Versions;
  /** Who may come in. */
  readonly authorize: Authorize;
  /**
   * Draws a number above zero that nobody can guess: who joins has to repeat it, and so shows that it is at the address that it says.
   * Null: nobody has to, as under a key, which proves that already, or within a machine.
   */
  readonly challenge: (() => number) | null;
  /** How the domain decides; the same at all nodes. */
  readonly quorum: Rules['quorum'];
  /** The domain never goes from above this weight to it or below; a whole number of halves, the same at all nodes. */
  readonly minimumWeight: number;
  /** Founds its domain at once, without a look at others: an operator has forced it on. */
  readonly founds: boolean;
  /** A node that says nothing for so long says that it lives. */
  readonly heartbeat: Millis;
  /** A node that is not heard for so long is suspected, */
  readonly timeout: Millis;
  /** or up to this, if it was silent for long before, or it or this node says that its event loop comes late. */
  readonly timeoutMax: Millis;
  /** How long a node looks for a domain before it founds one. */
  readonly discovery: Millis;
  /** Largest datagram that is sent. */
  readonly datagramBytesMax: number;
  /** Unstable bytes above which nothing new is sent, of all senders and groups together. */
  readonly windowBytes: number;
  /** Bytes of the pieces of memory in which frames are kept until they are stable; 0: each has its own. See arena.ts. */
  readonly slabBytes: number;
  /** Gives memory for frames, and for what comes in several. */
  readonly allocate: Allocate;
  /** Multicasts that wait to be let in, per group. */
  readonly queueLengthMax: number;
  /** Largest payload of one multicast. */
  readonly messageBytesMax: number;
  /** Bytes delivered and not yet consumed by a member's actor above which senders wait. */
  readonly backlogBytesMax: number;
}

/** Reasonable values for everything that is not a name. */
export const defaults = {
  wall: 0,
  seed: 1,
  trace: false,
  minimumNodes: 1,
  weight: 1,
  process: '',
  metadata: '',
  publicKey: '',
  versions,
  authorize: letIn,
  challenge: null,
  quorum: 'majority',
  minimumWeight: 0,
  founds: false,
  heartbeat: 100,
  timeout: 1000,
  timeoutMax: 3000,
  discovery: 400,
  datagramBytesMax: 60_000,
  windowBytes: 512 * 1024,
  slabBytes: 256 * 1024,
  allocate: cleared,
  queueLengthMax: 65_536,
  messageBytesMax: 16 * 1024 * 1024,
  backlogBytesMax: 16 * 1024 * 1024,
} as const;
