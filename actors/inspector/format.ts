/**
 * What the inspector tells its page, and `nact-groups watch --json` prints: plain data, read by programs.
 *
 * What happens is told in the records of the protocol trace, so that a living domain and a trace file are shown by the same
 * code, with one record more: what a member's row says that it has received.
 */
import type { GroupStatus } from '../../lib/events.js';
import type { GroupOrder } from '../../lib/membership/state.js';
import type { Traced } from '../../lib/trace/format.js';

/** By its row, which was heard here at `t`, `p` has received a multicast. When it delivered it, it alone knows. */
export interface Received {
  readonly t: number;
  readonly p: string;
  readonly e: 'received';
  readonly g: string;
  readonly id: string;
}

/** A record of what a looker-on has seen. `t`: monotonic nanoseconds of this machine, as in a trace. */
export type Seen = Traced | Received;

/** A node as another one sees it. */
export interface NodeSeen {
  /** `name#incarnation`. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly weight: number;
  readonly suspected: boolean;
  /** Milliseconds since its last packet; null for the node that looks, and for one that was never heard. */
  readonly silence: number | null;
  /** How late its event loop runs, in milliseconds, as it said last. */
  readonly lag: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Something that is waited for, and for whom (node ids). */
export interface WaitSeen {
  readonly what: string;
  readonly who: readonly string[];
}

/** How this node's own member of a group stands. */
export interface OwnMember {
  readonly status: GroupStatus;
  readonly why: string;
  /** Since when it has this status: milliseconds since the epoch. */
  readonly since: number;
  /** Own multicasts that are not let in yet, those that are and are not stable, and items for the member's function. */
  readonly queued: number;
  readonly unstable: number;
  readonly mailbox: number;
  readonly waiting: readonly WaitSeen[];
}

/** A view, and why it is. */
export interface ViewSeen {
  readonly id: string;
  /** Node ids, oldest first. */
  readonly members: readonly string[];
  readonly cause: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A group of the domain. */
export interface GroupSeen {
  readonly name: string;
  readonly kind: 'replicated' | 'plain';
  readonly order: GroupOrder;
  /** The last view that the domain has agreed on. */
  readonly view: string;
  /** Node ids, oldest first. */
  readonly members: readonly string[];
  /** Null if the node that looks has no member. */
  readonly own: OwnMember | null;
  /** The last views that were seen from here, newest first. */
  readonly views: readonly ViewSeen[];
}

/** The stability matrix of a group. */
export interface MatrixSeen {
  readonly group: string;
  readonly view: string;
  /** Node ids, by rank. */
  readonly members: readonly string[];
  /** Row: observer, column: sender; the highest contiguous record of the sender's stream that the observer has received. */
  readonly received: readonly (readonly number[])[];
  /** Members whose actors are behind. */
  readonly paused: readonly boolean[];
  /** `own`: as a member has it; `heard`: of what was said since somebody has looked. */
  readonly source: 'own' | 'heard';
}

/** What a node knows of its domain. */
export interface Snapshot {
  readonly domain: string;
  /** The node that looks. */
  readonly self: string;
  /** Nodes of this process that can be looked at. */
  readonly lookers: readonly string[];
  /** `$domain`'s number; 0 before this node is in it. */
  readonly number: number;
  readonly phase: 'opening' | 'running' | 'leaving' | 'left' | 'refused';
  /** What a quorum is missing; null if nothing is. */
  readonly lack: string | null;
  readonly nodes: readonly NodeSeen[];
  readonly groups: readonly GroupSeen[];
  /** Groups beyond those that are shown. */
  readonly groupsOmitted: number;
  /** Of the group that is looked at; null if nothing is known. */
  readonly matrix: MatrixSeen | null;
}

/** What went on in a second or so. */
export interface Rates {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Multicasts heard a second, in all groups and by group, this node's own included; and their bytes a second. */
  readonly multicasts: number;
  readonly bytes: number;
  readonly byGroup: Readonly<Record<string, number>>;
  /** Deliveries a second to this node's members. */
  readonly deliveries: number;
  /** Packets a second that were heard and sent. */
  readonly packets: number;
  /** Views installed or agreed on in this time. */
  readonly views: number;
  /** From when a multicast is heard until it is delivered here, in milliseconds: median and 99th percentile of those that were sampled. */
  readonly delivery: Percentiles | null;
  /** From then until all members of the view are known to have it. */
  readonly stability: Percentiles | null;
  /** Bytes not known to be stable, at this node's members. */
  readonly unstableBytes: number;
  /** How late this node's event loop runs, in milliseconds. */
  readonly lag: number;
}

/** In milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** What happened since the last of these. */
export interface Records {
  readonly records: readonly Seen[];
  /** One multicast of so many is shown. */
  readonly every: number;
  /** What the clock of records shows now. */
  readonly clock: number;
  /** Records that were not kept because the page did not take them fast enough. */
  readonly lost: number;
}
