/**
 * The context of one call of a user's function. A fresh object each time; what is costly to make is made when asked for.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Nobody, type ActorPath, type Logger, type Ref } from 'nact';
import { WouldDeadlock } from './errors.js';
import type { Host, Member } from './host.js';
import { outside, type NactActor, type NactRef } from './nact-internals.js';
import type { Context, Member as ViewMember, View } from './types.js';

const nobody = new Nobody();

/** A context. A class for its shape, and because nact's copy of the children is made only when it is looked at. */
class CallContext implements Context {
  readonly parent: Ref<unknown>;
  readonly path: ActorPath;
  readonly self: Ref<unknown>;
  readonly name: string;
  readonly log: Logger;
  readonly rank: number;
  readonly me: ViewMember;
  readonly #actor: NactActor;

  constructor(
    member: Member,
    readonly view: View,
    readonly from: ViewMember,
    readonly position: number,
    readonly mine: boolean,
    readonly sender: Ref<unknown>,
  ) {
    const { actor } = member;
    this.#actor = actor;
    this.parent = outside(actor.parent?.reference ?? (member.ref.parent as NactRef));
    this.path = actor.path;
    this.self = outside(member.ref);
    this.name = actor.name;
    this.log = member.log;
    this.rank = view.rank;
    this.me = member.me as ViewMember;
  }

  get children(): Map<string, Ref<unknown>> {
    return new Map(this.#actor.childReferences) as Map<string, Ref<unknown>>;
  }
}

/** The context of a message. */
export function contextOf(member: Member, from: ViewMember, position: number, mine: boolean, sender: unknown): Context {
  return new CallContext(member, member.view as View, from, position, mine, (sender as Ref<unknown>) ?? nobody);
}

/** A call of an asynchronous function that has not returned. */
interface Call {
  readonly host: Host;
  readonly group: string;
  open: boolean;
}

const calls = new AsyncLocalStorage<Call>();

/**
 * Runs a member's function. If it is known to be asynchronous, what it awaits can be told from what others await: see
 * {@link guard}. That costs, so synchronous functions go without: they cannot await.
 */
export function call<A, B, C>(member: Member, f: (a: A, b: B, ctx: C) => unknown, a: A, b: B, ctx: C): unknown {
  if (!member.asynchronous) {
    const result = f.call(ctx, a, b, ctx);
    if (isPromise(result)) member.asynchronous = true;
    return result;
  }
  const open: Call = { host: member.host, group: member.group, open: true };
  const result = calls.run(open, () => f.call(ctx, a, b, ctx));
  if (!isPromise(result)) return result;
  const close = () => {
    open.open = false;
  };
  result.then(close, close);
  return result;
}

/** Whether a function returned a promise. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** The error for awaiting, inside a group's own function, what cannot come before it returns. */
export function guard(host: Host, group: string, what: string): WouldDeadlock | undefined {
  const open = calls.getStore();
  return open?.open && open.host === host && open.group === group ? new WouldDeadlock(group, what) : undefined;
}
