/**
 * What must hold. Safety: the checker of the traces (`lib/trace`) looks at what all processes have traced, the dead
 * included, whenever one has traced something; each combination of histories once. Liveness: where nothing is under way, time
 * changes nothing and everybody who is dead is suspected, those who live have one view of those who live and nothing left
 * to do, if they are a quorum.
 */
import type { Traced } from '../../lib/trace/format.js';
import type { Checker } from '../simulation/run.js';
import { traceOf } from './locals.js';
import { type Model, type State, historyOf } from './world.js';

/** Something that must not be. */
export interface Violation {
  readonly property: string;
  readonly detail: string;
}

/** What is called a violation of liveness. */
export const stuck = 'LIVE';

/** Looks at histories, at each combination once. */
export interface Judge {
  readonly model: Model;
  readonly checker: Checker;
  readonly passed: Set<string>;
}

export function createJudge(model: Model, checker: Checker): Judge {
  return { model, checker, passed: new Set() };
}

/** The first property that the traces so far violate. */
export function findUnsafe(judge: Judge, state: State): Violation | null {
  const { model, passed } = judge;
  const histories = model.locals.ids.map((_, who) => historyOf(model, state, who));
  const key = histories.join(' ');
  if (passed.has(key)) return null;
  const traces = histories.flatMap((history, who): Traced[] => traceOf(model.locals, who, history));
  const violation = judge.checker(traces, { quiesced: false, alive: [], limits: {} }).violations[0];
  if (violation !== undefined) return violation;
  passed.add(key);
  return null;
}

/** What has not come about in a state in which nothing more will. */
export function findStuck(model: Model, state: State): Violation | null {
  const { locals, size } = model;
  const living = Array.from({ length: size }, (_, who) => who).filter((who) => (state.alive & (1 << who)) !== 0);
  const standings = living.map((who) => locals.states[state.locals[who]!]!);
  const newest = standings.reduce<(typeof standings)[number]['standing'] | null>(
    (best, { standing }) => (best === null || standing.number > best.number ? standing : best),
    null,
  );
  const isToGoOn = (nodes: number, oldest: number): boolean =>
    isQuorum(nodes, oldest, state.alive) || (model.isVerified && state.mistakes === 0);
  if (newest === null || !isToGoOn(newest.nodes, newest.oldest)) return null;
  const members = standings.reduce((mask, { isMember, who }) => (isMember ? mask | (1 << who) : mask), 0);
  for (const { who, isMember, standing } of standings) {
    const detail = (what: string): Violation => ({ property: stuck, detail: `${locals.ids[who] ?? ''}: ${what}` });
    if (standing.nodes !== state.alive) return detail(`the domain is not of those who live, and nothing happens`);
    if (isMember && standing.members !== members)
      return detail(`the view is not of the members who live, and nothing happens`);
    if (isMember && !standing.calm) return detail(`something is left to do, and nothing happens`);
  }
  return null;
}

function isQuorum(nodes: number, oldest: number, alive: number): boolean {
  const all = countBits(nodes);
  const there = countBits(nodes & alive);
  return 2 * there > all || (2 * there === all && (alive & oldest) !== 0);
}

function countBits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
