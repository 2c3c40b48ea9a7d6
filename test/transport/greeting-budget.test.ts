/** Greetings that are replayed do not fill a processor, nor keep those of others from being answered. */
import { randomBytes } from 'node:crypto';
import test from 'ava';
import { greetingsAtOnceMax, greetingShares, greetingsPerSecondMax } from '../../lib/limits.js';
import { meshMagic } from '../../transport/framing.js';
import { GreetingBudget } from '../../transport/greeting-budget.js';
import { AcceptingHandshake, ConnectingHandshake } from '../../transport/sealed-greeting.js';
import { ringOf } from './keyed.js';

function taken(budget: GreetingBudget, count: number, address: (i: number) => string, now: number): number {
  let result = 0;
  for (let i = 0; i < count; i++) if (budget.take(address(i), now)) result += 1;
  return result;
}

test('one address has its share, all together have what there is, and a second brings more', (t) => {
  const budget = new GreetingBudget();
  const one = () => '10.0.0.1';
  const each = (i: number) => `10.0.1.${i % 10}`;
  const many = 10 * greetingsAtOnceMax;
  const share = greetingsAtOnceMax / greetingShares;
  t.is(taken(budget, many, one, 0), share);
  t.true(budget.take('10.0.0.2', 0), 'others are not kept out');
  t.is(taken(budget, many, each, 0), greetingsAtOnceMax - share - 1);
  t.is(taken(budget, many, one, 1000), greetingsPerSecondMax / greetingShares);
});

test('a recorded greeting for which there is no room is closed unanswered', (t) => {
  const options = { keyring: ringOf('a'), tag: randomBytes(8), magic: meshMagic, address: '127.0.0.1:1' };
  const { greeting } = new ConnectingHandshake(options);
  const budget = new GreetingBudget();
  let answers = 0;
  const bad: string[] = [];
  for (let i = 0; i <= greetingsAtOnceMax / greetingShares; i++) {
    const result = new AcceptingHandshake(options, () => budget.take('10.0.0.1', 0)).push(greeting);
    if (result.kind === 'more' && result.answer !== undefined) answers += 1;
    if (result.kind === 'bad') bad.push(result.reason);
  }
  t.is(answers, greetingsAtOnceMax / greetingShares);
  t.deepEqual(bad, ['too many others greet as well']);
});
