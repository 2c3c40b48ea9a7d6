/**
 * Asking a group, at the node that asks.
 *
 * A member asks by a multicast of its own. A node that is no member (or does not care) sends its request to one member,
 * the contact, which multicasts it for it; if the contact goes, the same request goes to another. Every member that
 * delivers a request knows whether it was delivered before (see `group/serving.ts`), so however often it is sent it takes
 * effect once.
 *
 * The members of the view in which it is delivered are expected to reply. Who fails or leaves is waited for no more. It
 * ends with the replies that were wanted, or when nobody is left to wait for, or when its time is up: always once.
 */
import type { Asking, Contact } from './asks.js';
import type { Ask, Effect, Missing, NodeEvent } from './events.js';
import type { MessageNumber, NodeId } from './ids.js';
import type { LinkMessage } from './group/messages.js';
import type { Group } from './group/state.js';
import { askAgainDelay, departuresMax, requestsMax } from './limits.js';
import type { Decree, GroupMember } from './membership/state.js';
import type { Node } from './node-state.js';
import { tagOf } from './wire/packet.js';

/** A member asks: `message` is its question. */
export function beginAsk(node: Node, group: Group, message: MessageNumber, ask: Ask): void {
  begin(node, group.name, ask, null, message);
}

/** Who is no member any more asks as one. */
export function failAsk(node: Node, { number }: Ask): void {
  const why = 'this node is no member of the group';
  node.lastEffects.push({ kind: 'answered', number, outcome: 'failed', got: [], missing: [], maybeDone: false, why });
}

/** This node asks a group through one of its members. */
export function beginRequest(node: Node, event: NodeEvent & { kind: 'request' }): void {
  const ask = begin(node, event.group, event, event.payload, 0);
  // behind those that wait for a contact
  if ((node.asks.contacts.get(event.group)?.member ?? null) === null) node.asks.resend = true;
  else sendRequest(node, ask, lowestRequest(node));
}

function begin(node: Node, group: string, ask: Ask, payload: Uint8Array | null, message: MessageNumber): Asking {
  const { number, replies, timeout } = ask;
  const until = node.host.now + timeout;
  const asking: Asking = {
    number,
    group,
    replies,
    until,
    payload,
    message,
    contact: null,
    mayBeIn: false,
    expected: null,
    got: new Set(),
    silent: new Map(),
  };
  node.asks.open.set(number, asking);
  node.asks.due = Math.min(node.asks.due, until);
  const id = payload ? null : `${node.self}:${message}`;
  node.host.trace({ e: 'ask', g: group, r: `${node.self}:${number}`, id, want: replies });
  return asking;
}

/** Gives the requests that have no contact, or whose contact is gone, to a member; the oldest first. */
function askAgain(node: Node): void {
  node.asks.resend = false;
  node.asks.blocked = false;
  const lowest = lowestRequest(node);
  for (const ask of node.asks.open.values()) if (!node.asks.blocked) sendRequest(node, ask, lowest);
}

/** Sends a request to the contact, if none has it and there is one. */
function sendRequest(node: Node, ask: Asking, lowest: number): void {
  const { asks, host } = node;
  if (!ask.payload || ask.contact !== null || ask.expected) return;
  // who serves requests remembers those above the lowest: this bounds it
  asks.blocked ||= ask.number - lowest >= requestsMax;
  if (asks.blocked) return;
  const contact = contactOf(node, ask.group);
  if (contact.member === null) return;
  const { group, number, replies, payload } = ask;
  const { last: previous } = contact;
  const letter = { kind: 'request', group, number, previous, lowest, wantsReply: replies !== 0 } as const;
  ask.contact = contact.member;
  contact.last = number;
  asks.last = Math.max(asks.last, number);
  // this node's own member may refuse it at once
  if (host.letter(contact.member.node, letter, payload)) return;
  ask.contact = null;
  dropContact(node, contact);
}

function lowestRequest(node: Node): number {
  for (const ask of node.asks.open.values()) if (ask.payload) return ask.number;
  return node.asks.last + 1;
}

