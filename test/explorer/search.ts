/**
 * Breadth first over the states of the explored world: nearest first, so a counterexample is as short as there is one.
 */
import { type Growing, append, createGrowing, reserve } from './growing.js';
import { type Judge, type Violation, findStuck, findUnsafe } from './judge.js';
import { Seen } from './seen.js';
import {
  type Happening,
  type Model,
  type State,
  come,
  decodeHappening,
  encodeHappening,
  happenings,
  isUnaware,
  readRow,
  writeRow,
} from './world.js';

/** When to give up. */
export interface Bounds {
  readonly statesMax: number;
  readonly secondsMax: number;
}

/** What came of a search. */
export interface Found {
  readonly states: number;
  readonly transitions: number;
  /** Of the farthest state. */
  readonly depth: number;
  /** States that were not looked at: none if the search came to its end. */
  readonly frontier: number;
  readonly seconds: number;
  /** States in which nothing more can come about. */
  readonly ends: number;
  readonly counterexample: Counterexample | null;
}

/** What must not be, and the way there. */
export interface Counterexample {
  readonly violation: Violation;
  readonly path: readonly Happening[];
}

/** Told now and then how far it is. */
export type OnProgress = (so: Omit<Found, 'counterexample'>) => void;

interface Search {
  readonly model: Model;
  readonly judge: Judge;
  readonly seen: Seen;
  /** For each state, in the order in which they were found: from which, and by what. */
  readonly parents: Growing;
  readonly codes: Growing;
  /** Rows of the states that are to be looked at, each after its length. */
  next: Growing;
  transitions: number;
  ends: number;
  counterexample: Counterexample | null;
}

/** No row is longer. */
const rowMax = 4096;
/** How often it is told how far it is. */
const progressEvery = 10;

/** Looks at every state that can be reached from the first one. */
export function explore(model: Model, judge: Judge, first: State, bounds: Bounds, tell: OnProgress): Found {
  const search: Search = {
    model,
    judge,
    seen: new Seen(),
    parents: createGrowing(),
    codes: createGrowing(),
    next: createGrowing(),
    transitions: 0,
    ends: 0,
    counterexample: null,
  };
  const began = performance.now();
  let [depth, looked, told] = [0, 0, began];
  visit(search, first, -1, 0);
  const far = (): Omit<Found, 'counterexample'> => ({
    states: search.seen.size,
    transitions: search.transitions,
    depth,
    frontier: search.seen.size - looked,
    seconds: (performance.now() - began) / 1000,
    ends: search.ends,
  });
  const isOver = (): boolean =>
    search.counterexample !== null || search.seen.size > bounds.statesMax || far().seconds > bounds.secondsMax;
  for (; search.next.length > 0 && !isOver(); depth += 1) {
    const layer = search.next;
    search.next = createGrowing(layer.length);
    for (let at = 0; at < layer.length && !isOver();) {
      const end = at + 1 + layer.data[at]!;
      lookAt(search, readRow(model, layer.data, at + 1, end), looked);
      at = end;
      looked += 1;
      if (looked % 1024 === 0 && performance.now() > told + progressEvery * 1000) {
        told = performance.now();
        tell(far());
      }
    }
  }
  return { ...far(), counterexample: search.counterexample };
}

/** Tries all that can happen in a state. */
function lookAt(search: Search, state: State, index: number): void {
  const { model, judge } = search;
  let isStill = false;
  happenings(model, state, (happening) => {
    if (search.counterexample !== null) return;
    const { state: after, failure, isNews } = come(model, state, happening);
    search.transitions += 1;
    const violation = failure ?? (isNews ? findUnsafe(judge, after) : null);
    const isNew = visit(search, after, index, encodeHappening(happening));
    if (violation !== null) refute(search, violation, search.parents.length - 1, isNew ? null : [index, happening]);
    if (happening.kind === 'time') isStill = isSame(state, after);
  });
  if (!isStill || isUnaware(model, state) || search.counterexample !== null) return;
  search.ends += 1;
  const stuck = findStuck(model, state);
  if (stuck !== null) refute(search, stuck, index, null);
}

/** Nothing changed, and nothing is under way. */
function isSame(before: State, after: State): boolean {
  return (
    before.locals.every((local, who) => local === after.locals[who]) && after.links.every((link) => link.length === 0)
  );
}

/** Notes a state, to be looked at later; false if it was seen before. */
function visit(search: Search, state: State, parent: number, code: number): boolean {
  const { next, seen, parents, codes } = search;
  reserve(next, rowMax);
  const end = writeRow(search.model, state, next.data, next.length + 1);
  if (!seen.add(next.data, next.length + 1, end)) return false;
  next.data[next.length] = end - next.length - 1;
  next.length = end;
  append(parents, parent);
  append(codes, code);
  return true;
}

function refute(search: Search, violation: Violation, index: number, last: [number, Happening] | null): void {
  const path: Happening[] = last === null ? [] : [last[1]];
  for (let at = last === null ? index : last[0]; search.parents.data[at]! >= 0; at = search.parents.data[at]!) {
    path.push(decodeHappening(search.codes.data[at]!));
  }
  search.counterexample = { violation, path: path.reverse() };
}
