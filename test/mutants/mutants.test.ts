/** The mutants are still changes of this core: `npm run mutants` takes minutes, that it has something to do is seen at once. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { mutants } from './list.js';

// a test for each: an assertion that fails ends its test, and the other mutants are to be looked at all the same
for (const { name, file, find, replace } of mutants) {
  test(`the text is there, once, and the new one counts its hits: ${name}`, (t) => {
    const source = readFileSync(new URL(`../../lib/${file}`, import.meta.url), 'utf8');
    t.is(source.split(find).length - 1, 1, `in ${file}`);
    t.true(replace.includes('hit()'));
  });
}

test('each mutant breaks a rule of docs/protocol.md, and no two have one name', (t) => {
  const protocol = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
  const stated = new Set([...protocol.matchAll(/^- \*\*([DESOFTLRVW]\d+)\.\*\*/gm)].map(([, rule]) => rule));
  for (const { name, rule } of mutants) t.true(stated.has(rule), `${name}: rule ${rule}`);
  t.is(new Set(mutants.map(({ name }) => name)).size, mutants.length);
});

test('there is a mutant for each rule that a counterexample stands behind', (t) => {
  const broken = new Set(mutants.map(({ rule }) => rule));
  const rules = [
    ...[
      'D1',
      'D2',
      'D4',
      'D5',
      'D6',
      'D7',
      'D8',
      'D10',
      'D11',
      'D17',
      'D18',
      'D19',
      'S3',
      'O4',
      'O5',
      'O6',
      'O7',
      'T2',
    ],
    ...['E1', 'E2', 'E3', 'E4', 'E5', 'E6', 'E7', 'E8', 'E9', 'E10', 'E11'],
    ...['W1', 'W2', 'W3', 'W4', 'W5'],
    ...['F1', 'F2', 'F4', 'F5', 'F6', 'F7', 'F8', 'F10', 'F13'],
  ];
  for (const rule of rules) t.true(broken.has(rule), `rule ${rule}`);
});
