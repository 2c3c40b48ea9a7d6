/**
 * Everything a node holds of one group. Plain data: the verbs are in the files named after them.
 *
 * What belongs to one installed view is in {@link ViewState} and goes with it: after an install nothing of the old view
 * is ever needed again.
 */
import type { Arena } from '../arena.js';
import type { Ask, GroupItem, RequestId, TransferToken, ViewInfo } from '../events.js';
import type {
  DecreeNumber,
  DomainId,
  GroupId,
  MessageNumber,
  Millis,
  NodeId,
  Position,
  Rank,
  Seqno,
  ViewId,
  WallTime,
} from '../ids.js';
import type { GroupMember, GroupSettings, LeaveCause, Order } from '../membership/state.js';
import type { Outbox } from '../outbox.js';
import type { NodeOptions } from '../options.js';
import type { Queue } from '../queue.js';
import type { Digest } from '../trace/digest.js';
import type { TraceRecord } from '../trace/format.js';
import type { RankCount } from '../wire/record.js';
import type { InstallRecord, Letter, LinkMessage, Report } from './messages.js';
import type { Stability } from './stability.js';
import type { Stream } from './stream.js';
import type { View } from './view.js';

/** A node's part in what is under way. Bytes count the kernel's overhead per frame. */
export interface Window {
  /** Own bytes that are not known to be stable. */
  unstable: number;
  /** How far it has been opened since this node began to send. */
  opened: number;
  /** What `unstable` may come to: both that and this node's share. */
  limit: number;
  /** When this node last sent a frame of its own. */
  sentAt: Millis;
  /** When each other sender's last frame came. */
  readonly heardAt: Map<NodeId, Millis>;
  /** Groups that would send if it had room. */
  readonly waiting: Set<Group>;
}

/** What a node offers to its groups. */
export interface Host {
  readonly options: NodeOptions;
  readonly self: NodeId;
  readonly out: Outbox;
  /** The time of the current step. */
  now: Millis;
  /** The wall clock when `now` is zero. */
  wall: WallTime;
  readonly window: Window;
  /** Where frames are kept until they are stable. */
  readonly arena: Arena;
  /** Whether the nodes that can be heard are a quorum: without one nothing new is sent. */
  quorate: boolean;
  /** Who or what a quorum is missing, in words. */
  lack(): string;
  /** Nodes in the domain, this one included. */
  nodeCount(): number;
  address(node: NodeId): string | undefined;
  isSuspected(node: NodeId): boolean;
  /** Nothing of this member's own is left to do: asks for the decree by which it leaves. */
  askToLeave(group: Group): void;
  /** A barrier was sent in this view: asks for a decree that ends it. */
  askToEndView(group: Group, view: ViewId): void;
  /** The group has work for the end of the batch. */
  touch(group: Group): void;
  /** Sends a letter to a node; false if it cannot be sent. */
  letter(to: NodeId, letter: Letter, payload: Uint8Array): boolean;
  /** Sends a piece of a state on the link to a node. */
  sendState(to: NodeId, message: LinkMessage & { kind: 'state' | 'served' | 'taken' }, payload: Uint8Array): void;
  /** A member asks: the multicast of this number is its question. */
  beginAsk(group: Group, message: MessageNumber, ask: Ask): void;
  /** A member's own question was delivered here, in this view. */
  questionDelivered(number: number, view: ViewInfo): void;
  /** A group's member has installed a view, or has ended. */
  reviewAsks(): void;
  endAsksOf(group: Group, why: string): void;
  /** Whether the link to a node has room for more state; not if the node is gone. */
  linkHasRoom(to: NodeId): boolean;
  /** Whether all that was sent on the link to a node has arrived; not if the node is gone. */
  linkIsIdle(to: NodeId): boolean;
  /** The founding that views belong to, for the trace. */
  domainId(): DomainId;
  /** Takes in bytes from the network: if they are malformed, that is counted and goes no further. */
  unlessMalformed(take: () => void): void;
  trace(record: TraceRecord): void;
  log(
    level: 'error' | 'warn' | 'info' | 'debug',
    message: string,
    fields: Record<string, string | number | boolean>,
  ): void;
}

/** A multicast that waits to be let in. */
export interface Outgoing {
  readonly message: MessageNumber;
  readonly order: Order;
  readonly uniform: boolean;
  readonly payload: Uint8Array;
  /** Which request it is, if it is one: then its bytes begin with the request's head, of so many bytes. */
  readonly request: RequestId | null;
  readonly headBytes: number;
  /** Bytes already sent as fragments in this view. */
  offset: number;
  /** Whether its `send` stands in the trace. */
  traced: boolean;
}

