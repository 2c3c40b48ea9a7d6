/**
 * Asking a group and waiting for its members' replies: the promise, and the stream of replies as they come.
 *
 * Whom to wait for, and how long, is the core's business: it tells each reply and, once, the end.
 */
import { Observable, Subject, type Subscriber } from 'rxjs';
import { assertNever } from '../lib/assert.js';
import type { Wanted } from '../lib/events.js';
import { nameOf, type NodeId } from '../lib/ids.js';
import { guard } from './context.js';
import { AskFailed, AskTimedOut, InvalidOption, RequestRefused } from './errors.js';
import { memberOf, type Member, type Sending } from './host.js';
import { memberMaker, outsideOf } from './references.js';
import { readReply } from './replies.js';
import { checkOptions, checkRoom, payloadFor, sendRequest, type Outside, type Target } from './requesting.js';
import { endRequest, openRequest, type Ended, type Pending, type Requests } from './requests.js';
import type { Timer } from './runtime.js';
import { sendAsk } from './sending.js';
import type { AskOptions, Asked, GroupRef, Member as ViewMember, Replies, Reply, Unanswered } from './types.js';

/** In milliseconds. */
const timeoutDefault = 5000;
/** What a timer of Node.js can wait for. */
const timeoutMax = 2 ** 31 - 1;

/**
 * Sends a message to the group and waits for what its members `reply`: to a member's ref as a multicast of that member,
 * through {@link groupRef} as a request from outside.
 *
 * Resolves with the replies as soon as there are as many as asked for; or as nobody who has not replied is left, with
 * `missing` to tell who and why. A member that leaves or fails is waited for no more. One whose function threw, or whose
 * reply cannot be sent, is missing, too; it counts as one that has replied.
 *
 * Rejects with {@link AskTimedOut}; {@link AskFailed} if nobody replied who could, or if this node cannot wait any more;
 * {@link RequestRefused} by the group's `accept`; {@link WouldDeadlock} inside the group's own function, which would wait
 * for itself; and with what `multicast` throws: then nothing was sent.
 *
 * @example
 * ```ts
 * const replies = await ask(stock, { type: 'count', sku: 'tea' }, { replies: 'majority', timeout: 1000 });
 * for (const { member, value } of replies) console.log(member.name, value);
 * for (const { member, why } of replies.missing) console.log(member.name, why);
 * ```
 */
export function ask<Answer = unknown, Msg = AnyMessage>(
  ref: GroupRef<Msg, unknown, Answer>,
  message: NoInfer<Msg>,
  options: AskOptions,
): Asked<Answer> {
  const outside = outsideOf(ref);
  const asked = outside ? askFromOutside(outside, message, options) : askAsMember(memberOf(ref), message, options);
  return asked as Asked<Answer>;
}

/** Who gives the replies' type by hand leaves the message's open: TypeScript infers all of them or none. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type AnyMessage = any;

function askAsMember(member: Member, message: unknown, options: AskOptions): Asked {
  const { host, group, codec } = member;
  const viewMember = (id: NodeId) =>
    member.view?.members.find((each) => each.id === id) ??
    memberMaker(host, group)({ id, name: nameOf(id), joined: 0 });
  return begin({ host, group, codec }, options, viewMember, (asking, replies, timeout) => {
    const { requests } = host.life;
    const number = requests.last + 1;
    const { order = member.order, uniform = false } = options;
    sendAsk(member, message, order, uniform, { number, replies, timeout }, asking.span?.context);
    asking.span?.sent(`${host.life.id}:${number}`);
    openRequest(requests, asking);
    // until the core knows of it
    if (member.phase !== 'member' || !host.life.core) asking.watch(requests, number);
  });
}

function askFromOutside(outside: Outside, message: unknown, options: AskOptions): Asked {
  const { host, group } = outside;
  const maker = memberMaker(host, group);
  const viewMember = (id: NodeId) => maker({ id, name: nameOf(id), joined: 0 });
  return begin(outside, options, viewMember, (asking, replies, timeout) => {
    checkOptions(options);
    const payload = payloadFor(outside, message, asking.span?.context);
    asking.bytes = payload.length;
    const { requests } = host.life;
    const number = sendRequest(outside, asking, payload, replies, timeout);
    asking.span?.sent(`${host.life.id}:${number}`);
    if (!host.life.core) asking.watch(requests, number);
  });
}

/** Checks what is asked for, and has it sent. */
function begin(
  target: Target,
  options: AskOptions,
  viewMember: (id: NodeId) => ViewMember,
  send: (asking: Asking, replies: Wanted, timeout: number) => void,
): Asked {
  const { timeout = timeoutDefault } = options;
  const asking = new Asking(target, timeout, viewMember);
  try {
    const { host, group } = target;
    const refused = guard(host, group, 'an ask', (error) => asking.fail(error));
    if (refused) throw refused;
    if (typeof timeout !== 'number' || !(timeout > 0) || timeout === Infinity) {
      throw new InvalidOption(`timeout must be a number of milliseconds above 0, not ${String(timeout)}`);
    }
    checkRoom(target, 0);
    send(asking, wanted(options.replies), timeout);
  } catch (error) {
    asking.fail(error instanceof Error ? error : new Error(String(error)));
  }
  return asking.asked;
}

