/**
 * What a system with groups consists of, as plain state: the host (one per nact system), its life (one per incarnation)
 * and its members (one per group).
 */
import type { HeldKeys } from './keys.js';
import type { Logger as ActorLogger } from 'nact';
import type { Logger } from 'winston';
import type { BehaviorSubject } from 'rxjs';
import type { Delivery, GroupItem, NodeEvent, TransferToken, ViewInfo } from '../lib/events.js';
import type { NodeId } from '../lib/ids.js';
import type { Forced } from '../lib/membership/control.js';
import type { DomainState, GroupSettings, Order } from '../lib/membership/state.js';
import type { Node } from '../lib/node.js';
import type { Queue } from '../lib/queue.js';
import type { Rekeying } from '../transport/rekeying.js';
import type { Transport } from '../transport/transport.js';
import { NotAMember, NotInDomain, NotLocal } from './errors.js';
import type { Feed } from './feed.js';
import type { LimitedLog } from './log-limit.js';
import { inside, type NactActor, type NactParent, type NactRef, type NactSystem } from './nact-internals.js';
import type { Mailbox } from './mailbox.js';
import type { GroupStream } from './observables.js';
import type { ResolvedOptions } from './options.js';
import type { Outbox } from './receipts.js';
import type { Requests } from './requests.js';
import type { Runtime, Timer } from './runtime.js';
import type { Snapshot, SnapshotDecoder, SnapshotEncoder } from './snapshot.js';
import type { StructureTable } from './structures.js';
import type { TraceWriter } from './trace-writer.js';
import type { Client, Codec, Earlier, Member as ViewMember, TransferProgress, View } from './types.js';
import type { RefCodec } from './wire-format.js';

