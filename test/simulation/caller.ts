/**
 * What a process asks of groups and says to other processes, and what it is told in turn: every ask ends once, replies
 * come from distinct members and are theirs, letters come once and in order.
 */
import type { Effect } from '../../lib/events.js';

/** What one life has asked and said. */
export interface Caller {
  /** The number of the last ask. */
  asked: number;
  /** Asks that have not ended: of which group, and who has replied. */
  readonly open: Map<number, { readonly group: string; readonly got: Set<string> }>;
  /** Letters to and from others, by node id. */
  readonly sent: Map<string, number>;
  readonly read: Map<string, number>;
}

/** A caller that has said nothing. */
export function createCaller(): Caller {
  return { asked: 0, open: new Map(), sent: new Map(), read: new Map() };
}

/** The reply of a member to a request. */
export function replyOf(member: string, client: string, number: number): Uint8Array {
  return new TextEncoder().encode(`${member} to ${client}:${number}`);
}

/** The payload of the next letter to another node. */
export function nextLetter(caller: Caller, to: string, hops: number, bytes: number): Uint8Array {
  const number = (caller.sent.get(to) ?? 0) + 1;
  caller.sent.set(to, number);
  const payload = new Uint8Array(Math.max(4, bytes));
  payload.set([number & 0xff, (number >>> 8) & 0xff, hops, bytes & 0xff]);
  return payload;
}

type Fail = (property: string, detail: string) => void;

/** Takes a letter in; how many more hops it has. */
export function takeLetter(caller: Caller, { from, payload }: Effect & { kind: 'remote' }, fail: Fail): number {
  const number = (payload[0] ?? 0) + 256 * (payload[1] ?? 0);
  const last = caller.read.get(from) ?? 0;
  if (number !== last + 1) fail('LETTERS', `letter ${number} of ${from} comes after ${last}`);
  caller.read.set(from, number);
  return payload[2] ?? 0;
}

/** Takes a reply in. */
export function takeAnswer(caller: Caller, self: string, effect: Effect & { kind: 'answer' }, fail: Fail): void {
  const { number, from, payload } = effect;
  const ask = caller.open.get(number);
  if (!ask) return fail('RPC', `${from} answers ${number}, which is not open`);
  if (ask.got.has(from)) fail('RPC', `${from} answers ${number} twice`);
  ask.got.add(from);
  const text = new TextDecoder().decode(payload);
  // a joiner may give the reply of its donor
  if (!text.endsWith(` to ${self}:${number}`)) fail('RPC', `${from} answers ${number} with '${text}'`);
}

/** An ask has ended. */
export function takeEnd(caller: Caller, effect: Effect & { kind: 'answered' }, fail: Fail): void {
  const { number, got } = effect;
  const ask = caller.open.get(number);
  if (!ask) return fail('RPC', `${number} ends, which is not open`);
  if (ask.got.size !== got.length) fail('RPC', `${number} ends with ${got.length} replies, ${ask.got.size} came`);
  caller.open.delete(number);
}
