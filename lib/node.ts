/**
 * One node of a domain as a value that is stepped: `step` takes what happened, `ready` gives what is to be done.
 * No clock, no socket, no randomness: the same core runs under the simulator, the transports and the tests.
 *
 * It joins the two planes: the control plane (`membership/`) says who is there, the data plane (`group/`) what was said.
 */
import type { Effect, GroupItem, NodeEvent } from './events.js';
import type { DomainId, Millis } from './ids.js';
import { beginAsk, beginRequest, endAsksOf, failAsk, questionDelivered, reviewAsks, tickAsks } from './asking.js';
import { createArena } from './arena.js';
import { createAsks } from './asks.js';
import { assertNever } from './assert.js';
import { collect } from './control.js';
import { createGroup, endGroup, groupDue, leaveGroup, serveGroup, takeMulticast } from './group/group.js';
import { updateStatus } from './group/replica.js';
import { sendDirect } from './group/direct.js';
import { refuseRequest, takeReply } from './group/serving.js';
import { beginSettling } from './group/settled.js';
import type { Group, Host } from './group/state.js';
import { createWindow } from './group/window.js';
import { giveChunk, takeChunk } from './group/transfer.js';
import { nodeId } from './ids.js';
import { receivePacket, unlessMalformed } from './inbound.js';
import { keepPast, moveLetters, noteLostState, sendLetter, sendState } from './letters.js';
import { hasRoom, linkBroke, serveLink } from './link.js';
import {
  createMembership,
  endView,
  force,
  isSuspected,
  joinGroup,
  lackOf,
  leaveDomain,
  leaveGroup as leaveGroupByDecree,
  multicastSent,
  noteDeath,
  nextTick as membershipDue,
  noteProbe,
  prepareToLeave,
  tetherBroke,
  tick as tickMembership,
} from './membership/membership.js';
import type { Node } from './node-state.js';
import type { NodeOptions } from './options.js';
import { createOutbox, finishAll, growDatagrams, shrinkDatagrams } from './outbox.js';
import { tagOf } from './wire/packet.js';
import { createPieces, forgetPieces } from './wire/pieces.js';

export { turnAway } from './inbound.js';
export type { Node } from './node-state.js';
export { defaults } from './options.js';
export type { NodeOptions } from './options.js';

/** A node at the start of one life; nothing is sent before the first `ready`. */
export function createNode(options: NodeOptions, now: Millis): Node {
  const self = nodeId(options.name, options.incarnation);
  const out = createOutbox(tagOf(options.domain), options.incarnation, options.datagramBytesMax, options);
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
    lostStates: new Map(),
    links: new Map(),
    writing: new Set(),
    pasts: new Map(),
    asks: createAsks(),
    out,
    pieces: createPieces(),
    dirty: new Set(),
    timed: new Set(),
    leavingDomain: 'no',
    effects: [],
    lastEffects: [],
    dropped: { malformed: 0, foreign: 0, unknown: 0 },
    suspicions: 0,
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
    wall: options.wall,
    window: createWindow(),
    arena: createArena(options.slabBytes),
    quorate: true,
    lack: () => lackOf(node.membership),
    nodeCount: () => node.domain?.nodes.length ?? 0,
    address: (id) => node.addresses.get(id),
    isSuspected: (id) => isSuspected(node.membership, id),
    askToLeave: (group) => {
      collect(node, (out) => leaveGroupByDecree(node.membership, group.name, node.host.now, out));
      if (group.id === 0) endGroup(node.host, group, 'left', 'left before it was in');
    },
    askToEndView: (group, view) => {
      collect(node, (out) => endView(node.membership, group.name, view, node.host.now, out));
    },
    touch: (group) => node.dirty.add(group),
    letter: (to, letter, payload) => sendLetter(node, to, letter, payload),
    sendState: (to, message, payload) => sendState(node, to, message, payload),
    beginAsk: (group, message, ask) => beginAsk(node, group, message, ask),
    questionDelivered: (number, { members }) =>
      questionDelivered(
        node,
        number,
        members.map(({ id, joined }) => ({ node: id, joined })),
      ),
    reviewAsks: () => (node.asks.review = true),
    endAsksOf: (group, why) => endAsksOf(node, group, why),
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

/** Takes in one event. Several may be taken in before the next `ready`: what they cause is packed together. */
export function step(node: Node, event: NodeEvent, now: Millis): void {
  node.host.now = now;
  switch (event.kind) {
    case 'datagram':
    case 'stream':
      return receivePacket(node, event.bytes, event.from, now);
    case 'stream-down':
      for (const link of node.links.values()) if (link.address === event.to) linkBroke(link, now);
      if (event.wasUp) tetherBroke(node.membership, event.to, now);
      return;
    case 'datagram-too-large':
      if (shrinkDatagrams(node.out, now)) {
        node.host.log('warn', 'large datagrams are refused by the system: for a while only small ones are sent', {});
      }
      return;
    case 'probed':
      noteProbe(node.membership, event.to, event.found, now);
      return;
    case 'tick':
      return tick(node, event.behind ?? false, now);
    case 'join-group':
      return join(node, event, now);
    case 'clock':
      node.host.wall = event.wall;
      return;
    case 'death':
      return collect(node, (out) => noteDeath(node.membership, event.who, now, out));
    case 'force':
      return collect(node, (out) => force(node.membership, event.nodes, now, out));
    case 'leave-domain':
      if (node.leavingDomain === 'no') node.leavingDomain = 'groups';
      prepareToLeave(node.membership);
      for (const group of node.groups.values()) leaveGroup(node.host, group, false);
      return;
    case 'leave-group':
    case 'multicast':
    case 'direct':
    case 'flush':
    case 'consumed':
    case 'refuse':
    case 'reply':
    case 'snapshot':
    case 'state-taken': {
      const group = node.groups.get(event.group);
      if (group && !group.ended) stepGroup(node, group, event);
      else if (event.kind === 'multicast' && event.ask) failAsk(node, event.ask);
      return;
    }
    case 'request':
      return beginRequest(node, event);
    case 'remote':
      if (!sendLetter(node, event.to, { kind: 'remote' }, event.payload)) {
        node.host.log('warn', 'a message to another node is dropped', { to: event.to });
      }
      return;
    default:
      return assertNever(event);
  }
}

type GroupEvent = NodeEvent & {
  kind: 'leave-group' | 'multicast' | 'direct' | 'flush' | 'consumed' | 'refuse' | 'reply' | 'snapshot' | 'state-taken';
};

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
    case 'refuse':
      return refuseRequest(host, group, event.request, event.why, event.again);
    case 'reply':
      return takeReply(host, group, event.request, event.payload);
    case 'snapshot':
      return giveChunk(host, group, event.token, event.chunk, event.last);
    case 'state-taken':
      return takeChunk(host, group, event.token);
    default:
      return assertNever(event);
  }
}

