/**
 * State transfer: a new member gets the group's state exactly as of a view.
 *
 * The install of a view names a donor for every member that lacks the state. The donor's actor takes its snapshot when
 * it reaches that view in its mailbox, after everything delivered before, so the state is that of the cut. The joiner
 * holds back what is delivered from then on until the last chunk is in. The protocol's own part of the state, which requests
 * were served, goes ahead of the actor's; so plain members, whose actors have nothing to send, take part as well. If the donor goes, the install of the view that
 * removed it names another, which takes its snapshot at that view; the joiner forgets what it held for earlier ones.
 */
import type { TransferToken } from '../events.js';
import type { NodeId, Rank } from '../ids.js';
import { must } from '../assert.js';
import { earlyBytesMax, earlyOverheadBytes, stateChunksMax, stateChunksTold } from '../limits.js';
import { type Digest, createDigest, spellDigest, update } from '../trace/digest.js';
import type { InstallRecord, LinkMessage, Report } from './messages.js';
import { pass, updateStatus } from './replica.js';
import { forgetGone, forgetServed, servedMessages, servedNow, takeServed } from './serving.js';
import type { Giving, Group, Held, Host } from './state.js';
import type { View } from './view.js';

/** At the coordinator: who gives the state to whom. A transfer whose donor goes on goes on; donors are spread by rank. */
export function assignTransfers(
  group: Group,
  target: View,
  reports: ReadonlyMap<NodeId, Report>,
): Pick<InstallRecord, 'founder' | 'transfers'> {
  const ranks = target.members.map((_, rank) => rank);
  const has = (rank: Rank): boolean => reports.get(must(target.members[rank], 'member').node)?.hasState ?? false;
  const donors = ranks.filter(has);
  const founder = donors.length === 0 ? 0 : null;
  if (founder !== null) donors.push(founder);
  const transfers = ranks
    .filter((rank) => rank !== founder && !has(rank))
    .map((joiner) => {
      const waitsFor = reports.get(must(target.members[joiner], 'member').node)?.waitsFor;
      const donor = waitsFor ? target.ranks.get(waitsFor.donor) : undefined;
      if (waitsFor && donor !== undefined && donors.includes(donor) && founder === null) {
        return { joiner, donor, view: waitsFor.view };
      }
      return { joiner, donor: must(donors[joiner % donors.length], 'donor'), view: target.id };
    });
  return { founder, transfers };
}

/**
 * At an install: what it says of this member's state. A transfer that was completed after it was reported as under way
 * stays complete, unless the group is founded anew. Returns the snapshots that its actor must take at the view. */
export function beginTransfers(
  host: Host,
  group: Group,
  target: View,
  record: InstallRecord,
  rank: Rank,
): TransferToken[] {
  const tokens = record.transfers.map(({ joiner, donor, view }) => ({
    view,
    joiner: must(target.members[joiner], 'joiner').node,
    donor: must(target.members[donor], 'donor').node,
  }));
  const mine = tokens.find((token) => token.joiner === host.self);
  const isComplete = group.replica.kind === 'present' && record.founder === null;
  if (mine && !isComplete) awaitState(group, mine);
  else if (group.replica.kind !== 'present') {
    group.replica = { kind: 'present' };
    forgetServed(group);
    if (record.founder === rank) pass(host, group, { kind: 'found', loud: record.loud });
  }
  for (const { token } of [...group.giving.values()]) {
    if (tokens.some(({ joiner, view }) => joiner === token.joiner && view === token.view)) continue;
    group.giving.delete(token.joiner);
    pass(host, group, { kind: 'snapshot-end', token });
  }
  const given = tokens.filter((token) => token.donor === host.self && token.view === target.id);
  for (const token of given) group.giving.set(token.joiner, createGiving(group, token));
  return given;
}

function createGiving(group: Group, token: TransferToken): Giving {
  return {
    token,
    waiting: false,
    sent: 0,
    taken: 0,
    first: true,
    complete: false,
    served: servedNow(group),
    digest: createDigest(),
  };
}

/** Waits for a state; for another one than before, everything held for earlier views is forgotten. */
function awaitState(group: Group, token: TransferToken): void {
  const { replica } = group;
  if (replica.kind === 'transferring' && replica.token.view === token.view && replica.token.donor === token.donor)
    return;
  group.replica = { kind: 'transferring', token, held: [], heldBytes: 0, taken: 0, told: 0, digest: createDigest() };
  forgetServed(group);
}

const nothing = new Uint8Array(0);

