/**
 * Letters: what one node says to another alone, for a member, a reply or an actor there. They are reliable and first in,
 * first out, and they keep causality across groups and nodes: a letter is handed out only after everything that its
 * writer had sent or delivered before, in whatever group.
 *
 * - It leaves after the causal and total multicasts that this node had taken in before it, so these have a seqno.
 * - It carries what changed in its writer's past since the last letter to the same node: the state of the domain, and for
 *   each group the view and how much of each sender's stream was sent or delivered (only of what is causal).
 * - Its reader waits until it is in that state and has delivered as much, or has installed a later view, which implies it.
 * - What a reader is told of groups in which it is no member, it passes on with letters of its own: if p asks q, q asks r,
 *   and r multicasts to a group of p's, that follows p's multicasts, although q never saw the group.
 *
 * State transfers share the link but carry no past: they wait for nothing, and letters may wait for them.
 */
import type { GroupId, NodeId, Rank, Seqno } from './ids.js';
import { assertNever } from './assert.js';
import { type Context, type Letter, type LinkMessage, linkContext, linkMessage } from './group/messages.js';
import { receiveRefusal, receiveReply, receiveShown } from './asking.js';
import { letIn } from './group/serving.js';
import type { Group, ViewState } from './group/state.js';
import { traceQueued } from './group/transmit.js';
import { receiveDirect } from './group/direct.js';
import { receiveState } from './group/transfer.js';
import { letterOverheadBytes, lettersEarlyBytesMax, lettersHeldBytesMax, pieceBytesMax } from './limits.js';
import type { Letters, Past } from './letter-box.js';
import { type Link, hasRoom, sendOver } from './link.js';
import type { DomainState } from './membership/state.js';
import { type Node, linkTo } from './node-state.js';
import { type Reader, Writer, concat, owned } from './wire/bytes.js';

const noContext: Context = { state: 0, groups: [] };
const nothing = new Uint8Array(0);

/**
 * Sends a letter at the end of the batch, or later; to oneself it needs no link. False if it is not sent: the other node
 * is gone, or this one, or too much waits for it already.
 */
export function sendLetter(node: Node, to: NodeId, letter: Letter, payload: Uint8Array): boolean {
  if (to === node.self) {
    handOut(node, to, letter, payload);
    return true;
  }
  // who was excluded may have lost what its letter follows
  const link = node.membership.phase.kind === 'member' ? linkTo(node, to) : undefined;
  if (!link || link.letters.heldBytes > lettersHeldBytesMax) return false;
  const after: { group: Group; message: number }[] = [];
  for (const group of node.groups.values()) {
    if (group.lastOrdered <= group.acceptedMessage) continue;
    after.push({ group, message: group.lastOrdered });
    if (node.options.trace) traceQueued(node.host, group);
  }
  link.letters.sent++;
  node.host.trace({ e: 'tell', to: link.peer, n: link.letters.sent });
  link.letters.held.push({ letter, payload, after });
  link.letters.heldBytes += payload.length + letterOverheadBytes;
  node.writing.add(link);
  return true;
}

/** A letter, or a piece of state, came in on a link. False if there is no room for it now: it comes again. */
export function receiveLetter(node: Node, link: Link, body: Reader): boolean {
  const context = linkContext.read(body);
  const letter = linkMessage.read(body);
  const payload = owned(body.raw(body.left));
  if (letter.kind === 'state' || letter.kind === 'served' || letter.kind === 'taken') {
    const group = node.groups.get(letter.group);
    if (group && !group.ended) return receiveState(node.host, group, link.peer, letter, payload);
    if (letter.kind !== 'taken') noteLostState(node, letter);
    return true;
  }
  const { letters } = link;
  if (letters.earlyBytes > lettersEarlyBytesMax) return false;
  if (letter.kind === 'piece') {
    letters.piecesBytes += payload.length + letterOverheadBytes;
    if (letters.piecesBytes <= piecesBytesMax(node)) letters.pieces.push(payload);
    return true;
  }
  const isTooLarge = letters.piecesBytes > piecesBytesMax(node);
  // those behind it must not wait for ever
  if (isTooLarge) node.host.log('warn', 'a message is dropped, it is larger than the limit here', { from: link.peer });
  const whole = letters.pieces.length > 0 ? concat(letters.pieces, payload) : payload;
  letters.pieces = [];
  letters.piecesBytes = 0;
  const early = isTooLarge ? { context, letter: null, payload: nothing } : { context, letter, payload: whole };
  letters.early.push(early);
  letters.earlyBytes += early.payload.length + letterOverheadBytes;
  node.writing.add(link);
  return true;
}

