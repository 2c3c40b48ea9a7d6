/** What `expectDeterministic` finds, and what it lets pass. */
import test from 'ava';
import { expectDeterministic, Misused, NotDeterministic, type DeterminismCheck } from 'nact-groups/testkit';
import type { Change } from './functions.js';

const messages: readonly Change[] = ['tea', 'rice', 'tea', 'salt', 'rice', 'tea', 'oil', 'salt'].map((sku, i) => ({
  sku,
  n: i + 1,
}));

function check(name: string, more: Partial<DeterminismCheck<Change>> = {}): Promise<void> {
  return expectDeterministic({
    module: new URL('./functions.js', import.meta.url),
    name,
    initialState: {},
    messages,
    ...more,
  });
}

for (const [name, more] of [
  ['stock', {}],
  ['stock', { order: 'fifo' }],
  ['lottery', { initialState: [] }],
  // each message was sent after the one before it was delivered: causal order leaves nothing open
  ['last', { initialState: '', order: 'causal', after: (_: Change, i: number) => (i > 0 ? [i - 1] : []) }],
] as const satisfies readonly (readonly [string, Partial<DeterminismCheck<Change>>])[]) {
  test(`'${name}' passes ${JSON.stringify(more)}`, async (t) => {
    await t.notThrowsAsync(check(name, more));
  });
}

for (const [name, because, more] of [
  ['looksAtTheClock', /looks at the clock/, { initialState: [] }],
  ['asksForTheDate', /looks at the clock/, {}],
  ['draws', /draws at random/, {}],
  ['counts', /keeps something outside of its state \(a variable of its module/, {}],
  ['remembers', /joined in the middle.*keeps something outside/, {}],
  ['looksAtItself', /what differs between members/, {}],
  ['firstCome', /'fifo' order leaves it open/, { order: 'fifo', initialState: undefined }],
  ['last', /'causal' order leaves it open/, { order: 'causal', initialState: '' }],
  ['keepsAnInstance', /cannot be sent|does not survive being sent/, { initialState: undefined }],
] as const satisfies readonly (readonly [string, RegExp, Partial<DeterminismCheck<Change>>])[]) {
  test(`'${name}' is found out`, async (t) => {
    const error = await t.throwsAsync(check(name, more), { instanceOf: NotDeterministic, message: because });
    t.regex(error.message, /After message \d+ \(.*sku: '/);
  });
}

test('what cannot be checked is an error that says why', async (t) => {
  await t.throwsAsync(check('nothing'), { instanceOf: Misused, message: /exports no function 'nothing'.*stock/ });
  await t.throwsAsync(check('stock', { module: new URL('./none.js', import.meta.url) }), {
    instanceOf: Misused,
    message: /there is no file .*none\.js/,
  });
  await t.throwsAsync(check('stock', { messages: [] }), { instanceOf: Misused, message: /there are none/ });
});
