/**
 * What the traces of a run say, arranged by process, group and view, so that a property can ask for D(p, v), what p
 * delivered in v, without searching. Facts only; the properties judge them.
 *
 * A group of one name is several things that must not be mixed: foundings of the domain have their own numbers (a
 * `Lineage` each), and a process that leaves a group and comes back is a new member (a `Life` each). A `Stay` is the
 * time that one member spends in one view: D(p, v) hangs there.
 */
import type { Traced } from './format.js';

/** The records of one kind. */
export type Of<E extends Traced['e']> = Extract<Traced, { readonly e: E }>;

/** The group under which the domain itself is traced. */
export const domainGroup = '$domain';

/** One trace: an incarnation of a node. */
export interface Process {
  readonly id: string;
  /** By group name, in the order in which the trace mentions them. */
  readonly tracks: Map<string, Track>;
  gauges: Of<'gauge'>[];
  /** Letters to and from other nodes, in the order of its trace. */
  readonly letters: Letter[];
  /** Where something happened since the last of them. */
  touched: Track[];
  /** The record that ended this incarnation for all groups: it left or was excluded. */
  ended: Traced | null;
  /** Alive at the end of a quiesced run, and neither left nor excluded. */
  correct: boolean;
}

/** What one process did in one group. */
export interface Track {
  readonly process: Process;
  readonly group: Group;
  readonly lives: Life[];
  /** The life it is in; null before its first view and after it left. */
  life: Life | null;
  /** Its own multicasts, in the order of their `send` records. */
  readonly sends: Multicast[];
  /** The same in the order in which they were transmitted. */
  readonly transmitted: Multicast[];
  /** The `blocked` record, until the next view. */
  blocked: Of<'blocked'> | null;
  /** How many of `sends` belong to lives that are over. */
  sendsOfOldLives: number;
  /** States received before the first view of the life that they begin. */
  statesAhead: StateIn[];
  /** Multicasts transmitted before that view was traced. */
  ahead: Multicast[];
  /** The requests that it has delivered. */
  readonly requests: Set<string>;
  /** It is among its process' `touched`. */
  isTouched: boolean;
}

/** One end of a letter, and what its process had done before in the groups where something happened since the one before. */
export interface Letter {
  readonly record: Of<'tell'> | Of<'told'>;
  readonly process: Process;
  readonly marks: readonly Mark[];
}

/** How far a process has come in a group. */
export interface Mark {
  readonly track: Track;
  /** Where it is, null if it is no member, and how much it has delivered there. */
  readonly stay: Stay | null;
  readonly delivered: number;
  /** How many of the track's multicasts it has sent. */
  readonly sent: number;
}

/** One membership of a process in a group, from its first view there until it leaves, is excluded or its trace ends. */
export interface Life {
  readonly track: Track;
  readonly stays: Stay[];
  /** The same by view id. */
  readonly byView: Map<string, Stay>;
  readonly statesIn: StateIn[];
  /** Multicasts transmitted before its first view was traced: a joiner's views are told after its state. */
  readonly ahead: readonly Multicast[];
  ended: Traced | null;
  /** The stay of the last delivery so far. */
  deliveredLast: Stay | null;
}

/** A member has received the group's state. */
export interface StateIn {
  readonly record: Of<'state-in'>;
  readonly at: number;
  /** The stay of the last delivery before it, null if it is a joiner's first. */
  readonly after: Stay | null;
}

/** The time that one member spends in one view. */
export interface Stay {
  /** Its number in the history, dense from 0. */
  readonly index: number;
  readonly life: Life;
  readonly view: View;
  /** The member's rank in the view. */
  readonly rank: number;
  readonly record: Of<'view'>;
  /** Where its record stands in the input. */
  readonly at: number;
  readonly previous: Stay | null;
  next: Stay | null;
  /** D(p, v) in order, and the records of it, index by index. */
  readonly delivered: Multicast[];
  readonly deliveries: Of<'deliver'>[];
  /** Those of `deliveries` that came when a later view had been installed, though nothing allowed it. */
  readonly late: Of<'deliver'>[];
  /** Sent while in it, transmitted or queued. */
  readonly sends: Multicast[];
  /** Transmitted in it, in the order of sending once the history is settled. */
  readonly transmitted: Multicast[];
  readonly hashes: Of<'hash'>[];
  /** The member has got a state that stands for what it would have delivered here, or still waits for one. */
  covered: boolean;
  /** A state replaced the member's own in its midst: a part of D(p, v) is in that state. */
  patched: boolean;
  /** The view to which the member goes on; `end`: it is correct and still here when all is quiet; null: nothing is known. */
  until: View | 'end' | null;
}

/** One view of one founding of the domain. */
export interface View {
  readonly lineage: Lineage;
  readonly id: string;
  readonly k: number;
  /** As in the first record of it; VIEW-AGREE sees to the others. */
  readonly members: readonly string[];
  readonly ranks: ReadonlyMap<string, number>;
  readonly stays: Stay[];
  /** Its stays by where they go, without those that a state stands for: who is together in VSYNC, TOTAL and BARRIER. */
  together: Stay[][];
}

