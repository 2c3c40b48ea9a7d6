/** Looking at a node from outside: counters, what a packet holds. Changes nothing. */
import type { Millis, NodeId, Seqno, ViewId } from './ids.js';
import { flushMessage } from './group/messages.js';
import { isPaused } from './group/rows.js';
import { ownWindow } from './group/window.js';
import { controlMessage } from './membership/messages.js';
import type { Node } from './node.js';
import { Malformed, Reader } from './wire/bytes.js';
import { Section, readHeader, readSection } from './wire/packet.js';

/** What is buffered; all zero when nothing is under way. */
export interface Gauge {
  /** Multicasts' frames that are not known to be stable, and their bytes. */
  readonly unstable: number;
  readonly unstableBytes: number;
  /** Own multicasts that wait to be let in, and letters that wait to be sent. */
  readonly queued: number;
  /** Frames behind a gap, frames for a view to come, and letters that wait for what they follow. */
  readonly reorder: number;
  /** Multicasts of which a part has come, and pieces of letters that are not complete. */
  readonly reassembly: number;
}

/** What a node buffers, over all its groups. */
export function gauge(node: Node): Gauge {
  let [unstable, unstableBytes, queued, reorder, reassembly] = [0, 0, 0, 0, 0];
  for (const group of node.groups.values()) {
    queued += group.queue.length;
    reorder += group.future.length + group.early.length;
    for (const stream of group.current?.streams ?? []) {
      unstable += stream.chunks.length;
      unstableBytes += stream.unstableBytes;
      reorder += stream.ahead.length;
      if (stream.partial !== null) reassembly++;
    }
  }
  for (const { letters } of node.links.values()) {
    queued += letters.held.length;
    reorder += letters.early.length;
    reassembly += letters.pieces.length;
  }
  return { unstable, unstableBytes, queued, reorder, reassembly };
}

/**
 * All counters of a node. Sizes in bytes.
 *
 * Of the packets sent, `packetsOut`: those that hold no part of a multicast, a state or a letter (`packetsWithoutDataOut`), and
 * of these the ones that acknowledge (`acksOut`). Of `bytesOut`, those of multicasts, states and letters as they were encoded
 * (`payloadBytesOut`): a multicast once, however often it was repeated, what goes over a link as often as it does.
 * `framesResent` are those of any sender that this node sent a second time, `suspicions` how often it began to suspect a node, `suspected`
 * how many it suspects now, and `creditBytes` what it may send before something of its own is stable.
 */
export function statistics(node: Node): Readonly<Record<string, number>> {
  return {
    ...gauge(node),
    nodes: node.domain?.nodes.length ?? 0,
    groups: node.groups.size,
    asking: node.asks.open.size,
    packetsIn: node.packetsIn,
    packetsOut: node.packetsOut,
    bytesOut: node.bytesOut,
    packetsWithoutDataOut: node.out.counts.withoutData,
    acksOut: node.out.counts.acks,
    payloadBytesOut: node.out.counts.payloadBytes,
    framesResent: node.out.counts.resent,
    suspicions: node.suspicions,
    suspected: node.membership.suspects.size,
    creditBytes: credit(node),
    droppedMalformed: node.dropped.malformed,
    droppedForeign: node.dropped.foreign,
    droppedUnknown: node.dropped.unknown,
    datagramBytesMax: node.out.datagramBytesMax,
    pieces: node.pieces.partial.size,
  };
}

/** Bytes that this node may send before something of its own is stable. */
function credit({ host }: Node): number {
  return Math.max(0, ownWindow(host) - host.window.unstable);
}

/** What a group holds back: bytes of all senders that are not known to be stable, and members that the senders wait for. */
export function holding(node: Node, name: string): { readonly unstableBytes: number; readonly behind: number } {
  const current = node.groups.get(name)?.current;
  if (!current) return { unstableBytes: 0, behind: 0 };
  return {
    unstableBytes: current.streams.reduce((sum, stream) => sum + stream.unstableBytes, 0),
    behind: current.paused.reduce((sum, paused) => sum + paused, 0),
  };
}

/** Whether this node's member of a group is so far behind that the senders wait for it. */
export function isBehind(node: Node, name: string): boolean {
  const group = node.groups.get(name);
  return group !== undefined && group.current !== null && isPaused(node.host, group);
}

