/** What is said of deaths that the operating system confirms. */
import test from 'ava';
import { noteDeath, type MembershipOutput } from '../../lib/membership/membership.js';
import { World } from './world.js';

test('a death that is confirmed too late to count is logged once, however often it is confirmed', (t) => {
  const w = new World(7, { quorum: 'verified-deaths' });
  w.restarts = false;
  w.startAll(['a', 'b', 'c']);
  w.until('in', () => w.settled(), 5000);
  w.run(2000);
  const { membership } = w.get('a');
  const dead = w.get('c').membership.id;
  const out: MembershipOutput[] = [];
  for (let i = 0; i < 20; i += 1) noteDeath(membership, dead, w.now + 1100 + 25 * i, out);
  const lines = out.filter((each) => each.kind === 'log' && each.message.includes('does not count'));
  t.is(lines.length, 1);
  t.deepEqual([...membership.confirmed], []);
});
