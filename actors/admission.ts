/**
 * Requests from outside the group, at the member that a client has chosen: let in, which is to multicast them, or refused.
 *
 * They do not wait behind what the member's function has to do, but `accept` sees one after the other, as they came. A
 * client's requests stay first in, first out: each tells which one its client has sent here before it. If that one was
 * refused for now, so are those behind it, and they come again in their order.
 */
import { clientsMax } from '../lib/limits.js';
import type { GroupItem } from '../lib/events.js';
import { nameOf } from '../lib/ids.js';
import { Queue } from '../lib/queue.js';
import { objectionTo } from './authorizing.js';
import { apart, isPromise } from './context.js';
import { GroupFull, GroupWedged, MessageTooLarge, NotAMember } from './errors.js';
import { tell, type Admission, type Member, type RequestItem } from './host.js';
import { kindOf } from './internal.js';
import { decodeRequest } from './payload.js';
import { passOn } from './sending.js';

/** Nothing came yet. */
export function createAdmission(): Admission {
  return { waiting: new Queue(), waitingBytes: 0, busy: false, handled: new Map() };
}

/** A request came. */
export function takeRequest(member: Member, item: Extract<GroupItem, { kind: 'request' }>): void {
  const { admission, host, queueLengthMax } = member;
  const request: RequestItem = { ...item, life: host.life };
  // its client begins anew here
  if (item.previous === 0) admission.handled.delete(item.request.client);
  const { length } = item.payload;
  const isTooMuch = admission.waitingBytes > 0 && admission.waitingBytes + length > host.options.queueBytesMax;
  if (admission.waiting.length >= queueLengthMax || isTooMuch) {
    refuse(member, request, 'too many requests wait here', true);
  } else {
    admission.waiting.push(request);
    admission.waitingBytes += length;
  }
  if (!admission.busy) proceed(member);
}

/** Handles what waits until `accept` takes its time. */
function proceed(member: Member): void {
  const { admission } = member;
  admission.busy = false;
  for (let request = admission.waiting.shift(); request; request = admission.waiting.shift()) {
    admission.waitingBytes -= request.payload.length;
    const verdict = judge(member, request);
    if (isPromise(verdict)) {
      admission.busy = true;
      void conclude(member, request, verdict);
      return;
    }
    settle(member, request, verdict);
  }
}

async function conclude(member: Member, request: RequestItem, verdict: Promise<unknown>): Promise<void> {
  settle(member, request, await verdict.catch((error: unknown) => thrown(member, error)));
  proceed(member);
}

/** It is to come again: the reason. */
class Later {
  constructor(readonly why: string) {}
}

/** What becomes of a request: true, false, or the reason why not. */
function judge(member: Member, { previous, request, payload, life }: RequestItem): unknown {
  const { admission, behavior, host } = member;
  if (life !== host.life || member.phase !== 'member') return new Later('its contact is no member any more');
  const { client } = request;
  if (previous > (admission.handled.get(client) ?? 0)) return new Later('the request before it is not let in yet');
  // no client writes what members say among themselves
  if (payload.length === 0 || kindOf(payload) !== 0) return 'it is no message';
  const objection = objectionTo(host, member.group, client);
  if (objection !== null) return objection;
  const { accept } = behavior;
  if (!accept) return true;
  let message: unknown;
  try {
    message = decodeRequest(member, payload);
  } catch (error) {
    return `it cannot be decoded: ${error instanceof Error ? error.message : String(error)}`;
  }
  try {
    return apart(() => accept({ message, from: { name: nameOf(client), id: client } }));
  } catch (error) {
    return thrown(member, error);
  }
}

function thrown(member: Member, error: unknown): string {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  member.host.notes.note('error', `accept ${member.group}`, `accept of '${member.group}' threw: ${why}`);
  return 'it could not be decided whether to let it in';
}

function settle(member: Member, item: RequestItem, verdict: unknown): void {
  if (verdict instanceof Later) {
    refuse(member, item, verdict.why, true);
    return;
  }
  const { request, payload, life } = item;
  if (verdict !== true) {
    noteHandled(member, item);
    refuse(member, item, typeof verdict === 'string' ? verdict : 'accept said no', false);
    return;
  }
  // while accept took its time
  if (life !== member.host.life || member.phase !== 'member') {
    refuse(member, item, 'its contact is no member any more', true);
    return;
  }
  try {
    passOn(member, request, payload);
    noteHandled(member, item);
  } catch (error) {
    const isFinal = error instanceof MessageTooLarge;
    const isForNow = error instanceof GroupFull || error instanceof GroupWedged || error instanceof NotAMember;
    if (!isFinal && !isForNow) throw error;
    if (isFinal) noteHandled(member, item);
    refuse(member, item, error.message, !isFinal);
  }
}

function noteHandled(member: Member, { request: { client, number } }: RequestItem): void {
  const { handled } = member.admission;
  const last = Math.max(number, handled.get(client) ?? 0);
  // the one that was heard last is forgotten last
  handled.delete(client);
  handled.set(client, last);
  if (handled.size <= clientsMax) return;
  for (const oldest of handled.keys()) {
    handled.delete(oldest);
    return;
  }
}

function refuse({ host, group }: Member, { request, life }: RequestItem, why: string, again: boolean): void {
  // in a new life there is nothing to refuse: whoever asked has gone to another
  if (life === host.life) tell(host, { kind: 'refuse', group, request, why, again });
}