function wanted(replies: unknown): Wanted {
  if (replies === 'one') return 1;
  if (replies === 'majority' || replies === 'all') return replies;
  if (typeof replies === 'number' && Number.isSafeInteger(replies) && replies > 0) return replies;
  throw new InvalidOption(`replies must be one, majority, all or a whole number from 1 on, not ${String(replies)}`);
}

/** An ask that has begun. Hides when its promise and its stream are settled. */
class Asking implements Pending {
  phase: Pending['phase'] = 'waiting';
  bytes = 0;
  readonly asked: Asked;
  /** From the question to the end of the replies. */
  readonly span: Sending | undefined;
  private readonly replies: Reply[] = [];
  private readonly missing: Unanswered[] = [];
  private result: { readonly error: Error | undefined } | undefined = undefined;
  private subject: Subject<Reply> | undefined = undefined;
  private timer: Timer | undefined = undefined;
  private resolve!: (replies: Replies) => void;
  private reject!: (error: Error) => void;

  constructor(
    private readonly target: Target,
    private readonly timeout: number,
    private readonly viewMember: (id: NodeId) => ViewMember,
  ) {
    this.span = target.host.tracing?.begin(target.group, 'ask');
    const promise = new Promise<Replies>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    const replies = new Observable<Reply>((subscriber) => {
      // who looks at the stream is told there
      promise.catch(() => undefined);
      return this.follow(subscriber);
    });
    this.asked = Object.assign(promise, { replies });
  }

  /** Ends it when its time is up, as long as the core does not see to that. */
  watch(requests: Requests, number: number): void {
    const ended: Ended = { outcome: 'timeout', missing: [], maybeDone: true, why: 'its time is up' };
    const { runtime } = this.target.host;
    this.timer = runtime.after(Math.min(this.timeout, timeoutMax), () => endRequest(requests, number, ended));
  }

  begin(): void {}

  answer(from: NodeId, payload: Uint8Array): void {
    if (this.result) return;
    const read = readReply(this.target.codec, payload);
    const member = this.viewMember(from);
    if ('why' in read) {
      this.missing.push({ member, why: read.why });
      return;
    }
    const reply: Reply = { member, value: read.value };
    this.replies.push(reply);
    this.subject?.next(reply);
  }

  end({ outcome, missing, maybeDone, why }: Ended): void {
    if (this.result) return;
    for (const each of missing) this.missing.push({ member: this.viewMember(each.member), why: each.why });
    const { group } = this.target;
    switch (outcome) {
      case 'ok':
        if (this.replies.length > 0) this.succeed();
        else this.fail(new AskFailed(group, 'nobody who could reply is left', [], this.missing, maybeDone));
        return;
      case 'timeout':
        return this.fail(new AskTimedOut(group, this.timeout, this.replies, this.missing, maybeDone));
      case 'refused':
        return this.fail(new RequestRefused(group, why));
      case 'failed':
        return this.fail(new AskFailed(group, why, this.replies, this.missing, maybeDone));
      default:
        assertNever(outcome);
    }
  }

  fail(error: Error): void {
    if (this.result) return;
    this.result = { error };
    this.span?.end(error);
    this.target.host.runtime.cancel(this.timer);
    this.reject(error);
    this.subject?.error(error);
  }

  private succeed(): void {
    this.result = { error: undefined };
    this.span?.end();
    this.target.host.runtime.cancel(this.timer);
    this.resolve(Object.assign(this.replies, { missing: this.missing }));
    this.subject?.complete();
  }

  private follow(subscriber: Subscriber<Reply>) {
    for (const reply of this.replies) subscriber.next(reply);
    if (!this.result) return (this.subject ??= new Subject()).subscribe(subscriber);
    if (this.result.error) subscriber.error(this.result.error);
    else subscriber.complete();
    return undefined;
  }
}
