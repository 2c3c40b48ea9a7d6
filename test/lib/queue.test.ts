/** A queue is an array from which it is cheap to take the first. */
import test from 'ava';
import fc from 'fast-check';
import { Queue } from '../../lib/queue.js';

/** Whether a queue and a plain array show the same from outside. */
function same(queue: Queue<number>, model: readonly number[]): boolean {
  return (
    queue.length === model.length &&
    queue.first === model[0] &&
    queue.last === model.at(-1) &&
    queue.at(0) === model[0] &&
    queue.at(model.length >> 1) === model[model.length >> 1] &&
    queue.at(model.length) === undefined
  );
}

test('a queue behaves like an array, whatever is pushed, shifted and cleared', (t) => {
  const action = fc.oneof(
    { weight: 10, arbitrary: fc.tuple(fc.constant('push' as const), fc.nat({ max: 1500 })) },
    { weight: 10, arbitrary: fc.tuple(fc.constant('shift' as const), fc.nat({ max: 1500 })) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('clear' as const), fc.constant(0)) },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const queue = new Queue<number>();
      const model: number[] = [];
      let next = 0;
      for (const [kind, count] of actions) {
        if (kind === 'clear') {
          queue.clear();
          model.length = 0;
        }
        for (let i = 0; i < count; i++) {
          if (kind === 'push') {
            queue.push(++next);
            model.push(next);
          } else if (queue.shift() !== model.shift()) t.fail('another item');
        }
        t.true(same(queue, model));
      }
      t.deepEqual([...queue], model);
    }),
    { numRuns: 60 },
  );
});

test('an empty queue has nothing to give', (t) => {
  const queue = new Queue<number>();
  t.is(queue.shift(), undefined);
  queue.push(1);
  t.is(queue.shift(), 1);
  t.is(queue.shift(), undefined);
  t.is(queue.last, undefined);
  t.is(queue.first, undefined);
  t.deepEqual([...queue], []);
});
