/**
 * The core's only interface: events go in, effects come out, in the order in which they must be carried out.
 *
 * `step(node, event, now)` is deterministic. The core owns the bytes of a received datagram from then on; the bytes of
 * an effect belong to whoever carries it out.
 */
import type { DomainId, GroupId, MessageNumber, Millis, NodeId, Position, Rank, ViewId, WallTime } from './ids.js';
import type { Forced } from './membership/control.js';
import type { DomainState, GroupSettings, LeaveCause, Order } from './membership/state.js';
import type { TraceRecord } from './trace/format.js';

/** A member as users see it. */
export interface MemberInfo {
  readonly id: NodeId;
  readonly name: string;
  /** The decree by which it joined the group. */
  readonly joined: number;
}

/** An installed view of a group. Immutable. */
export interface ViewInfo {
  readonly id: ViewId;
  readonly group: string;
  readonly groupId: GroupId;
  /** The founding of the domain that both ids belong to. */
  readonly domain: DomainId;
  /** Oldest first. */
  readonly members: readonly MemberInfo[];
  /** This node's rank in it. */
  readonly rank: Rank;
  readonly joined: readonly MemberInfo[];
  readonly left: readonly { readonly member: MemberInfo; readonly cause: LeaveCause }[];
  readonly primary: boolean;
  /** The view this member installed before, null if this is its first. */
  readonly previous: ViewId | null;
  /** The last position and the agreed time of what was delivered before it. */
  readonly position: Position;
  readonly time: WallTime;
}

/** Where a member stands. */
export type GroupStatus =
  'joining' | 'transferring' | 'active' | 'changing' | 'wedged' | 'excluded' | 'left' | 'disconnected';

/** Names a request for ever: the node that asked, and a number that counts up from 1 over all that it asks in its life. */
export interface RequestId {
  readonly client: NodeId;
  readonly number: number;
}

/** How many members are to answer: so many, more than half, or all of the view in which the request is delivered. */
export type Wanted = number | 'majority' | 'all';

/** A member's own request: its number, the replies it wants, and for how long it waits, in milliseconds. */
export interface Ask {
  readonly number: number;
  readonly replies: Wanted;
  readonly timeout: Millis;
}

/** A request, as it is delivered. */
export interface DeliveredRequest extends RequestId {
  /** Whether its client waits for replies of the members. */
  readonly wantsReply: boolean;
  /** It was delivered before, and came again after a fail-over: it must take no effect a second time. */
  readonly repeated: boolean;
}

/** A member that did not answer a request, and why. */
export interface Missing {
  readonly member: NodeId;
  readonly why: string;
}

/** Names one transfer of state to one joiner: who gets it, and in which view the snapshot is taken. */
export interface TransferToken {
  readonly view: ViewId;
  readonly joiner: NodeId;
  readonly donor: NodeId;
}

/** What a member's actor gets, strictly in this order. */
export type GroupItem =
  /**
   * A view. `snapshots` asks for the state as of this point, one transfer for each.
   * At a joiner the first view comes after its state.
   */
  | { readonly kind: 'view'; readonly view: ViewInfo; readonly snapshots: readonly TransferToken[] }
  | Deliveries
  /** A message from one member to this one. */
  | { readonly kind: 'direct'; readonly from: MemberInfo; readonly payload: Uint8Array }
  /** Found the group: this member's initial state is the group's. `loud`: others had a state and it is lost with them. */
  | { readonly kind: 'found'; readonly loud: boolean }
  /** A chunk of the state that replaces this member's; the transfer starts over when `first`. */
  | {
      readonly kind: 'state';
      readonly token: TransferToken;
      readonly chunk: Uint8Array;
      readonly first: boolean;
      readonly last: boolean;
    }
  /** The donor may go on with the next chunk. */
  | { readonly kind: 'snapshot-continue'; readonly token: TransferToken }
  /** The joiner has it all, or does not need it any more: the donor may forget about this transfer. */
  | { readonly kind: 'snapshot-end'; readonly token: TransferToken }
  | { readonly kind: 'status'; readonly status: GroupStatus; readonly why: string }
  /** All own multicasts numbered up to here were let in, or are stable (with everything they depend on). */
  | { readonly kind: 'progress'; readonly accepted: MessageNumber; readonly stable: MessageNumber }
  /** A `flush` has come to its end: all that was sent and delivered here before it is stable. */
  | { readonly kind: 'settled'; readonly token: number }
  /**
   * To be answered with a `multicast` that carries the request, or with `refuse`; it does not wait for what is before it.
   * `previous`: the number of the one that the client has sent here before it, 0 for none; until that is let in or refused
   * for good, this one is refused for now.
   */
  | {
      readonly kind: 'request';
      readonly request: RequestId;
      readonly previous: number;
      readonly payload: Uint8Array;
    }
  /** Own multicasts `first` to `last` will not be stable. `maybeDelivered` counts those that may have been delivered, the first ones. */
  | {
      readonly kind: 'failed';
      readonly first: MessageNumber;
      readonly last: MessageNumber;
      readonly maybeDelivered: number;
      readonly why: string;
    };

