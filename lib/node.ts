/**
 * One node of a domain as a value that is stepped: `step` takes what happened, `ready` gives what is to be done.
 * No clock, no socket, no randomness: the same core runs under the simulator, the transports and the tests.
 *
 * It joins the two planes: the control plane (`membership/`) says who is there, the data plane (`group/`) what was said.
 */
import type { Effect, GroupItem, NodeEvent } from './events.js';
import type { DomainId, Incarnation, Millis, NodeId } from './ids.js';
import { assertNever } from './assert.js';
import { checkCut, receiveFlush } from './group/flush.js';
import { createGroup, endGroup, followDecree, groupDue, leaveGroup, serveGroup, takeMulticast } from './group/group.js';
import { flushMessage, linkMessage } from './group/messages.js';
import { receiveData, receiveRow } from './group/receive.js';
import { receiveNak } from './group/repair.js';
import { updateStatus } from './group/replica.js';
import { beginSettling } from './group/settled.js';
import type { Group, Host } from './group/state.js';
import { giveChunk, hasRoomForEarly, receiveLink, sendDirect } from './group/transfer.js';
import { incarnationOf, nodeId } from './ids.js';
import {
  type Link,
  createLink,
  hasRoom,
  linkBroke,
  sendOver,
  serveLink,
  takeLinkAck,
  nextLinkMessage,
} from './link.js';
import {
  type Destination,
  type Membership,
  type MembershipOutput,
  controlMessage,
  createMembership,
  domainTag,
  heard,
  isQuorate,
  isSuspected,
  joinGroup,
  leaveDomain,
  leaveGroup as leaveGroupByDecree,
  multicastSent,
  nextTick as membershipDue,
  receive as receiveControl,
  tick as tickMembership,
} from './membership/membership.js';
import type { Decree, DomainState, LeaveCause } from './membership/state.js';
import type { NodeOptions } from './options.js';
import { type Outbox, addSection, createOutbox, finishAll, overStream, sectionBytesMax, toNode } from './outbox.js';
import { Malformed, Reader, Writer } from './wire/bytes.js';
import { type PacketHeader, Section, readHeader, readSection, tagOf } from './wire/packet.js';

export { defaults } from './options.js';
export type { NodeOptions } from './options.js';

/** A node. Its fields are the core's own. */
export interface Node {
  readonly options: NodeOptions;
  readonly self: NodeId;
  readonly membership: Membership;
  /** The state of the domain as last installed, null before. */
  domain: DomainState | null;
  /** Who speaks, by the incarnation in the packets' headers. */
  sources: Map<Incarnation, NodeId>;
  readonly addresses: Map<NodeId, string>;
  readonly groups: Map<string, Group>;
  readonly groupsById: Map<number, Group>;
  /** Last multicast of memberships that ended, by group. */
  readonly lastMessages: Map<string, number>;
  readonly links: Map<NodeId, Link>;
  readonly out: Outbox;
  readonly host: Host;
  /** Groups with work for the end of the batch, and groups that wait for a time. */
  readonly dirty: Set<Group>;
  readonly timed: Set<Group>;
  leavingDomain: 'no' | 'groups' | 'asked';
  effects: Effect[];
  /** What ends a life or says that it began: last of a batch. */
  lastEffects: Effect[];
  readonly dropped: { malformed: number; foreign: number; unknown: number };
  packetsIn: number;
  packetsOut: number;
  bytesOut: number;
}

/** A node at the start of one life; nothing is sent before the first `ready`. */
export function createNode(options: NodeOptions, now: Millis): Node {
  const self = nodeId(options.name, options.incarnation);
  const out = createOutbox(tagOf(options.domain), options.incarnation, options.datagramBytesMax);
  const node: Omit<Node, 'host'> & { host?: Host } = {
    options,
    self,
    membership: createMembership(options, now),
    domain: null,
    sources: new Map(),
    addresses: new Map(),
    groups: new Map(),
    groupsById: new Map(),
    lastMessages: new Map(),
    links: new Map(),
    out,
    dirty: new Set(),
    timed: new Set(),
    leavingDomain: 'no',
    effects: [],
    lastEffects: [],
    dropped: { malformed: 0, foreign: 0, unknown: 0 },
    packetsIn: 0,
    packetsOut: 0,
    bytesOut: 0,
  };
  node.host = createHost(node as Node, now);
  if (options.trace) node.effects.push({ kind: 'trace', record: { e: 'start', domain: options.domain, protocol: 1 } });
  return node as Node;
}

