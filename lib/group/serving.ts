/**
 * Requests from outside the group, at its members.
 *
 * The contact, a member that a client has chosen, has its actor look at a request and multicasts it: total and uniform,
 * so whoever delivers it knows that everybody who goes on does, and a reply never outlives what it speaks of. A client
 * whose contact is gone sends the request again to another, so the same request may be delivered several times. Members
 * remember what they have delivered, in the one order: the first counts, the others only have the replies sent again.
 *
 * What has been served is part of what a joiner is given, with the donor's replies. It stays small: with each request its
 * client says below which number it waits for nothing any more; of clients that are gone, what was served is forgotten at
 * the next view, at every member by the same state of the domain.
 *
 * Invariant: the members of a view hold the same numbers after the same deliveries. A request of a client that is gone
 * takes no effect after a view by whose state it is gone: a contact marks it void when it sends it in such a view.
 */
import type { Deliveries, RequestId } from '../events.js';
import type { NodeId } from '../ids.js';
import { pieceBytesMax, repliesBytesMax, requestsMax, servedBytesMax, servedPerMessageMax } from '../limits.js';
import { Malformed, Reader, Writer } from '../wire/bytes.js';
import { text } from '../wire/schema.js';
import type { Letter, ServedPiece } from './messages.js';
import type { RequestHead } from './pending.js';
import type { Group, Host, Served } from './state.js';

const client = text<NodeId>(512);
const wantsReplyFlag = 1;
const voidFlag = 2;

/** A request's bytes with its head before them. The flags come first: see {@link makeVoid}. */
export function withHead(head: RequestHead, payload: Uint8Array): Uint8Array {
  const w = new Writer(payload.length + 64);
  w.u8((head.wantsReply ? wantsReplyFlag : 0) | (head.isVoid ? voidFlag : 0));
  w.varint(head.number);
  w.varint(head.lowest);
  client.write(w, head.client);
  w.raw(payload);
  return w.take();
}

