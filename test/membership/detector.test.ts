/** When silence makes a suspect, and when it does not because this process itself had paused. */
import test from 'ava';
import { awake, createDetector, hear, lagOf, never, suspectAt } from '../../lib/membership/detector.js';

const patience = { heartbeat: 100, timeout: 1000, timeoutMax: 3000, judgesMute: true };
const heardAt = (at: number) => ({
  heardAt: at,
  heardToAllAt: at,
  watchedAt: 0,
  claimedAt: null,
  goneAt: null,
  silence: never,
  lag: 0,
});

test('silence for the timeout makes a suspect', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, heardAt(500)), 1500);
});

test('a node that was never heard is given the timeout from when it is to be heard', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, { ...heardAt(-Infinity), watchedAt: 700 }), 1700);
});

test('a claim of its address makes three heartbeats of silence enough', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, { ...heardAt(500), claimedAt: 510 }), 800);
});

test('a node that was found to be gone is a suspect then, whatever was heard', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, { ...heardAt(500), goneAt: 510 }), 510);
  awake(detector, 5000);
  t.is(suspectAt(detector, { ...heardAt(500), goneAt: 510 }), 510);
});

test('after a pause of this process nobody is judged until what is queued can have been read', (t) => {
  const detector = createDetector(patience, 0);
  t.false(awake(detector, 100));
  t.false(awake(detector, 500));
  t.true(awake(detector, 5000));
  t.is(suspectAt(detector, heardAt(400)), 5450);
  t.false(awake(detector, 5100));
  t.is(suspectAt(detector, heardAt(5100)), 8100);
});

test('a node that came back from a long silence gets twice that, up to the bound, and less again later', (t) => {
  const detector = createDetector(patience, 0);
  const signals = heardAt(0);
  const run = (from: number, to: number) => {
    for (let at = from; at <= to; at += 100) {
      awake(detector, at);
      hear(detector, signals, at, true);
    }
  };
  run(0, 2000);
  t.is(suspectAt(detector, signals), 3000);
  // silent for 800 ms, while this process is awake
  for (let at = 2000; at < 2800; at += 100) awake(detector, at);
  run(2800, 2800);
  t.is(suspectAt(detector, signals), 2800 + 1600);
  for (let at = 2800; at < 5000; at += 100) awake(detector, at);
  run(5000, 5000);
  t.is(suspectAt(detector, signals), 8000);
  run(5100, 90_000);
  t.is(suspectAt(detector, signals), 91_000);
});

test('a node that says that it comes late gets that in addition', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, { ...heardAt(500), lag: 700 }), 2200);
  t.is(suspectAt(detector, { ...heardAt(500), lag: 70_000 }), 3500);
});

test('a process that comes late itself is more patient with all for a while, and says so', (t) => {
  const detector = createDetector(patience, 0);
  awake(detector, 100);
  t.is(lagOf(detector, 100), 0);
  // a heartbeat is the usual time from one turn to the next
  awake(detector, 1100);
  t.is(lagOf(detector, 1100), 900);
  t.is(suspectAt(detector, heardAt(1100)), 3000);
  t.is(lagOf(detector, 21_100), 450);
  t.is(lagOf(detector, 120_000), 0);
  t.is(suspectAt(detector, heardAt(120_000)), 121_000);
});

test('what this process has slept through is no silence of the others', (t) => {
  const detector = createDetector(patience, 0);
  const signals = heardAt(0);
  awake(detector, 5000);
  hear(detector, signals, 5000, true);
  t.deepEqual(signals.silence, never);
});

test('a node of which nothing comes that it says to all is suspected, whatever else it says; not where deaths count', (t) => {
  const signals = { ...heardAt(10_000), heardToAllAt: 7100 };
  t.is(suspectAt(createDetector(patience, 0), signals), 10_100);
  t.is(suspectAt(createDetector({ ...patience, judgesMute: false }, 0), signals), 11_000);
  t.is(suspectAt(createDetector(patience, 0), { ...signals, watchedAt: 9000 }), 11_000, 'it is new');
});
