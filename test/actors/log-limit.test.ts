/** However often others are wrong, the log has a line at once and one with the count, for each kind. */
import test from 'ava';
import { limitedLog } from '../../actors/log-limit.js';
import { eventually, rememberingLogger } from './systems.js';

test('a thousand lines of a kind are two, of which the second tells how many', async (t) => {
  const { logger, lines } = rememberingLogger();
  const log = limitedLog(logger);
  t.teardown(() => log.close());
  for (let i = 1; i <= 1000; i++) log.note('error', 'undecodable g', `a message cannot be decoded: ${i}`);
  for (let i = 1; i <= 3; i++) log.note('warn', 'direct g', `dropped: ${i}`);
  await eventually(() => lines.length >= 4, 'the counts');
  t.deepEqual(lines.toSorted(), [
    'error a message cannot be decoded: 1',
    'error a message cannot be decoded: 1000 (999 times in the last second)',
    'warn dropped: 1',
    'warn dropped: 3 (2 times in the last second)',
  ]);
});

test('of kinds that are made up only so many are told apart', async (t) => {
  const { logger, lines } = rememberingLogger();
  const log = limitedLog(logger);
  t.teardown(() => log.close());
  for (let i = 1; i <= 10_000; i++) log.note('warn', `kind ${i}`, `line ${i}`);
  await eventually(() => lines.some((line) => line.includes('times in the last second')), 'the counts');
  t.true(lines.length <= 2 * 65, `${lines.length} lines`);
});