/** Reads a head off; null if the bytes have none, which is the same at every member. */
export function readHead(bytes: Uint8Array): { readonly head: RequestHead; readonly payload: Uint8Array } | null {
  try {
    const r = new Reader(bytes);
    const flags = r.u8();
    const head = {
      number: r.varint(),
      lowest: r.varint(),
      client: client.read(r),
      wantsReply: (flags & wantsReplyFlag) !== 0,
      isVoid: (flags & voidFlag) !== 0,
    };
    return { head, payload: r.raw(r.left) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return null;
  }
}

/** Marks a request that is about to be sent: it is to take no effect. */
export function makeVoid(bytes: Uint8Array): void {
  bytes[0] = (bytes[0] as number) | voidFlag;
}

type RequestLetter = Letter & { kind: 'request' };

/** At the contact: a request came in; the actor lets it in or refuses it. */
export function letIn(
  host: Host,
  group: Group | undefined,
  from: NodeId,
  letter: RequestLetter,
  payload: Uint8Array,
): void {
  const { number, previous, lowest, wantsReply } = letter;
  if (!group?.current || group.ended || group.leaving !== 'no' || group.replica.kind !== 'present') {
    // one that waits for its state sends nothing before it has that
    refuse(host, from, number, 'its contact is no member, or not yet', true);
    return;
  }
  group.contacts.set(`${from}:${number}`, { lowest, wantsReply });
  group.items.push({ kind: 'request', request: { client: from, number }, previous, payload });
  host.touch(group);
}

/** The contact's actor has not let a request in. */
export function refuseRequest(
  host: Host,
  group: Group,
  { client, number }: RequestId,
  why: string,
  again: boolean,
): void {
  if (group.contacts.delete(`${client}:${number}`)) refuse(host, client, number, why, again);
}

function refuse(host: Host, client: NodeId, number: number, why: string, again: boolean): void {
  host.letter(client, { kind: 'refused', number, why, again }, nothing);
}

const nothing = new Uint8Array(0);

/** The contact's actor has let a request in: its bytes as they are multicast. */
export function admitRequest(group: Group, request: RequestId, payload: Uint8Array): Uint8Array {
  const key = `${request.client}:${request.number}`;
  const known = group.contacts.get(key);
  group.contacts.delete(key);
  return withHead(
    { ...request, lowest: known?.lowest ?? 1, wantsReply: known?.wantsReply ?? false, isVoid: !known },
    payload,
  );
}

/**
 * A request is about to be handed to the actor: whether it was served before, and what its client is told. Once for each
 * delivery, in their order.
 */
export function serve(host: Host, group: Group, item: Deliveries): void {
  const request = item.request as RequestHead & { repeated: boolean };
  const { client, number, lowest, wantsReply, isVoid } = request;
  // a member's own question: it never comes again
  if (lowest === 0) return;
  const served = servedOf(group, client);
  const isRepeated = isVoid || number < served.floor || served.requests.has(number);
  if (!isRepeated) served.requests.set(number, 'open');
  // a client that waits for more is no honest one
  raiseFloor(group, served, Math.max(lowest, number - requestsMax + 1));
  if (item.fromRank === item.view.rank) {
    const members = item.view.members.map(({ id, joined }) => ({ node: id, joined }));
    host.letter(client, { kind: 'shown', number, members }, nothing);
  }
  if (isRepeated && wantsReply) replyAgain(host, client, number, served);
  request.repeated = isRepeated;
}

function servedOf(group: Group, client: NodeId): Served {
  let served = group.served.get(client);
  if (!served) {
    served = { floor: 0, requests: new Map() };
    group.served.set(client, served);
  }
  return served;
}

function raiseFloor(group: Group, served: Served, floor: number): void {
  if (floor <= served.floor) return;
  served.floor = floor;
  for (const number of served.requests.keys()) if (number < floor) forget(group, served, number);
}

function forget(group: Group, served: Served, number: number): void {
  const reply = served.requests.get(number);
  if (reply instanceof Uint8Array) group.repliesBytes -= reply.length;
  served.requests.delete(number);
}

/** The reply of before, if this member has it; if its actor is still at it, it follows. */
function replyAgain(host: Host, client: NodeId, number: number, served: Served): void {
  const reply = served.requests.get(number);
  if (reply instanceof Uint8Array) host.letter(client, { kind: 'reply', number, silent: null }, reply);
  else if (reply !== 'open') {
    host.letter(
      client,
      { kind: 'reply', number, silent: 'it was served before, and the reply is not known here' },
      nothing,
    );
  }
}

/** The actor replies to a request that it was delivered: the first reply counts. */
export function takeReply(host: Host, group: Group, { client, number }: RequestId, reply: Uint8Array): void {
  const served = group.served.get(client);
  const known = served?.requests.get(number);
  if (known !== undefined && known !== 'open') return;
  if (served && known === 'open') keepReply(group, served, number, reply);
  host.trace({ e: 'answered', g: group.name, r: `${client}:${number}` });
  host.letter(client, { kind: 'reply', number, silent: null }, reply);
}

function keepReply(group: Group, served: Served, number: number, reply: Uint8Array): void {
  const isKept = group.repliesBytes + reply.length <= repliesBytesMax;
  served.requests.set(number, isKept ? reply : 'unknown');
  if (isKept) group.repliesBytes += reply.length;
}

/** A view is installed: of clients that its state of the domain lacks nothing is remembered. */
export function forgetGone(group: Group, nodes: ReadonlySet<NodeId>): void {
  for (const [client, served] of group.served) {
    if (nodes.has(client)) continue;
    for (const number of served.requests.keys()) forget(group, served, number);
    group.served.delete(client);
  }
}

/** Which requests are served as of now, for a joiner: the replies may follow until the state is sent. */
export function servedNow(group: Group): ReadonlyMap<NodeId, Served> {
  return new Map(
    [...group.served].map(([client, { floor, requests }]) => [client, { floor, requests: new Map(requests) }]),
  );
}

/** What a joiner is told of them, in messages of bounded size: the replies as known by now. */
export function* servedMessages(group: Group, asOf: ReadonlyMap<NodeId, Served>): Generator<ServedPiece[]> {
  let pieces: ServedPiece[] = [];
  let count = 0;
  let bytes = 0;
  for (const [client, { floor, requests }] of asOf) {
    let piece: { client: NodeId; floor: number; requests: { number: number; reply: Uint8Array | null }[] } | null =
      null;
    for (const number of [null, ...requests.keys()]) {
      if (count >= servedPerMessageMax || bytes >= servedBytesMax) {
        yield pieces;
        [pieces, piece, count, bytes] = [[], null, 0, 0];
      }
      if (!piece) {
        piece = { client, floor, requests: [] };
        pieces.push(piece);
        bytes += client.length;
      }
      count++;
      if (number === null) continue;
      const reply = group.served.get(client)?.requests.get(number);
      const isSent = reply instanceof Uint8Array && reply.length <= pieceBytesMax;
      piece.requests.push({ number, reply: isSent ? reply : null });
      if (isSent) bytes += reply.length;
    }
  }
  if (pieces.length > 0) yield pieces;
}

/** At a joiner: what the state that follows contains of requests. */
export function takeServed(group: Group, pieces: readonly ServedPiece[]): void {
  for (const { client, floor, requests } of pieces) {
    const served = servedOf(group, client);
    served.floor = floor;
    for (const { number, reply } of requests) {
      if (reply !== null) keepReply(group, served, number, reply);
      else served.requests.set(number, 'unknown');
    }
  }
}

/** At who has no state yet: one begins to come, perhaps from another donor than before, or the group is founded here. */
export function forgetServed(group: Group): void {
  group.served.clear();
  group.repliesBytes = 0;
}
