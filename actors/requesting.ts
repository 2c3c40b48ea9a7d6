/**
 * Talking to a group from outside: a node hands its message to one member, the contact, which multicasts it, total and
 * uniform. If the contact goes, the core hands it to another; however often, it takes effect once.
 */
import type { Wanted } from '../lib/events.js';
import { guard } from './context.js';
import {
  GroupFull,
  InvalidOption,
  MessageTooLarge,
  MulticastFailed,
  NotEncodable,
  NotInDomain,
  RequestRefused,
} from './errors.js';
import { tell, type Host, type Sending } from './host.js';
import { guarded } from './internal.js';
import { openRequest, type Ended, type Pending } from './requests.js';
import { contextIfFits } from './trace-context.js';
import type { Codec, MulticastOptions, Receipt } from './types.js';
import { codecName } from './values.js';

/** A group, and how its messages are written. */
export interface Target {
  readonly host: Host;
  readonly group: string;
  readonly codec: Codec;
}

/** A group, as seen from outside. */
export interface Outside extends Target {
  /** How long `dispatch` and `multicast` go on trying, in milliseconds. */
  readonly timeout: number;
}

/** Checks that one more request may be open, besides this many bytes. Throws {@link GroupFull}. */
export function checkRoom({ host, group }: Target, bytes: number): void {
  const { options, life } = host;
  const { open, bytes: waiting } = life.requests;
  if (open.size >= options.queueLengthMax || (waiting > 0 && waiting + bytes > options.queueBytesMax)) {
    throw new GroupFull(group, open.size, waiting, 'requests');
  }
}

/**
 * A message's bytes, in the trace of `context`. The group says in the domain's state which codec it speaks.
 *
 * Throws {@link InvalidOption} if that is another, {@link MessageTooLarge}, what the codec throws.
 */
export function payloadFor({ host, group, codec }: Target, message: unknown, context?: Uint8Array): Uint8Array {
  const spoken = host.domain.value?.groups.get(group)?.settings.codec;
  if (spoken !== undefined && spoken !== codec.name) {
    throw new InvalidOption(
      `'${group}' speaks codec '${spoken}', not '${codec.name}': give it, groupRef(system, '${group}', { codec })`,
    );
  }
  const encoded = codec.encode(message);
  const payload = codec.name === codecName ? encoded : guarded(encoded);
  const { messageBytesMax } = host.options;
  if (payload.length > messageBytesMax) throw new MessageTooLarge(payload.length, messageBytesMax);
  if (payload.length === 0) throw new NotEncodable('message', 'the codec gave no bytes');
  return context === undefined ? payload : contextIfFits(context, payload, messageBytesMax);
}

/** Hands a request to the core. Returns its number. Throws {@link NotInDomain}, {@link GroupFull}. */
export function sendRequest(
  outside: Outside,
  pending: Pending,
  payload: Uint8Array,
  replies: Wanted,
  timeout: number,
): number {
  const { host, group } = outside;
  if (host.phase !== 'opening' && host.phase !== 'running') {
    throw new NotInDomain(`system '${host.system.name}' has left its domain: '${group}' cannot be reached`);
  }
  checkRoom(outside, payload.length);
  const number = openRequest(host.life.requests, pending);
  tell(host, { kind: 'request', group, number, payload, replies, timeout });
  return number;
}

/** A request goes in total order, and is uniform. Throws {@link InvalidOption} if more is asked for. */
export function checkOptions({ order }: MulticastOptions): void {
  if (order === 'barrier')
    throw new InvalidOption('a request from outside goes in total order: it cannot be a barrier');
}

/** `multicast` through a group's ref from outside. Throws as it does. */
export function multicastFromOutside(outside: Outside, message: unknown, options: MulticastOptions): Receipt {
  return inSpan(outside, (span) => {
    checkOptions(options);
    const payload = payloadFor(outside, message, span?.context);
    const receipt = new RequestReceipt(outside, payload.length);
    receipt.number = sendRequest(outside, receipt, payload, 0, outside.timeout);
    span?.sent(receipt.id);
    return receipt;
  });
}

