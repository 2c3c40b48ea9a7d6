/** Things by number, against a Map that is told the same. */
import test from 'ava';
import fc from 'fast-check';
import { NumberRing } from '../../actors/number-ring.js';

test('a ring holds what a Map would, whatever is added, skipped and deleted', (t) => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('add' as const), skipped: fc.constantFrom(0, 0, 0, 1, 70, 500) }),
      fc.record({ kind: fc.constant('delete' as const), back: fc.nat(200) }),
    ),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 2 ** 31 - 20, 2 ** 40), (list, before) => {
      const ring = new NumberRing<{ readonly number: number }>();
      const map = new Map<number, { readonly number: number }>();
      let last = before;
      for (const step of list) {
        if (step.kind === 'add') {
          last += 1 + step.skipped;
          const item = { number: last };
          ring.add(last, item);
          map.set(last, item);
        } else {
          ring.delete(last - step.back);
          map.delete(last - step.back);
        }
        t.is(ring.size, map.size);
        t.is(ring.get(last), map.get(last));
      }
      t.deepEqual([...ring.between(0, last)], [...map.values()]);
      t.deepEqual(
        [...ring.between(last - 50, last - 10)].map(({ number }) => number),
        [...map.keys()].filter((number) => number >= last - 50 && number <= last - 10),
      );
    }),
  );
});
