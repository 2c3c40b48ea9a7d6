/** A slow member makes senders wait; where that is limited, it comes back with the state instead. */
import test from 'ava';
import { memoryHub, multicast, read, spawnReplicated, status } from '../../actors/index.js';
import { append, eventually, first, rememberingLogger, system, viewOf } from './systems.js';

test('a member that is behind for too long fetches the state anew, and nothing is lost', async (t) => {
  const hub = memoryHub();
  const limits = { backlogBytesMax: 1000, behindMax: 300 };
  const { logger, lines } = rememberingLogger();
  let isSlow = true;
  const begin = (name: string) => {
    const node = system(t, hub, name, { limits, ...(name === 'slow' ? { logger } : {}) });
    const f = async (state: readonly number[], message: number): Promise<readonly number[]> => {
      if (name === 'slow' && isSlow) await new Promise((resolve) => setTimeout(resolve, 20));
      return append(state, message);
    };
    return { node, ref: spawnReplicated(node, f, 'g', { initialState: [] as readonly number[] }) };
  };
  const fast = begin('fast');
  await viewOf(fast.ref, 1);
  const slow = begin('slow');
  await Promise.all([viewOf(fast.ref, 2), viewOf(slow.ref, 2)]);
  const sent = Array.from({ length: 2000 }, (_, n) => multicast(fast.ref, n));
  await first(status(slow.ref), (now) => now === 'joining');
  isSlow = false;
  t.true(lines.some((line) => line.includes('has been behind for 300 ms')));
  // it has held up the others only for so long
  await sent.at(-1)?.delivered;
  await eventually(async () => {
    const state = await read(slow.ref, (numbers) => numbers);
    return state.length === 2000 && state.every((number, index) => number === index);
  }, 'the slow one has all');
});

test('the oldest member stays however far it is behind: if all were, the state would go with them', async (t) => {
  const hub = memoryHub();
  const limits = { backlogBytesMax: 1000, behindMax: 20 };
  const begin = (name: string) => {
    const f = async (state: readonly number[], message: number): Promise<readonly number[]> => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return append(state, message);
    };
    return spawnReplicated(system(t, hub, name, { limits }), f, 'g', { initialState: [] as readonly number[] });
  };
  const oldest = begin('oldest');
  await viewOf(oldest, 1);
  const other = begin('other');
  await Promise.all([viewOf(oldest, 2), viewOf(other, 2)]);
  const seen: string[] = [];
  status(oldest).subscribe((now) => seen.push(now));
  const sent = Array.from({ length: 1000 }, (_, n) => multicast(oldest, n));
  await first(status(other), (now) => now === 'joining');
  await sent.at(-1)?.delivered;
  for (const ref of [oldest, other]) {
    await eventually(async () => (await read(ref, ({ length }) => length)) === 1000, 'both have all');
  }
  t.false(seen.includes('joining'), seen.join(', '));
});
