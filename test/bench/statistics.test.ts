/** What is said about several measurements. */
import test from 'ava';
import { median, ratios, sum, summary } from '../../bench/statistics.js';

test('the median of odd and even counts, and the range', (t) => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([4, 1, 2, 3]), 2.5);
  t.is(median([]), NaN);
  t.deepEqual(summary([3, 1, 2]), { median: 2, least: 1, most: 3 });
  t.is(sum(new Float64Array([1, 2, 3])), 6);
});

test('ratios are of the same rounds; where either failed there is none', (t) => {
  t.deepEqual(ratios([4, null, 9, 8], [2, 5, null]), [2]);
});
