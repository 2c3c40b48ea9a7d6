/**
 * The actor of a group's member: the user's function over batches of deliveries, views and state, strictly in order.
 *
 * One nact message is under way per batch, however many items it has. It is a token: items and state are kept in the
 * member's cell, so that a function that throws loses one item and not the batch, and so that a user's `dispatch` (which
 * goes straight out) never waits behind deliveries. A batch is cut off after some milliseconds; others get their turn.
 * What the function has taken is reported back as credit, once per batch. An idle actor's batch begins in the transport actor's turn that
 * has brought it, without a token: the way by nact's own mailbox would be a fifth of a message's latency.
 */
import type { Delivery, GroupItem, TransferToken, ViewInfo } from '../lib/events.js';
import { assertNever } from '../lib/assert.js';
import { wedgedFor } from '../lib/inspect.js';
import { takeRequest } from './admission.js';
import { call, contextOf, directOf, isPromise } from './context.js';
import { digestWith } from './digest.js';
import { forgetGone, noteApplied, takeDigest } from './divergence.js';
import { NotAMember } from './errors.js';
import { tell, type Host, type Member, type Tracing } from './host.js';
import { kindDigest, kindOf, kindVerdict } from './internal.js';
import { beginLeave, endFlushes, finish, join } from './leave.js';
import type { Taken, Undelivered } from './mailbox.js';
import type { NactActor } from './nact-internals.js';
import { emitStatus, emitView } from './observables.js';
import { classOf, noteAccepted, noteDelivered, noteFailed, noteStable, sentBefore } from './receipts.js';
import { decodePayload, isInternal, takeInternal, waitingMessages } from './payload.js';
import { memberMaker } from './references.js';
import { sendFailure } from './replies.js';
import { abandonState, takeState } from './restore.js';
import { sizeOf } from './snapshot.js';
import { foundTable, openTable, clearTable } from './structures.js';
import { faulted, initialState } from './supervision.js';
import { contextAt, isTraced } from './trace-context.js';
import { continueSnapshot, endSnapshot, startSnapshots } from './transfer.js';
import type { Context, Member as ViewMember } from './types.js';
import { clearVerdicts, endVerdictsOf, noteFifoApplied, noteLeftOut, takeVerdicts, tellVerdicts } from './verdicts.js';
import { viewOf } from './views.js';

/** A batch yields after so long: the transport has to acknowledge and to say that it lives. */
const sliceMillis = 5;
/** Items between two looks at the clock, while they are quick. */
const stride = 32;
/** Above this, the digest of a traced state would take longer than a view should. */
const digestBytesMax = 1024 * 1024;

const drainToken = { type: 'drain' } as const;

/** Puts what the core delivered into the member's mailbox; {@link drainFed} has to follow. */
export function enqueue(member: Member, items: readonly GroupItem[]): void {
  if (member.phase === 'gone') return;
  for (const item of items) {
    // not in the mailbox: a slow actor must not hold up a joiner
    if (item.kind === 'snapshot-continue') goOn(member, item.token);
    else if (item.kind === 'snapshot-end') endSnapshot(member, item.token);
    else if (item.kind === 'request') takeRequest(member, item);
    else {
      // the queue's limit goes by this, whatever the actor is busy with
      if (item.kind === 'progress') noteAccepted(member.outbox, item.accepted);
      member.mailbox.put(item);
    }
  }
  if (member.mailbox.isEmpty || isScheduled(member)) return;
  member.tokened = true;
  member.host.fed.push(member);
}

function goOn(member: Member, token: TransferToken): void {
  try {
    continueSnapshot(member, token);
  } catch (error) {
    member.log.error(`the state of '${member.group}' cannot be sent: ${String(error)}; the member leaves`);
    beginLeave(member, true);
  }
}

/** The node has a new life; what follows in the mailbox is of that one, and receipts are given their last word. */
export function enqueueReborn(member: Member, undelivered: Undelivered): void {
  takeLastWords(member);
  member.rebirths += 1;
  member.mailbox.put({ kind: 'reborn', ...undelivered });
  schedule(member);
}

/** Takes what the mailbox has about own multicasts, ahead of what waits there. */
export function takeLastWords(member: Member): void {
  for (const item of member.mailbox.takeKinds(['progress', 'failed'])) void apply(member, item);
}

