/** A process that stands still is seen to. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { lookMillis, watchPauses } from '../../bench/pauses.js';

test('a loop that is blocked shows as a pause of that length, and garbage is part of one', async (t) => {
  const end = watchPauses();
  // until it has looked once
  await sleep(4 * lookMillis);
  const from = performance.now();
  const kept: unknown[] = [];
  while (performance.now() < from + 60) kept.push({ at: kept.length });
  const blocked = performance.now() - from;
  await sleep(4 * lookMillis);
  const { p50, p999, longest, garbage } = end();
  t.true(longest >= blocked - lookMillis, `${longest} of ${blocked} ms`);
  t.true(p50 <= p999 && p999 <= longest * 1.01, `${p50}, ${p999}`);
  t.true(garbage > 0 && garbage <= longest + lookMillis, `${garbage}`);
});
