/**
 * State transfer as the actor sees it: chunks of a snapshot out, chunks in.
 *
 * A snapshot is of the state as it was before the view that asks for it; the joiner's own `onView` sees that view after
 * its state. The first chunks are encoded at once, for some milliseconds, the rest one by one as they are asked for: so a
 * small state, and one of a function that changes it in place, is a true copy of one moment.
 */
import type { GroupItem, TransferToken } from '../lib/events.js';
import { NotDecodable } from './errors.js';
import { tell, type Member } from './host.js';
import { beginLeave } from './leave.js';
import { snapshotDecoder, snapshotEncoder, type Snapshot, type SnapshotEncoder } from './snapshot.js';
import { packTable, unpackTable } from './structures.js';

/** What is encoded at once, in milliseconds: short against the failure detector's times. */
const aheadMillis = 20;

/** Before the head of the first chunk: its length. */
const headBytes = 4;

type StateItem = Extract<GroupItem, { kind: 'state' }>;

function keyOf(token: TransferToken): string {
  return `${token.view}/${token.joiner}`;
}

/** Takes a snapshot of the state as it is now and sends the first chunk. Throws what the user's `snapshot` throws. */
export function startSnapshot(member: Member, token: TransferToken): void {
  const key = keyOf(token);
  // ended before the actor came to it
  if (member.outgoing.has(key)) {
    member.outgoing.delete(key);
    return;
  }
  const { snapshot } = member.behavior;
  const encoder = headed(head(member), snapshotEncoder(stateToSend(member), member.host.refs));
  const ahead: Snapshot[] = [];
  const until = performance.now() + aheadMillis;
  while (!ahead.at(-1)?.last && ((!snapshot && member.inPlace) || performance.now() < until)) {
    const next = encoder.next();
    if (next instanceof Promise) {
      member.outgoing.set(key, { encoder, ahead });
      void send(member, token, next);
      return;
    }
    ahead.push(next);
  }
  member.outgoing.set(key, { encoder, ahead });
  continueSnapshot(member, token);
}

/** What comes ahead of the state: the group's structures. Always in the first chunk. */
function head(member: Member): Uint8Array {
  const table = member.structures ? packTable(member.structures) : new Uint8Array(0);
  const bytes = new Uint8Array(headBytes + table.length);
  new DataView(bytes.buffer).setUint32(0, table.length);
  bytes.set(table, headBytes);
  return bytes;
}

function headed(bytes: Uint8Array, encoder: SnapshotEncoder): SnapshotEncoder {
  let isFirst = true;
  const put = ({ chunk, last }: Snapshot): Snapshot => {
    const whole = new Uint8Array(bytes.length + chunk.length);
    whole.set(bytes);
    whole.set(chunk, bytes.length);
    return { chunk: whole, last };
  };
  return {
    next() {
      const next = encoder.next();
      if (!isFirst) return next;
      isFirst = false;
      return next instanceof Promise ? next.then(put) : put(next);
    },
    cancel: () => encoder.cancel(),
  };
}

/** Takes the head of a first chunk and returns the rest. */
function takeHead(member: Member, chunk: Uint8Array): Uint8Array {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  const end = headBytes + (chunk.length < headBytes ? Infinity : view.getUint32(0));
  if (end > chunk.length) throw new NotDecodable('the head of the state is cut off');
  if (member.structures) unpackTable(member.structures, chunk.subarray(headBytes, end));
  return chunk.subarray(end);
}

/** A plain member has its state to itself. */
function stateToSend({ settings, behavior, state }: Member): unknown {
  if (settings.kind === 'plain') return undefined;
  return behavior.snapshot ? behavior.snapshot(state) : state;
}

/** Sends the next chunk. Throws {@link NotEncodable} if the state cannot be sent. */
export function continueSnapshot(member: Member, token: TransferToken): void {
  const outgoing = member.outgoing.get(keyOf(token));
  if (!outgoing) return;
  const next = outgoing.ahead.shift() ?? outgoing.encoder.next();
  if (next instanceof Promise) void send(member, token, next);
  else sendChunk(member, token, next);
}

/** The donor's part is over; also if it has not begun. */
export function endSnapshot(member: Member, token: TransferToken): void {
  const key = keyOf(token);
  if (member.outgoing.has(key)) member.outgoing.delete(key);
  else member.outgoing.set(key, undefined);
}

async function send(member: Member, token: TransferToken, next: Promise<Snapshot>): Promise<void> {
  try {
    sendChunk(member, token, await next);
  } catch (error) {
    // the transfer hangs until the donor leaves, so it does
    member.log.error(`the snapshot of '${member.group}' failed: ${String(error)}; the member leaves`);
    beginLeave(member, true);
  }
}

function sendChunk(member: Member, token: TransferToken, { chunk, last }: Snapshot): void {
  tell(member.host, { kind: 'snapshot', group: member.group, token, chunk, last });
}

/** Takes a chunk of the state in. A promise if the user's `restore` is asynchronous. Throws if the bytes are no state. */
export function takeState(member: Member, item: StateItem): Promise<void> | undefined {
  const { behavior, host } = member;
  let { chunk } = item;
  if (item.first) {
    chunk = takeHead(member, chunk);
    member.incoming = snapshotDecoder(host.refs);
    if (member.settings.kind === 'replicated') member.hasState = false;
  }
  if (member.settings.kind === 'plain') return undefined;
  const decoder = member.incoming;
  if (!decoder) return undefined;
  const values = decoder.push(chunk);
  behavior.onTransfer?.({ from: item.token.donor, bytes: decoder.bytes, done: item.last });
  if (!item.last) return undefined;
  member.incoming = undefined;
  decoder.finish();
  const { restore } = behavior;
  if (!restore) {
    setState(member, values[0]);
    return undefined;
  }
  const restored = restore(decoder.iterable ? chunks(values) : values[0]);
  if (!(restored instanceof Promise)) {
    setState(member, restored);
    return undefined;
  }
  return restored.then((state: unknown) => setState(member, state));
}

async function* chunks(values: readonly unknown[]): AsyncGenerator<unknown, void> {
  yield* values;
}

function setState(member: Member, state: unknown): void {
  member.state = state;
  member.hasState = true;
}
