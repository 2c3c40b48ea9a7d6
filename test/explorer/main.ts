/**
 * `npm run explore -- [options]`: looks at every order of events in a small world (see docs/explorer.md), and prints how many
 * states there were. What must not be ends it: the way there is printed as a scenario, which is played to see that it shows it.
 * Exit status 0 only if the search came to its end and found nothing.
 *
 * `--mutants [WORDS]` looks for the mutants instead, each in a world that is large enough for it; words choose them by name.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { libraryChecker, libraryCore } from '../simulation/library.js';
import { type Start, begin } from './begin.js';
import { createJudge } from './judge.js';
import { type Task, planOptions, readTask } from './plan.js';
import { showsIt, writeScenario } from './scenario.js';
import { type Counterexample, type Found, explore } from './search.js';

type Numbers = Omit<Found, 'counterexample'>;

function spell({ states, transitions, depth, frontier, seconds, ends }: Numbers, { model: { locals } }: Start): string {
  const megabytes = Math.round(process.memoryUsage().rss / 2 ** 20);
  return [
    `${states} states, ${transitions} transitions, depth ${depth}, frontier ${frontier}, ${ends} ends, ${seconds.toFixed(1)} s`,
    `(${locals.states.length} states of single processes, ${locals.moves.size} steps of the core, ${megabytes} MiB)`,
  ].join(' ');
}

function run({ plan, bounds }: Task, json: boolean, out: string | undefined): boolean {
  const start = begin(libraryCore, plan);
  const judge = createJudge(start.model, libraryChecker);
  const found = explore(start.model, judge, start.first, bounds, (numbers) => {
    if (!json) console.error(spell(numbers, start));
  });
  const { counterexample, ...numbers } = found;
  const scenario = counterexample && writeScenario(start, plan, counterexample);
  const isShown = scenario !== null && showsIt(scenario, libraryCore, libraryChecker);
  if (scenario !== null && out !== undefined) writeFileSync(out, scenario);
  if (json)
    console.log(JSON.stringify({ ...numbers, violation: counterexample?.violation ?? null, scenario, isShown }));
  else {
    console.log(spell(numbers, start));
    if (counterexample && scenario !== null) tell(counterexample, scenario, isShown);
  }
  return counterexample === null && found.frontier === 0;
}

function tell({ violation }: Counterexample, scenario: string, isShown: boolean): void {
  console.log(`\n${violation.property}: ${violation.detail}\n\n${scenario}`);
  console.log(isShown ? 'Played as a scenario, it shows the same.' : 'Played as a scenario, it does not show it.');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...planOptions,
    mutants: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
// a mutant's folder has no mutants of its own
const isWell = values.mutants
  ? await (await import('./mutants.js')).tryMutants(positionals, values.out)
  : run(readTask(values), values.json, values.out);
process.exitCode = isWell ? 0 : 1;
