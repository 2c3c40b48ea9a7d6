/**
 * The control plane of one node, as plain state: who it is, where it stands, what it knows of the others.
 *
 * The protocol is the functions over it, one file for each part: `discovery` (finding or founding a domain),
 * `proposing` (agreement), `learning` (decrees come in, in order), `catching-up` (nobody stays behind), `requesting`
 * (what a node wants of the domain), `judging` (who is suspected, who has to go), `departing`.
 */
import { incarnationOf, nodeId } from '../ids.js';
import type { Authorize } from './authorizing.js';
import type { DecreeNumber, DomainId, Incarnation, Millis, NodeId, ViewId } from '../ids.js';
import { createInstance } from './consensus.js';
import type { Instance } from './consensus.js';
import type { DecreeLog } from './decree-log.js';
import { createDetector, never } from './detector.js';
import type { Detector, Signals } from './detector.js';
import { peersMax } from '../limits.js';
import type { ControlMessage } from './messages.js';
import type { Versions } from './protocol.js';
import { createRandom, draw } from './random.js';
import type { Random } from './random.js';
import { nodeByIncarnation } from './state.js';
import type { Change, Decree, DomainState, GroupSettings, NodeInfo, Rules } from './state.js';

/** Who a node is, and its patience. */
export interface MembershipOptions {
  /** Unique among the living of the domain. */
  readonly name: string;
  readonly incarnation: Incarnation;
  /** Where others reach it by unicast. */
  readonly address: string;
  /** A node that multicasts nothing for so long says that it lives. */
  readonly heartbeat: Millis;
  /** A node that is not heard for so long is suspected, */
  readonly timeout: Millis;
  /** or up to this, if it or this one was silent or late before. */
  readonly timeoutMax: Millis;
  /** A node that hears of no domain for so long founds one. */
  readonly discovery: Millis;
  /** No group is joined before the domain has had this many nodes. */
  readonly minimumNodes: number;
  /** What this node counts for beside being one. */
  readonly weight: number;
  /** See {@link NodeInfo}. */
  readonly process: string;
  readonly metadata: string;
  readonly publicKey: string;
  readonly versions: Versions;
  readonly authorize: Authorize;
  /** Draws a number for a joiner to repeat, which shows where it is; null: none has to. */
  readonly challenge: (() => number) | null;
  /** How the domain decides. Nodes that differ in these do not get into one domain. */
  readonly quorum: Rules['quorum'];
  readonly minimumWeight: number;
  /** Founds a domain at once, in whatever state of the world: an operator has said so. */
  readonly founds: boolean;
  /** Seeds what little is drawn by chance. */
  readonly seed: number;
}

/** An operator has ended a life: the next one founds the domain anew, or joins the one that is; both keep their states. */
export type Forced = 'found' | 'join';

/** Where a message goes; `again`: a datagram like it seems to have been lost, so it goes by every other way as well. */
export type Destination =
  | { readonly kind: 'all'; readonly again: boolean }
  | { readonly kind: 'node'; readonly id: NodeId; readonly address: string; readonly again: boolean };

/** Who a packet is from, as its header and the transport tell. */
export interface Sender {
  readonly incarnation: Incarnation;
  readonly address: string;
}

/** What the control plane wants done or known, in order. */
export type MembershipOutput =
  | { readonly kind: 'send'; readonly to: Destination; readonly message: ControlMessage }
  /**
   * The domain's next state; this node is always in it. One for each decree, in order, none skipped; `decree` is null
   * for a node's first state, which it learns whole.
   */
  | { readonly kind: 'installed'; readonly state: DomainState; readonly decree: Decree | null }
  /** This node is in, follows its first `installed`. */
  | { readonly kind: 'joined' }
  /**
   * The domain goes on without this node: its data plane stops now. `state` is the one that lacks it, or, if that
   * cannot be had any more, the last one that it was in. The control plane goes on serving until `restart`.
   */
  | { readonly kind: 'excluded'; readonly why: string; readonly state: DomainState }
  /** A graceful leave is complete. */
  | { readonly kind: 'left' }
  /** This incarnation is over, another may start. */
  | { readonly kind: 'restart'; readonly why: string; readonly forced?: Forced }
  /** The operator's word has come to nothing. */
  | { readonly kind: 'force-refused'; readonly why: string }
  /** This node cannot be let in, whatever its incarnation. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'group-refused'; readonly group: string; readonly why: string }
  | { readonly kind: 'suspect'; readonly who: NodeId; readonly why: string; readonly address: string }
  | { readonly kind: 'unsuspect'; readonly who: NodeId }
  /** Whether a quorum is in touch has changed. */
  | { readonly kind: 'quorate' }
  /** Is the node's process dead? */
  | { readonly kind: 'confirm'; readonly who: NodeId; readonly process: string }
  /** Whose crash is to be noticed at once: these addresses, and no others. */
  | { readonly kind: 'tether'; readonly to: readonly string[] }
  /** Whether anybody listens at this address; answered by `probed`. */
  | { readonly kind: 'probe'; readonly to: string }
  | {
      readonly kind: 'log';
      readonly level: 'error' | 'warn' | 'info' | 'debug';
      readonly message: string;
      readonly fields: Readonly<Record<string, string | number | boolean>>;
    };

