/**
 * Agreement on one decree: single-decree Paxos (Lamport, "Paxos Made Simple"). One instance per state number; its
 * acceptors are the nodes of the state before it.
 *
 * A ballot is a round and the proposer's rank. Round 0 belongs to the oldest node, which needs no first phase: nobody
 * can have voted before. Hence in round 0
 * - the oldest proposes one value, and what arrives later waits for the next decree;
 * - an acceptor that has promised a higher ballot refuses, and an oldest that has promised one does not even propose.
 * Everybody else takes over with a higher round, both phases, and carries on the value of the highest ballot it finds,
 * unchanged, even one that excludes the proposer itself or somebody who can be heard: it may be decided already.
 */
import type { DecreeNumber, NodeId } from '../ids.js';
import type { Decree } from './state.js';

/** Ballots are ordered by round, then by rank. */
export interface Ballot {
  readonly round: number;
  readonly rank: number;
}

/** A vote: the value of a ballot. */
export interface Vote {
  readonly ballot: Ballot;
  readonly decree: Decree;
}

/** What an acceptor must never forget; a node that does comes back as somebody else. */
export interface Acceptor {
  /** Nothing lower is answered any more. */
  promised: Ballot;
  accepted: Vote | null;
}

/** What a proposer is at. */
export type Proposer =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'preparing';
      readonly ballot: Ballot;
      /** What those who promised had accepted. */
      readonly promises: Map<NodeId, Vote | null>;
    }
  | {
      readonly kind: 'proposing';
      readonly ballot: Ballot;
      readonly decree: Decree;
      readonly votes: Set<NodeId>;
    };

/** One node's part in the agreement on one decree. */
export interface Instance {
  readonly number: DecreeNumber;
  readonly acceptor: Acceptor;
  proposer: Proposer;
  /** The highest round heard of. */
  round: number;
}

/** The oldest node's own ballot. */
export const firstBallot: Ballot = { round: 0, rank: 0 };

/** An instance of which nothing is known yet. */
export function createInstance(number: DecreeNumber): Instance {
  return { number, acceptor: { promised: firstBallot, accepted: null }, proposer: { kind: 'idle' }, round: 0 };
}

/** Negative, zero or positive, as `a` is below, equal to or above `b`. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.rank - b.rank;
}

/** Phase one at an acceptor: true if it promises. */
export function promise(instance: Instance, ballot: Ballot): boolean {
  return yieldTo(instance, ballot);
}

/** Phase two at an acceptor: true if it accepts. */
export function accept(instance: Instance, { ballot, decree }: Vote): boolean {
  if (!yieldTo(instance, ballot)) return false;
  instance.acceptor.accepted = { ballot, decree };
  return true;
}

/** Whether the oldest may still use its round without a first phase. */
export function mayProposeAtOnce(instance: Instance): boolean {
  return instance.proposer.kind === 'idle' && instance.round === 0 && instance.acceptor.accepted === null;
}

/** A ballot of this rank above all that were heard of. */
export function nextBallot(instance: Instance, rank: number): Ballot {
  return { round: instance.round + 1, rank };
}

/** The value that a proposer must carry on, null if it is free to choose. */
export function valueToCarry(promises: ReadonlyMap<NodeId, Vote | null>): Decree | null {
  let highest: Vote | null = null;
  for (const vote of promises.values()) {
    if (vote !== null && (highest === null || compareBallots(vote.ballot, highest.ballot) > 0)) highest = vote;
  }
  return highest?.decree ?? null;
}

/** A higher ballot was seen: whatever is being proposed here will not pass. True if something was. */
export function preempt(instance: Instance, ballot: Ballot): boolean {
  instance.round = Math.max(instance.round, ballot.round);
  if (instance.proposer.kind === 'idle' || compareBallots(ballot, instance.proposer.ballot) <= 0) return false;
  instance.proposer = { kind: 'idle' };
  return true;
}

function yieldTo(instance: Instance, ballot: Ballot): boolean {
  if (compareBallots(ballot, instance.acceptor.promised) < 0) return false;
  instance.acceptor.promised = ballot;
  preempt(instance, ballot);
  return true;
}