/** What the pieces of the largest letter count for. */
function piecesBytesMax({ options: { messageBytesMax } }: Node): number {
  return messageBytesMax + letterOverheadBytes * Math.ceil(messageBytesMax / pieceBytesMax);
}

/** A state came, in part or whole, for a member of this node that is not there: whoever joins next must not take it for its own. */
export function noteLostState(node: Node, { group, view }: LinkMessage & { kind: 'state' | 'served' }): void {
  // of a group that is not known there will be no member
  if (!node.domain?.groups.has(group)) return;
  node.lostStates.set(group, Math.max(view, node.lostStates.get(group) ?? 0));
}

/** Sends and hands out the letters whose time has come. True if there were any. */
export function moveLetters(node: Node): boolean {
  let moved = false;
  for (const link of node.writing) {
    moved = sendHeld(node, link) || moved;
    moved = handOutEarly(node, link) || moved;
    if (link.letters.held.length === 0 && link.letters.early.length === 0) node.writing.delete(link);
  }
  return moved;
}

function sendHeld(node: Node, link: Link): boolean {
  const { letters } = link;
  let moved = false;
  for (let next = letters.held.first; next && hasRoom(link); next = letters.held.first) {
    if (next.after.some(({ group, message }) => !group.ended && group.acceptedMessage < message)) break;
    letters.held.shift();
    const { letter, payload } = next;
    letters.heldBytes -= payload.length + letterOverheadBytes;
    let at = 0;
    for (; payload.length - at > pieceBytesMax; at += pieceBytesMax) {
      write(node, link, noContext, { kind: 'piece' }, payload.subarray(at, at + pieceBytesMax));
    }
    write(node, link, contextFor(node, letters), letter, payload.subarray(at));
    moved = true;
  }
  return moved;
}

/** A message on the link: a letter, a piece of one, or a piece of a state. */
function write(node: Node, link: Link, context: Context, message: LinkMessage, payload: Uint8Array): void {
  const w = new Writer(payload.length + 256);
  linkContext.write(w, context);
  linkMessage.write(w, message);
  w.raw(payload);
  sendOver(node.out, link, w.bytes.subarray(0, w.length), node.host.now);
}

/** Sends what waits for nothing: a piece of a state, or word of one. */
export function sendState(
  node: Node,
  to: NodeId,
  message: LinkMessage & { kind: 'state' | 'served' | 'taken' },
  payload: Uint8Array,
): void {
  const link = linkTo(node, to);
  if (link) write(node, link, noContext, message, payload);
}

function handOutEarly(node: Node, link: Link): boolean {
  const { letters } = link;
  let moved = false;
  for (let next = letters.early.first; next && isDue(node, next.context); next = letters.early.first) {
    letters.early.shift();
    letters.earlyBytes -= next.payload.length + letterOverheadBytes;
    passOn(node, next.context);
    letters.read++;
    node.host.trace({ e: 'told', from: link.peer, n: letters.read });
    if (next.letter) handOut(node, link.peer, next.letter, next.payload);
    moved = true;
  }
  return moved;
}

function handOut(node: Node, from: NodeId, letter: Letter, payload: Uint8Array): void {
  const { host } = node;
  switch (letter.kind) {
    case 'direct': {
      const group = node.groups.get(letter.group);
      if (group && !group.ended) receiveDirect(host, group, from, letter, payload);
      return;
    }
    case 'request':
      return letIn(host, node.groups.get(letter.group), from, letter, payload);
    case 'refused':
      return receiveRefusal(node, from, letter);
    case 'shown':
      return receiveShown(node, letter);
    case 'reply':
      return receiveReply(node, from, letter, payload);
    case 'remote':
      node.lastEffects.push({ kind: 'remote', from, payload });
      return;
    default:
      assertNever(letter);
  }
}