/** The node is out of its domain: the member ends once its mailbox is empty. */
export function enqueueOver(member: Member, status: 'left' | 'excluded', why: Error): void {
  member.mailbox.put({ kind: 'over', status, why });
  schedule(member);
}

/** Sends the actor its token, unless one is under way. */
function schedule(member: Member): void {
  if (isScheduled(member)) return;
  member.tokened = true;
  sendToken(member);
}

function isScheduled({ tokened, draining, phase }: Member): boolean {
  return tokened || draining || phase === 'gone';
}

function sendToken({ actor }: Member): void {
  (Object.getPrototypeOf(actor) as NactActor).dispatch.call(actor, drainToken);
}

/** At the end of a turn that began at `from`: who was fed takes it at once, unless nact has to see that it is busy, or time is up. */
export function drainFed(host: Host, from: number): void {
  for (const member of host.fed.splice(0)) {
    // the same turn may have ended it
    if (member.phase === 'gone') continue;
    const isSeen = member.asynchronous || member.actor.shutdownPeriod !== undefined;
    if (isSeen || host.runtime.now() - from > sliceMillis) sendToken(member);
    else void drain(member);
  }
}

/** What the nact actor does with a token. */
export function drain(member: Member): Promise<void> | undefined {
  member.tokened = false;
  if (member.draining) return undefined;
  member.draining = true;
  const pending = slice(member);
  if (pending) return drainSlowly(member, pending);
  settle(member);
  return undefined;
}

/** Goes on once a function has turned out to be asynchronous, or has thrown. */
async function drainSlowly(member: Member, first: Promise<void>): Promise<void> {
  const { runtime } = member.host;
  let turn = runtime.now() + sliceMillis;
  for (let pending: Promise<void> | undefined = first; pending; pending = slice(member)) {
    await pending;
    if (runtime.now() < turn) continue;
    report(member);
    answerReads(member);
    // promises alone never let the event loop turn
    await new Promise(setImmediate);
    turn = runtime.now() + sliceMillis;
  }
  settle(member);
}

function settle(member: Member): void {
  member.draining = false;
  report(member);
  answerReads(member);
  if (!member.mailbox.isEmpty) schedule(member);
}

/** Applies items until there are none, time is up, or one has to be awaited. */
function slice(member: Member): Promise<void> | undefined {
  const { mailbox, host } = member;
  const { runtime } = host;
  const until = runtime.now() + sliceMillis;
  let look = stride;
  let last = until - sliceMillis;
  while (!mailbox.isEmpty) {
    const pending = attempt(member, mailbox.take());
    if (pending) return pending;
    if (--look > 0) continue;
    const now = runtime.now();
    if (now >= until) break;
    look = now - last > 1 ? 1 : stride;
    last = now;
  }
  return undefined;
}

function attempt(member: Member, item: Taken): Promise<void> | undefined {
  let message: unknown;
  try {
    if (item.kind === 'delivery' || item.kind === 'direct') {
      if (member.discarding) {
        if (item.kind === 'delivery') account(member, item);
        return undefined;
      }
      if (item.kind === 'delivery' && (isInternal(item) || item.request?.repeated)) {
        account(member, item);
        if (!item.request) heed(member, item);
        return undefined;
      }
      message = decode(member, item);
      if (message === undecodable) {
        if (item.kind === 'delivery') {
          account(member, item);
          excuse(member, item, 'it cannot read the message');
          noteLeftOut(member, item, 'unreadable');
        }
        return undefined;
      }
      const pending = item.kind === 'delivery' ? deliver(member, item, message) : direct(member, item, message);
      return pending && crashIfRejected(member, item, message, pending);
    }
    const pending = apply(member, item);
    return pending && crashIfRejected(member, item, undefined, pending);
  } catch (error) {
    return crash(member, item, message, error);
  }
}

/** Apart from {@link attempt}, as what a closure refers to takes memory at each call of the function around it. */
function crashIfRejected(member: Member, item: Taken, message: unknown, pending: Promise<void>): Promise<void> {
  return pending.catch((error: unknown) => crash(member, item, message, error));
}

