/**
 * What the members of `nact-groups member` replicate: a key-value map, and a running digest of everything that came in
 * total order, so that two members with the same digest have applied the same messages in the same order.
 *
 * The group's default order is fifo, so that all orders can be asked for. Messages in weaker orders than total reach
 * members in different orders, so they change nothing that is compared.
 *
 * The state is changed in place: it may be large, and a copy per message would cost more than the message.
 */
import { digestOf } from '../index.js';

/** What is sent. Bytes are load: they count and nothing else. */
export type MemberMessage =
  | Uint8Array
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'ask'; readonly text: string }
  | { readonly type: 'set'; readonly key: string; readonly value: string };

/** What is replicated. */
export interface MemberState {
  readonly entries: Map<string, string>;
  /** Messages applied that came in total order. */
  applied: number;
  /** The last one's place in the order: in the state, so that a joiner has it before its first message. */
  position: number;
  /** Running digest over their senders and first bytes, 32 bits. */
  chain: number;
}

/** The state of a group at its founding. */
export function emptyState(): MemberState {
  return { entries: new Map(), applied: 0, position: 0, chain: 0 };
}

/** A copy that does not change any more; the strings in it are shared. */
export function copyState(state: MemberState): MemberState {
  return { ...state, entries: new Map(state.entries) };
}

/** Applies a message. `position`: 0 if it did not come in total order. */
export function applyMessage(state: MemberState, message: MemberMessage, from: string, position: number): MemberState {
  if (!(message instanceof Uint8Array) && message.type === 'set') state.entries.set(message.key, message.value);
  if (position === 0) return state;
  state.applied += 1;
  state.position = position;
  state.chain = mix(state.chain, hashText(from));
  if (message instanceof Uint8Array)
    for (let i = 0; i < Math.min(8, message.length); i++) state.chain = mix(state.chain, message[i] ?? 0);
  return state;
}

/** Order matters: two members that applied the same messages in different orders differ. */
export function stateDigest(state: MemberState): string {
  return digestOf({ ...state, entries: [...state.entries].sort(([a], [b]) => (a < b ? -1 : 1)) });
}

const hashes = new Map<string, number>();

function hashText(text: string): number {
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = 0;
    for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
    hashes.set(text, hash);
  }
  return hash;
}

/** One step of FNV-1a. */
function mix(hash: number, value: number): number {
  return Math.imul((hash ^ value) >>> 0, 16_777_619) >>> 0;
}