/** Where outputs are collected. */
export type Outputs = MembershipOutput[];

/** Where a node stands. */
export type Phase =
  /** Looks for a domain. */
  | {
      readonly kind: 'seeking';
      /** Since when it looks, less what it stood still. */
      since: Millis;
      /** When its next turn is due. */
      lookAt: Millis;
      /** When others that look for one were last heard. */
      readonly candidates: Map<Incarnation, Millis>;
      helloAt: Millis;
    }
  /** Has offered this incarnation to a domain, and so never founds one with it, nor offers it to another. */
  | {
      readonly kind: 'joining';
      readonly domain: DomainId;
      /** The domain's number at the first offer. */
      readonly seen: DecreeNumber;
      offerAt: Millis;
      offers: number;
      /** The number that the domain has sent to this node's address, 0 if none. */
      proof: number;
    }
  | { readonly kind: 'member' }
  /**
   * The decree that removes it is decided. It goes on serving that decree until a quorum of the new state knows it:
   * until then it may be the only one alive who does.
   */
  | { readonly kind: 'departing'; readonly cause: 'left' | 'excluded'; readonly why: string; readonly since: Millis }
  /** Nothing comes from it any more. */
  | { readonly kind: 'over' };

/** What is known of another node, of the domain or not. */
export interface Peer extends Signals {
  address: string;
  /** The tag of its domain, 0 while it is in none that is known. An incarnation is never in two. */
  tag: number;
  /** The highest number of its state that was seen. */
  number: DecreeNumber;
  /** When it was last heard in no later state than this node's. */
  sameAt: Millis;
  /** When to send it what it lacks, null if it lacks nothing that it has not been sent since it was last heard. */
  pushAt: Millis | null;
  /** No sooner than this: what was sent last may be on its way. */
  pushFrom: Millis;
  /** Nor is it answered sooner than this if it asks for it: an answer is much larger than what asks. */
  answerFrom: Millis;
  /** How often it was sent what it lacks since it got on. */
  pushes: number;
  /** When its tether last broke and it was not heard for a while after, or null. */
  brokeAt: Millis | null;
  /** When it last reported whom it suspects. */
  reportedAt: Millis;
  /** Probes of its address that are still to be made, since its tether broke or somebody reported it. */
  probes: number;
  /** When the next of these is due. */
  probeAt: Millis;
  /** Whether a connection to its address has ever stood: only then does it say anything that one is refused. */
  reached: boolean;
  /** When the next probe is due that is to find that out; infinite until it is answered. */
  reachAt: Millis;
}

/** A domain of this name that was heard of. */
export interface Sighting {
  size: number;
  number: DecreeNumber;
  /** Its proposer, once somebody has told. */
  contact: (Destination & { readonly kind: 'node' }) | null;
  heardAt: Millis;
  /** Since when it is stronger than this node's own domain, null if it is not. */
  strongerSince: Millis | null;
}

/** A node that wants to join. */
export interface Offer {
  readonly incarnation: Incarnation;
  readonly name: string;
  readonly address: string;
  readonly weight: number;
  readonly process: string;
  readonly metadata: string;
  readonly publicKey: string;
  readonly version: number;
  readonly seen: DecreeNumber;
  /** Whom of the domain it hears. */
  hears: ReadonlySet<Incarnation>;
  readonly firstAt: Millis;
  lastAt: Millis;
}

/** What a node asked for, as of a state. */
export interface Request {
  readonly at: DecreeNumber;
  readonly changes: readonly Change[];
}