/** At the donor: the actor has made a chunk. */
export function giveChunk(host: Host, group: Group, token: TransferToken, chunk: Uint8Array, last: boolean): void {
  const giving = group.giving.get(token.joiner);
  if (giving?.token.view !== token.view || giving.complete) return;
  const { first } = giving;
  const to = { group: group.name, view: token.view };
  // only now: the actor has replied to all that it was delivered before
  for (const pieces of first ? servedMessages(group, giving.served) : []) {
    host.sendState(token.joiner, { kind: 'served', ...to, pieces }, nothing);
  }
  host.sendState(token.joiner, { kind: 'state', ...to, first, last }, chunk);
  giving.first = false;
  giving.sent++;
  giving.waiting = true;
  giving.complete = last;
  if (host.options.trace) {
    update(giving.digest, chunk);
    if (last) traceState(host, group, 'state-out', token, giving.digest);
  }
  host.touch(group);
}

function traceState(host: Host, group: Group, e: 'state-out' | 'state-in', token: TransferToken, digest: Digest): void {
  const record = { g: group.name, v: String(token.view), h: spellDigest(digest) };
  host.trace(e === 'state-out' ? { e, for: token.joiner, ...record } : { e, from: token.donor, ...record });
}

/** At the donor: asks the actor for the next chunk when link and joiner have room; ends what has arrived. */
export function continueGiving(host: Host, group: Group): void {
  for (const giving of group.giving.values()) {
    if (giving.complete && host.linkIsIdle(giving.token.joiner)) {
      group.giving.delete(giving.token.joiner);
      pass(host, group, { kind: 'snapshot-end', token: giving.token });
    }
    if (giving.complete || !giving.waiting || !host.linkHasRoom(giving.token.joiner)) continue;
    if (giving.sent - giving.taken >= stateChunksMax) continue;
    giving.waiting = false;
    pass(host, group, { kind: 'snapshot-continue', token: giving.token });
  }
}

/** At the joiner: its actor is done with a chunk. The donor is told now and then: a slow actor is not to be flooded. */
export function takeChunk(host: Host, group: Group, token: TransferToken): void {
  const { replica } = group;
  if (replica.kind !== 'transferring' || replica.token.view !== token.view || replica.token.donor !== token.donor)
    return;
  replica.taken++;
  if (replica.taken - replica.told < stateChunksTold) return;
  replica.told = replica.taken;
  host.sendState(token.donor, { kind: 'taken', group: group.name, view: token.view, chunks: replica.taken }, nothing);
}

/** At the donor: the joiner's actor is done with so many chunks. */
function receiveTaken(host: Host, group: Group, from: NodeId, message: StateMessage & { kind: 'taken' }): void {
  const giving = group.giving.get(from);
  if (giving?.token.view !== message.view) return;
  giving.taken = Math.max(giving.taken, message.chunks);
  host.touch(group);
}

type StateMessage = LinkMessage & { readonly kind: 'state' | 'served' | 'taken' };

/**
 * A piece of the state came in, or word of those that went out. What no installed view explains yet waits for one that does; false if there
 * is no room for that.
 */
export function receiveState(
  host: Host,
  group: Group,
  from: NodeId,
  message: StateMessage,
  payload: Uint8Array,
): boolean {
  if (message.kind === 'taken') {
    receiveTaken(host, group, from, message);
    return true;
  }
  if (message.view > (group.current?.view.id ?? 0)) {
    if (group.earlyBytes >= earlyBytesMax) return false;
    group.early.push({ from, message, payload });
    group.earlyBytes += payload.length + earlyOverheadBytes;
    return true;
  }
  const { replica } = group;
  if (replica.kind !== 'transferring' || replica.token.view !== message.view || replica.token.donor !== from)
    return true;
  if (message.kind === 'served') {
    takeServed(group, message.pieces);
    return true;
  }
  const { first, last } = message;
  pass(host, group, { kind: 'state', token: replica.token, chunk: payload, first, last });
  if (host.options.trace) {
    update(replica.digest, payload);
    if (last) traceState(host, group, 'state-in', replica.token, replica.digest);
  }
  if (last) completeTransfer(host, group, replica.held);
  return true;
}

/** After an install: what came early may have its view now. */
export function replayEarly(host: Host, group: Group): void {
  const { early } = group;
  group.early = [];
  group.earlyBytes = 0;
  for (const { from, message, payload } of early) receiveState(host, group, from, message, payload);
}

function completeTransfer(host: Host, group: Group, held: readonly Held[]): void {
  group.replica = { kind: 'present' };
  for (const item of held) {
    if (item.kind === 'nodes') forgetGone(group, item.nodes);
    else pass(host, group, item);
  }
  if (group.wedged && group.current) host.trace({ e: 'blocked', g: group.name, v: String(group.current.view.id) });
  updateStatus(host, group);
}