/** Takes what a member says to the others. */
function heed(member: Member, item: Delivery): void {
  try {
    const kind = kindOf(item.payload);
    if (kind === kindDigest) takeDigest(member, item);
    else if (kind === kindVerdict) takeVerdicts(member, item);
    else takeInternal(member, item);
  } catch (error) {
    const what = `what ${item.from.name} says to the members of '${member.group}' is not understood: ${String(error)}`;
    member.host.notes.note('error', `internal ${member.group}`, what);
  }
}

function crash(member: Member, item: Taken, message: unknown, error: unknown): Promise<void> {
  if (item.kind === 'delivery') {
    account(member, item);
    excuse(member, item, `its function threw: ${error instanceof Error ? error.message : String(error)}`);
  }
  const decided = faulted(member, message, error, () => waiting(member)).then(() => {
    if (item.kind === 'delivery') noteLeftOut(member, item, 'thrown');
  });
  if (item.kind !== 'state' && item.kind !== 'found') return decided;
  return decided.then(() => {
    // whatever was decided: nobody goes on without a state
    if (!member.hasState && member.phase === 'member') beginLeave(member, true);
  });
}

/** The messages that wait, for supervisors. */
function waiting(member: Member): unknown[] {
  return waitingMessages(
    member,
    member.mailbox.deliveries().filter(({ request }) => !request?.repeated),
  );
}

const undecodable = Symbol('undecodable');

function decode(member: Member, item: Extract<Taken, { kind: 'delivery' | 'direct' }>): unknown {
  try {
    return item.kind === 'delivery' ? decodePayload(member, item) : member.codec.decode(item.payload);
  } catch (error) {
    // the same bytes fail at every replica: leaving the message out keeps them equal
    member.dropped += 1;
    const what = `a message to '${member.group}' cannot be decoded and is dropped: ${String(error)}`;
    member.host.notes.note('error', `undecodable ${member.group}`, what);
    return undecodable;
  }
}

/** A delivery is done with: credit, position, and the receipt if it was ours. */
function account(member: Member, item: Delivery): void {
  member.consumed += item.end - item.start;
  member.time = Math.max(member.time, item.time);
  if (item.position > 0) {
    member.position = item.position;
    if (member.divergence.every > 0 && !isInternal(item)) noteApplied(member, item);
  }
  if (item.from.id === member.outbox.node) {
    noteDelivered(member.outbox, item.message, classOf(item.order, item.uniform), item.position);
  }
}

/** Tells who asked that there will be no reply, unless there was one. */
function excuse(member: Member, { request }: Delivery, why: string): void {
  if (request?.wantsReply && member.me) sendFailure(member, member.me.id, request, why);
}

function deliver(member: Member, item: Delivery, message: unknown): Promise<void> | undefined {
  const from = member.view?.members[item.fromRank] ?? memberMaker(member.host, member.group)(item.from);
  const own = item.from.id === member.outbox.node;
  const sender = own && member.outbox.senders.size > 0 ? member.outbox.senders.get(item.message) : undefined;
  const ctx = contextOf(member, item, from, item.mine, sender);
  const { tracing } = member.host;
  const result =
    tracing && isTraced(item.among.bytes, item.start)
      ? callInSpan(member, tracing, item, message, ctx)
      : call(member, member.behavior.f, member.state, message, ctx);
  if (isPromise(result)) return whenDelivered(member, item, message, from, result);
  delivered(member, item, message, from, result);
  return undefined;
}

/** Apart for the same reason. */
function callInSpan(member: Member, tracing: Tracing, item: Delivery, message: unknown, ctx: Context): unknown {
  const context = contextAt(item.among.bytes, item.start);
  return tracing.process(member, item, context, () => call(member, member.behavior.f, member.state, message, ctx));
}

/** Apart for the same reason. */
function whenDelivered(
  member: Member,
  item: Delivery,
  message: unknown,
  from: ViewMember,
  result: Promise<unknown>,
): Promise<void> {
  return result.then((state) => delivered(member, item, message, from, state));
}

function delivered(member: Member, item: Delivery, message: unknown, from: ViewMember, state: unknown): void {
  member.state = state;
  account(member, item);
  if (item.order === 'fifo') noteFifoApplied(member, item);
  const { subject, view } = member.stream;
  if (!subject.observed || !view) return;
  subject.next({ kind: 'delivery', message, from, position: item.position, order: item.order, view });
}

