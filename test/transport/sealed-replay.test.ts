/** Who replays what was recorded under a key keeps nobody out, and makes nobody send or remember much; by a clock that is set. */
import test from 'ava';
import { challengesPerSecondMax, unprovenMax } from '../../lib/limits.js';
import { greetingMillis, SealedDatagrams } from '../../transport/sealed-datagrams.js';
import { ringOf } from './keyed.js';

const keyring = ringOf('a');
const text = Buffer.alloc(60);

/** Ends of a network on which all that is sent arrives when it is carried. */
function world() {
  const clock = { now: 1000 };
  const ends = new Map<number, SealedDatagrams>();
  const under: { from: number; to: number | null; frame: Buffer }[] = [];
  return {
    clock,
    under,
    /** One at this port; its clock is behind by what `behind` says. */
    open(this: void, port: number, behind = () => 0): SealedDatagrams {
      const end = new SealedDatagrams({
        keyring,
        domain: 'd',
        own: { host: '10.0.0.1', port, family: 4 },
        now: () => clock.now - behind(),
        send: (pieces, to) => under.push({ from: port, to: to?.port ?? null, frame: Buffer.concat(pieces) }),
      });
      ends.set(port, end);
      return end;
    },
    carry(this: void): void {
      for (let next = under.shift(); next; next = under.shift()) {
        const { from, to, frame } = next;
        for (const [port, end] of ends) if (port !== from && (to ?? port) === port) end.open(frame);
      }
    },
  };
}

/** The greetings of so many who are dead. */
function greetingsOfTheDead(count: number): Buffer[] {
  const recorded: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    new SealedDatagrams({
      keyring,
      domain: 'd',
      own: { host: '10.9.9.9', port: 5, family: 4 },
      send: (pieces) => recorded.push(Buffer.concat(pieces)),
    }).greet();
  }
  return recorded;
}

function say(end: SealedDatagrams): Buffer {
  return Buffer.concat(end.sealMulticast(text));
}

test('while frames of many who are dead are replayed, a joiner is heard, and whose clock stood still is again', (t) => {
  const { clock, open, carry } = world();
  let stoodStill = 0;
  const member = open(1, () => stoodStill);
  const hearer = open(2);
  member.greet();
  hearer.greet();
  carry();
  clock.now += 30_000;
  hearer.open(say(member));
  const recorded = greetingsOfTheDead(unprovenMax + 50);
  let next = 0;
  let joiner: SealedDatagrams | undefined;
  const heard = { member: 0, joiner: 0 };
  for (let millis = 0; millis < 5000; millis++) {
    clock.now += 1;
    // at once as much as a second has tokens for, and more while they come
    const count = clock.now % 1000 === 0 ? challengesPerSecondMax : 2;
    for (let i = 0; i < count; i++) hearer.open(recorded[next++ % recorded.length] as Buffer);
    if (millis === 1500) stoodStill = 20_000;
    if (millis === 2500) {
      joiner = open(3);
      joiner.greet();
    }
    carry();
    if (millis % 50 !== 0) continue;
    if (hearer.open(say(member)).kind === 'datagram' && stoodStill > 0) heard.member += 1;
    if (joiner !== undefined && hearer.open(say(joiner)).kind === 'datagram') heard.joiner += 1;
  }
  // of 70 and 50
  t.true(heard.member >= 60, `the member ${heard.member} times`);
  t.true(heard.joiner >= 25, `the joiner ${heard.joiner} times`);
});

test('what was withheld of who lives does not keep out what it sends now', (t) => {
  const { clock, under, open, carry } = world();
  const [member, hearer] = [open(1), open(2)];
  member.greet();
  hearer.greet();
  carry();
  const [withheld, more] = [say(member), say(member)];
  clock.now += 11_000;
  t.is(hearer.open(say(member)).kind, 'datagram');
  const underWay = say(member);
  t.deepEqual(hearer.open(withheld), { kind: 'refused', why: 'not proven yet' });
  t.is(under.length, 1, 'the member is asked');
  t.is(hearer.open(say(member)).kind, 'datagram');
  carry();
  t.is(hearer.open(underWay).kind, 'datagram', 'its answer shuts nothing out');
  t.is(hearer.open(more).kind, 'refused');
});

test('so many challenges are sent within a second, and so many of those who were asked are remembered', (t) => {
  const { clock, under, open } = world();
  const hearer = open(1);
  const recorded = greetingsOfTheDead(challengesPerSecondMax + 100);
  for (const frame of recorded) hearer.open(frame);
  t.is(under.length, challengesPerSecondMax);
  const known = recorded.filter((frame) => hearer.open(frame).kind === 'refused');
  t.is(known.length, unprovenMax);
  clock.now += 100;
  for (const frame of greetingsOfTheDead(200)) hearer.open(frame);
  t.is(under.length, challengesPerSecondMax + Math.floor(challengesPerSecondMax / 10), 'a tenth has come in a tenth');
});

test('an answer to the greeting of everybody proves somebody for as long as it may be under way, no longer', (t) => {
  for (const [millis, count] of [
    [greetingMillis - 1, 1],
    [greetingMillis, 0],
  ] as const) {
    const { clock, under, open } = world();
    const [joiner, member] = [open(1), open(2)];
    joiner.greet();
    member.open(under.shift()?.frame as Buffer);
    clock.now += millis;
    joiner.open(under.shift()?.frame as Buffer);
    t.is(joiner.provenCount, count);
  }
});
