/** A user's test under Node's own test runner; run by runners.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dispatch } from 'nact';
import { read, spawnReplicated } from 'nact-groups';
import { forEachSeed, testDomain } from 'nact-groups/testkit';
import { stock } from './functions.js';

void test('stock survives its oldest replica', () =>
  forEachSeed(5, async (seed) => {
    const domain = await testDomain({
      seed,
      spawn: (system) => spawnReplicated(system, stock, 'stock', { initialState: {} }),
    });
    dispatch(domain.node('b').actors, { sku: 'tea', n: 5 });
    domain.crash('a');
    await domain.expectConverged();
    assert.equal(await domain.until(read(domain.node('c').actors, (state) => state['tea'])), 5);
    domain.stop();
  }));
