/**
 * The explorer on worlds that are small enough for a test: it comes to an end, its copies of processes are good, and the way
 * to what must not be is a scenario that shows it.
 */
import test from 'ava';
import { mutants } from '../mutants/list.js';
import { libraryChecker, libraryCore } from '../simulation/library.js';
import type { Checker } from '../simulation/run.js';
import { type Start, begin } from './begin.js';
import { canonical } from './canonical.js';
import { copyProcess } from './copy.js';
import { createJudge } from './judge.js';
import { eventCode, moveOf, processOf } from './locals.js';
import { worlds } from './mutants.js';
import { type Task, readWords } from './plan.js';
import { showsIt, writeScenario } from './scenario.js';
import { type Found, explore } from './search.js';

function search(words: string, checker: Checker): { start: Start; task: Task; found: Found } {
  const task = readWords(words.split(' '));
  const start = begin(libraryCore, task.plan);
  const found = explore(start.model, createJudge(start.model, checker), start.first, task.bounds, () => undefined);
  return { start, task, found };
}

for (const [words, states] of [
  ['--joins 0 --multicasts total', 50],
  ['--nodes 2 --joins 0 --multicasts total,fifo --kind plain', 200],
  ['--joins 0 --multicasts fifo --crashes 1', 1000],
  ['--nodes 2 --members 1 --joins 1 --multicasts causal --crashes 1', 500],
  ['--joins 0 --multicasts none --crashes 2', 100],
] as const) {
  test(`every order of events, and nothing is wrong: ${words}`, (t) => {
    const { found } = search(words, libraryChecker);
    t.is(found.counterexample, null);
    t.is(found.frontier, 0);
    t.true(found.states > states, `${found.states} states`);
    t.true(found.ends > 0);
  });
}

test('what may not be is found by a shortest way, and played as a scenario', (t) => {
  const nothingAtB: Checker = (records) => ({
    violations: records
      .filter(({ e, p }) => e === 'deliver' && p.startsWith('b#'))
      .map(() => ({ property: 'NOTHING-AT-B', detail: 'b delivers a multicast' })),
    antecedents: {},
  });
  const { start, task, found } = search('--joins 0 --multicasts fifo --crashes 1', nothingAtB);
  const { counterexample } = found;
  if (counterexample === null) return t.fail('nothing was found');
  t.is(counterexample.path.length, 1, 'b sends and delivers at once');
  const scenario = writeScenario(start, task.plan, counterexample);
  t.regex(scenario, /send b m1 to stock fifo/);
  t.true(showsIt(scenario, libraryCore, nothingAtB));
  t.false(showsIt(scenario, libraryCore, libraryChecker), 'the properties hold');
});

test('a state that is one packet further is told packet by packet', (t) => {
  const sentByA: Checker = (records) => ({
    violations: records
      .filter((record) => record.e === 'deliver' && record.p.startsWith('b#') && record.id.startsWith('a#'))
      .map(() => ({ property: 'NOTHING-FROM-A', detail: 'b delivers what a sent' })),
    antecedents: {},
  });
  const { start, task, found } = search('--joins 0 --multicasts total --crashes 1', sentByA);
  if (found.counterexample === null) return t.fail('nothing was found');
  const scenario = writeScenario(start, task.plan, found.counterexample);
  t.regex(scenario, /send a m1 to stock total\nbring data from a to b\n/);
  t.true(showsIt(scenario, libraryCore, sentByA));
});

test('a copy of a process is the same, and what happens to it happens to nobody else', (t) => {
  const { start } = search('--joins 0 --multicasts total --crashes 1', libraryChecker);
  const { locals } = start.model;
  for (let state = 0; state < locals.states.length; state += 7) {
    const original = processOf(locals, state);
    const before = canonical(original);
    t.is(canonical(copyProcess(libraryCore, original)), before);
    const { next } = moveOf(locals, state, eventCode.time);
    t.is(canonical(processOf(locals, state)), before, 'the state is what it was');
    t.true(next < locals.states.length);
    t.is(canonical(original), before);
  }
});

test('the mutants that it must find are there, and their worlds can be read', (t) => {
  const names = mutants.map(({ name }) => name);
  for (const world of worlds) {
    t.notThrows(() => readWords(world.options.split(' ')));
    for (const name of world.mutants) t.true(names.includes(name), name);
  }
});
