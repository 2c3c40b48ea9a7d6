/**
 * Carrying out what the control plane says: its messages go out, its states are followed by the data plane, and the end
 * of a membership ends every group.
 */
import type { NodeId } from './ids.js';
import { endAllAsks, endAsksOf, followAsks } from './asking.js';
import { assertNever } from './assert.js';
import { endGroup, followDecree } from './group/group.js';
import { updateStatus } from './group/replica.js';
import { incarnationOf } from './ids.js';
import { safeDatagramBytes, sectionInPiecesBytesMax } from './limits.js';
import { followPasts } from './letters.js';
import {
  type Destination,
  type MembershipOutput,
  controlMessage,
  domainTag,
  isQuorate,
} from './membership/membership.js';
import type { Decree, DomainState, LeaveCause } from './membership/state.js';
import { weightOf } from './membership/quorum.js';
import type { Node } from './node-state.js';
import { addBesides, addSection, byMulticast, overStream, sectionBytesMax, speak, toNode } from './outbox.js';
import { Writer } from './wire/bytes.js';
import { Section } from './wire/packet.js';

/** Runs a part of the control plane and carries out what it says. */
export function collect(node: Node, run: (out: MembershipOutput[]) => void): void {
  const outputs: MembershipOutput[] = [];
  run(outputs);
  const { state } = node.membership;
  node.out.founding = state ? domainTag(state.id) : 0;
  node.out.number = state?.number ?? 0;
  // those who are in no domain say only what is the same in every version
  speak(node.out, state?.version ?? node.options.versions.least);
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
    case 'force-refused':
      node.lastEffects.push(output);
      return;
    case 'restart':
      endAll(node, 'excluded', output.why);
      node.lastEffects.push(output);
      return;
    case 'suspect':
      node.suspicions++;
      node.host.trace({ e: 'suspect', who: output.who, why: output.why });
      node.host.log('warn', 'suspected', { peer: output.who, address: output.address, why: output.why });
      return updateQuorate(node);
    case 'unsuspect':
      node.host.log('info', 'heard again', { peer: output.who });
      return updateQuorate(node);
    case 'quorate':
      return updateQuorate(node);
    case 'log':
    case 'tether':
    case 'probe':
    case 'confirm':
      node.effects.push(output);
      return;
    default:
      return assertNever(output);
  }
}

/**
 * By datagram, or, if it is too large for one, over streams: to all means to all that are known then. What seems to get lost
 * goes by every way.
 */
function sendControl(node: Node, to: Destination, body: Uint8Array): void {
  const { out } = node;
  const addressees = to.kind === 'node' ? [to] : (node.domain?.nodes ?? []).filter(({ id }) => id !== node.self);
  if (to.again && body.length <= sectionInPiecesBytesMax) {
    for (const { id, address } of addressees) addBesides(out, incarnationOf(id), address, Section.control, body);
    const byMulticasts = to.kind === 'all' ? out.all : byMulticast(out, incarnationOf(to.id));
    addSection(out, byMulticasts, Section.control, body, safeDatagramBytes);
    return;
  }
  if (body.length <= sectionBytesMax(out)) {
    const packer = to.kind === 'all' ? out.all : toNode(out, incarnationOf(to.id), to.address);
    addSection(out, packer, Section.control, body);
    return;
  }
  for (const { id, address } of addressees) {
    addSection(out, overStream(out, incarnationOf(id), address), Section.control, body);
  }
}

function refuseGroup(node: Node, name: string): void {
  const group = node.groups.get(name);
  if (group) {
    group.ended = true;
    endAsksOf(node, group, 'the group does not let this node in');
  }
  node.groups.delete(name);
}

function endAll(node: Node, status: 'left' | 'excluded', why: string): void {
  for (const group of node.groups.values()) endGroup(node.host, group, status, why);
  // what they follow may be lost: nobody would know
  for (const link of node.links.values()) link.letters.held.clear();
  endAllAsks(node, why);
}

function updateQuorate(node: Node): void {
  const quorate = isQuorate(node.membership);
  if (quorate && node.host.quorate) return;
  // while it is not, who is missing may be news
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
  for (const link of node.links.values()) {
    if (node.addresses.has(link.peer)) continue;
    node.links.delete(link.peer);
    // what it has said is still handed out
    link.letters.held.clear();
  }
  followPasts(node, state);
  followAsks(node, decree);
  traceDomain(node, before, state, decree);
  node.effects.push({ kind: 'domain', state });
  updateQuorate(node);
  const nodes = new Set(node.addresses.keys());
  for (const group of node.groups.values()) {
    const after = node.membership.wanted.get(group.name)?.after ?? 0;
    followDecree(node.host, group, state.groups.get(group.name), decree, nodes, after);
    if (group.id !== 0) node.groupsById.set(group.id, group);
    node.host.touch(group);
  }
}

function traceDomain(node: Node, before: DomainState | null, state: DomainState, decree: Decree | null): void {
  if (!node.options.trace) return;
  // a first state comes whole, with the decree that made it
  const last = decree ?? node.membership.log.at(-1);
  const left = new Map<NodeId, LeaveCause>();
  for (const change of last?.number === state.number ? last.changes : []) {
    if (change.kind !== 'leave' && change.kind !== 'exclude') continue;
    const isGone = before === null || before.nodes.some(({ id }) => id === change.node);
    if (isGone && !left.has(change.node)) left.set(change.node, change.kind === 'leave' ? 'left' : change.cause);
  }
  const { rules } = state;
  const changes = last?.number === state.number ? last.changes : [];
  const dead = changes.flatMap((change) => (change.kind === 'exclude' && change.dead ? [change.node] : []));
  node.host.trace({
    e: 'view',
    g: '$domain',
    v: String(state.number),
    k: state.number,
    m: state.nodes.map(({ id }) => id),
    primary: true,
    prev: before ? String(before.number) : null,
    joined: state.nodes.filter(({ joined }) => joined > (before?.number ?? state.number - 1)).map(({ id }) => id),
    left: [...left],
    ...(dead.length > 0 ? { dead } : {}),
    ...(rules.minimumWeight > 0 ? { w: weightOf(state.nodes), wmin: rules.minimumWeight } : {}),
    dom: state.id,
  });
}
