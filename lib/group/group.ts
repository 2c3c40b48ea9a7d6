/**
 * A group at one node, from joining to the end: what its user, the decrees and the network make it do, and what it does
 * at the end of each batch of work.
 */
import type { NodeEvent } from '../events.js';
import type { DecreeNumber, NodeId } from '../ids.js';
import { assert, must } from '../assert.js';
import type { Change, Decree, GroupSettings, GroupState, LeaveCause } from '../membership/state.js';
import { Queue } from '../queue.js';
import { deliverReady } from './delivery.js';
import { addTarget, checkCut, continueFlush } from './flush.js';
import { noteDeparture, noteStable } from './install.js';
import { acknowledge, askForGaps, remind, repairDue } from './repair.js';
import { pass, updateStatus } from './replica.js';
import { admitRequest, withHead } from './serving.js';
import { endSettling } from './settled.js';
import type { Group, Host, ViewState } from './state.js';
import { continueGiving } from './transfer.js';
import { traceQueued, transmit } from './transmit.js';
import { viewOf } from './view.js';
import { openWindow } from './window.js';

/** A group that this node wants to be in; `lastMessage` continues the numbers of an earlier membership. */
export function createGroup(name: string, settings: GroupSettings, lastMessage: number): Group {
  return {
    name,
    settings,
    id: 0,
    joined: 0,
    targets: [],
    current: null,
    lastInstall: null,
    flush: null,
    departed: new Map(),
    position: 0,
    time: 0,
    unorderedTime: 0,
    replica: { kind: 'absent' },
    giving: new Map(),
    served: new Map(),
    repliesBytes: 0,
    contacts: new Map(),
    settling: [],
    queue: new Queue(),
    lastMessage,
    acceptedMessage: lastMessage,
    lastOrdered: lastMessage,
    stableMessage: lastMessage,
    undelivered: 0,
    toldAccepted: lastMessage,
    toldStable: lastMessage,
    backlogBytes: 0,
    leaving: 'no',
    ended: false,
    wedged: true,
    future: [],
    futureBytes: 0,
    early: [],
    earlyBytes: 0,
    items: [],
    status: null,
    why: '',
  };
}

/**
 * A decree was installed: what it means for this group. `decree` is null when the state was learned whole. Who joins anew
 * takes no part in a former life of its own, which may still be there: it is in from a decree later than `after`.
 */
export function followDecree(
  host: Host,
  group: Group,
  state: GroupState | undefined,
  decree: Decree | null,
  nodes: ReadonlySet<NodeId>,
  after: DecreeNumber,
): void {
  if (group.ended) return;
  const me = state?.members.find(({ node }) => node === host.self);
  if (group.id !== 0 && (!state || state.id !== group.id || me?.joined !== group.joined)) {
    endGroup(host, group, 'left', 'left the group');
    return;
  }
  const isNew = group.id === 0;
  if (!state || !me || (isNew && me.joined <= after)) return;
  if (!isNew && state.view <= latestView(group)) return;
  if (!isNew && decree) noteDepartures(group, state, decree);
  group.id = state.id;
  group.joined = me.joined;
  addTarget(host, group, viewOf(state, nodes));
  updateStatus(host, group);
}

function latestView(group: Group): number {
  return (group.targets.at(-1) ?? group.current?.view)?.id ?? 0;
}

function noteDepartures(group: Group, state: GroupState, decree: Decree): void {
  const before = must(group.targets.at(-1) ?? group.current?.view, 'view before the decree');
  for (const member of before.members) {
    const stays = state.members.some(({ node, joined }) => node === member.node && joined === member.joined);
    if (!stays) noteDeparture(group, member, causeOf(decree.changes, member.node, group.name));
  }
}

function causeOf(changes: readonly Change[], node: NodeId, group: string): LeaveCause {
  for (const change of changes) {
    if (change.kind === 'exclude' && change.node === node) return change.cause;
    if (change.kind === 'leave' && change.node === node) return 'left';
    if (change.kind === 'group-leave' && change.node === node && change.group === group) return 'left';
  }
  return 'failed';
}

/** The user multicasts. It waits in the queue until the end of the batch, and longer if it must. */
export function takeMulticast(host: Host, group: Group, event: NodeEvent & { kind: 'multicast' }): void {
  const { messageBytesMax, queueLengthMax } = host.options;
  assert(event.message === group.lastMessage + 1, 'multicasts are numbered without a gap');
  assert(event.payload.length <= messageBytesMax, 'a multicast is within its limit');
  assert(group.queue.length <= queueLengthMax, 'the queue is within its limit');
  group.lastMessage = event.message;
  const { message, order, ask, request } = event;
  if (order !== 'fifo') group.lastOrdered = message;
  let { payload } = event;
  if (ask) {
    const head = { client: host.self, number: ask.number, lowest: 0, wantsReply: true, isVoid: false };
    payload = withHead(head, payload);
    host.beginAsk(group, message, ask);
  } else if (request) payload = admitRequest(group, request, payload);
  group.queue.push({
    message,
    order,
    // delivered at the end of a view, a barrier is so at all who go on or at none
    uniform: event.uniform || order === 'barrier',
    payload,
    request: ask ? { client: host.self, number: ask.number } : (request ?? null),
    headBytes: payload.length - event.payload.length,
    offset: 0,
    traced: false,
  });
  host.touch(group);
}