/** What multicasts of one sender have in common that are delivered together, and each of them has. */
interface Delivered {
  readonly from: MemberInfo;
  readonly fromRank: Rank;
  readonly order: Order;
  readonly uniform: boolean;
  /**
   * When it was sent, never before what was delivered earlier. With a position, the same at every member: no later than
   * the next position's. Without one it is this member's own, and no earlier than the last agreed one.
   */
  readonly time: WallTime;
  /** True at one member: the sender; if the sender has left with the view in which it sent, the next view's rank 0. */
  readonly mine: boolean;
  readonly view: ViewInfo;
  /** What it answers to, if somebody asked. */
  readonly request: DeliveredRequest | null;
}

/**
 * Multicasts, delivered: `count` consecutive ones of one sender, as they lie in its frame. Of their own they have a number, a
 * position and a payload; what is said of these is of the first that was not taken yet, see `takeOne`.
 */
export interface Deliveries extends Delivered {
  readonly kind: 'deliveries';
  /** How many are left, and the bytes of their payloads. */
  count: number;
  payloadBytes: number;
  /** With `from`, the multicast's name. */
  message: MessageNumber;
  /** In the total order, barriers included; 0 for the other orders. */
  position: Position;
  /** The payload is `bytes[start, end)`; if there are more, the next one's record follows. */
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/** One of them. */
export interface Delivery extends Delivered {
  readonly kind: 'delivery';
  readonly among: Deliveries;
  readonly message: MessageNumber;
  readonly position: Position;
  /** Where the payload is in the bytes of `among`. */
  readonly start: number;
  readonly end: number;
  /** The payload itself, aliased; made when asked for. */
  readonly payload: Uint8Array;
}

/**
 * What a probe of an address found: somebody who listens there, whoever it is; a machine that says that nobody does; or
 * no answer, which tells nothing.
 */
export type Found = 'somebody' | 'nobody' | 'silence';

/** What happens to a node. */
export type NodeEvent =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array; readonly from: string }
  | { readonly kind: 'stream'; readonly bytes: Uint8Array; readonly from: string }
  /**
   * The stream to this address broke; what was written and not yet acknowledged by the peer's core may be lost.
   * `wasUp`: there was a connection, so that the peer may have crashed; else none could be opened.
   */
  | { readonly kind: 'stream-down'; readonly to: string; readonly wasUp?: boolean }
  /** The system of this machine refuses datagrams for their size. */
  | { readonly kind: 'datagram-too-large' }
  /** The answer to a probe. */
  | { readonly kind: 'probed'; readonly to: string; readonly found: Found }
  /** `behind`: what came during a stall may still be queued, so nobody is judged by silence; the rest goes on. */
  | { readonly kind: 'tick'; readonly behind?: boolean }
  | { readonly kind: 'join-group'; readonly group: string; readonly settings: GroupSettings }
  /** `abort`: the actor is gone or cannot give its state, so nobody waits for it. */
  | { readonly kind: 'leave-group'; readonly group: string; readonly abort?: boolean }
  /** `message` counts up from 1 per group and incarnation, without a gap. */
  | {
      readonly kind: 'multicast';
      readonly group: string;
      readonly message: MessageNumber;
      readonly payload: Uint8Array;
      readonly order: Order;
      readonly uniform: boolean;
      /** This member asks: the multicast is the question. */
      readonly ask?: Ask;
      /** This member passes on the request of another node; total and uniform. */
      readonly request?: RequestId;
    }
  /**
   * This node asks a group, of which it need not be a member. `number` counts up from 1 with the asks of its members.
   * No replies wanted: it is answered when the group has it.
   */
  | {
      readonly kind: 'request';
      readonly group: string;
      readonly number: number;
      readonly payload: Uint8Array;
      readonly replies: Wanted;
      readonly timeout: Millis;
    }
  /** A member does not let a request in; `again`: it may come again later. */
  | {
      readonly kind: 'refuse';
      readonly group: string;
      readonly request: RequestId;
      readonly why: string;
      readonly again: boolean;
    }
  /** A member's answer; the first counts. */
  | { readonly kind: 'reply'; readonly group: string; readonly request: RequestId; readonly payload: Uint8Array }
  /** Bytes for whoever runs another node of the domain. */
  | { readonly kind: 'remote'; readonly to: NodeId; readonly payload: Uint8Array }
  | { readonly kind: 'direct'; readonly group: string; readonly to: NodeId; readonly payload: Uint8Array }
  /** The user flushes: answered by a `settled` item with the same token. */
  | { readonly kind: 'flush'; readonly group: string; readonly token: number }
  /** The actor is done with this many bytes of payload of what was delivered to it. */
  | { readonly kind: 'consumed'; readonly group: string; readonly bytes: number }
  /** The next chunk of a snapshot that a view item asked for; after each the donor waits for `snapshot-continue`. */
  | {
      readonly kind: 'snapshot';
      readonly group: string;
      readonly token: TransferToken;
      readonly chunk: Uint8Array;
      readonly last: boolean;
    }
  /** The wall clock was set: what it shows when the core's time is zero. */
  | { readonly kind: 'clock'; readonly wall: WallTime }
  /** The joiner's actor is done with a chunk of the state. */
  | { readonly kind: 'state-taken'; readonly group: string; readonly token: TransferToken }
  /** The system of the machine says that this node's process is dead, in answer to `confirm` or unasked. */
  | { readonly kind: 'death'; readonly who: NodeId }
  /** An operator says that these nodes, by name, go on without the others: exactly those who can be heard. */
  | { readonly kind: 'force'; readonly nodes: readonly string[] }
  | { readonly kind: 'leave-domain' };