/** An operator's word that has not come to its end. */
export interface Forcing {
  readonly nodes: readonly string[];
  /** Who is to found the domain anew. */
  readonly founder: NodeInfo;
  /** When it is told again. */
  at: Millis;
  readonly until: Millis;
}

/** A group that this node wants to be in. */
export interface Want {
  readonly settings: GroupSettings;
  /** A membership by this decree or an earlier one is of a previous life in the group, and has to end first. */
  readonly after: DecreeNumber;
}

/** The control plane of one node. Its fields are its own, but for those that are documented as of use to others. */
export interface Membership {
  readonly options: MembershipOptions;
  readonly id: NodeId;
  phase: Phase;
  /** The domain as this node knows it; for a departing node the state that it is not in. */
  state: DomainState | null;
  readonly log: DecreeLog;
  /** The agreement on the next decree. */
  instance: Instance;
  /** No new ballot before this: somebody else is at it, or was faster. */
  quietUntil: Millis;
  /** Ballots in vain for this decree. */
  attempts: number;
  /** When what is being proposed is said again. */
  retryAt: Millis;

  readonly peers: Map<Incarnation, Peer>;
  readonly detector: Detector;
  /** The addresses to which there ought to be tethers. */
  tethered: readonly string[];
  readonly suspects: Set<NodeId>;
  /** Nodes of the state whose deaths are confirmed, and count. */
  readonly confirmed: Set<NodeId>;
  /** When deaths are asked for again. */
  confirmAt: Millis;
  /** Whom each node reports as suspected, and since when. */
  readonly reports: Map<NodeId, Map<NodeId, Millis>>;
  /** Whether a quorum was in touch when it was last looked at, to log when that changes. */
  quorate: boolean;

  readonly sightings: Map<DomainId, Sighting>;
  /** When a domain was last heard of, or this node began to look for one. */
  domainHeardAt: Millis;

  readonly offers: Map<Incarnation, Offer>;
  /** Numbers that were sent to the addresses of those who want in. Insertion order is age. */
  readonly challenges: Map<Incarnation, { readonly address: string; readonly number: number }>;
  /** Nodes that decrees have let in since then: a second at most. */
  joins: { readonly since: Millis; readonly count: number };
  /** Addresses from which somebody was excluded, first in, first out. */
  readonly excludedFrom: Set<string>;
  /** Whom, of no domain, each node hears. */
  readonly strangers: Map<NodeId, ReadonlySet<Incarnation>>;
  readonly requests: Map<NodeId, Request>;
  readonly wanted: Map<string, Want>;
  /** Views in which this node has sent a barrier, by group. */
  readonly barriers: Map<string, ViewId>;
  /** The changes that would give this node what it wants. */
  wishes: readonly Change[];
  /** Whether the domain is known to have had its minimum of nodes. */
  complete: boolean;
  /** When it was told to leave, null if it was not. */
  leavingSince: Millis | null;
  /** Whether it is going to leave the domain, when it is out of its groups. */
  isLeaving: boolean;
  /** What an operator has said, until it has happened. */
  forcing: Forcing | null;
  /** When its wishes are sent again, and how often they were. */
  requestAt: Millis;
  requestTries: number;
  /** Who has shown a higher number and is to be asked for decrees, and when. */
  ask: { to: Incarnation; at: Millis } | null;
  /** Since when it has been behind without getting on, null if it is not. */
  behindSince: Millis | null;

  lastMulticast: Millis;
  lastHeartbeat: Millis;
  /** A heartbeat is due now: there is news in it. */
  news: boolean;
  readonly random: Random;
  /** When to tick next. */
  wakeAt: Millis;
  lastPruned: Millis;
}

