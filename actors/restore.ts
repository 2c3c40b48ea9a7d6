/**
 * A joiner's side of a state transfer: chunks in, a state out.
 *
 * A state that was sent as a value is put together as its chunks come. One that was sent as an iterable is restored as it
 * comes: `restore` is called with the first chunk, and its iterable hands out each value once it is there. The next chunk
 * is taken in when the values of the last are used up, and the donor is told, so it never runs far ahead.
 */
import type { GroupItem, TransferToken } from '../lib/events.js';
import { NotDecodable, TransferInterrupted } from './errors.js';
import { Feed } from './feed.js';
import { tell, type Incoming, type Member } from './host.js';
import { takeHead } from './state-head.js';
import { snapshotDecoder } from './snapshot.js';
import type { Earlier } from './types.js';

type StateItem = Extract<GroupItem, { kind: 'state' }>;

/** Takes a chunk of the state in. Throws, or rejects, if the bytes are no state, and if the user's `restore` does. */
export function takeState(member: Member, item: StateItem): Promise<void> | undefined {
  const pending = take(member, item);
  const taken = () => tell(member.host, { kind: 'state-taken', group: member.group, token: item.token });
  if (pending) return pending.then(taken);
  taken();
  return undefined;
}

function take(member: Member, item: StateItem): Promise<void> | undefined {
  const { first, last, token } = item;
  const chunk = first ? takeHead(member, item.chunk) : item.chunk;
  if (member.settings.kind === 'plain') return undefined;
  if (!first) return takeChunk(member, chunk, last);
  member.hasState = false;
  const former = member.incoming;
  abandonState(member, 'its donor is gone, and another sends the state anew');
  const decoder = snapshotDecoder(member.host.refs);
  member.incoming = { token, decoder, values: [], feed: undefined, ended: Promise.resolve(), outcome: undefined };
  // never two calls of `restore` at once: they may write to the same place
  return former?.feed && !former.outcome
    ? former.ended.then(() => takeChunk(member, chunk, last))
    : takeChunk(member, chunk, last);
}

function takeChunk(member: Member, chunk: Uint8Array, last: boolean): Promise<void> | undefined {
  const { incoming } = member;
  if (!incoming) return undefined;
  const { decoder } = incoming;
  try {
    const values = decoder.push(chunk);
    if (last) decoder.finish();
    reportProgress(member, incoming.token, decoder.bytes, last);
    if (decoder.iterable) return feed(member, incoming, values, last);
    incoming.values.push(...values);
  } catch (error) {
    abandonState(member, String(error));
    throw error;
  }
  return last ? restoreValue(member, incoming.values[0]) : undefined;
}

function restoreValue(member: Member, value: unknown): Promise<void> | undefined {
  member.incoming = undefined;
  const { restore } = member.behavior;
  const state = restore ? restore(value, earlierOf(member)) : value;
  if (state instanceof Promise) return state.then((later: unknown) => setState(member, later));
  setState(member, state);
  return undefined;
}

async function feed(member: Member, incoming: Incoming, values: readonly unknown[], last: boolean): Promise<void> {
  incoming.feed ??= startRestore(member, incoming);
  await incoming.feed.offer(values);
  if (last) {
    incoming.feed.end();
    await Promise.race([incoming.ended, incoming.feed.failed]);
  }
  // another has taken its place, or the member is gone
  if (member.incoming !== incoming) return;
  const { outcome } = incoming;
  if (outcome && 'error' in outcome) {
    member.incoming = undefined;
    throw outcome.error;
  }
  if (!last || !outcome) return;
  member.incoming = undefined;
  setState(member, outcome.state);
}

/** Calls the user's `restore` on a feed of values to come. */
function startRestore(member: Member, incoming: Incoming): Feed {
  const { restore } = member.behavior;
  if (!restore) throw new NotDecodable(`the state of '${member.group}' comes as an iterable: it needs a 'restore'`);
  const source = new Feed();
  incoming.ended = Promise.resolve()
    .then(() => restore(source, earlierOf(member)))
    .then(
      (state) => void (incoming.outcome = { state }),
      (error: unknown) => void (incoming.outcome = { error }),
    )
    // whatever it has not read nobody will
    .then(() => source.close());
  return source;
}

/** A transfer is not to be completed: a `restore` that is under way gets an error. */
export function abandonState(member: Member, why: string): void {
  const { incoming } = member;
  member.incoming = undefined;
  incoming?.feed?.fail(new TransferInterrupted(member.group, why));
}

/** A member that leaves needs no state any more: it does not wait for a `restore`. */
export function forgoState(member: Member): void {
  if (!member.incoming) return;
  member.discarding = true;
  abandonState(member, 'the member leaves');
}

/** Ends all transfers of a member that has nothing to do with them any more. */
export function endTransfers(member: Member, why: string): void {
  abandonState(member, why);
  for (const outgoing of member.outgoing.values()) outgoing?.encoder.cancel();
  member.outgoing.clear();
}

/** Tells the user how far a transfer has come. */
export function reportProgress(member: Member, { donor, joiner }: TransferToken, bytes: number, done: boolean): void {
  const { onTransfer } = member.behavior;
  if (!onTransfer) return;
  const failed = (error: unknown) => member.log.warn(`onTransfer of '${member.group}' threw: ${String(error)}`);
  try {
    const result: unknown = onTransfer({ from: donor, to: joiner, bytes, done });
    if (result instanceof Promise) result.catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** What the member had before its node began this life. */
function earlierOf({ former }: Member): Earlier<unknown, unknown> {
  const { previous = undefined, unsent = [], uncertain = [] } = former ?? {};
  return { previous, unsent, uncertain };
}

function setState(member: Member, state: unknown): void {
  member.former = undefined;
  member.state = state;
  member.hasState = true;
}
