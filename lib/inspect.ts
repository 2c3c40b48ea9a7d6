/** Looking at a node from outside: counters, what waits for whom, what a packet holds. Changes nothing. */
import type { NodeId } from './ids.js';
import { flushMessage } from './group/messages.js';
import { isPaused } from './group/rows.js';
import type { Group } from './group/state.js';
import { nakTriesOverDatagrams } from './limits.js';
import { controlMessage } from './membership/messages.js';
import { weightOf } from './membership/quorum.js';
import type { DomainState } from './membership/state.js';
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
  /** Fragments of multicasts and letters that are not complete. */
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
      reassembly += stream.partial.length;
    }
  }
  for (const { letters } of node.links.values()) {
    queued += letters.held.length;
    reorder += letters.early.length;
    reassembly += letters.pieces.length;
  }
  return { unstable, unstableBytes, queued, reorder, reassembly };
}

/** All counters of a node. Sizes in bytes. */
export function statistics(node: Node): Readonly<Record<string, number>> {
  return {
    ...gauge(node),
    nodes: node.domain?.nodes.length ?? 0,
    groups: node.groups.size,
    asking: node.asks.open.size,
    packetsIn: node.packetsIn,
    packetsOut: node.packetsOut,
    bytesOut: node.bytesOut,
    droppedMalformed: node.dropped.malformed,
    droppedForeign: node.dropped.foreign,
    droppedUnknown: node.dropped.unknown,
    datagramBytesMax: node.out.datagramBytesMax,
    pieces: node.pieces.partial.size,
  };
}

/** One thing that is waited for, and for whom. */
export interface Waiting {
  readonly what: string;
  readonly who: readonly NodeId[];
}

/** Why nothing moves in a group: whom a view change, stability, credit or state is waiting for. */
export function explain(node: Node, name: string): readonly Waiting[] {
  const group = node.groups.get(name);
  if (!group) return [];
  const waiting: Waiting[] = [];
  const add = (what: string, who: readonly NodeId[]): void => {
    if (who.length > 0) waiting.push({ what, who });
  };
  explainDomain(node, group, add);
  explainFlush(group, add);
  explainView(group, add);
  explainPaths(node, group, add);
  if (group.current?.barrier === 'asked' && !group.flush)
    add(
      'the decree that ends the view for a barrier of this member',
      (node.domain?.nodes ?? []).slice(0, 1).map(({ id }) => id),
    );
  explainAsks(node, name, add);
  const unread = [...node.links.values()].filter(({ unacknowledged }) => unacknowledged.length > 0);
  add(
    'letters and pieces of state to be acknowledged',
    unread.map(({ peer }) => peer),
  );
  if (group.replica.kind === 'transferring')
    add(`the state as of view ${group.replica.token.view}`, [group.replica.token.donor]);
  return waiting;
}

/** What the control plane waits for: a domain, a quorum, votes, enough nodes. */
function explainDomain(node: Node, group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const m = node.membership;
  const { state, phase } = m;
  if (phase.kind === 'seeking') add('a domain to answer, or the time to found one', [node.self]);
  if (phase.kind === 'joining')
    add(`domain ${phase.domain} to let this node in`, contactsOf(m.sightings.get(phase.domain)));
  if (state === null || phase.kind !== 'member') return;
  const missing = state.nodes.map(({ id }) => id).filter((id) => m.suspects.has(id));
  if (!node.host.quorate) add('a quorum: these cannot be heard', missing);
  if (!m.complete) explainIncomplete(m, state, node.self, add);
  else if (!group.current && group.targets.length === 0) add('the decree that lets this member in', [node.self]);
  const { proposer, number } = m.instance;
  const answered =
    proposer.kind === 'preparing' ? proposer.promises : proposer.kind === 'proposing' ? proposer.votes : null;
  const silent = state.nodes.map(({ id }) => id).filter((id) => answered !== null && !answered.has(id));
  add(`votes on decree ${number}`, silent);
  const [oldest] = state.nodes.filter(({ id }) => !m.suspects.has(id));
  if (m.wishes.length > 0 && oldest !== undefined && oldest.id !== node.self) {
    add(`a decree, which is to be proposed by the oldest that can be heard`, [oldest.id]);
  }
}

function explainIncomplete(
  m: Node['membership'],
  state: DomainState,
  self: NodeId,
  add: (what: string, who: readonly NodeId[]) => void,
): void {
  const { minimumNodes } = m.options;
  const { nodes, rules } = state;
  if (nodes.length < minimumNodes) add(`more nodes: ${nodes.length} are in, ${minimumNodes} are needed`, [self]);
  const weight = weightOf(nodes);
  if (weight <= rules.minimumWeight) {
    add(`more nodes: those that are in weigh ${weight}, more than ${rules.minimumWeight} is needed`, [self]);
  }
}

function contactsOf(sighting: { readonly contact: { readonly id: NodeId } | null } | undefined): readonly NodeId[] {
  return sighting?.contact ? [sighting.contact.id] : [];
}

function explainAsks(node: Node, name: string, add: (what: string, who: readonly NodeId[]) => void): void {
  const asks = [...node.asks.open.values()].filter(({ group }) => group === name);
  const silent = asks.flatMap(({ expected, got }) => (expected ?? []).filter((member) => !got.has(member.node)));
  add('replies', [...new Set(silent.map((member) => member.node))]);
}

function explainFlush(group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const { flush } = group;
  if (!flush) return;
  const { coordination, target } = flush;
  if (!coordination) {
    add(
      `the install of view ${target.id}`,
      target.members.slice(0, 1).map(({ node }) => node),
    );
    return;
  }
  const others = target.members.filter(({ joined }) => joined < target.id).map(({ node }) => node);
  add(
    `reports for view ${target.id}`,
    others.filter((node) => !coordination.reports.has(node)),
  );
  if (coordination.cut)
    add(
      `the cut of view ${target.id}`,
      others.filter((node) => !coordination.haveAll.has(node)),
    );
}

function explainView(group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const { current } = group;
  if (!current) return;
  const nodes = current.view.members.map(({ node }) => node);
  add(
    'credit: the actors of these are behind',
    nodes.filter((_, rank) => current.paused[rank] === 1),
  );
  const { stability } = current;
  const behind = nodes.filter((_, observer) =>
    nodes.some((__, sender) => stability.received(observer, sender) < stability.received(current.rank, sender)),
  );
  add('acknowledgements', behind);
  const run = current.runs.first;
  if (run) add('multicasts that are ordered and did not arrive', nodes.slice(run.rank, run.rank + 1));
}

/** What has been asked for or sent so often that some path seems to eat it: gaps in streams, and links. */
function explainPaths(node: Node, group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const { current } = group;
  current?.streams.forEach((stream, rank) => {
    const { received, known, nakTries } = stream;
    const sender = current.view.members[rank];
    if (sender === undefined || received >= known || nakTries <= nakTriesOverDatagrams) return;
    const gap = `records ${received + 1} to ${known} of its stream`;
    add(`a lossy path: ${gap}, asked for ${nakTries} times, now by other ways and in small pieces`, [sender.node]);
  });
  for (const { peer, unacknowledged, way } of node.links.values()) {
    const oldest = unacknowledged.first;
    if (oldest === undefined || way === 'stream') continue;
    const by = way === 'datagram' ? 'in small datagrams' : 'by multicast';
    add(`a lossy path: message ${oldest.number} on the link, for which no stream can be had, now sent ${by}`, [peer]);
  }
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