function direct(
  member: Member,
  item: Extract<GroupItem, { kind: 'direct' }>,
  message: unknown,
): Promise<void> | undefined {
  const { onDirect } = member.behavior;
  if (!onDirect) {
    const what = `a direct message from ${item.from.name} is dropped: '${member.group}' has no onDirect`;
    member.host.notes.note('warn', `direct ${member.group}`, what);
    return undefined;
  }
  if (!member.view) return undefined;
  const from =
    member.view.members.find(({ id }) => id === item.from.id) ?? memberMaker(member.host, member.group)(item.from);
  const ctx = contextOf(member, directOf(member), from, true, undefined);
  return adopt(member, call(member, onDirect, member.state, message, ctx), member.settings.kind === 'plain');
}

/** Takes a new state from `onView` or `onDirect`, if there is one and it counts. */
function adopt(member: Member, result: unknown, counts: boolean): Promise<void> | undefined {
  if (isPromise(result)) return result.then((state) => void adopt(member, state, counts));
  if (counts && result !== undefined) member.state = result;
  return undefined;
}

/** Everything but messages. */
function apply(member: Member, item: Exclude<Taken, { kind: 'delivery' | 'direct' }>): Promise<void> | undefined {
  switch (item.kind) {
    case 'view':
      if (member.discarding) return undefined;
      if (member.structures) openTable(member.structures, item.view.id);
      forgetGone(member, item.view);
      // a plain member sees what there is from its first view on
      if (member.settings.kind === 'plain' && !member.viewInfo) clearVerdicts(member.verdicts, item.view.id);
      if (!member.discarding) endVerdictsOf(member, item.view);
      if (member.discarding) return undefined;
      if (member.hasState && item.snapshots.length > 0) {
        const copied = startSnapshots(member, item.snapshots);
        if (copied) return copied.then(() => takeView(member, item.view));
      }
      return takeView(member, item.view);
    case 'found':
      clearVerdicts(member.verdicts);
      if (member.structures) foundTable(member.structures);
      if (member.settings.kind === 'plain') return undefined;
      member.founder = true;
      if (item.loud) {
        member.log.error(
          `the state of '${member.group}' is lost with its last members; it starts from the initial state`,
        );
      }
      found(member);
      return undefined;
    case 'state':
      if (member.discarding) return undefined;
      // what was delivered before this view is in the state
      if (item.first) clearVerdicts(member.verdicts, item.token.view);
      return takeState(member, item);
    case 'status':
      takeStatus(member, item.status, item.why);
      return undefined;
    case 'progress':
      tellVerdicts(member);
      if (item.stable <= member.outbox.stable) return undefined;
      noteStable(member.outbox, item.stable);
      if (member.stream.subject.observed) {
        member.stream.subject.next({ kind: 'stable', id: `${member.outbox.node}:${item.stable}` });
      }
      return undefined;
    case 'settled':
      member.flushes.get(item.token)?.resolve();
      member.flushes.delete(item.token);
      return undefined;
    case 'failed':
      noteFailed(member.outbox, item.first, item.last, item.maybeDelivered, item.why);
      member.log.warn(`multicasts ${item.first} to ${item.last} of '${member.group}' failed: ${item.why}`);
      return undefined;
    case 'reborn':
      member.rebirths -= 1;
      member.divergence.checks.clear();
      clearVerdicts(member.verdicts);
      if (member.structures) clearTable(member.structures);
      endFlushes(member, new NotAMember(member.group, 'its node was excluded and has begun a new life'));
      abandonState(member, 'its node was excluded and has begun a new life');
      member.position = 0;
      member.time = 0;
      member.founder = false;
      member.view = undefined;
      member.viewInfo = undefined;
      member.stream.view = undefined;
      rememberFormer(member, item);
      if (member.settings.kind === 'replicated') member.hasState = false;
      return undefined;
    case 'over':
      finish(member, item.why, item.status);
      return undefined;
    case 'snapshot-continue':
    case 'snapshot-end':
    case 'request':
      return undefined;
    default:
      return assertNever(item);
  }
}