function createHost(node: Node, now: Millis): Host {
  const { options } = node;
  return {
    options,
    self: node.self,
    out: node.out,
    now,
    ownUnstableBytes: 0,
    waitForWindow: new Set(),
    quorate: true,
    window: () => (options.windowBytes * 4) / Math.max(4, node.domain?.nodes.length ?? 0),
    address: (id) => node.addresses.get(id),
    isSuspected: (id) => isSuspected(node.membership, id),
    askToLeave: (group) => {
      collect(node, (out) => leaveGroupByDecree(node.membership, group.name, node.host.now, out));
      if (group.id === 0) endGroup(node.host, group, 'left', 'left before it was in');
    },
    touch: (group) => node.dirty.add(group),
    link: (to, message) => {
      const link = linkTo(node, to);
      if (link) sendOver(node.out, link, message, node.host.now);
    },
    linkHasRoom: (to) => {
      const link = node.links.get(to);
      return link ? hasRoom(link) : node.addresses.has(to);
    },
    linkIsIdle: (to) => {
      const link = node.links.get(to);
      return link ? link.unacknowledged.length === 0 : node.addresses.has(to);
    },
    domainId: () => node.domain?.id ?? ('' as DomainId),
    unlessMalformed: (take) => {
      unlessMalformed(node, take);
    },
    trace: (record) => {
      if (options.trace) node.effects.push({ kind: 'trace', record });
    },
    log: (level, message, fields) => node.effects.push({ kind: 'log', level, message, fields }),
  };
}

function linkTo(node: Node, peer: NodeId): Link | undefined {
  const address = node.addresses.get(peer);
  let link = node.links.get(peer);
  if (!link && address !== undefined) {
    link = createLink(peer, address);
    node.links.set(peer, link);
  }
  return link;
}

/** Takes in one event. Several may be taken in before the next `ready`: what they cause is packed together. */
export function step(node: Node, event: NodeEvent, now: Millis): void {
  node.host.now = now;
  switch (event.kind) {
    case 'datagram':
    case 'stream':
      return receivePacket(node, event.bytes, event.from, now);
    case 'stream-down':
      for (const link of node.links.values()) if (link.address === event.to) linkBroke(link, now);
      return;
    case 'tick':
      return tick(node, event.behind ?? false, now);
    case 'join-group':
      return join(node, event, now);
    case 'leave-domain':
      if (node.leavingDomain === 'no') node.leavingDomain = 'groups';
      for (const group of node.groups.values()) leaveGroup(node.host, group, false);
      return;
    case 'leave-group':
    case 'multicast':
    case 'direct':
    case 'flush':
    case 'consumed':
    case 'snapshot': {
      const group = node.groups.get(event.group);
      if (group && !group.ended) stepGroup(node, group, event);
      return;
    }
    default:
      return assertNever(event);
  }
}

type GroupEvent = NodeEvent & { kind: 'leave-group' | 'multicast' | 'direct' | 'flush' | 'consumed' | 'snapshot' };

function stepGroup(node: Node, group: Group, event: GroupEvent): void {
  const { host } = node;
  switch (event.kind) {
    case 'leave-group':
      return leaveGroup(host, group, event.abort ?? false);
    case 'multicast':
      return takeMulticast(host, group, event);
    case 'direct':
      return sendDirect(host, group, event.to, event.payload);
    case 'flush':
      return beginSettling(host, group, event.token);
    case 'consumed':
      group.backlogBytes -= event.bytes;
      host.touch(group);
      return;
    case 'snapshot':
      return giveChunk(host, group, event.token, event.chunk, event.last);
    default:
      return assertNever(event);
  }
}

function join(node: Node, event: NodeEvent & { kind: 'join-group' }, now: Millis): void {
  const existing = node.groups.get(event.group);
  if (existing && !existing.ended) return;
  if (existing) node.lastMessages.set(event.group, existing.lastMessage);
  const group = createGroup(event.group, event.settings, node.lastMessages.get(event.group) ?? 0);
  node.groups.set(event.group, group);
  updateStatus(node.host, group);
  collect(node, (out) => joinGroup(node.membership, event.group, event.settings, now, out));
}

function tick(node: Node, behind: boolean, now: Millis): void {
  collect(node, (out) => tickMembership(node.membership, now, out, behind));
  for (const group of node.timed) if (groupDue(group) <= now) node.dirty.add(group);
}

function receivePacket(node: Node, bytes: Uint8Array, from: string, now: Millis): void {
  const r = new Reader(bytes);
  node.packetsIn++;
  unlessMalformed(node, () => {
    const header = readHeader(r);
    const { source, destination } = header;
    const isForMe = destination === 0 || destination === node.options.incarnation;
    if (header.domain !== node.out.domain || source === node.options.incarnation || !isForMe) {
      node.dropped.foreign++;
      return;
    }
    const sender = { incarnation: source, address: from };
    collect(node, (out) => heard(node.membership, sender, header.founding, header.number, now, out));
    while (r.left > 0) {
      const { kind, end } = readSection(r);
      receiveSection(node, header, from, kind, new Reader(bytes, r.at, end));
      r.at = end;
    }
  });
}