function join(node: Node, event: NodeEvent & { kind: 'join-group' }, now: Millis): void {
  // it would never be gone
  if (node.leavingDomain !== 'no') return;
  const existing = node.groups.get(event.group);
  if (existing && !existing.ended) return;
  if (existing) node.lastMessages.set(event.group, existing.lastMessage);
  const group = createGroup(event.group, event.settings, node.lastMessages.get(event.group) ?? 0);
  node.groups.set(event.group, group);
  updateStatus(node.host, group);
  // it was let in by a decree that it did not wait for, and the state that came with that is gone
  const lost = node.lostStates.get(event.group) ?? 0;
  node.lostStates.delete(event.group);
  collect(node, (out) => joinGroup(node.membership, event.group, event.settings, now, out, lost));
}

function tick(node: Node, behind: boolean, now: Millis): void {
  growDatagrams(node.out, now);
  forgetPieces(node.pieces, now);
  collect(node, (out) => tickMembership(node.membership, now, out, behind));
  for (const group of node.timed) if (groupDue(group) <= now) node.dirty.add(group);
  tickAsks(node);
}

/** Ends a batch of steps: what is to be done, in order. */
export function ready(node: Node, now: Millis): readonly Effect[] {
  const { host } = node;
  host.now = now;
  const deliveries: Effect[] = [];
  const served = serveAll(node);
  for (const group of served) {
    if (groupDue(group) === Infinity) node.timed.delete(group);
    else node.timed.add(group);
    if (group.items.length > 0) {
      deliveries.push({ kind: 'deliver', group: group.name, items: takeItems(group) });
    }
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

/** Everything that what happened allows, in all groups; letters go out after multicasts, and in after deliveries. */
function serveAll(node: Node): ReadonlySet<Group> {
  const served = new Set<Group>();
  do {
    for (const group of node.dirty) {
      node.dirty.delete(group);
      serveGroup(node.host, group);
      if (group.ended) keepPast(node, group);
      served.add(group);
    }
    reviewAsks(node);
  } while (moveLetters(node) || node.dirty.size > 0);
  return served;
}

function takeItems(group: Group): GroupItem[] {
  const { items } = group;
  group.items = [];
  return items;
}

function retire(node: Node, group: Group): void {
  for (const { message } of group.early) noteLostState(node, message);
  node.lastMessages.set(group.name, group.lastMessage);
  node.timed.delete(group);
  if (node.groupsById.get(group.id) === group) node.groupsById.delete(group.id);
  if (node.groups.get(group.name) === group) node.groups.delete(group.name);
}

function maybeLeaveDomain(node: Node, now: Millis): void {
  if (node.leavingDomain !== 'groups' || node.groups.size > 0) return;
  // what was said last still has to arrive
  for (const link of node.links.values()) if (link.unacknowledged.length > 0 || link.letters.held.length > 0) return;
  node.leavingDomain = 'asked';
  collect(node, (out) => leaveDomain(node.membership, now, out));
}

/** When the next `tick` is due, in the time base of `now`. */
export function nextTick(node: Node): Millis {
  let due: Millis = Math.min(membershipDue(node.membership), node.asks.due);
  for (const group of node.timed) due = Math.min(due, groupDue(group));
  for (const link of node.links.values()) due = Math.min(due, link.repeatAt);
  return due;
}