/** The next `count` total multicasts of `rank`, as assigned by record `by` of the sequencer's stream. */
export interface Run {
  readonly rank: Rank;
  count: number;
  readonly by: Seqno;
}

/** One's own multicasts up to `message`, the last of a frame, and what they need to be stable. */
export interface Sent {
  readonly seqno: Seqno;
  readonly message: MessageNumber;
  /** What had been delivered of each sender when they were sent. */
  readonly past: Float64Array;
}

/** The data plane of one installed view. */
export interface ViewState {
  readonly view: View;
  readonly info: ViewInfo;
  readonly size: number;
  /** One's own. */
  readonly rank: Rank;
  /** Who assigns the total order. */
  readonly sequencer: Rank;
  readonly streams: readonly Stream[];
  readonly stability: Stability;
  /** Seqno of the last causal or total multicast delivered, by sender. */
  readonly delivered: Float64Array;
  /** One's own last causal or total multicast that was sent. */
  lastOrdered: Seqno;
  /** The same as told to others with one's own last multicast. */
  readonly dependenciesSent: Float64Array;
  /** Dependencies read from a stream and not yet attached to a multicast, by sender. */
  readonly dependenciesRead: (readonly RankCount[] | null)[];
  /** Assigned and not delivered. */
  readonly runs: Queue<Run>;
  /** One's own barrier: after it nothing is sent in this view, and it is asked to end. */
  barrier: 'none' | 'sent' | 'asked';
  /** One's own wall clock as last told in this view. */
  timeSent: WallTime;
  /** At the sequencer: received and not assigned. */
  unassigned: { rank: Rank; count: number }[];
  /** Causal multicasts among the pending ones; zero saves looking for them. */
  causalPending: number;
  readonly sent: Queue<Sent>;
  /** The latest of `sent`'s pasts, shared while nothing is delivered. */
  past: Float64Array;
  /** One's row as last told to all. */
  readonly rowSent: Float64Array;
  /** Where the next frame begins to tell of it, if it is too long for one. */
  rowFrom: Rank;
  /** Bytes received since then, by sender, */
  readonly bytesSinceRow: Float64Array;
  /** and the window that each sender says to have; 0: it has not said. */
  readonly windows: Float64Array;
  /** When others' records last came, since when they are to be acknowledged, and by when. */
  receivedAt: Millis;
  owesSince: Millis;
  ackAt: Millis;
  ackNow: boolean;
  /** Somebody lacks word of this member: what it was told may be lost, so all of its row is to be told again. */
  rowAsked: boolean;
  /** Who is to be acknowledged to by other ways than by multicast as well. */
  readonly askedInVain: Set<Rank>;
  /** Members whose actors are behind: nobody sends. */
  readonly paused: Uint8Array;
  /** Whether that was told of oneself. */
  pausedSent: boolean;
  /** When to show what is unstable to all, if nothing moves. */
  repeatAt: Millis;
  repeatDelay: Millis;
  /** Since when what is sent again is noted, what it was, and how many bytes each member was sent: see `resendWindow`. */
  resentAt: Millis;
  resent: Map<string, NodeId | 'all'>;
  answered: Map<NodeId, number>;
}

/** What a target's coordinator has heard. */
export interface Coordination {
  readonly reports: Map<NodeId, Report>;
  /** The cut that was sent, and for which base. */
  cut: { readonly base: ViewId; readonly cut: readonly Seqno[] } | null;
  /** Who holds all of it. */
  readonly haveAll: Set<NodeId>;
}

/** A view change under way, at one member. */
export interface Flush {
  /** The latest target; reporting for it is a promise to ignore cuts and installs of earlier ones. */
  readonly target: View;
  /** The cut of this target, once known. */
  cut: { readonly base: ViewId; readonly cut: readonly Seqno[]; readonly holders: readonly Rank[] } | null;
  repeatAt: Millis;
  repeatDelay: Millis;
  /** Only at rank 0 of the target. */
  readonly coordination: Coordination | null;
}

/** What waits for the state: an item, or, where a view begins, the nodes by its decree, whose requests are not forgotten. */
export type Held = GroupItem | { readonly kind: 'nodes'; readonly nodes: ReadonlySet<NodeId> };

/** Where this member's replica stands. */
export type ReplicaState =
  /** It has the group's state, or the group has none. */
  | { readonly kind: 'present' }
  /** Nothing was installed yet. */
  | { readonly kind: 'absent' }
  /** It comes from the donor, as of the token's view; what was delivered since waits. */
  | {
      readonly kind: 'transferring';
      readonly token: TransferToken;
      readonly held: Held[];
      readonly digest: Digest;
      heldBytes: number;
      /** Chunks that this member's actor is done with, and those of which the donor has been told. */
      taken: number;
      told: number;
    };

