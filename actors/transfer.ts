/**
 * A donor's side of a state transfer: snapshots out, chunk by chunk.
 *
 * A snapshot is of the state as it was before the view that asks for it; the joiner's own `onView` sees that view after
 * its state. What may not change any more, a new state for each message or what the user's `snapshot` returned, is encoded
 * while the actor goes on, each chunk when it is asked for. A state that its function may change in place is copied first:
 * it is encoded as a whole, some milliseconds at a time, and the actor waits for it. The event loop does not, so the node
 * is heard, and what is multicast meanwhile reaches everybody else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TransferToken } from '../lib/events.js';
import { tell, type Member, type Outgoing } from './host.js';
import { beginLeave } from './leave.js';
import { reportProgress } from './restore.js';
import { headOf, withHead } from './state-head.js';
import { snapshotEncoder, stateEncoder, type Snapshot, type SnapshotEncoder } from './snapshot.js';

/** What is encoded at once, in milliseconds: short against the failure detector's times. */
const sliceMillis = 10;
/** A wait for a copy that is worth a word, in milliseconds. */
/** A state that is said to be immutable is looked at again after so long, in development. */
const checkMillis = 500;
const noticeMillis = 50;

function keyOf(token: TransferToken): string {
  return `${token.view}/${token.joiner}`;
}

/**
 * Takes snapshots of the state as it is now, one for each joiner, and sends the first chunks. A promise if the state is to
 * stay as it is until that resolves. Throws what the user's `snapshot` throws.
 */
export function startSnapshots(member: Member, tokens: readonly TransferToken[]): Promise<void> | undefined {
  const wanted = tokens.filter((token) => isWanted(member, token));
  if (wanted.length === 0) return undefined;
  const { snapshot } = member.behavior;
  if (!snapshot && member.settings.kind === 'replicated' && isCopied(member)) return copy(member, wanted);
  for (const token of wanted) start(member, token, encoderOf(member), []);
  return undefined;
}

function encoderOf({ settings, behavior, state, host }: Member): SnapshotEncoder {
  // a plain member has its state to itself
  if (settings.kind === 'plain') return stateEncoder(undefined, host.refs);
  return behavior.snapshot ? snapshotEncoder(behavior.snapshot(state), host.refs) : stateEncoder(state, host.refs);
}

/** Not if it ended before the actor came to it. */
function isWanted(member: Member, token: TransferToken): boolean {
  return !member.outgoing.delete(keyOf(token));
}

/**
 * Unless it was said that the function leaves a state alone: a function that returns a new object may still have changed
 * what is in it. In development that is checked, which takes a copy as well.
 */
function isCopied({ behavior }: Member): boolean {
  return behavior.immutable !== true || process.env['NODE_ENV'] === 'development';
}

/** Encodes the whole state, once for all. */
function copy(member: Member, tokens: readonly TransferToken[]): Promise<void> | undefined {
  const { state, host } = member;
  const { runtime } = host;
  const encoder = stateEncoder(state, host.refs);
  const chunks: Snapshot[] = [];
  const from = runtime.now();
  const encode = (until: number) => {
    while (!chunks.at(-1)?.last && runtime.now() < until) chunks.push(encoder.next());
    return chunks.at(-1)?.last === true;
  };
  const send = () => {
    for (const token of tokens) if (isWanted(member, token)) start(member, token, encoder, chunks);
    if (member.behavior.immutable) void checkUnchanged(member, state, chunks);
  };
  if (encode(from + sliceMillis)) {
    send();
    return undefined;
  }
  return (async () => {
    do await new Promise(setImmediate);
    while (member.phase !== 'gone' && !encode(runtime.now() + sliceMillis));
    noticeCopy(member, tokens, runtime.now() - from, chunks);
    send();
  })();
}

/** Encodes a state again a while later: it was said to be immutable, so it still has to be what it was. */
async function checkUnchanged(member: Member, state: unknown, before: readonly Snapshot[]): Promise<void> {
  await sleep(checkMillis, undefined, { ref: false });
  const encoder = stateEncoder(state, member.host.refs);
  for (const { chunk, last } of before) {
    const now = encoder.next();
    if (now.last !== last || Buffer.compare(now.chunk, chunk) !== 0) {
      member.log.error(
        `the state of '${member.group}' was changed in place, though it is said to be immutable: joiners can get a state that ` +
          `never was. Have its function return a new state, parts that change included, or say 'immutable: false'`,
      );
      return;
    }
    await new Promise(setImmediate);
  }
}

/** Says once that the actor had to wait, and how that is avoided. */
function noticeCopy(
  member: Member,
  tokens: readonly TransferToken[],
  millis: number,
  chunks: readonly Snapshot[],
): void {
  if (millis < noticeMillis || member.copyNoticed) return;
  member.copyNoticed = true;
  const bytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
  member.log.warn(
    `the actor of '${member.group}' waited ${millis.toFixed(0)} ms while its state (${(bytes / 1e6).toFixed(1)} MB) was ` +
      `copied for ${tokens.map(({ joiner }) => joiner).join(', ')}. If its function never changes a state in place, say ` +
      `'immutable: true'; else a 'snapshot' of your own may be quicker`,
  );
}

function start(member: Member, token: TransferToken, encoder: SnapshotEncoder, ahead: readonly Snapshot[]): void {
  // of the cut as well: while a state is copied, nothing is delivered here
  member.outgoing.set(keyOf(token), { encoder, ahead, taken: 0, head: headOf(member), bytes: 0 });
  continueSnapshot(member, token);
}

/** Sends the next chunk. Throws {@link NotEncodable} if the state cannot be sent. */
export function continueSnapshot(member: Member, token: TransferToken): void {
  const outgoing = member.outgoing.get(keyOf(token));
  if (!outgoing) return;
  const next = outgoing.ahead[outgoing.taken++] ?? outgoing.encoder.next();
  if (next instanceof Promise) void sendLater(member, token, outgoing, next);
  else send(member, token, outgoing, next);
}

/** The donor's part is over; also if it has not begun. */
export function endSnapshot(member: Member, token: TransferToken): void {
  const key = keyOf(token);
  const outgoing = member.outgoing.get(key);
  if (member.outgoing.delete(key)) outgoing?.encoder.cancel();
  else member.outgoing.set(key, undefined);
}

async function sendLater(
  member: Member,
  token: TransferToken,
  outgoing: Outgoing,
  next: Promise<Snapshot>,
): Promise<void> {
  try {
    send(member, token, outgoing, await next);
  } catch (error) {
    if (member.outgoing.get(keyOf(token)) !== outgoing) return;
    // the transfer hangs until the donor leaves, so it does
    member.log.error(`the snapshot of '${member.group}' failed: ${String(error)}; the member leaves`);
    beginLeave(member, true);
  }
}

function send(member: Member, token: TransferToken, outgoing: Outgoing, { chunk, last }: Snapshot): void {
  const bytes = outgoing.bytes === 0 ? withHead(outgoing.head, chunk) : chunk;
  outgoing.bytes += bytes.length;
  tell(member.host, { kind: 'snapshot', group: member.group, token, chunk: bytes, last });
  if (member.settings.kind === 'replicated') reportProgress(member, token, outgoing.bytes, last);
}