/** What is to be done, in order. */
export type Effect =
  | { readonly kind: 'multicast'; readonly bytes: Uint8Array }
  | { readonly kind: 'unicast'; readonly to: string; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly to: string; readonly bytes: Uint8Array }
  /** Keep a stream open to each of these addresses, and to no others that nothing is written to: a crash breaks it. */
  | { readonly kind: 'tether'; readonly to: readonly string[] }
  /** Find out whether anybody listens there. */
  | { readonly kind: 'probe'; readonly to: string }
  | { readonly kind: 'deliver'; readonly group: string; readonly items: readonly GroupItem[] }
  | { readonly kind: 'trace'; readonly record: TraceRecord }
  | {
      readonly kind: 'log';
      readonly level: 'error' | 'warn' | 'info' | 'debug';
      readonly message: string;
      readonly fields: Readonly<Record<string, string | number | boolean>>;
    }
  /** One reply to what this node has asked. */
  | { readonly kind: 'answer'; readonly number: number; readonly from: NodeId; readonly payload: Uint8Array }
  /** What became of a request of this node: exactly one for each. `maybeDone`: it may have taken effect. */
  | {
      readonly kind: 'answered';
      readonly number: number;
      readonly outcome: 'ok' | 'timeout' | 'refused' | 'failed';
      readonly got: readonly NodeId[];
      readonly missing: readonly Missing[];
      readonly maybeDone: boolean;
      readonly why: string;
    }
  /** Bytes from whoever runs another node of the domain. */
  | { readonly kind: 'remote'; readonly from: NodeId; readonly payload: Uint8Array }
  /** The domain's state as of a decree. */
  | { readonly kind: 'domain'; readonly state: DomainState }
  /** Joined, refused for good (with the reason), or gracefully left. */
  | { readonly kind: 'joined' }
  | { readonly kind: 'refused'; readonly why: string }
  /** This group cannot be joined by this node: the settings differ. */
  | { readonly kind: 'group-refused'; readonly group: string; readonly why: string }
  | { readonly kind: 'left' }
  /** Is this node's process dead? Only a `death` is an answer. `process` is what the node has said of itself. */
  | { readonly kind: 'confirm'; readonly who: NodeId; readonly process: string }
  /** A `force` has come to nothing; the domain goes on or waits as before. */
  | { readonly kind: 'force-refused'; readonly why: string }
  /**
   * This life is over (excluded, or its domain dissolved into another): start again with a new incarnation. `forced`: an
   * operator has ended it. Members keep their states, for when they found their groups; `found`: with the option `founds`.
   */
  | { readonly kind: 'restart'; readonly why: string; readonly forced?: Forced };
