/** The stability matrix agrees with its definition, and seqnos of any size fit into it. */
import test from 'ava';
import fc from 'fast-check';
import { Stability } from '../../../lib/group/stability.js';

/** The matrix as it is defined, without anything kept beside it. */
function naive(size: number): number[][] {
  return Array.from({ length: size }, () => new Array<number>(size).fill(0));
}

function stableOf(matrix: readonly number[][], sender: number): number {
  return Math.min(...matrix.map((row) => row[sender] as number));
}

test('the matrix agrees with its definition after every row, in any order, lost or repeated', (t) => {
  const raises = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 }), fc.nat({ max: 12 })), { maxLength: 120 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), raises, (size, list) => {
      const stability = new Stability(size);
      const matrix = naive(size);
      for (const [o, s, seqno] of list) {
        const [observer, sender] = [o % size, s % size];
        const row = matrix[observer] as number[];
        const before = stableOf(matrix, sender);
        row[sender] = Math.max(row[sender] as number, seqno);
        t.is(stability.raise(observer, sender, seqno), stableOf(matrix, sender) > before);
        for (let column = 0; column < size; column++) {
          if (stability.stable(column) !== stableOf(matrix, column)) t.fail('stable');
          for (let each = 0; each < size; each++) {
            if (stability.received(each, column) !== matrix[each]?.[column]) t.fail('received');
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('in a view of one everything received is stable', (t) => {
  const stability = new Stability(1);
  t.true(stability.raise(0, 0, 5));
  t.is(stability.stable(0), 5);
  t.false(stability.raise(0, 0, 5));
});

test('seqnos up to 2^53 - 1 fit', (t) => {
  const stability = new Stability(2);
  stability.raise(0, 1, Number.MAX_SAFE_INTEGER);
  t.true(stability.raise(1, 1, Number.MAX_SAFE_INTEGER));
  t.is(stability.stable(1), Number.MAX_SAFE_INTEGER);
});