/** What a letter says of this node's past; what the last one to the same node has said is left out. */
function contextFor(node: Node, letters: Letters): Context {
  const groups: Context['groups'][number][] = [];
  const add = (group: GroupId, past: Past): void => {
    const told = letters.told.get(group);
    const before = told?.view === past.view ? told.seqnos : [];
    const changed: { rank: Rank; seqno: Seqno }[] = [];
    past.seqnos.forEach((seqno, rank) => {
      if (seqno !== (before[rank] ?? 0)) changed.push({ rank, seqno });
    });
    if (told?.view === past.view && changed.length === 0) return;
    letters.told.set(group, past);
    groups.push({ group, view: past.view, entries: changed });
  };
  for (const { id, current } of node.groups.values()) {
    // of many groups few have moved since the last letter
    if (current && !isTold(letters.told.get(id), current)) add(id, pastIn(current));
  }
  for (const [id, past] of node.pasts) if (!node.groupsById.get(id)?.current) add(id, past);
  return { state: node.domain?.number ?? 0, groups };
}

function isTold(told: Past | undefined, state: ViewState): boolean {
  // of a view that was not installed here yet less may be told than there are members
  return (
    told?.view === state.view.id &&
    state.delivered.every((_, rank) => (told.seqnos[rank] ?? 0) === seqnoIn(state, rank))
  );
}

function pastIn(state: ViewState): Past {
  return { view: state.view.id, seqnos: Array.from(state.delivered, (_, rank) => seqnoIn(state, rank)) };
}

/** How far a sender's stream is part of this node's past: its own as sent, the others' as delivered. */
function seqnoIn(state: ViewState, rank: Rank): Seqno {
  return rank === state.rank ? state.lastOrdered : (state.delivered[rank] as number);
}

/** Whether all that a letter follows is delivered here. */
function isDue(node: Node, { state, groups }: Context): boolean {
  if ((node.domain?.number ?? 0) < state) return false;
  return groups.every(({ group: id, view, entries }) => {
    const group = node.groupsById.get(id);
    if (!group || group.ended) return true;
    const { current } = group;
    if (!current || current.view.id < view) return false;
    return current.view.id > view || entries.every(({ rank, seqno }) => (current.delivered[rank] ?? seqno) >= seqno);
  });
}

/** Keeps what a letter tells of groups in which this node is no member. */
function passOn(node: Node, { groups }: Context): void {
  for (const { group, view, entries } of groups) {
    if (node.groupsById.get(group)?.ended === false) continue;
    const known = node.pasts.get(group);
    if (known && known.view > view) continue;
    // no honest node tells of more groups than there are: those that are gone were forgotten with the state that lacks them
    if (!known && node.pasts.size >= (node.domain?.groups.size ?? 0)) continue;
    const seqnos = known?.view === view ? [...known.seqnos] : [];
    for (const { rank, seqno } of entries) seqnos[rank] = Math.max(seqnos[rank] ?? 0, seqno);
    node.pasts.set(group, { view, seqnos: Array.from(seqnos, (seqno) => seqno ?? 0) });
  }
}

/**
 * The domain has a new state: of a group with a new view it is enough to say that view, which everybody installs after
 * all that was delivered in earlier ones; of a group that is gone there is nothing to say.
 */
export function followPasts(node: Node, state: DomainState): void {
  const tellers = [...node.links.values()].filter(({ letters }) => letters.told.size > state.groups.size);
  if (node.pasts.size === 0 && tellers.length === 0) return;
  const views = new Map([...state.groups.values()].map(({ id, view }) => [id, view]));
  for (const [id, past] of node.pasts) {
    const view = views.get(id);
    if (view === undefined) node.pasts.delete(id);
    else if (view > past.view) node.pasts.set(id, { view, seqnos: [] });
  }
  for (const { letters } of tellers) {
    for (const id of letters.told.keys()) if (!views.has(id)) letters.told.delete(id);
  }
}

/**
 * This node was a member until now: what it delivered goes on to be in its past. To be called before letters are moved:
 * one of the same batch is not to forget it.
 */
export function keepPast(node: Node, group: Group): void {
  const state = node.domain?.groups.get(group.name);
  if (state?.id !== group.id || (node.pasts.get(group.id)?.view ?? 0) >= state.view) return;
  node.pasts.set(group.id, { view: state.view, seqnos: [] });
}
