/** The same over sockets: two systems in a process, UDP multicast on the loopback interface. */
import test from 'ava';
import { dispatch } from 'nact';
import { memoryHub, multicast, read, ready, spawnReplicated, udpMulticast, type GroupRef } from '../../actors/index.js';
import { append, eventually, freshDomain, system, viewOf } from './systems.js';

test.serial('a group over UDP multicast', async (t) => {
  const options = { domain: freshDomain(), transport: udpMulticast() };
  const refs = ['a', 'b'].map((name) =>
    spawnReplicated(system(t, memoryHub(), name, options), append, 'g', { initialState: [] }),
  );
  const [a, b] = refs as [GroupRef<number, readonly number[]>, GroupRef<number, readonly number[]>];
  await Promise.all(refs.map((ref) => viewOf(ref, 2)));
  for (let i = 0; i < 5000; i++) dispatch(i % 2 ? a : b, i);
  await multicast(a, -1).stable;
  await eventually(async () => (await read(b, (state) => state.length)) === 5001, 'everything at b');
  await eventually(async () => (await read(a, (state) => state.length)) === 5001, 'everything at a');
  const states = await Promise.all(refs.map((ref) => read(ref, (state) => state)));
  t.deepEqual(states[0], states[1]);
});

test.serial('an interface that does not exist is a clear error', async (t) => {
  const node = system(t, memoryHub(), 'a', {
    domain: freshDomain(),
    transport: udpMulticast({ interface: '192.0.2.1' }),
  });
  const error = await t.throwsAsync(ready(node));
  t.regex(error?.message ?? '', /192\.0\.2\.1/);
});