/** A transfer of state that this member gives: the actor makes chunks, the link takes them. */
export interface Giving {
  readonly token: TransferToken;
  /** A chunk was taken and the actor waits to be asked for the next. */
  waiting: boolean;
  /** Chunks that went out, and those that the joiner's actor is done with. */
  sent: number;
  taken: number;
  /** The next chunk is the first. */
  first: boolean;
  /** The last chunk was taken; the transfer ends when the joiner has it. */
  complete: boolean;
  /** The requests that the state contains. */
  readonly served: ReadonlyMap<NodeId, Served>;
  /** Of all chunks, for the trace. */
  readonly digest: Digest;
}

/** One call of `flush` that has not ended. */
export interface Settling {
  readonly token: number;
  /** One's own multicasts up to here. */
  readonly message: MessageNumber;
  /** In this view, what had been received of each sender; a later view has it all, by virtual synchrony. */
  readonly view: ViewId;
  readonly row: readonly Seqno[];
}

/** What one client has had served. */
export interface Served {
  /** Its requests below this number are over. */
  floor: number;
  /** Those from there on, with this member's reply; `open`: its actor may still reply; `unknown`: it never will. */
  readonly requests: Map<number, Uint8Array | 'open' | 'unknown'>;
}

/** A frame for a view that is not installed yet. */
export interface FutureFrame {
  readonly view: ViewId;
  readonly source: NodeId;
  readonly body: Uint8Array;
}

/** A group at one node that is, or wants to be, a member. */
export interface Group {
  readonly name: string;
  readonly settings: GroupSettings;
  /** 0 until a decree let this node in. */
  id: GroupId;
  /** Its decree; with the node it is the member's identity. */
  joined: DecreeNumber;
  /** Views that decrees have made and that are not installed, oldest first. */
  targets: View[];
  current: ViewState | null;
  /** How the current view was installed: kept until the next, in case nobody else knows. */
  lastInstall: InstallRecord | null;
  flush: Flush | null;
  /** Why members left, by `node joined`, since the current view. */
  departed: Map<string, LeaveCause>;
  position: Position;
  /** Agreed with the position: no clock is behind what its owner has sent. */
  time: WallTime;
  /** The latest time of what was delivered without a position. */
  unorderedTime: WallTime;
  replica: ReplicaState;
  /** Transfers this member gives. */
  readonly giving: Map<NodeId, Giving>;
  /** Requests from outside that were delivered, by client; and the bytes of the replies kept with them. */
  readonly served: Map<NodeId, Served>;
  repliesBytes: number;
  /** Requests that this member's actor is looking at, as their contact; by `client:number`. */
  readonly contacts: Map<string, { readonly lowest: number; readonly wantsReply: boolean }>;
  /** Flushes of the user that have not ended. */
  settling: Settling[];
  readonly queue: Queue<Outgoing>;
  /** Of one's own multicasts: taken in, let in, stable. */
  lastMessage: MessageNumber;
  acceptedMessage: MessageNumber;
  /** The last of them that is causal or total. */
  lastOrdered: MessageNumber;
  stableMessage: MessageNumber;
  /** Own multicasts that were let in and are not delivered here. */
  undelivered: number;
  /** As last told to the actor. */
  toldAccepted: MessageNumber;
  toldStable: MessageNumber;
  /** Payload bytes handed to the actor and not consumed. */
  backlogBytes: number;
  /** `aborting`: there is no actor any more that could give its state; `asked`: the decree is under way. */
  leaving: 'no' | 'draining' | 'aborting' | 'asked';
  /** The members are told that it is over; nothing comes after. */
  ended: boolean;
  /** Sends nothing new: a view change is under way. */
  wedged: boolean;
  future: FutureFrame[];
  futureBytes: number;
  /** Pieces of state that came before the view that explains them. */
  early: {
    readonly from: NodeId;
    readonly message: LinkMessage & { kind: 'state' | 'served' };
    readonly payload: Uint8Array;
  }[];
  earlyBytes: number;
  /** What the actor gets at the end of the batch. */
  items: GroupItem[];
  status: (GroupItem & { kind: 'status' })['status'] | null;
  why: string;
}

/** A group's member as this node is one. */
export function selfIn(host: Host, group: Group): GroupMember {
  return { node: host.self, joined: group.joined };
}
