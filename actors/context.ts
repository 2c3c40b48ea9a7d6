/**
 * The context of one call of a user's function. A fresh object each time; what is costly to make is made when asked for.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { dispatch, Nobody, type ActorPath, type Logger, type Ref } from 'nact';
import type { DeliveredRequest, Delivery, ViewInfo } from '../lib/events.js';
import { nameOf } from '../lib/ids.js';
import { WouldDeadlock } from './errors.js';
import type { Host, Member } from './host.js';
import { outside, type NactRef } from './nact-internals.js';
import { createRandom } from './random.js';
import { sendReply } from './replies.js';
import type { Client, Context, Member as ViewMember, View } from './types.js';

const nobody = new Nobody();

/** What a function is called for: a message, a view, or, at this member alone, a direct message. */
type Occasion = Delivery | ViewInfo | Direct;

/** A direct message: the how manieth thing it is that the member takes, and where it was then. */
interface Direct {
  readonly direct: number;
  readonly group: string;
  readonly position: number;
  readonly time: number;
}

/** Names the occasion, to seed a generator. Positions begin anew with a group, and the groups' numbers with a domain. */
function spell(occasion: Occasion, me: ViewMember): string {
  if ('direct' in occasion) return `direct ${me.id} ${occasion.group} ${occasion.direct}`;
  if (!('view' in occasion)) return `${occasion.domain} ${occasion.groupId} view ${occasion.id}`;
  const { view, position, from, message } = occasion;
  return `${view.domain} ${view.groupId} ${position > 0 ? position : `${from.id}:${message}`}`;
}

/** What somebody asked, if the occasion is that. */
function requestOf(occasion: Occasion): DeliveredRequest | null {
  return 'request' in occasion ? occasion.request : null;
}

/**
 * A context. Few fields, as one is made for each message; what can be read off the member or the occasion is read when it is asked
 * for. An asynchronous function may ask late: what the member goes on to change is not read off it.
 */
class CallContext implements Context {
  readonly #member: Member;
  readonly #occasion: Occasion;
  #random: (() => number) | undefined;
  #replied = false;

  constructor(
    member: Member,
    occasion: Occasion,
    readonly view: View,
    readonly from: ViewMember,
    readonly mine: boolean,
    readonly sender: Ref<unknown>,
  ) {
    this.#member = member;
    this.#occasion = occasion;
  }

  get parent(): Ref<unknown> {
    const { actor, ref } = this.#member;
    return outside(actor.parent?.reference ?? (ref.parent as NactRef));
  }

  get path(): ActorPath {
    return this.#member.actor.path;
  }

  get self(): Ref<unknown> {
    return outside(this.#member.ref);
  }

  get name(): string {
    return this.#member.actor.name;
  }

  get log(): Logger {
    return this.#member.log;
  }

  get rank(): number {
    return this.view.rank;
  }

  get me(): ViewMember {
    return this.view.members[this.view.rank] as ViewMember;
  }

  get position(): number {
    return this.#occasion.position;
  }

  get time(): number {
    return this.#occasion.time;
  }

  get children(): Map<string, Ref<unknown>> {
    return new Map(this.#member.actor.childReferences) as Map<string, Ref<unknown>>;
  }

  get client(): Client | null {
    const request = requestOf(this.#occasion);
    return request && { name: nameOf(request.client), id: request.client };
  }

  reply(value: unknown): void {
    const request = requestOf(this.#occasion);
    const asked = request?.wantsReply === true;
    if (!asked && this.sender === nobody) return;
    if (this.#replied) {
      this.log.debug(`a second reply to one message is ignored by '${this.#member.group}'`);
      return;
    }
    this.#replied = true;
    if (asked) sendReply(this.#member, this.me.id, request, value);
    else dispatch(this.sender, value);
  }

  random(): number {
    this.#random ??= createRandom(spell(this.#occasion, this.me));
    return this.#random();
  }
}

/** The occasion of a direct message that a member has just taken. */
export function directOf({ group, mailbox, position, time }: Member): Direct {
  return { direct: mailbox.applied, group, position, time };
}

/** The context of a message or a view. */
export function contextOf(
  member: Member,
  occasion: Occasion,
  from: ViewMember,
  mine: boolean,
  sender: unknown,
): Context {
  return new CallContext(member, occasion, member.view as View, from, mine, (sender as Ref<unknown>) ?? nobody);
}

/** A call of a function, which may turn out to be asynchronous. */
interface Call {
  readonly host: Host;
  readonly group: string;
  open: boolean;
}

const calls = new AsyncLocalStorage<Call>();
let callsOpen = 0;

/**
 * A function that has returned at once so many times is taken for a synchronous one. `(state, message) =>
 * handle(state, message)` does not look asynchronous, and its first message may be the one that awaits.
 */
const trialCalls = 64;

/** Whose function is being called that is taken for a synchronous one, and what would be refused if it is not. */
let trusted: Member | undefined;
const nobodySuspected: readonly (() => void)[] = [];
let suspects = nobodySuspected;

/**
 * Runs a member's function. What an asynchronous one awaits can be told from what others await: see {@link guard}. That
 * costs, so a function that has proved synchronous goes without: it cannot await. If one returns a promise all the same,
 * what it had asked for until then is refused after the fact.
 */
export function call<A, B, C>(member: Member, f: (a: A, b: B, ctx: C) => unknown, a: A, b: B, ctx: C): unknown {
  if (!member.asynchronous && member.returned >= trialCalls) return callTrusted(member, f, a, b, ctx);
  const open: Call = { host: member.host, group: member.group, open: true };
  callsOpen += 1;
  const close = () => {
    open.open = false;
    callsOpen -= 1;
    // a storage that was used once makes every await of the process about three times as dear (measured, Node.js 20)
    if (!member.asynchronous && callsOpen === 0) calls.disable();
  };
  let result: unknown;
  try {
    result = calls.run(open, () => f.call(ctx, a, b, ctx));
  } catch (error) {
    close();
    throw error;
  }
  if (isPromise(result)) {
    member.asynchronous = true;
    result.then(close, close);
  } else {
    close();
    member.returned += 1;
  }
  return result;
}

function callTrusted<A, B, C>(member: Member, f: (a: A, b: B, ctx: C) => unknown, a: A, b: B, ctx: C): unknown {
  const outer = trusted;
  const outerSuspects = suspects;
  trusted = member;
  suspects = nobodySuspected;
  try {
    const result = f.call(ctx, a, b, ctx);
    if (isPromise(result)) {
      member.asynchronous = true;
      for (const refuse of suspects) refuse();
    }
    return result;
  } finally {
    trusted = outer;
    suspects = outerSuspects;
  }
}

/** Runs what is none of the functions' business: whatever it awaits, it does not wait for itself. */
export function apart<Result>(f: () => Result): Result {
  return calls.getStore() === undefined ? f() : calls.exit(f);
}

/** Whether a function returned a promise. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * The error for awaiting, inside a group's own function, what cannot come before it returns. `refuse` is called if it
 * shows only later that it was inside.
 */
export function guard(
  host: Host,
  group: string,
  what: string,
  refuse: (error: Error) => void,
): WouldDeadlock | undefined {
  if (trusted?.host === host && trusted.group === group) {
    suspects = [...suspects, () => refuse(new WouldDeadlock(group, what))];
  }
  const open = calls.getStore();
  return open?.open && open.host === host && open.group === group ? new WouldDeadlock(group, what) : undefined;
}