/** A control plane that is about to look for a domain. */
export function createControl(options: MembershipOptions, now: Millis): Membership {
  const { heartbeat, timeout, timeoutMax } = options;
  // deaths that count rest on it that who is suspected did not run
  const judgesMute = options.quorum === 'majority';
  return {
    options,
    id: nodeId(options.name, options.incarnation),
    phase: { kind: 'seeking', since: now, lookAt: now, candidates: new Map(), helloAt: now },
    state: null,
    log: [],
    instance: createInstance(0),
    quietUntil: now,
    attempts: 0,
    retryAt: now,
    peers: new Map(),
    detector: createDetector({ heartbeat, timeout, timeoutMax, judgesMute }, now),
    tethered: [],
    suspects: new Set(),
    confirmed: new Set(),
    confirmAt: now,
    reports: new Map(),
    quorate: true,
    sightings: new Map(),
    domainHeardAt: now,
    offers: new Map(),
    challenges: new Map(),
    joins: { since: now, count: 0 },
    excludedFrom: new Set(),
    strangers: new Map(),
    requests: new Map(),
    wanted: new Map(),
    barriers: new Map(),
    wishes: [],
    complete: false,
    isLeaving: false,
    leavingSince: null,
    forcing: null,
    requestAt: now,
    requestTries: 0,
    ask: null,
    behindSince: null,
    lastMulticast: now,
    lastHeartbeat: now,
    news: false,
    random: createRandom(options.seed),
    wakeAt: now,
    lastPruned: now,
  };
}

/** A 32-bit tag of a domain for packet headers (FNV-1a); never 0, which stands for none. */
export function domainTag(id: DomainId): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0 || 1;
}

/** Has `tick` called no later than this. */
export function wake(m: Membership, at: Millis): void {
  if (at < m.wakeAt) m.wakeAt = at;
}

/** A span between one and two times this long, so that nodes do not act in step. */
export function jittered(m: Membership, span: Millis): Millis {
  return span * (1 + draw(m.random));
}

/** Sends to everybody. */
export function multicast(
  m: Membership,
  message: ControlMessage,
  now: Millis,
  out: Outputs,
  again: boolean = false,
): void {
  m.lastMulticast = now;
  out.push({ kind: 'send', to: { kind: 'all', again }, message });
}

/** Sends to one node. */
export function unicast(
  to: { id: NodeId; address: string },
  message: ControlMessage,
  out: Outputs,
  again: boolean = false,
): void {
  out.push({ kind: 'send', to: { kind: 'node', id: to.id, address: to.address, again }, message });
}

/** The way back to a sender. Of one that is not in the state the name is not known, and not needed. */
export function replyTo(m: Membership, from: Sender): { id: NodeId; address: string } {
  const known = m.state === null ? undefined : nodeByIncarnation(m.state, from.incarnation);
  return known ?? { id: nodeId('', from.incarnation), address: from.address };
}

/** What is known of a node; from now on, if nothing was. */
export function peerOf(m: Membership, from: Sender, now: Millis): Peer {
  let peer = m.peers.get(from.incarnation);
  if (peer === undefined) {
    if (m.peers.size >= peersMax) forgetOneStranger(m);
    const times = { heardAt: -Infinity, heardToAllAt: -Infinity, watchedAt: now, claimedAt: null, goneAt: null };
    const signals = { ...times, silence: never, lag: 0 };
    const said = { address: from.address, tag: 0, number: 0 };
    peer = {
      ...signals,
      ...said,
      sameAt: -Infinity,
      pushAt: null,
      pushFrom: now,
      answerFrom: now,
      pushes: 0,
      brokeAt: null,
      reportedAt: -Infinity,
      probes: 0,
      probeAt: Infinity,
      reached: false,
      reachAt: -Infinity,
    };
    m.peers.set(from.incarnation, peer);
  }
  return peer;
}

/** The stranger that was heard of first makes room. */
function forgetOneStranger(m: Membership): void {
  for (const incarnation of m.peers.keys()) {
    if (m.state !== null && nodeByIncarnation(m.state, incarnation) !== undefined) continue;
    m.peers.delete(incarnation);
    return;
  }
}

/** This incarnation ends. */
export function end(
  m: Membership,
  output: MembershipOutput & { kind: 'left' | 'restart' | 'refused' },
  out: Outputs,
): void {
  m.phase = { kind: 'over' };
  m.wakeAt = Infinity;
  out.push({ kind: 'tether', to: [] }, output);
}

/** How long one waits for others before going without them: for a quorum to know of one's departure, for decrees. */
export function lastResort({ options }: Membership): Millis {
  return 10 * options.timeout;
}

/** The incarnation of a domain's founder: the smaller, the older. */
export function founderOf(domain: DomainId): Incarnation {
  return incarnationOf(domain as string as NodeId);
}

/** Adds to the log. */
export function log(
  out: Outputs,
  level: 'error' | 'warn' | 'info' | 'debug',
  message: string,
  fields: Readonly<Record<string, string | number | boolean>> = {},
): void {
  out.push({ kind: 'log', level, message, fields });
}
