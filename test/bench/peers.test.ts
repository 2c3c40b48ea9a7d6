import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { UsageError } from '../../bench/options.js';
import { createTally, endTrial, numberAt, take } from '../../bench/payload.js';
import { missing, peers } from '../../bench/peers/catalogue.js';
import { readRequest } from '../../bench/peers/command.js';
import { openAcknowledger, openSender } from '../../bench/peers/pace.js';
import { rowsOf, tableOf } from '../../bench/peers/report.js';
import type { Contender, Point } from '../../bench/plan.js';
import { privateNetwork } from '../../bench/processes.js';
import type { Outcome } from '../../bench/trial.js';
import { runBench } from './run.js';

const point: Point = { bytes: 100, values: 'bytes', senders: 'one', members: 2 };
const library: Contender = { kind: 'groups', order: 'total', transport: 'udp', through: 'multicast', keyed: false };
const nats: Contender = { kind: 'peer', peer: 'nats', modules: '.' };

function outcome(rate: number, window: number): Outcome {
  return { rate, cpuPerMillion: 2, window } as Outcome;
}

test('a peer is compared with the library in the same round', (t) => {
  const rows = rowsOf([
    {
      point,
      contender: library,
      outcomes: [outcome(300, 0), outcome(100, 0), null],
      failures: ['stuck'],
      description: '',
    },
    {
      point,
      contender: nats,
      outcomes: [outcome(100, 64), outcome(50, 64), outcome(1, 64)],
      failures: [],
      description: '',
    },
  ]);
  t.deepEqual(
    rows.map(({ contender, oursByIts, windows }) => ({ contender, oursByIts, windows })),
    [
      { contender: 'nact-groups', oursByIts: null, windows: [] },
      { contender: 'nats', oursByIts: { median: 2.5, least: 2, most: 3 }, windows: [64, 64, 64] },
    ],
  );
  t.regex(tableOf(rows), /\nnats .* 2\.5 x .*\nerror: nact-groups, 100 B: stuck$/);
});

test('a command line that makes no sense is refused with the remedy', (t) => {
  const refused = (...args: string[]) => t.throws(() => readRequest(args), { instanceOf: UsageError })?.message ?? '';
  t.regex(refused('--peers', 'kafka'), /--peers kafka: give any of redis-pubsub, redis-streams/);
  t.regex(refused('--sizes', '1m'), /--sizes 1m: give bytes from 8 to 65536/);
  t.regex(refused('--members', '1'), /--members 1: give a whole number from 2 to 16/);
  t.deepEqual(readRequest([])?.chosen, [...peers]);
});

test('a sender has no more than its window under way, and all that it sends arrives', async (t) => {
  const network = privateNetwork();
  const sent = { contender: nats, point, index: 0, ...network };
  const acknowledger = await openAcknowledger({ ...sent, index: 1 });
  const tally = createTally(point.members, point.bytes, -1);
  const queue: Buffer[] = [];
  let most = 0;
  const publish = (message: Buffer): void => {
    most = Math.max(most, queue.push(message));
  };
  const sender = await openSender(sent, publish, (error) => t.fail(String(error)));
  const window = 16;
  acknowledger.start(window);
  sender.start(window);
  // the peer: what was published a turn of the event loop ago comes
  const deliver = (): void => {
    for (const message of queue.splice(0)) {
      const from = take(tally, message, 0, message.length);
      acknowledger.took(from, numberAt(message, 0));
    }
  };
  while (sender.messages() < 20 * window) {
    await new Promise((resolve) => setImmediate(resolve));
    deliver();
  }
  const count = await sender.stop();
  deliver();
  t.is(most, window);
  t.deepEqual(endTrial(tally, [count, 0]), { delivered: [count, 0], missing: 0, misordered: 0, damaged: 0 });
});

test('a peer that is not installed is not measured, and it is said what to type', async (t) => {
  const nothing = mkdtempSync(path.join(tmpdir(), 'nact-groups-no-peers-'));
  t.teardown(() => rmSync(nothing, { recursive: true }));
  t.deepEqual(missing('zeromq', nothing), [`npm install --prefix ${nothing} zeromq@6`]);
  const { code, stdout, stderr } = await runBench('peers', '--quick', '--peers', 'zeromq', '--modules', nothing);
  t.is(code, 2);
  t.true(stdout.includes(`zeromq is not here; to measure it: npm install --prefix ${nothing} zeromq@6`), stdout);
  t.regex(stderr, /--peers zeromq: none of them is installed/);
});
