/** The test kit is for any runner: AVA runs the tests beside this one, Node's own runs this. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

test("a test with the kit runs under Node's own runner", (t) => {
  const file = fileURLToPath(new URL('./under-node-test.js', import.meta.url));
  // a runner inside a runner: node:test would take this process for its own
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ['--test', file], { encoding: 'utf8', env });
  t.is(status, 0, stdout);
  t.regex(stdout, /pass 1/);
});
