/** When silence makes a suspect, and when it does not because this process itself had paused. */
import test from 'ava';
import { awake, createDetector, suspectAt } from '../../lib/membership/detector.js';

const patience = { heartbeat: 100, timeout: 1000 };
const heardAt = (at: number) => ({ heardAt: at, watchedAt: 0, claimedAt: null, goneAt: null });

test('silence for the timeout makes a suspect', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, heardAt(500)), 1500);
});

test('a node that was never heard is given the timeout from when it is to be heard', (t) => {
  const detector = createDetector(patience, 0);
  t.is(suspectAt(detector, { heardAt: -Infinity, watchedAt: 700, claimedAt: null, goneAt: null }), 1700);
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
  t.is(suspectAt(detector, heardAt(5100)), 6100);
});
