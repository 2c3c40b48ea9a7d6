/**
 * What the world has seen of each domain's chain of states, and whether those who live can go on by the rules of agreement.
 *
 * They cannot, by design, if a state from the last that one of them knows to the last that anybody ever knew lacks a quorum of
 * the living. For a state is left only by a decree that a quorum of it accepts, or by news from one who knows more, and none
 * who does is alive; and a decree that was decided binds those who come later, so that they have to pass through each state
 * that anybody has known. Everything else is a violation.
 *
 * One who departs is not needed any more if it stays until a quorum of the state without it knows that state: whoever is
 * missed later has died. Had one who went sooner stayed, the living would know its state: it counts as known to them.
 *
 * Where nodes have weights, a state that weighs more than the minimum is not left for one that does not, and without such a state
 * there are no groups.
 */
import { nameOf } from '../../lib/ids.js';
import type { NodeId } from '../../lib/ids.js';

/** One state of a domain. */
export interface DomainRecord {
  /** The domain, by its founding. */
  readonly dom: string;
  readonly k: number;
  /** The ids of its nodes, by age. */
  readonly m: readonly string[];
}

/** What nodes weigh, by name, and how much is too little. */
export interface Weighing {
  readonly weights: Readonly<Record<string, number>>;
  readonly minimum: number;
}

/** The chains of a world. */
export interface Chains {
  readonly weighing: Weighing | null;
  /** Each state that anybody has known, by domain and number. */
  readonly states: Map<string, Map<number, DomainRecord>>;
  /** The last state that each node knew, the dead included. */
  readonly known: Map<string, DomainRecord>;
  /** The states without them of those who departed too soon. */
  readonly early: DomainRecord[];
}

export function createChains(weighing: Weighing | null = null): Chains {
  return { weighing, states: new Map(), known: new Map(), early: [] };
}

/** A node has learned of a state that it is in. */
export function noteState(chains: Chains, id: string, state: DomainRecord): void {
  chains.known.set(id, state);
  chainOf(chains, state.dom).set(state.k, state);
}

/**
 * A node departs by the decree that made this state, which lacks it, and has waited for as long as the rules ask of it, or not.
 * One that has waited in vain for the others to know may go whatever they know.
 */
export function noteDeparture(chains: Chains, state: DomainRecord, waitedInVain: boolean): void {
  chainOf(chains, state.dom).set(state.k, state);
  const knew = state.m.filter((id) => {
    const known = chains.known.get(id);
    return known?.dom === state.dom && known.k >= state.k;
  });
  if (!waitedInVain && !isQuorumOf(state, new Set(knew))) chains.early.push(state);
}

function chainOf(chains: Chains, dom: string): Map<number, DomainRecord> {
  const chain = chains.states.get(dom) ?? new Map<number, DomainRecord>();
  chains.states.set(dom, chain);
  return chain;
}

/** Whether those of these that are in a state are a quorum of it. */
export function isQuorumOf(state: Pick<DomainRecord, 'm'>, alive: ReadonlySet<string>): boolean {
  const count = state.m.filter((id) => alive.has(id)).length;
  return 2 * count > state.m.length || (2 * count === state.m.length && alive.has(state.m[0] ?? ''));
}

/** Whether these, if they are all that live, can go on from a state. */
export function canLeave({ weighing }: Chains, { m }: Pick<DomainRecord, 'm'>, alive: ReadonlySet<string>): boolean {
  if (!isQuorumOf({ m }, alive)) return false;
  return (
    !isHeavy(weighing, m) ||
    isHeavy(
      weighing,
      m.filter((id) => alive.has(id)),
    )
  );
}

/** Whether nodes weigh enough for groups. */
export function isHeavy(weighing: Weighing | null, ids: Iterable<string>): boolean {
  if (weighing === null) return true;
  let sum = 0;
  for (const id of ids) sum += weighing.weights[nameOf(id as NodeId)] ?? 1;
  return sum > weighing.minimum;
}

/** The last state that anybody has known of each domain. */
export function lastStates({ states }: Chains): DomainRecord[] {
  return [...states.values()].flatMap((chain) => chain.get(Math.max(...chain.keys())) ?? []);
}

/** Whether those who live can go on in some domain that one of them is in, which the others then join. */
export function canGoOn(chains: Chains, alive: ReadonlySet<string>): boolean {
  if (!isHeavy(chains.weighing, alive)) return false;
  const from = new Map<string, number>();
  const raise = ({ dom, k }: DomainRecord): void => void from.set(dom, Math.max(k, from.get(dom) ?? 0));
  for (const id of alive) {
    const state = chains.known.get(id);
    if (state !== undefined) raise(state);
  }
  for (const state of chains.early) if (from.has(state.dom)) raise(state);
  if (from.size === 0) return true;
  return [...from].some(([dom, least]) =>
    [...chainOf(chains, dom).values()].every((state) => state.k < least || canLeave(chains, state, alive)),
  );
}
