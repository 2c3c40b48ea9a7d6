/** A graceful leave is quick, suspects nobody and succeeds whoever else leaves or dies; all may leave. */
import test from 'ava';
import type { Process } from './world.js';
import { World, letters } from './world.js';

const kinds = ({ outputs }: Process) => outputs.map((output) => output.kind);

function domainOf(count: number): World {
  const w = new World(count);
  for (const name of letters(count)) {
    w.start(name);
    w.until('in', () => w.settled(), 2000);
  }
  return w;
}

test('a graceful leave is quick, suspects nobody and is the last thing heard of', (t) => {
  for (const leaver of ['a', 'b', 'e']) {
    const w = domainOf(5);
    const process = w.get(leaver);
    w.leave(leaver);
    t.true(w.until('four', () => w.settled() && w.processes.size === 4, 2000) < 150, leaver);
    t.is(kinds(process).at(-1), 'left');
    w.run(3000);
    t.is(kinds(process).at(-1), 'left');
    for (const other of w.processes.values()) t.false(kinds(other).includes('suspect'));
  }
});

test('either of two may leave, and the last one as well', (t) => {
  for (const leaver of ['a', 'b']) {
    const w = domainOf(2);
    w.leave(leaver);
    w.until('one', () => w.settled() && w.processes.size === 1, 2000);
    const last = [...w.processes.values()][0] as Process;
    w.leave(last.name);
    w.until('none', () => w.processes.size === 0, 1000);
    t.is(kinds(last).at(-1), 'left');
  }
});

test('all may leave at once', (t) => {
  for (const count of [2, 3, 5]) {
    const w = domainOf(count);
    const all = letters(count).map((name) => w.get(name));
    for (const { name } of all) w.leave(name);
    w.until('none', () => w.processes.size === 0, 3000);
    for (const process of all) t.is(kinds(process).at(-1), 'left');
  }
});

test('a node that is not in yet leaves at once', (t) => {
  const w = new World(1);
  const a = w.start('a');
  w.run(100);
  w.leave('a');
  t.deepEqual(kinds(a), ['left']);
});

test('a leaver that nobody answers leaves in the end', (t) => {
  const w = domainOf(3);
  const c = w.get('c');
  w.partition(['a', 'b'], ['c']);
  w.leave('c');
  w.run(9000);
  t.false(kinds(c).includes('left'));
  w.run(2000);
  t.is(kinds(c).at(-1), 'left');
});

test('leavers do not take away the votes that exclude the dead', (t) => {
  const w = domainOf(5);
  w.crash('d');
  w.crash('e');
  w.run(400);
  w.leave('a');
  w.leave('b');
  w.until('one', () => w.settled(['c']) && w.processes.size === 1, 5000);
  t.pass();
});

test('a leave while the proposer dies is carried on', (t) => {
  const w = domainOf(5);
  const c = w.get('c');
  w.rule = ({ message }) => (message.kind === 'accepted' ? 'drop' : 'pass');
  w.leave('c');
  w.run(50);
  w.crash('a');
  w.rule = () => 'pass';
  w.until('three', () => w.settled(['b', 'd', 'e']), 5000);
  t.is(kinds(c).at(-1), 'left');
});

test('a leaver does not exclude for silence the last who has what the group has', (t) => {
  for (const leaver of ['a', 'b']) {
    const w = domainOf(2);
    const other = leaver === 'a' ? 'b' : 'a';
    for (const name of ['a', 'b']) w.joinGroup(name, 'g');
    w.run(500);
    const { id } = w.get(other).membership;
    w.stall(other, 4000);
    w.leaveAll(leaver, 'g', 2000);
    w.run(3900);
    t.true(w.processes.has(leaver), 'it waits');
    w.until('one', () => w.settled([other]) && w.processes.size === 1, 4000);
    t.is(w.get(other).membership.id, id, 'the same life as before');
  }
});
