/**
 * Packets come in: the header says who speaks, to whom and in which state; each section goes to the part that it is for.
 * What is malformed, from a stranger or for another life is counted and dropped.
 */
import type { Millis, NodeId } from './ids.js';
import { collect } from './control.js';
import { checkCut, receiveFlush } from './group/flush.js';
import { flushMessage } from './group/messages.js';
import { receiveData, receiveRow } from './group/receive.js';
import { receiveNak } from './group/repair.js';
import { receiveLetter } from './letters.js';
import { nextLinkMessage, takeLinkAck } from './link.js';
import { controlMessage, heard, isLasting, receive as receiveControl } from './membership/membership.js';
import { speaks } from './membership/protocol.js';
import { type Node, linkTo } from './node-state.js';
import { Malformed, Reader } from './wire/bytes.js';
import { type PacketHeader, Section, readHeader, readSection, whose } from './wire/packet.js';
import { takePiece } from './wire/pieces.js';

/**
 * Whether bytes are no packet of this domain: they are counted, and the node need not be stepped for them. An error is not made for
 * each, and nobody is woken: whoever sends noise is to cost little.
 */
export function turnAway(node: Node, bytes: Uint8Array): boolean {
  const of = whose(bytes, node.out.domain);
  if (of === 'ours') return false;
  node.packetsIn++;
  if (of === 'none') node.dropped.malformed++;
  else node.dropped.foreign++;
  return true;
}

/** Takes in a packet, from wherever it came. */
export function receivePacket(node: Node, bytes: Uint8Array, from: string, now: Millis): void {
  if (turnAway(node, bytes)) return;
  const r = new Reader(bytes);
  node.packetsIn++;
  unlessMalformed(node, () => {
    const header = readHeader(r);
    const { source, destination } = header;
    const isForMe = destination === 0 || destination === node.options.incarnation;
    if (source === node.options.incarnation || !isForMe) {
      node.dropped.foreign++;
      return;
    }
    const sender = { incarnation: source, address: from };
    const shown = { tag: header.founding, number: header.number, isToAll: destination === 0 };
    collect(node, (out) => heard(node.membership, sender, shown, now, out));
    while (r.left > 0) {
      const { kind, end } = readSection(r);
      receiveSection(node, header, from, kind, new Reader(bytes, r.at, end));
      r.at = end;
    }
  });
}

/** Runs what reads bytes from the network: if they are malformed, that is counted and goes no further. */
export function unlessMalformed(node: Node, take: () => void): void {
  try {
    take();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    node.dropped.malformed++;
  }
}

function receiveSection(node: Node, header: PacketHeader, from: string, kind: number, r: Reader): void {
  if (kind === Section.piece) {
    const whole = takePiece(node.pieces, header.source, r, node.host.now);
    if (whole?.kind === Section.piece) throw new Malformed('a piece of a piece');
    if (whole) receiveSection(node, header, from, whole.kind, new Reader(whole.body));
    return;
  }
  const isRead = speaks(node.options.versions, header.version);
  if (!isRead && !(kind === Section.control && isLasting(r))) {
    node.dropped.unknown++;
    return;
  }
  if (kind === Section.control) {
    const message = controlMessage.read(r);
    r.mustEnd();
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
  if (message && receiveLetter(node, link, new Reader(message))) link.received++;
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
    case Section.flush: {
      const message = flushMessage.read(r);
      r.mustEnd();
      receiveFlush(host, group, source, message);
      host.touch(group);
      return;
    }
    default:
      throw new Malformed(`section kind ${kind}`);
  }
}
