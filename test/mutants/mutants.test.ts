/** The mutants are still changes of this core: `npm run mutants` takes minutes, that it has something to do is seen at once. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { mutants } from './list.js';

test('the text that each mutant changes is there, once, and the new one counts its hits', (t) => {
  for (const { name, file, find, replace } of mutants) {
    const source = readFileSync(new URL(`../../lib/${file}`, import.meta.url), 'utf8');
    t.is(source.split(find).length - 1, 1, `${name}, in ${file}`);
    t.true(replace.includes('hit()'), name);
  }
});

test('there is a mutant for each rule that a counterexample stands behind, and no two have one name', (t) => {
  const rules = new Set(mutants.map(({ rule }) => rule));
  for (const rule of ['1', '2', '3', '4', '9', '10', '11', '12', '13', '15', '16', '18', '19', '20', '21']) {
    t.true(rules.has(rule), `rule ${rule}`);
  }
  t.is(new Set(mutants.map(({ name }) => name)).size, mutants.length);
});
