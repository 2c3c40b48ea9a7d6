/**
 * What a member replies: a value through the group's codec, or why there is none. One byte before the rest tells which.
 *
 * A member that fails at a request says so, since it stays a member that would be waited for: its function threw, its
 * reply cannot be sent, the message cannot be read.
 */
import type { RequestId } from '../lib/events.js';
import { replyBytesMax, replyReasonLengthMax } from '../lib/limits.js';
import { MessageTooLarge, NotEncodable } from './errors.js';
import { tell, type Member } from './host.js';
import { withFirst } from './pool.js';
import type { Codec } from './types.js';

const valueMark = 0;
const failureMark = 1;

/**
 * Replies to a request, as the member that it was delivered to: in a later life of the node it is too late.
 *
 * Throws what the codec throws, {@link NotEncodable}, {@link MessageTooLarge}; then the asker has been told.
 */
export function sendReply(member: Member, me: string, request: RequestId, value: unknown): void {
  let payload;
  try {
    payload = encoded(member, value);
  } catch (error) {
    sendFailure(member, me, request, `its reply cannot be sent: ${textOf(error)}`);
    throw error;
  }
  send(member, me, request, payload);
}

/** Says why there is no reply. */
export function sendFailure(member: Member, me: string, request: RequestId, why: string): void {
  send(member, me, request, withFirst(failureMark, Buffer.from(why.slice(0, replyReasonLengthMax))));
}

function encoded(member: Member, value: unknown): Uint8Array {
  const bytes = member.codec.encode(value);
  const limit = Math.min(member.host.options.messageBytesMax, replyBytesMax) - 1;
  if (bytes.length > limit) throw new MessageTooLarge(bytes.length, limit);
  if (bytes.length === 0) throw new NotEncodable('reply', 'the codec gave no bytes');
  return withFirst(valueMark, bytes);
}

function send(member: Member, me: string, { client, number }: RequestId, payload: Uint8Array): void {
  const { host, group, log } = member;
  if (host.life.id !== me || member.phase === 'gone') {
    log.debug(`a reply to ${client}:${number} comes too late: this member of '${group}' has gone since`);
    return;
  }
  tell(host, { kind: 'reply', group, request: { client, number }, payload });
}

/** A member's reply as it came: its value, or why there is none. */
export function readReply(codec: Codec, payload: Uint8Array): { readonly value: unknown } | { readonly why: string } {
  const [mark] = payload;
  const rest = payload.subarray(1);
  if (mark === failureMark) return { why: Buffer.from(rest).toString() };
  if (mark !== valueMark) return { why: 'its reply is none' };
  try {
    return { value: codec.decode(rest) };
  } catch (error) {
    return { why: `its reply cannot be decoded: ${textOf(error)}` };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
