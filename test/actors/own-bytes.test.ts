/** Bytes that a member's function gets are its own: what it writes there nobody else sees, neither now nor in what is sent again. */
import test, { type ExecutionContext } from 'ava';
import { dispatch } from 'nact';
import {
  memory,
  memoryHub,
  multicast,
  read,
  spawnReplicated,
  tcp,
  udpMulticast,
  type GroupRef,
  type TransportFactory,
} from '../../actors/index.js';
import { freePort } from '../transport/proxy.js';
import { freshDomain, system, viewOf } from './systems.js';

// nobody dies here: a machine that is busy must not look like it
const detector = { heartbeat: 100, timeout: 10_000, discovery: 200 };
const kilo = 1024;
/** Several to a frame, a frame each, several frames each. */
const sizes = [1, 100, 8 * kilo, 40 * kilo, 64 * kilo, 300 * kilo];
const rounds = 20;

/** Takes note of what it got, and writes over it. */
function careless(sums: readonly string[], bytes: Uint8Array): readonly string[] {
  const [first = -1] = bytes;
  const isWhole = bytes.every((byte) => byte === first);
  bytes.fill(0xff);
  return [...sums, `${first} x ${bytes.length}${isWhole ? '' : ', changed'}`];
}

async function theyAreOnesOwn(t: ExecutionContext, transportOf: (i: number) => TransportFactory): Promise<void> {
  const options = { domain: freshDomain(), detector };
  const refs = ['a', 'b', 'c'].map((name, i) =>
    spawnReplicated(system(t, memoryHub(), name, { ...options, transport: transportOf(i) }), careless, 'g', {
      initialState: [],
    }),
  );
  const [a] = refs as [GroupRef<Uint8Array, readonly string[]>];
  await Promise.all(refs.map((ref) => viewOf(ref, 3)));
  const expected: string[] = [];
  for (let i = 0; i < rounds; i++) {
    for (const size of sizes) {
      const bytes = new Uint8Array(size).fill(i);
      dispatch(a, bytes);
      // nor are they the sender's any more
      bytes.fill(0xee);
      expected.push(`${i} x ${size}`);
    }
  }
  await multicast(a, Uint8Array.of(rounds)).stable;
  expected.push(`${rounds} x 1`);
  for (const ref of refs) t.deepEqual(await read(ref, (sums) => sums), expected);
}

test.serial('over UDP, which sends at once', (t) => theyAreOnesOwn(t, () => udpMulticast()));

test.serial('over TCP, which sends when it can', async (t) => {
  const seed = `127.0.0.1:${await freePort()}`;
  await theyAreOnesOwn(t, (i) => (i === 0 ? tcp({ listen: seed }) : tcp({ seeds: [seed] })));
});

test.serial('in memory, where it is sent later', (t) => {
  const hub = memoryHub();
  return theyAreOnesOwn(t, () => memory(hub));
});

test.serial('over a network that loses a third', (t) => {
  let count = 0;
  const hub = memoryHub(({ kind }) => ({ kind: kind === 'multicast' && ++count % 3 === 0 ? 'drop' : 'pass' }));
  return theyAreOnesOwn(t, () => memory(hub));
});
