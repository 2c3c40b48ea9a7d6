/** cbor-x in a program that has extensions of its own: neither disturbs the other, however and whenever they are loaded. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

interface Printed {
  readonly encoded: readonly string[];
  readonly own: readonly string[];
}

const program = fileURLToPath(new URL('hostile-extensions.js', import.meta.url));

async function run(...options: readonly string[]): Promise<Printed> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...options]);
  return JSON.parse(stdout) as Printed;
}

test('extensions of the program do not change what is sent, nor how it is read', async (t) => {
  const undisturbed = await run('import', 'never');
  t.deepEqual(
    undisturbed.encoded.filter((line) => !line.endsWith(' equal')),
    [],
  );
  for (const loading of ['import', 'require']) {
    for (const when of ['before', 'after', 'never']) {
      const { encoded } = await run(loading, when);
      t.deepEqual(encoded, undisturbed.encoded, `${loading}, ${when}`);
    }
  }
});

test('cbor-x does for the program what it does without us', async (t) => {
  for (const loading of ['import', 'require']) {
    const alone = await run(loading, 'after', 'without');
    t.true(alone.own.some((line) => line.includes('spoilt')));
    for (const when of ['before', 'after'])
      t.deepEqual((await run(loading, when)).own, alone.own, `${loading}, ${when}`);
    t.deepEqual((await run(loading, 'never')).own, (await run(loading, 'never', 'without')).own, `${loading}, never`);
  }
});