/** What the member had is not thrown away in silence: `restore` is told of it. */
function rememberFormer(member: Member, { forced, unsent, uncertain }: Undelivered): void {
  const { former, hasState, state } = member;
  member.former = {
    // a life that never got a state has not lost one
    previous: hasState ? state : former?.previous,
    hadState: hasState || former?.hadState === true,
    unsent: [...(former?.unsent ?? []), ...unsent],
    uncertain: [...(former?.uncertain ?? []), ...uncertain],
    forced: forced || (former?.forced === true && !hasState),
  };
}

/** Begins with the initial state, or, if an operator has forced the domain on, with the one that this member had. */
function found(member: Member): void {
  const { former, group } = member;
  member.former = undefined;
  member.hasState = true;
  if (former?.hadState && former.forced) {
    member.log.error(
      `'${group}' goes on with the state of ${member.host.life.id}: an operator has forced the domain on`,
    );
    member.state = former.previous;
    return;
  }
  if (former?.hadState) {
    member.log.error(`nobody has a state of '${group}' any more, and what this node had is of before its exclusion`);
  }
  member.state = initialState(member);
}

function takeView(member: Member, info: ViewInfo): Promise<void> | undefined {
  const { host } = member;
  const view = viewOf(info, memberMaker(host, member.group));
  member.view = view;
  member.viewInfo = info;
  member.me = view.members[view.rank];
  member.position = info.position;
  member.time = Math.max(member.time, info.time);
  host.log.info(
    `view ${view.id} of '${member.group}': ${view.members.map(({ name }) => name).join(', ')} (${view.cause})`,
    {
      node: host.life.id,
    },
  );
  const { onView } = member.behavior;
  const ctx = contextOf(member, info, view.coordinator, view.rank === 0, undefined);
  const result = onView ? call(member, onView, member.state, view, ctx) : undefined;
  if (isPromise(result)) {
    return result.then((state) => {
      void adopt(member, state, true);
      viewTaken(member);
    });
  }
  void adopt(member, result, true);
  viewTaken(member);
  return undefined;
}

function viewTaken(member: Member): void {
  const { view } = member;
  if (!view) return;
  traceDigest(member, view.id);
  emitView(member.stream, view);
}

/** Has the trace say what the state is at a view, so that replicas can be compared. */
function traceDigest(member: Member, v: string): void {
  const { trace } = member.host.life;
  if (!trace || !member.hasState || member.settings.kind !== 'replicated') return;
  if (sizeOf(member.state, digestBytesMax) > digestBytesMax) return;
  trace.record({
    e: 'hash',
    g: member.group,
    v,
    pos: member.position,
    h: digestWith(member.host.refs, member.state).slice(0, 16),
  });
  trace.flush();
}

function takeStatus(member: Member, status: Member['stream']['status'], why: string): void {
  const rejoins = status === 'left' && member.phase === 'rejoining';
  if (status === 'left' && !rejoins) {
    emitStatus(member.stream, 'left', why);
    finish(member, new NotAMember(member.group, why || 'it has left'));
    return;
  }
  emitStatus(member.stream, rejoins ? 'joining' : status, rejoins ? 'fetches the state anew' : why);
  if (rejoins) join(member);
}

/** Reports what was consumed since the last report. */
function report(member: Member): void {
  if (member.consumed === 0) return;
  const bytes = member.consumed;
  member.consumed = 0;
  if (member.phase !== 'gone') tell(member.host, { kind: 'consumed', group: member.group, bytes });
}

/** What a wedged member has sent may never be delivered; reads do not wait for it. */
function isWedged({ host, group }: Member): boolean {
  const { core } = host.life;
  return core !== undefined && wedgedFor(core, group) !== null;
}

/** Runs the reads that have waited long enough. */
export function answerReads(member: Member): void {
  if (member.waiters.length === 0 || !member.hasState || member.discarding) return;
  const waiters = member.waiters;
  member.waiters = [];
  for (const waiter of waiters) {
    const isThere = sentBefore(waiter.outbox, waiter.mark) || (waiter.isLocal && isWedged(member));
    if (member.mailbox.applied >= waiter.enqueued && isThere) waiter.run();
    else member.waiters.push(waiter);
  }
}