/** Through whom a group is asked. Chosen, if it is time: this node's own member, or one of the others; clients are spread over them. */
function contactOf(node: Node, group: string): Contact {
  const { asks, host, self } = node;
  let contact = asks.contacts.get(group);
  if (!contact) {
    contact = { member: null, tries: 0, againAt: 0, last: 0 };
    asks.contacts.set(group, contact);
  }
  if (contact.member !== null) return contact;
  if (host.now < contact.againAt) {
    asks.due = Math.min(asks.due, contact.againAt);
    return contact;
  }
  const members = node.domain?.groups.get(group)?.members ?? [];
  if (members.length === 0) return contact;
  const first = contact.tries === 0 ? members.find((member) => member.node === self) : undefined;
  const next = members[(tagOf(self) + contact.tries) % members.length];
  // what one has in hand would come after what another is given now, and what comes again must not overtake it
  const held = heldBy(node, group);
  contact.member = held?.member ?? first ?? next ?? null;
  contact.tries++;
  contact.last = held?.last ?? 0;
  return contact;
}

/** Who has requests of this node in hand, and the last of them. */
function heldBy(node: Node, group: string): { readonly member: GroupMember; readonly last: number } | null {
  let member: GroupMember | null = null;
  let last = 0;
  for (const ask of node.asks.open.values()) {
    if (ask.group !== group || !ask.payload || ask.expected || ask.contact === null) continue;
    member ??= ask.contact;
    last = ask.number;
  }
  return member && { member, last };
}

/** Another contact is to be chosen, after a while. */
function dropContact(node: Node, contact: Contact): void {
  contact.member = null;
  contact.againAt = node.host.now + askAgainDelay;
  node.asks.due = Math.min(node.asks.due, contact.againAt);
}

type Refusal = LinkMessage & { kind: 'refused' };
type Shown = LinkMessage & { kind: 'shown' };
type Reply = LinkMessage & { kind: 'reply' };

/** The contact does not let a request in: for good, or for now. */
export function receiveRefusal(node: Node, from: NodeId, { number, why, again }: Refusal): void {
  const ask = node.asks.open.get(number);
  if (ask?.contact?.node !== from || ask.expected) return;
  if (!again) {
    ask.contact = null;
    // the group may have it from the contact before
    end(node, ask, ask.mayBeIn ? 'failed' : 'refused', why);
    return;
  }
  // and with it those behind it, which it refuses, too
  for (const each of node.asks.open.values()) {
    if (each.group === ask.group && each.number >= number && each.contact?.node === from && !each.expected)
      each.contact = null;
  }
  const contact = node.asks.contacts.get(ask.group);
  if (contact?.member?.node === from) dropContact(node, contact);
}

/** The contact has delivered a request, in a view of these members. */
export function receiveShown(node: Node, { number, members }: Shown): void {
  const ask = node.asks.open.get(number);
  if (ask?.payload) expect(node, ask, members);
}

/** This node's own member has delivered its question. */
export function questionDelivered(node: Node, number: number, members: readonly GroupMember[]): void {
  const ask = node.asks.open.get(number);
  if (ask) expect(node, ask, members);
}

function expect(node: Node, ask: Asking, members: readonly GroupMember[]): void {
  ask.expected = members;
  settle(node, ask);
}

/** A member replies, or says why it does not. */
export function receiveReply(node: Node, from: NodeId, { number, silent }: Reply, payload: Uint8Array): void {
  const ask = node.asks.open.get(number);
  if (!ask || ask.got.has(from)) return;
  if (silent !== null) ask.silent.set(from, silent);
  else {
    ask.silent.delete(from);
    ask.got.add(from);
    node.lastEffects.push({ kind: 'answer', number, from, payload });
  }
  settle(node, ask);
}

/** Ends the request if it has what it wants, or nobody is left who could reply. */
function settle(node: Node, ask: Asking): void {
  const { expected, got } = ask;
  if (!expected) return;
  if (hasEnough(ask, expected)) {
    end(node, ask, 'ok', '');
    return;
  }
  if (expected.some((member) => !got.has(member.node) && !ask.silent.has(member.node) && isThere(node, ask, member)))
    return;
  if (got.size === 0 && ask.payload && hasOthers(node, ask, expected)) {
    // it was served and all who did are gone: those who have their state since may know the reply
    ask.expected = null;
    ask.contact = null;
    ask.mayBeIn = true;
    node.asks.resend = true;
    return;
  }
  end(node, ask, 'ok', '');
}

/** Who replied in an earlier view and is not expected now is no part of all, or of a majority. */
function hasEnough({ replies, got }: Asking, expected: readonly GroupMember[]): boolean {
  if (typeof replies === 'number') return got.size >= replies;
  let count = 0;
  for (const { node } of expected) if (got.has(node)) count++;
  return replies === 'all' ? count === expected.length : count > expected.length / 2;
}