/** A promise and what settles it. */
export interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Makes a promise whose rejection nobody has to look at. */
export function deferred(): Deferred {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** One incarnation of the node. */
export interface Life {
  /** `name#incarnation`. */
  readonly id: NodeId;
  readonly incarnation: number;
  /** An operator has begun it. */
  readonly forced: Forced | undefined;
  /** Own multicasts by group; numbering outlives a leave and rejoin within the life. */
  readonly outboxes: Map<string, Outbox>;
  /** What this node has asked. */
  readonly requests: Requests;
  readonly trace: TraceWriter | undefined;
  /** Absent until the transport is open. */
  core: Node | undefined;
  /** How what users say is encrypted, with the option `rekey`; opened and closed with the core. */
  rekeying: Rekeying | undefined;
  /** The domain's state; absent until this life is in it. */
  domain: DomainState | undefined;
  /** Nodes that this life has seen go, so that refs to them are known for dead at once. */
  readonly departed: Set<NodeId>;
  /** What is for nodes that this life has not heard of yet. */
  readonly strangers: Map<NodeId, Stranger>;
  /** Bytes for other nodes of which the core has not been told. */
  posted: number;
}

/** A node that is named in a ref and not in the domain, as far as is known here. */
export interface Stranger {
  readonly calls: RemoteEvent[];
  readonly timer: Timer;
}

/** What goes to the actor layer of another node. */
export type RemoteEvent = Extract<NodeEvent, { kind: 'remote' }>;

/** A `query` to an actor of another node that has no answer yet. */
export interface RemoteQuery {
  readonly node: NodeId;
  /** The actor, in words. */
  readonly target: string;
  readonly reject: (error: Error) => void;
}

/** Somebody who looks on: told of what passes, changes nothing. */
export interface Watcher {
  /** A packet that came or goes to all. Its bytes are somebody else's. */
  packet(bytes: Uint8Array): void;
  /** What a member's actor is about to get. */
  items(group: string, items: readonly GroupItem[]): void;
}

/** Somebody who counts and times, for metrics: see telemetry/. */
export interface Meter {
  /** What a member's actor is about to get. */
  items(member: Member, items: readonly GroupItem[]): void;
  /** A member has handed a multicast of this number to the core. */
  sent(member: Member, message: number): void;
}

/** A span of something that is being sent to a group. */
export interface Sending {
  /** What goes with the message, so that its deliveries are part of the same trace: see trace-context.ts. */
  readonly context: Uint8Array;
  /** It has gone, under this id. */
  sent(id: string): void;
  /** The span is over; `error`: why it came to nothing. */
  end(error?: unknown): void;
}

/** What makes spans: see telemetry/. */
export interface Tracing {
  /** Begins a span of a message to a group, unless the caller is in none that is recorded. */
  begin(group: string, operation: 'send' | 'ask'): Sending | undefined;
  /** Runs a member's function on what was delivered, in a span that follows from the sender's. */
  process(member: Member, item: Delivery, context: Uint8Array, run: () => unknown): unknown;
  /** Runs what belongs to nobody's span: the protocol's turn is begun by whoever has sent something first. */
  apart(run: () => void): void;
}

/** A nact system in a domain. */
export interface Host {
  readonly system: NactSystem;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** For what others cause, however often. */
  readonly notes: LimitedLog;
  /** The nact actor that runs the core. */
  actor: NactActor | undefined;
  life: Life;
  /** Read when the transport is opened; undefined: there are none, or not yet. */
  keys: HeldKeys | undefined;
  transport: Transport | undefined;
  /** The transport at this node's new address, while its old one is gone and it is not sure that the others go on without it. */
  next: Transport | undefined;
  isMoving: boolean;
  phase: 'opening' | 'running' | 'leaving' | 'left' | 'refused';
  /** What happened and the core has not been told. */
  inbox: NodeEvent[];
  /** Whether a nact message is under way that will empty the inbox. */
  woken: boolean;
  /** Memory of packets to all that the transport has not done with when it was given them. */
  readonly beingSent: WeakSet<ArrayBufferLike>;
  /** Members whose mailboxes this turn has put something into. */
  readonly fed: Member[];
  timer: Timer | undefined;
  timerDue: number;
  /** The wall clock when the monotonic one was zero, as last told to the core. */
  wall: number;
  /** When a leave that has not come to an end is given up. */
  leaveBy: number;
  /** Since when input of before a stall may still be queued; undefined: all is read. */
  behindSince: number | undefined;
  /** How late the last tick came, in milliseconds. */
  lag: number;
  datagramsTaken: number;
  /** When the trace was last told what is buffered. */
  gaugedAt: number;
  /** When lives ended by a bug, for giving up if it happens over and over. */
  bugs: number[];
  readonly ready: Deferred;
  /** Settled when what an operator has forced has happened, or not. */
  forcing: (Deferred & { readonly timer: Timer }) | undefined;
  readonly left: Deferred;
  readonly domain: BehaviorSubject<DomainState | undefined>;
  /** Members by group. */
  readonly members: Map<string, Member>;
  /** Members that wait for an earlier one of their group to be gone. */
  readonly successors: Map<string, Member>;
  readonly refs: RefCodec;
  /** Who looks on; undefined as a rule. */
  watcher: Watcher | undefined;
  /** Who counts; undefined as a rule. */
  meter: Meter | undefined;
  /** Who makes spans; undefined as a rule. */
  tracing: Tracing | undefined;
  /** Queries to actors of other nodes, by the number of the temporary ref that waits for the answer. */
  readonly queries: Map<number, RemoteQuery>;
  /** Messages that did not get to an actor of another node, or that came for an actor that is not here; in all, */
  deadLetters: number;
  /** and by what they were for, as far as it is kept. */
  readonly deadLettersTo: Map<string, number>;
}

/** What lets requests in. */
type Accept = (request: { readonly message: unknown; readonly from: Client }) => unknown;

/** What a member's function and props are once types are gone. */
export interface Behavior {
  readonly f: (state: unknown, msg: unknown, ctx: unknown) => unknown;
  readonly onView: ((state: unknown, view: View, ctx: unknown) => unknown) | undefined;
  readonly onDirect: ((state: unknown, msg: unknown, ctx: unknown) => unknown) | undefined;
  readonly snapshot: ((state: unknown) => unknown) | undefined;
  readonly restore: ((snapshot: unknown, earlier: Earlier<unknown, unknown>) => unknown) | undefined;
  readonly accept: Accept | undefined;
  readonly onTransfer: ((progress: TransferProgress) => void) | undefined;
  /** Whether the function leaves a state as it is that it was given; undefined: nobody says. */
  readonly immutable: boolean | undefined;
  readonly initialState: unknown;
  readonly initialStateFunc: ((ctx: unknown) => unknown) | undefined;
}

/** What a member had before its node began a new life. */
export interface Former extends Earlier<unknown, unknown> {
  readonly hadState: boolean;
  readonly forced: boolean;
}

/** A read that waits: for own multicasts, and for what was delivered when it was asked for. */
export interface Waiter {
  readonly mark: readonly number[];
  readonly outbox: Outbox;
  readonly enqueued: number;
  /** It need not see what others have completed. */
  readonly isLocal: boolean;
  readonly run: () => void;
  readonly reject: (error: Error) => void;
}

/** Digests of one position. */
export interface Check {
  readonly own: string;
  /** By member of the position's view, oldest first; undefined: not told yet. */
  readonly told: Map<string, string | undefined>;
}

/** What a member did with a multicast that another left out; `not there`: it came later, with what had become of it. */
export type Verdict = 'left out' | 'applied' | 'not there';

/** A verdict as it is told. */
export interface SaidVerdict {
  /** That of the multicast. */
  readonly view: number;
  readonly verdict: Verdict;
  /** Whether the multicast was FIFO: others may not have it when they are told. */
  readonly isFifo: boolean;
}

/** Multicasts that somebody left out: see verdicts.ts. By id. */
export interface Verdicts {
  /** This member has seen the multicasts of this view and later ones. */
  since: number;
  /** Here, and why. */
  readonly leftOut: Map<string, 'unreadable' | 'thrown'>;
  /** What this member has to say, and did not yet. */
  readonly toTell: Map<string, SaidVerdict>;
  /** It is saying something: what comes meanwhile goes with the next. */
  isTelling: boolean;
  /** By member, what it said; undefined: nothing yet. */
  readonly checks: Map<string, Map<string, Verdict | undefined>>;
  /** The latest FIFO multicast of each sender that this member is done with, by rank in the view. */
  fifoDone: number[];
  /** FIFO multicasts of which this member was told before it had them, with their view. */
  readonly awaited: Map<string, number>;
}

/** How a replica is compared with the others: see divergence.ts. */
export interface Divergence {
  /** Positions from one comparison to the next; 0: none. */
  readonly every: number;
  readonly digest: ((state: unknown) => string) | undefined;
  /** Comparisons that have not ended, by position. */
  readonly checks: Map<number, Check>;
  /** Whether it was said that the state is too large, and that somebody is behind. */
  warned: boolean;
  behind: boolean;
}

/** A transfer of state that goes out: the encoder, what it has encoded ahead, and how much of that has been taken. */
export interface Outgoing {
  readonly encoder: SnapshotEncoder;
  readonly ahead: readonly Snapshot[];
  taken: number;
  /** What goes before the first chunk. */
  readonly head: Uint8Array;
  /** Sent so far. */
  bytes: number;
}

/** A state on its way in. */
export interface Incoming {
  readonly token: TransferToken;
  readonly decoder: SnapshotDecoder;
  /** Complete values, for a state that is no iterable. */
  readonly values: unknown[];
  /** For one that is: what `restore` reads, */
  feed: Feed | undefined;
  /** its end, which never rejects, */
  ended: Promise<void>;
  /** and how it ended. */
  outcome: { readonly state: unknown } | { readonly error: unknown } | undefined;
}

/** A request of another node that came to this member. */
export interface RequestItem extends Extract<GroupItem, { kind: 'request' }> {
  /** The life of this node that it came to. */
  readonly life: Life;
}

/** Requests that came to this member, one let in or refused after the other. */
export interface Admission {
  readonly waiting: Queue<RequestItem>;
  /** Of these. */
  waitingBytes: number;
  /** Whether `accept` is at one of them. */
  busy: boolean;
  /** By client, the last request that was let in or refused for good. */
  readonly handled: Map<NodeId, number>;
}

/** This node's member of a group: the cell behind its nact actor. */
export interface Member {
  readonly host: Host;
  readonly group: string;
  readonly settings: GroupSettings;
  readonly order: Order;
  readonly codec: Codec;
  /** What objects of the group's messages look like; undefined with a codec of the user's own. */
  readonly structures: StructureTable | undefined;
  readonly divergence: Divergence;
  readonly verdicts: Verdicts;
  /** What it had before, until it has a state again. */
  former: Former | undefined;
  /** New lives of the node that its mailbox has not come to. */
  rebirths: number;
  readonly behavior: Behavior;
  readonly queueLengthMax: number;
  /** What becomes of multicasts while the member is cut off from most of its domain. */
  readonly whileWedged: 'refuse' | 'queue';
  readonly actor: NactActor;
  readonly ref: NactRef;
  /** Everything above it in nact's tree when it was spawned. */
  readonly ancestors: readonly NactParent[];
  readonly log: ActorLogger;
  readonly stream: GroupStream;
  /** `waiting`: for an earlier member of the group to be gone. `rejoining`: has left to fetch the state anew. */
  phase: 'waiting' | 'member' | 'rejoining' | 'leaving' | 'gone';
  /** Why it is gone. */
  gone: Error | undefined;
  readonly left: Deferred;
  outbox: Outbox;
  /** Multicasts that wait for the group to be joined (again). */
  held: NodeEvent[];
  readonly mailbox: Mailbox;
  /** Whether a nact message is under way that will drain the items. */
  tokened: boolean;
  draining: boolean;
  /** Whether items are thrown away: the state is not one to go on with. */
  discarding: boolean;
  state: unknown;
  hasState: boolean;
  /** Whether the group's state began as this member's initial state. */
  founder: boolean;
  /** Whether it was said that a state had to be copied. */
  copyNoticed: boolean;
  /** Whether the function is known to be asynchronous. */
  asynchronous: boolean;
  /** How many calls of its functions have returned at once. */
  returned: number;
  /** The last position delivered here, and the latest time. */
  position: number;
  time: number;
  view: View | undefined;
  viewInfo: ViewInfo | undefined;
  me: ViewMember | undefined;
  /** Consumed and not yet reported, in bytes. */
  consumed: number;
  dropped: number;
  waiters: Waiter[];
  readonly admission: Admission;
  /** Flushes that have not ended, by token. */
  readonly flushes: Map<number, Deferred>;
  /** By `view/joiner`; undefined: ended before it began. */
  readonly outgoing: Map<string, Outgoing | undefined>;
  incoming: Incoming | undefined;
}

/** Living systems with groups, by the name of the nact system. */
export const hosts = new Map<string, Host>();

/** The type of refs to actors of other nodes. */
export const remoteType = 'groups-remote';

const hostsByRef = new WeakMap<object, Host>();
const membersByRef = new WeakMap<object, Member>();

/** Remembers whose ref this is. */
export function registerHost(host: Host): void {
  hosts.set(host.system.name, host);
  hostsByRef.set(host.system.reference, host);
}

/** Remembers whose ref this is. */
export function registerMember(member: Member): void {
  membersByRef.set(member.ref, member);
}

/** The host of a system's, or any actor's, ref. Throws {@link NotInDomain}, {@link NotLocal}. */
export function hostOf(ref: object): Host {
  if (inside(ref).type === remoteType) throw new NotLocal(String(inside(ref).path));
  const host = hostsByRef.get(ref) ?? hosts.get(inside(ref).system.name);
  if (!host) {
    throw new NotInDomain(
      `system '${inside(ref).system.name}' is in no domain: start it with start(groups({ domain })), and before stop`,
    );
  }
  return host;
}

/** The member behind a group's ref. Throws {@link NotAMember}. */
export function memberOf(ref: object): Member {
  const member = memberBehind(ref);
  if (!member) throw new NotAMember(inside(ref).name, 'this takes a ref that spawnReplicated or spawnMember returned');
  return member;
}

/** The member behind a ref, if it is a group's. */
export function memberBehind(ref: object): Member | undefined {
  return membersByRef.get(ref) ?? memberAt(inside(ref));
}

/** By path: for a copy of a ref. The actor's name is the group's. */
function memberAt(ref: NactRef): Member | undefined {
  if (ref.type !== 'actor') return undefined;
  const member = hosts.get(ref.system.name)?.members.get(ref.name);
  return member && member.ref.path.parts.join('/') === ref.path.parts.join('/') ? member : undefined;
}

/** What a line in the log says of the actor that it is from. */
export function logFieldsOf(ref: NactRef): object {
  const member = memberBehind(ref);
  return { actor: String(ref.path), ...(member && { group: member.group, view: member.view?.id }) };
}

/** Has the core told, in the next turn of the event loop. */
export function tell(host: Host, event: NodeEvent): void {
  host.inbox.push(event);
  wake(host);
}

/** Has the transport actor run, with one nact message for everything that comes until then. */
export function wake(host: Host): void {
  if (host.woken || !host.actor) return;
  host.woken = true;
  host.actor.dispatch(wakeUp);
}

const wakeUp = { type: 'wake' } as const;
