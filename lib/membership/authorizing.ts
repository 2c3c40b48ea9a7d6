/**
 * Who may come in. Each node asks its user's function, which is the same at all nodes or it matters who proposes: of a node that
 * offers itself, and of a member of the domain that wants to be in a group. Whoever gets the offer or the request answers it with a
 * refusal, and the proposer never hears of it.
 *
 * The name and what a node says of itself are claims: who has the domain's key may claim anything.
 */
import type { NodeId } from '../ids.js';
import { encodeUtf8 } from '../wire/utf8.js';
import { reasonBytesMax } from '../limits.js';

/** What a node wants, and what it claims to be. */
export type Claim = {
  readonly id: NodeId;
  readonly name: string;
  readonly address: string;
  readonly metadata: string;
} & ({ readonly kind: 'join' } | { readonly kind: 'group'; readonly group: string });

/** Why not, or null: it may. Must not throw, and gives the same answer whenever it is asked the same. */
export type Authorize = (claim: Claim) => string | null;

/** Whoever wants. */
export const letIn: Authorize = () => null;

/** A reason as long as messages take it. */
export function reasonOf(why: string): string {
  if (encodeUtf8(why).length <= reasonBytesMax) return why;
  // a character may have four bytes
  return why.slice(0, Math.floor(reasonBytesMax / 4));
}