function unlessMalformed(node: Node, take: () => void): void {
  try {
    take();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    node.dropped.malformed++;
  }
}

function receiveSection(node: Node, header: PacketHeader, from: string, kind: number, r: Reader): void {
  if (kind === Section.control) {
    const message = controlMessage.read(r);
    if (r.left > 0) throw new Malformed('bytes after a control message');
    const sender = { incarnation: header.source, address: from };
    collect(node, (out) => receiveControl(node.membership, sender, message, node.host.now, out));
    return;
  }
  const source = node.sources.get(header.source);
  if (source === undefined) node.dropped.unknown++;
  else if (kind === Section.link || kind === Section.linkAck) receiveOnLink(node, source, kind, r);
  else receiveForGroup(node, source, kind, r);
}

function receiveOnLink(node: Node, source: NodeId, kind: number, r: Reader): void {
  const link = linkTo(node, source);
  if (!link) return;
  if (kind === Section.linkAck) {
    takeLinkAck(link, r, node.host.now);
    for (const group of node.groups.values()) if (group.giving.size > 0) node.host.touch(group);
    return;
  }
  const message = nextLinkMessage(link, r);
  if (!message) return;
  const body = new Reader(message);
  const head = linkMessage.read(body);
  const group = node.groups.get(head.group);
  if (group && !hasRoomForEarly(group)) return;
  link.received++;
  if (group && !group.ended) receiveLink(node.host, group, source, head, body.raw(body.left));
}

function receiveForGroup(node: Node, source: NodeId, kind: number, r: Reader): void {
  const { host } = node;
  const group = node.groupsById.get(r.varint());
  if (!group || group.ended) {
    node.dropped.unknown++;
    return;
  }
  switch (kind) {
    case Section.data:
      receiveData(host, group, source, r.varint(), r);
      checkCut(host, group);
      return;
    case Section.row:
      return receiveRow(host, group, source, r.varint(), r);
    case Section.nak:
      return receiveNak(host, group, source, r.varint(), r);
    case Section.flush:
      receiveFlush(host, group, source, flushMessage.read(r));
      host.touch(group);
      return;
    default:
      throw new Malformed(`section kind ${kind}`);
  }
}

/** Runs a part of the control plane and carries out what it says. */
function collect(node: Node, run: (out: MembershipOutput[]) => void): void {
  const outputs: MembershipOutput[] = [];
  run(outputs);
  const { state } = node.membership;
  node.out.founding = state ? domainTag(state.id) : 0;
  node.out.number = state?.number ?? 0;
  for (const output of outputs) carryOut(node, output);
}

function carryOut(node: Node, output: MembershipOutput): void {
  switch (output.kind) {
    case 'send': {
      const w = new Writer();
      controlMessage.write(w, output.message);
      return sendControl(node, output.to, w.take());
    }
    case 'installed':
      return followState(node, output.state, output.decree);
    case 'excluded':
      return endAll(node, 'excluded', output.why);
    case 'joined':
    case 'refused':
      node.lastEffects.push(output);
      return;
    case 'group-refused':
      node.lastEffects.push(output);
      refuseGroup(node, output.group);
      return;
    case 'left':
      endAll(node, 'left', 'left the domain');
      node.lastEffects.push(output);
      return;
    case 'restart':
      endAll(node, 'excluded', output.why);
      node.lastEffects.push(output);
      return;
    case 'suspect':
      node.host.trace({ e: 'suspect', who: output.who, why: output.why });
      node.host.log('warn', 'suspected', { node: output.who, address: output.address, why: output.why });
      return updateQuorate(node);
    case 'unsuspect':
      node.host.log('info', 'heard again', { node: output.who });
      return updateQuorate(node);
    case 'log':
      node.effects.push(output);
      return;
    default:
      return assertNever(output);
  }
}

/** By datagram, or, if it is too large for one, over streams: to all means to all that are known then. */
function sendControl(node: Node, to: Destination, body: Uint8Array): void {
  const { out } = node;
  if (body.length <= sectionBytesMax(out)) {
    const packer = to.kind === 'all' ? out.all : toNode(out, incarnationOf(to.id), to.address);
    addSection(out, packer, Section.control, body);
    return;
  }
  for (const { id, address } of to.kind === 'node' ? [to] : (node.domain?.nodes ?? [])) {
    if (id !== node.self) addSection(out, overStream(out, incarnationOf(id), address), Section.control, body);
  }
}

