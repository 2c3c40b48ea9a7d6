/**
 * Plays every scenario and compares what happened with its golden trace. `UPDATE_GOLDENS=1` writes the golden traces anew;
 * they are then to be reviewed as a diff. Whatever the golden trace says, the properties hold.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { libraryChecker, libraryCore } from '../simulation/library.js';
import { play } from './player.js';
import { readScript } from './script.js';

const folder = fileURLToPath(new URL('../../../test/scenarios/', import.meta.url));
const update = process.env['UPDATE_GOLDENS'] === '1';
const names = readdirSync(folder).flatMap((file) => /^(.*)\.scenario$/.exec(file)?.[1] ?? []);

for (const name of names.sort()) {
  test(name, (t) => {
    const script = readScript(readFileSync(`${folder}${name}.scenario`, 'utf8'));
    const { golden, trace, failures } = play(script, libraryCore);
    t.deepEqual(failures, [], `${failures.join('\n')}\n${golden}`);
    t.deepEqual(libraryChecker(trace, { quiesced: false, alive: [], limits: {} }).violations, []);
    const file = `${folder}${name}.golden`;
    if (update) writeFileSync(file, golden);
    t.true(existsSync(file), 'there is no golden trace: UPDATE_GOLDENS=1 writes it');
    t.is(golden, readFileSync(file, 'utf8'));
  });
}

test('a scenario that does not say what it shows is refused', (t) => {
  t.throws(() => readScript('nodes a b\n'), { message: /opens with a paragraph/ });
});

test('a step that does not come about fails the scenario', (t) => {
  const script = readScript('# Fails.\nnodes a b\nstart a\nexpect domain of a b\nstart b\n');
  const { failures, golden } = play(script, libraryCore);
  t.deepEqual(failures, ['line 4: expect domain of a b: it is not so']);
  t.notRegex(golden, /start b/);
});
