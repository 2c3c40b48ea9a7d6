/**
 * The command `ask` of `nact-groups member`.
 */
import { ask, AskFailed, AskTimedOut, type AskOptions, type GroupRef, type Reply, type Unanswered } from '../index.js';
import type { MemberMessage } from './member-state.js';

/** What is to be asked of whom. */
export interface Ask {
  readonly replies: AskOptions['replies'];
  readonly text: string;
}

/** Reads `all|majority|one|N TEXT`. Throws with what is wrong. */
export function parseAsk([who = '']: readonly string[], rest: string): Ask {
  const text = rest.slice(who.length).trim();
  const count = /^[1-9]\d*$/.test(who) ? Number(who) : undefined;
  const replies = who === 'all' || who === 'majority' || who === 'one' ? who : count;
  if (replies === undefined || text === '') throw new Error('ask all|majority|one|N TEXT');
  return { replies, text };
}

/** What the command's `done` says. */
export interface AskResult {
  readonly ok: boolean;
  readonly error?: string;
  readonly replies: readonly { readonly member: string; readonly value: unknown }[];
  readonly missing: readonly { readonly member: string; readonly why: string }[];
  readonly ms: number;
}

/** Asks; each member replies with its name and the text. */
export async function runAsk(ref: GroupRef<MemberMessage>, { replies, text }: Ask): Promise<AskResult> {
  const from = performance.now();
  const resultOf = (came: readonly Reply[], missing: readonly Unanswered[]) => ({
    replies: came.map(({ member, value }) => ({ member: member.name, value })),
    missing: missing.map(({ member, why }) => ({ member: member.name, why })),
    ms: Math.round(1000 * (performance.now() - from)) / 1000,
  });
  try {
    const came = await ask(ref, { type: 'ask', text }, { replies, order: 'total' });
    return { ok: true, ...resultOf(came, came.missing) };
  } catch (error) {
    if (!(error instanceof AskTimedOut) && !(error instanceof AskFailed)) throw error;
    return { ok: false, error: error.message, ...resultOf(error.replies, error.missing) };
  }
}
