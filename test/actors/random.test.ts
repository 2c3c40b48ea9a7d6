/** The generator behind `ctx.random()`: replicas of different builds must draw the same. */
import test from 'ava';
import { createRandom } from '../../actors/random.js';

const drawn = (seed: string, count: number): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, random);
};

test('a text gives one sequence, in every build', (t) => {
  t.deepEqual(drawn('d#1 4096 17', 3), drawn('d#1 4096 17', 3));
  t.deepEqual(drawn('d#1 4096 17', 3), [0.6156589748353282, 0.6081001701168325, 0.8888593213361097]);
});

test('neighbouring positions have nothing to do with each other, and all is drawn alike', (t) => {
  const firsts = Array.from({ length: 4000 }, (_, i) => drawn(`d#1 4096 ${i}`, 1)[0] ?? 1);
  t.is(new Set(firsts).size, firsts.length);
  for (const list of [firsts, drawn('d#1 4096 1', 4000)]) {
    const tenths = new Array<number>(10).fill(0);
    for (const number of list) tenths[Math.floor(number * 10)] = (tenths[Math.floor(number * 10)] ?? 0) + 1;
    // 400 each, give or take five standard deviations
    for (const count of tenths) t.true(Math.abs(count - 400) < 95, `${tenths.join(' ')}`);
  }
});
