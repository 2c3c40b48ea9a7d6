/** Who is not authorized comes neither into the domain nor into a group, is told so, and disturbs nobody. */
import test from 'ava';
import type { Claim } from '../../lib/membership/authorizing.js';
import { reasonOf } from '../../lib/membership/authorizing.js';
import { World, letters } from './world.js';

test('a node that is not let in is refused with the reason, also after the proposer has gone', (t) => {
  const w = new World(1, { metadata: 'm' });
  const claims: Claim[] = [];
  w.authorize = (claim) => {
    claims.push(claim);
    return claim.name === 'd' ? 'no d here' : null;
  };
  for (const name of letters(3)) w.start(name);
  w.until('in', () => w.settled(), 3000);
  for (const gone of [null, 'a']) {
    if (gone !== null) w.crash(gone);
    const d = w.start('d');
    w.until('refused', () => !d.alive, 5000);
    t.like(d.outputs.at(-1), { kind: 'refused', why: 'no d here' });
    t.false([...w.processes.values()].some(({ membership }) => membership.offers.size > 0));
  }
  w.until('settled', () => w.settled(), 5000);
  t.deepEqual((w.get('b').membership.state?.nodes ?? []).map(({ name, metadata }) => [name, metadata]).sort(), [
    ['b', 'm'],
    ['c', 'm'],
  ]);
  const asked = claims.find(({ name }) => name === 'd');
  t.like(asked, { kind: 'join', address: 'at-d', metadata: 'm' });
  t.true(asked?.id.startsWith('d#'));
});

test('a member of the domain that is not let into a group is told, and gets what else it asks for', (t) => {
  const w = new World(2);
  w.authorize = (claim) => (claim.kind === 'group' && claim.group === 'red' ? `not ${claim.name}` : null);
  for (const name of letters(3)) {
    w.start(name);
    w.until('in', () => w.settled(), 2000);
  }
  w.joinGroup('b', 'red');
  w.joinGroup('b', 'blue');
  const groups = () => [...(w.get('c').membership.state?.groups.keys() ?? [])];
  w.until('in blue', () => groups().length > 0, 2000);
  w.until('told', () => w.get('b').outputs.some(({ kind }) => kind === 'group-refused'), 2000);
  w.run(1000);
  t.deepEqual(groups(), ['blue']);
  const told = w.get('b').outputs.filter((output) => output.kind === 'group-refused');
  t.deepEqual(told, [{ kind: 'group-refused', group: 'red', why: 'not b' }]);
});

test('a reason has the length that messages take', (t) => {
  t.is(reasonOf('short'), 'short');
  t.true(Buffer.byteLength(reasonOf('é'.repeat(1000))) <= 512);
  t.true(Buffer.byteLength(reasonOf('😀'.repeat(1000))) <= 512);
});