function hasOthers(node: Node, ask: Asking, expected: readonly GroupMember[]): boolean {
  const members = node.domain?.groups.get(ask.group)?.members ?? [];
  return members.some((member) => !ask.silent.has(member.node) && !expected.some((each) => isSame(each, member)));
}

function isSame(a: GroupMember, b: GroupMember): boolean {
  return a.node === b.node && a.joined === b.joined;
}

/** Whether a member is one still: in the view that is installed here, or, for who is no member, as the domain says. */
function isThere(node: Node, ask: Asking, member: GroupMember): boolean {
  const view = node.groups.get(ask.group)?.current?.view;
  const members = view ? view.members : (node.domain?.groups.get(ask.group)?.members ?? []);
  return members.some((each) => isSame(each, member));
}

/** The domain has a new state: contacts may be gone, and new ones there. */
export function followAsks(node: Node, decree: Decree | null): void {
  const { asks } = node;
  for (const change of decree?.changes ?? []) {
    if (change.kind === 'exclude') asks.causes.set(change.node, change.cause);
    else if (change.kind === 'leave') asks.causes.set(change.node, 'left');
  }
  for (const oldest of asks.causes.keys()) {
    if (asks.causes.size <= departuresMax) break;
    asks.causes.delete(oldest);
  }
  asks.review = true;
}

/** At the end of a batch: whoever waits for members that are gone does so no more, and requests without a contact get one. */
export function reviewAsks(node: Node): void {
  const { asks } = node;
  if (asks.review) {
    asks.review = false;
    asks.resend = true;
    for (const [group, contact] of asks.contacts) {
      if (!node.domain?.groups.has(group)) asks.contacts.delete(group);
      else if (contact.member && !isMember(node, group, contact.member)) contact.member = null;
    }
    for (const ask of asks.open.values()) {
      if (ask.contact && !ask.expected && !isMember(node, ask.group, ask.contact)) {
        ask.contact = null;
        ask.mayBeIn = true;
      }
      settle(node, ask);
    }
  }
  if (asks.resend) askAgain(node);
}

function isMember(node: Node, group: string, member: GroupMember): boolean {
  return node.domain?.groups.get(group)?.members.some((each) => isSame(each, member)) ?? false;
}

/** Ends those whose time is up. */
export function tickAsks(node: Node): void {
  const { asks, host } = node;
  if (host.now < asks.due) return;
  asks.due = Infinity;
  for (const ask of asks.open.values()) {
    if (ask.until <= host.now) end(node, ask, 'timeout', 'its time is up');
    else asks.due = Math.min(asks.due, ask.until);
  }
  asks.resend = true;
}

/** This node's member of a group has ended: what it had asked and did not deliver itself is not waited for. */
export function endAsksOf(node: Node, group: Group, why: string): void {
  for (const ask of node.asks.open.values()) {
    if (ask.group === group.name && !ask.payload && !ask.expected)
      end(node, ask, 'failed', why, ask.message <= group.acceptedMessage);
  }
}

/** This node's life, or its time in the domain, is over. */
export function endAllAsks(node: Node, why: string): void {
  for (const ask of node.asks.open.values()) end(node, ask, 'failed', why);
}

function end(
  node: Node,
  ask: Asking,
  outcome: (Effect & { kind: 'answered' })['outcome'],
  why: string,
  maybeDone = ask.payload === null || ask.mayBeIn || ask.contact !== null || ask.expected !== null,
): void {
  node.asks.open.delete(ask.number);
  node.asks.resend ||= node.asks.blocked;
  const missing: Missing[] = (ask.expected ?? [])
    .filter((member) => !ask.got.has(member.node))
    .map((member) => ({ member: member.node, why: whyMissing(node, ask, member) }));
  const got = [...ask.got];
  node.lastEffects.push({ kind: 'answered', number: ask.number, outcome, got, missing, maybeDone, why });
  node.host.trace({
    e: 'asked',
    g: ask.group,
    r: `${node.self}:${ask.number}`,
    outcome,
    got,
    missing: missing.map(({ member }) => member),
  });
}

function whyMissing(node: Node, ask: Asking, member: GroupMember): string {
  const silent = ask.silent.get(member.node);
  if (silent !== undefined) return silent;
  if (isThere(node, ask, member)) return 'has not replied yet';
  return node.addresses.has(member.node) ? 'left the group' : (node.asks.causes.get(member.node) ?? 'left');
}