/** Sends something in a span of its own, if there is one to be part of. */
function inSpan<Result>({ host, group }: Outside, send: (span: Sending | undefined) => Result): Result {
  const span = host.tracing?.begin(group, 'send');
  try {
    const result = send(span);
    span?.end();
    return result;
  } catch (error) {
    span?.end(error);
    throw error;
  }
}

/** nact's `dispatch`: nobody looks at a result, so what does not get there is told loudly. */
export function dispatchFromOutside(outside: Outside, message: unknown): void {
  inSpan(outside, (span) => dispatchIn(outside, message, span));
}

function dispatchIn(outside: Outside, message: unknown, span: Sending | undefined): void {
  const payload = payloadFor(outside, message, span?.context);
  const pending: Pending = {
    bytes: payload.length,
    phase: 'waiting',
    begin: () => undefined,
    answer: () => undefined,
    end: ({ outcome, why, maybeDone }) => {
      if (outcome !== 'ok') lost(outside, `${why}; it ${maybeDone ? 'may have' : 'has not'} got there`);
    },
  };
  try {
    const number = sendRequest(outside, pending, payload, 0, outside.timeout);
    span?.sent(`${outside.host.life.id}:${number}`);
  } catch (error) {
    if (!(error instanceof GroupFull) && !(error instanceof NotInDomain)) throw error;
    lost(outside, error.message);
  }
}

/** One line for each doubling: a program that floods must not flood its log as well. */
function lost({ host, group }: Outside, why: string): void {
  const { requests } = host.life;
  requests.lost += 1;
  if ((requests.lost & (requests.lost - 1)) !== 0) return;
  host.log.error(`dispatch to '${group}' failed, ${requests.lost} so far: ${why}`);
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** The receipt of a request. Hides that its promises are made when they are touched. */
class RequestReceipt implements Receipt, Pending {
  phase: Pending['phase'] = 'waiting';
  number = 0;
  private readonly node: string;
  private failure: Error | undefined = undefined;
  private letIn: Deferred<void> | undefined = undefined;
  private done: Deferred<number> | undefined = undefined;

  constructor(
    private readonly outside: Outside,
    readonly bytes: number,
  ) {
    this.node = outside.host.life.id;
  }

  get id(): string {
    return `${this.node}:${this.number}`;
  }

  get accepted(): Promise<void> {
    this.letIn ??= deferred();
    if (this.failure) this.letIn.reject(this.failure);
    else if (this.phase !== 'waiting') this.letIn.resolve();
    return this.letIn.promise;
  }

  get delivered(): Promise<number> {
    if (!this.done) {
      const asked = (this.done = deferred<number>());
      const { host, group } = this.outside;
      const refused = guard(host, group, 'the delivery', (error) => {
        // who asks outside later gets a promise of their own
        if (this.done === asked) this.done = undefined;
        asked.reject(error);
      });
      if (refused) {
        this.done = undefined;
        return Promise.reject(refused);
      }
    }
    if (this.failure) this.done.reject(this.failure);
    else if (this.phase === 'over') this.done.resolve(0);
    return this.done.promise;
  }

  get stable(): Promise<void> {
    return this.delivered.then(() => undefined);
  }

  begin(): void {
    this.letIn?.resolve();
  }

  answer(): void {}

  end({ outcome, why, maybeDone }: Ended): void {
    if (outcome === 'refused') this.failure = new RequestRefused(this.outside.group, why);
    else if (outcome !== 'ok') this.failure = new MulticastFailed(this.id, maybeDone, why);
    if (this.failure) {
      this.letIn?.reject(this.failure);
      this.done?.reject(this.failure);
    } else this.done?.resolve(0);
  }
}