/**
 * Whether the group can do without this member's state for a while: not that of the oldest, or all might let theirs go at the
 * same time, and not one that somebody is being given.
 */
export function isDispensable(node: Node, name: string): boolean {
  const group = node.groups.get(name);
  return group !== undefined && group.current !== null && group.current.rank > 0 && group.giving.size === 0;
}

/** What a member that goes on with nothing new is waiting for; null if it is not wedged, or has no view to be wedged in. */
export function wedgedFor(node: Node, name: string): string | null {
  const group = node.groups.get(name);
  return group?.current && !node.host.quorate ? node.host.lack() : null;
}

/** A node of the domain, as this one hears it. */
export interface Hearing {
  readonly id: NodeId;
  readonly suspected: boolean;
  /** How long ago its last packet came; null for this node itself, and for one that was never heard. */
  readonly silence: Millis | null;
  /** How late its event loop runs, as it said last. */
  readonly lag: Millis;
}

/** How this node hears the others, oldest first. */
export function hearing({ domain, membership, self }: Node, now: Millis): readonly Hearing[] {
  return (domain?.nodes ?? []).map(({ id, incarnation }) => {
    const peer = id === self ? undefined : membership.peers.get(incarnation);
    const heardAt = peer?.heardAt ?? -Infinity;
    return {
      id,
      suspected: membership.suspects.has(id),
      silence: heardAt === -Infinity ? null : Math.max(0, now - heardAt),
      lag: peer?.lag ?? 0,
    };
  });
}

/** What a quorum is missing, in words; null if the nodes that can be heard are one, or this node is in no domain. */
export function lack({ host, domain }: Node): string | null {
  return domain === null || host.quorate ? null : host.lack();
}

/** Who has received how much in one view of a group. */
export interface Matrix {
  readonly view: ViewId;
  /** By rank. */
  readonly members: readonly NodeId[];
  /** Row: observer, column: sender; the highest contiguous seqno that the observer is known to have received. */
  readonly received: readonly (readonly Seqno[])[];
  /** Members whose actors are behind. */
  readonly paused: readonly boolean[];
}

/** The stability matrix of a group of which this node has a member, as it stands here; null before its first view. */
export function matrixOf(node: Node, name: string): Matrix | null {
  const current = node.groups.get(name)?.current;
  if (!current) return null;
  const { view, stability, paused } = current;
  const received = view.members.map((_, observer) =>
    view.members.map((__, sender) => stability.received(observer, sender)),
  );
  const members = view.members.map((member) => member.node);
  return { view: view.id, members, received, paused: Array.from(paused, (value) => value === 1) };
}

/** Bytes of letters to another node that wait to be sent. */
export function heldBytes(node: Node, to: NodeId): number {
  return node.links.get(to)?.letters.heldBytes ?? 0;
}

/** Whether a packet is from this node's domain in a later state than this node knows. */
export function isLater({ out }: Node, bytes: Uint8Array): boolean {
  try {
    const { domain, founding, number } = readHeader(new Reader(bytes));
    return domain === out.domain && founding === out.founding && number > out.number;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return false;
  }
}

/** Names what a packet holds, section by section: `data`, `row`, `nak`, `link`, `link-ack`, `piece`, or a message's kind. */
export function describePacket(bytes: Uint8Array): readonly string[] {
  const names: string[] = [];
  try {
    const r = new Reader(bytes);
    readHeader(r);
    while (r.left > 0) {
      const { kind, end } = readSection(r);
      names.push(describeSection(kind, new Reader(bytes, r.at, end)));
      r.at = end;
    }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    names.push('malformed');
  }
  return names;
}

function describeSection(kind: number, r: Reader): string {
  switch (kind) {
    case Section.control:
      return controlMessage.read(r).kind;
    case Section.flush:
      r.varint();
      return flushMessage.read(r).kind;
    case Section.data:
      r.varint();
      r.varint();
      return r.varint() === 0 ? 'data' : 'fetched';
    case Section.row:
      return 'row';
    case Section.nak:
      r.varint();
      r.varint();
      return r.varint() === 0 ? 'nak' : 'fetch';
    case Section.link:
      return 'link';
    case Section.linkAck:
      return 'link-ack';
    case Section.piece:
      return 'piece';
    default:
      return 'malformed';
  }
}
