/** The trace on disk: a file a life, nothing overwritten, everything written when flush returns. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { systemRuntime } from '../../actors/runtime.js';
import { openTrace } from '../../actors/trace-writer.js';

test('a life writes to a file of its own, and records are there once flushed', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const target = path.join(folder, 'a.jsonl');
  writeFileSync(target, 'an earlier life\n');
  const traces = ['a#1', 'a#2'].map((p) => openTrace(target, p, systemRuntime()));
  t.deepEqual(
    traces.map(({ file }) => file),
    [path.join(folder, 'a.2.jsonl'), path.join(folder, 'a.3.jsonl')],
  );
  const [trace] = traces as [(typeof traces)[0], unknown];
  trace.record({ e: 'leave', g: 'g' });
  trace.record({ e: 'left', g: 'g' });
  t.is(readFileSync(trace.file as string, 'utf8'), '');
  trace.flush();
  const lines = readFileSync(trace.file as string, 'utf8')
    .trim()
    .split('\n');
  const records = lines.map((line) => JSON.parse(line) as { t: number; p: string; e: string });
  t.deepEqual(
    records.map(({ p, e }) => [p, e]),
    [
      ['a#1', 'leave'],
      ['a#1', 'left'],
    ],
  );
  t.true((records[0]?.t ?? 0) > 0);
  t.deepEqual(Object.keys(records[0] ?? {}).slice(0, 2), ['t', 'p']);
  t.is(readFileSync(target, 'utf8'), 'an earlier life\n');
  for (const each of traces) each.close();
});
