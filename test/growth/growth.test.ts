/** The fit, and that what is counted is plausible in small groups. */
import test from 'ava';
import { defaults } from '../../lib/options.js';
import { exponentOf } from './fit.js';
import { measure } from './measure.js';

const sizes = [2, 4, 8, 16];
const power = (exponent: number) => sizes.map((members) => ({ members, count: 7 * members ** exponent }));

test('an exact power law has its exponent', (t) => {
  for (const exponent of [-1, 0, 0.5, 1, 2]) {
    const found = exponentOf(power(exponent));
    t.true(Math.abs(found - exponent) < 1e-9, `${found} for ${exponent}`);
  }
});

test('a sum of powers lies between them, near the greater one in large groups', (t) => {
  const points = [256, 512, 1024].map((members) => ({ members, count: 3 * members + members ** 2 }));
  const found = exponentOf(points);
  t.true(found > 1.97 && found < 2, `${found}`);
});

test('what no power law has gives no exponent', (t) => {
  t.is(exponentOf([]), NaN);
  t.is(exponentOf([{ members: 4, count: 1 }]), NaN);
  t.is(
    exponentOf([
      { members: 2, count: 0 },
      { members: 4, count: 5 },
    ]),
    NaN,
  );
});

test('two, four and eight members: what is counted is what a group of that size costs', (t) => {
  const all = [2, 4, 8].map(measure);
  for (const { members, counts } of all) {
    const { one, idle } = counts;
    t.is(idle.packets, (members * 1000) / defaults.heartbeat, 'idle, each says that it lives once a heartbeat');
    t.is(idle.steps, idle.packets * (members - 1) + idle.packets, 'and all others hear it, besides its own timer');
    t.true(one.packets > 1 && one.packets < members, `${members}: a multicast is a packet, and some acknowledgements`);
    for (const [situation, { packets, bytes, steps }] of Object.entries(counts)) {
      t.true(bytes > packets, `${members}, ${situation}: ${bytes} bytes in ${packets} packets`);
      t.true(steps >= packets, `${members}, ${situation}: ${steps} steps for ${packets} packets`);
    }
  }
  for (const change of ['join', 'leave', 'crash'] as const) {
    const packets = all.map(({ counts }) => counts[change].packets);
    t.deepEqual(
      packets,
      packets.toSorted((a, b) => a - b),
      `a ${change} costs more in a larger group`,
    );
    t.true(exponentOf(all.map(({ members, counts }) => ({ members, count: counts[change].packets }))) > 0);
  }
});
