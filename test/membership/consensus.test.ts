/** One instance of Paxos: what an acceptor has promised and accepted binds it, and a ballot has one value. */
import test from 'ava';
import type { NodeId } from '../../lib/ids.js';
import {
  accept,
  createInstance,
  firstBallot,
  mayProposeAtOnce,
  nextBallot,
  preempt,
  promise,
  valueToCarry,
} from '../../lib/membership/consensus.js';
import type { Vote } from '../../lib/membership/consensus.js';
import type { Decree } from '../../lib/membership/state.js';

const decree = (name: string): Decree => ({
  number: 2,
  changes: [{ kind: 'leave', node: `${name}#1` as NodeId }],
});
const vote = (round: number, rank: number, name: string): Vote => ({ ballot: { round, rank }, decree: decree(name) });

test('round 0 needs no promise, and is refused after one', (t) => {
  const instance = createInstance(2);
  t.true(accept(instance, { ballot: firstBallot, decree: decree('a') }));
  t.true(promise(instance, { round: 1, rank: 1 }));
  t.false(accept(instance, { ballot: firstBallot, decree: decree('b') }));
  t.deepEqual(instance.acceptor.accepted?.decree, decree('a'));
});

test('an oldest that has promised, or has proposed, does not propose in round 0 (again)', (t) => {
  const promised = createInstance(2);
  promise(promised, { round: 1, rank: 1 });
  t.false(mayProposeAtOnce(promised));
  const proposed = createInstance(2);
  t.true(mayProposeAtOnce(proposed));
  accept(proposed, { ballot: firstBallot, decree: decree('a') });
  t.false(mayProposeAtOnce(proposed));
});

test('nothing below a promise is promised or accepted', (t) => {
  const instance = createInstance(2);
  promise(instance, { round: 2, rank: 1 });
  t.false(promise(instance, { round: 1, rank: 3 }));
  t.false(promise(instance, { round: 2, rank: 0 }));
  t.true(promise(instance, { round: 2, rank: 1 }));
  t.true(accept(instance, vote(2, 1, 'a')));
  t.true(accept(instance, vote(3, 0, 'b')));
  t.false(promise(instance, { round: 2, rank: 2 }));
});

test('the value of the highest ballot is carried', (t) => {
  const promises = new Map<NodeId, Vote | null>([
    ['a#1' as NodeId, vote(1, 2, 'low')],
    ['b#1' as NodeId, null],
    ['c#1' as NodeId, vote(2, 1, 'high')],
    ['d#1' as NodeId, vote(2, 0, 'middle')],
  ]);
  t.deepEqual(valueToCarry(promises), decree('high'));
  t.is(valueToCarry(new Map([['a#1' as NodeId, null]])), null);
});

test('a ballot is never used twice', (t) => {
  const instance = createInstance(2);
  const first = nextBallot(instance, 1);
  promise(instance, first);
  t.true(nextBallot(instance, 1).round > first.round);
  instance.proposer = { kind: 'preparing', ballot: first, promises: new Map() };
  t.true(preempt(instance, { round: 7, rank: 0 }));
  t.deepEqual({ ...instance }.proposer, { kind: 'idle' });
  t.is(nextBallot(instance, 1).round, 8);
});