/** The views of a group within one founding of the domain. */
export interface Lineage {
  readonly group: Group;
  readonly dom: string;
  /** By id. */
  readonly views: Map<string, View>;
  /** By number, once the history is settled; a new list wherever nobody carried the group on, and positions start anew. */
  epochs: View[][];
}

/** All that goes by one group name. */
export interface Group {
  readonly name: string;
  readonly lineages: Map<string, Lineage>;
  readonly multicasts: Map<string, Multicast>;
  /** Deliveries of requests, by their names. */
  readonly requests: Map<string, Serving[]>;
  /** Its members replicate a state: somebody has traced a digest or a transfer. */
  replicated: boolean;
  /** Somebody has traced a transfer of state. */
  transfers: boolean;
  /** Somebody has delivered a multicast outside the total order, so a position does not say what a state contains. */
  mixed: boolean;
}

/** A delivery of a request. */
export interface Serving {
  readonly record: Of<'deliver'>;
  readonly stay: Stay;
  readonly multicast: Multicast;
}

/** One multicast. Fields that its sender's trace has to tell are null or -1 until it does. */
export interface Multicast {
  /** Its number in the history, dense from 0. */
  readonly index: number;
  readonly id: string;
  readonly sender: string;
  readonly group: Group;
  send: Of<'send'> | null;
  sendAt: number;
  /** The sender's stay at the time of sending and how much it had delivered in it. */
  sentIn: Stay | null;
  seen: number;
  /** Where, by which record and in which of the sender's stays it was transmitted; the stay is null if it has none of that view. */
  transmission: Of<'send'> | Of<'xmit'> | null;
  stay: Stay | null;
  /** The stay in which the sender was and the `blocked` that was in force when it was transmitted. */
  current: Stay | null;
  blocked: Of<'blocked'> | null;
  failed: boolean;
  /** It was transmitted before the sender's first view was traced. */
  ahead: boolean;
  /** The stay in which its own sender delivered it, and where in the input. */
  own: Stay | null;
  ownAt: number;
  order: string;
  uniform: boolean;
  /** Its place among those of its sender, view and class, from 0. */
  place: number;
  /** Its place among the causal and total ones of its sender in its view, from 1; 0 for the others. */
  cause: number;
}

/** Something that two records contradict each other about, found while reading. */
export interface Clash {
  readonly record: Traced;
  readonly other: Traced | null;
}

/** A transmission after the end of a membership: by a member that came back and waits for its state, or by nobody. */
export interface Comeback {
  readonly record: Of<'send'> | Of<'xmit'>;
  /** The membership that had ended. */
  readonly over: Life;
}

/** An `asked`, the view its asker had then, null for no member, and its state of the domain. */
export interface Asked {
  readonly record: Of<'asked'>;
  readonly view: View | null;
  readonly domain: View | null;
}

/** An answer, and whether its member had delivered the request. */
export interface Answer {
  readonly record: Of<'answered'>;
  readonly isDelivered: boolean;
}

/** Everything the properties look at. */
export interface History {
  readonly records: number;
  readonly processes: Map<string, Process>;
  readonly groups: Map<string, Group>;
  readonly lineages: Lineage[];
  readonly multicasts: Multicast[];
  readonly stays: Stay[];
  /** Deliveries in a view that their process never installed. */
  readonly strays: Of<'deliver'>[];
  /** View records that name the view their process is in already. */
  readonly repeatedViews: Clash[];
  /** Ids sent twice, multicasts transmitted twice. */
  readonly repeatedSends: Clash[];
  /** Transmissions of what was never sent, sends under another's name. */
  readonly unfounded: Clash[];
  /** Every `left` and `excluded`. */
  readonly ends: Traced[];
  /** Records of a member after the record that ended it. */
  readonly afterEnd: Clash[];
  /** What is among them if no later view tells otherwise. */
  readonly comebacks: Comeback[];
  readonly statesOut: Of<'state-out'>[];
  readonly asks: Of<'ask'>[];
  readonly answers: Answer[];
  readonly asked: Asked[];
  /** The run ended healed and idle. */
  readonly quiesced: boolean;
  /** Who lives at that end, whether in the domain or not. */
  readonly alive: ReadonlySet<string>;
}

/** Whether an order respects causality: Chockler, Keidar and Vitenberg's reliable causal and totally ordered multicasts. */
export function isCausal(order: string): boolean {
  return order !== 'fifo';
}

/** Whether multicasts of this order have a place in the total order. */
export function isTotal(order: string): boolean {
  return order === 'total' || order === 'barrier';
}

/** Classes within which a sender's multicasts keep their order: one for each order, with and without uniformity. */
export const classesMax = 8;

/** The class of a multicast, below {@link classesMax}. */
export function classOf(multicast: Multicast): number {
  const order = multicast.order === 'fifo' ? 0 : multicast.order === 'causal' ? 1 : multicast.order === 'total' ? 2 : 3;
  return order * 2 + (multicast.uniform ? 1 : 0);
}

/** The process of a stay. */
export function processOf(stay: Stay): Process {
  return stay.life.track.process;
}

/** The name in a node id, `name#incarnation`; all of it if it has another form. */
export function nodeName(id: string): string {
  const hash = id.lastIndexOf('#');
  return hash < 0 ? id : id.slice(0, hash);
}
