/** The demo on a small input: kill, late joiner, equal digests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { runCli, type Line } from './member-process.js';

test.serial('the demo ends with equal digests and nothing missing, for any JSON lines', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const input = path.join(folder, 'events.jsonl');
  const values = Array.from({ length: 200 }, (_, i) =>
    i % 50 === 0 ? [i, 'no flight'] : { origin: `A${i % 7}`, delay: i - 100, note: 'é'.repeat(i % 20) },
  );
  writeFileSync(input, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  const { code, stdout, stderr } = await runCli(
    'demo',
    '--nodes',
    '3',
    '--input',
    input,
    '--events',
    '20000',
    '--json',
  );
  t.is(code, 0, stdout + stderr);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const of = (event: string) => lines.filter((line) => line.event === event);
  t.is(of('kill').length, 1);
  t.is(of('join').length, 1);
  t.is(of('unacknowledged').length >= 1, true);
  t.true(of('view').some(({ cause }) => cause === `failed: ${of('kill')[0]?.['name'] as string}`));
  t.is(of('digest').length, 3);
  t.is(new Set(of('digest').map(({ digest }) => digest)).size, 1);
  t.true(of('digest').every(({ applied }) => applied === 20_000));
  t.like(of('end')[0], { ok: true });
});
