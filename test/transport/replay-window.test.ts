/** A window takes each counter once, in any order within it, and nothing below it. */
import fc from 'fast-check';
import test from 'ava';
import { ReplayWindow } from '../../transport/replay-window.js';

test('each counter is taken once, and none that is far behind', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1, max: 100 }),
      fc.array(fc.oneof(fc.nat(200), fc.nat(3000), fc.nat(2 ** 40)), { maxLength: 300 }),
      (after, counters) => {
        const window = new ReplayWindow(after);
        const taken = new Set<number>();
        let highest = after;
        for (const counter of counters) {
          const isNew = window.isNew(counter);
          if (taken.has(counter) || counter <= after || counter <= highest - 1024) t.false(isNew, `${counter}`);
          else if (counter > highest - 992) t.true(isNew, `${counter} of ${highest}`);
          if (!isNew) continue;
          window.take(counter);
          taken.add(counter);
          highest = Math.max(highest, counter);
        }
      },
    ),
  );
});