function refuseGroup(node: Node, name: string): void {
  const group = node.groups.get(name);
  if (group) group.ended = true;
  node.groups.delete(name);
}

function endAll(node: Node, status: 'left' | 'excluded', why: string): void {
  for (const group of node.groups.values()) endGroup(node.host, group, status, why);
}

function updateQuorate(node: Node): void {
  const quorate = isQuorate(node.membership);
  if (quorate === node.host.quorate) return;
  node.host.quorate = quorate;
  for (const group of node.groups.values()) {
    updateStatus(node.host, group);
    node.host.touch(group);
  }
}

/** The domain has a new state: the data plane follows. */
function followState(node: Node, state: DomainState, decree: Decree | null): void {
  const before = node.domain;
  node.domain = state;
  node.sources = new Map(state.nodes.map(({ incarnation, id }) => [incarnation, id]));
  node.addresses.clear();
  for (const { id, address } of state.nodes) node.addresses.set(id, address);
  for (const peer of node.links.keys()) if (!node.addresses.has(peer)) node.links.delete(peer);
  traceDomain(node, before, state, decree);
  node.effects.push({ kind: 'domain', state });
  updateQuorate(node);
  for (const group of node.groups.values()) {
    followDecree(node.host, group, state.groups.get(group.name), decree);
    if (group.id !== 0) node.groupsById.set(group.id, group);
    node.host.touch(group);
  }
}

function traceDomain(node: Node, before: DomainState | null, state: DomainState, decree: Decree | null): void {
  if (!node.options.trace) return;
  const gone = (before?.nodes ?? []).filter(({ id }) => !state.nodes.some((each) => each.id === id));
  const causeOf = (id: NodeId): LeaveCause => {
    const change = decree?.changes.find(
      (each) => (each.kind === 'leave' || each.kind === 'exclude') && each.node === id,
    );
    return change?.kind === 'exclude' ? change.cause : 'left';
  };
  node.host.trace({
    e: 'view',
    g: '$domain',
    v: String(state.number),
    k: state.number,
    m: state.nodes.map(({ id }) => id),
    primary: true,
    prev: before ? String(before.number) : null,
    joined: state.nodes.filter(({ joined }) => joined > (before?.number ?? state.number - 1)).map(({ id }) => id),
    left: gone.map(({ id }) => [id, causeOf(id)]),
    dom: state.id,
  });
}

/** Ends a batch of steps: what is to be done, in order. */
export function ready(node: Node, now: Millis): readonly Effect[] {
  const { host } = node;
  host.now = now;
  const deliveries: Effect[] = [];
  for (const group of node.dirty) {
    serveGroup(host, group);
    if (groupDue(group) === Infinity) node.timed.delete(group);
    else node.timed.add(group);
    if (group.items.length > 0) {
      deliveries.push({ kind: 'deliver', group: group.name, items: takeItems(group) });
    }
    node.dirty.delete(group);
    if (group.ended) retire(node, group);
  }
  maybeLeaveDomain(node, now);
  for (const link of node.links.values()) serveLink(node.out, link, now);
  const packets = finishAll(node.out);
  if (node.out.multicastSent) {
    node.out.multicastSent = false;
    multicastSent(node.membership, now);
  }
  for (const packet of packets) if ('bytes' in packet) node.bytesOut += packet.bytes.length;
  node.packetsOut += packets.length;
  const effects = [...node.effects, ...packets, ...deliveries, ...node.lastEffects];
  node.effects = [];
  node.lastEffects = [];
  return effects;
}

function takeItems(group: Group): GroupItem[] {
  const { items } = group;
  group.items = [];
  return items;
}

function retire(node: Node, group: Group): void {
  node.lastMessages.set(group.name, group.lastMessage);
  node.timed.delete(group);
  if (node.groupsById.get(group.id) === group) node.groupsById.delete(group.id);
  if (node.groups.get(group.name) === group) node.groups.delete(group.name);
}

function maybeLeaveDomain(node: Node, now: Millis): void {
  if (node.leavingDomain !== 'groups' || node.groups.size > 0) return;
  node.leavingDomain = 'asked';
  collect(node, (out) => leaveDomain(node.membership, now, out));
}

/** When the next `tick` is due, in the time base of `now`. */
export function nextTick(node: Node): Millis {
  let due: Millis = membershipDue(node.membership);
  for (const group of node.timed) due = Math.min(due, groupDue(group));
  for (const link of node.links.values()) due = Math.min(due, link.repeatAt);
  return due;
}