/** The user leaves: what was taken in is sent and made stable first, then the decree is asked for. */
export function leaveGroup(host: Host, group: Group, abort: boolean): void {
  if (group.leaving === 'draining' && abort) group.leaving = 'aborting';
  if (group.leaving !== 'no') return;
  group.leaving = abort ? 'aborting' : 'draining';
  if (host.options.trace) host.trace({ e: 'leave', g: group.name });
  host.touch(group);
}

/** Whether a leaver may go: nothing of its own is left to do, and no joiner waits for the state from it. */
function isDrained(group: Group): boolean {
  if (!group.current) return group.queue.length === 0 || group.leaving === 'aborting';
  if (group.wedged || (group.giving.size > 0 && group.leaving !== 'aborting')) return false;
  return group.queue.length === 0 && group.stableMessage === group.lastMessage && group.undelivered === 0;
}

/** It is over: says so, and what becomes of multicasts that are not stable. Nothing comes after. */
export function endGroup(host: Host, group: Group, status: 'left' | 'excluded', why: string): void {
  if (group.ended) return;
  const { stableMessage, acceptedMessage, lastMessage, current } = group;
  if (lastMessage > stableMessage) {
    const maybeDelivered = acceptedMessage - stableMessage;
    pass(host, group, { kind: 'failed', first: stableMessage + 1, last: lastMessage, maybeDelivered, why });
    if (host.options.trace) {
      for (let n = acceptedMessage + 1; n <= lastMessage; n++) {
        host.trace({ e: 'sendfail', g: group.name, id: `${host.self}:${n}`, why });
      }
    }
  }
  pass(host, group, { kind: 'status', status, why });
  if (host.options.trace) {
    if (status === 'left') host.trace({ e: 'left', g: group.name });
    else host.trace({ e: 'excluded', g: group.name, v: String(current?.view.id ?? 0), why });
  }
  host.endAsksOf(group, why);
  if (current) openWindow(host, must(current.streams[current.rank], 'own stream').unstableBytes);
  group.status = status;
  group.ended = true;
  group.current = null;
  group.flush = null;
  group.targets = [];
  group.queue.clear();
}

/** The end of a batch: everything that what happened allows, once. */
export function serveGroup(host: Host, group: Group): void {
  if (group.ended) return;
  checkCut(host, group);
  continueFlush(host, group);
  const state = group.current;
  if (state) serveView(host, group, state);
  if (host.options.trace) traceQueued(host, group);
  continueGiving(host, group);
  if ((group.leaving === 'draining' || group.leaving === 'aborting') && isDrained(group)) {
    group.leaving = 'asked';
    host.askToLeave(group);
  }
  tellProgress(host, group);
  endSettling(host, group);
}

function tellProgress(host: Host, group: Group): void {
  const { acceptedMessage, stableMessage } = group;
  if (group.toldAccepted === acceptedMessage && group.toldStable === stableMessage) return;
  group.toldAccepted = acceptedMessage;
  group.toldStable = stableMessage;
  pass(host, group, { kind: 'progress', accepted: acceptedMessage, stable: stableMessage });
}

function serveView(host: Host, group: Group, state: ViewState): void {
  deliverReady(host, group, state);
  transmit(host, group, state);
  if (state.barrier === 'sent') {
    state.barrier = 'asked';
    host.askToEndView(group, state.view.id);
  }
  advanceStable(host, group, state);
  acknowledge(host, group, state);
  askForGaps(host, group, state);
  remind(host, group, state);
}

/** One's own multicasts are stable when they and everything delivered before they were sent are. */
function advanceStable(host: Host, group: Group, state: ViewState): void {
  const { stability, sent, rank } = state;
  for (let oldest = sent.first; oldest; oldest = sent.first) {
    if (oldest.seqno > stability.stable(rank)) return;
    for (let sender = 0; sender < state.size; sender++) {
      if ((oldest.past[sender] as number) > stability.stable(sender)) return;
    }
    sent.shift();
    noteStable(host, group, oldest.message);
  }
}

/** When this group next has something to do by itself. */
export function groupDue(group: Group): number {
  if (group.ended) return Infinity;
  return Math.min(group.flush?.repeatAt ?? Infinity, group.current ? repairDue(group.current) : Infinity);
}
