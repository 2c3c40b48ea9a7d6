/** Greetings that are replayed do not fill a processor, nor keep those of others from being answered. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { greetingsAtOnceMax, greetingShares, greetingsPerSecondMax } from '../../lib/limits.js';
import { domainTag, parseAddress } from '../../transport/addresses.js';
import { meshMagic, streamsMagic } from '../../transport/framing.js';
import { GreetingBudget } from '../../transport/greeting-budget.js';
import { AcceptingHandshake, ConnectingHandshake } from '../../transport/sealed-greeting.js';
import { tcp } from '../../transport/tcp.js';
import { udpMulticast } from '../../transport/udp-multicast.js';
import { freshDomain } from './compliance.js';
import { ringOf, under } from './keyed.js';
import { listen } from './listener.js';

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

/** Says something to a node; resolves with whether it was answered when it has hung up. */
async function knock(address: string, bytes: Uint8Array): Promise<boolean> {
  const { host, port } = parseAddress(address);
  const socket = connect({ host, port });
  let isAnswered = false;
  socket.on('error', () => {});
  socket.on('data', () => (isAnswered = true));
  socket.end(bytes);
  await once(socket, 'close');
  return isAnswered;
}

for (const [what, magic, factory] of [
  ['tcp', meshMagic, tcp()],
  ['udp', streamsMagic, udpMulticast()],
] as const) {
  test(`${what} under a key: one that replays a greeting is answered no more often than its share`, async (t) => {
    const domain = freshDomain();
    const keyring = ringOf('a');
    const { transport } = await listen(under(keyring, factory), domain);
    t.teardown(() => transport.close());
    const { greeting } = new ConnectingHandshake({ keyring, tag: domainTag(domain), magic, address: '127.0.0.1:1' });
    const share = greetingsAtOnceMax / greetingShares;
    const before = performance.now();
    let answers = 0;
    for (let i = 0; i < 20; i++) {
      const all = await Promise.all(Array.from({ length: 32 }, () => knock(transport.address, greeting)));
      answers += all.filter((isAnswered) => isAnswered).length;
    }
    const seconds = (performance.now() - before) / 1000;
    t.true(answers >= share, `${answers} answers`);
    t.true(answers <= share + 1 + (seconds * greetingsPerSecondMax) / greetingShares, `${answers} in ${seconds} s`);
  });
}
