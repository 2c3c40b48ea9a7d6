/** Each kind of packet damaged in each of its bytes, at the moment for which it is meant: no node stops, or grows beyond its limits. */
import test from 'ava';
import { cutOff, flip } from '../lib/packets.js';
import { kinds } from '../lib/every-kind.js';
import { instead, moments, takeInAt } from './moments.js';

test('there is a moment for each kind of packet', (t) => {
  t.deepEqual(
    moments()
      .map(({ kind }) => kind)
      .sort(),
    [...kinds].sort(),
  );
});

test('cut off after each byte, and with each bit flipped, no packet stops a node or makes it grow', (t) => {
  let tries = 0;
  for (const moment of moments()) {
    const flipped = Array.from({ length: 8 * moment.packet.length }, (_, bit) => flip(moment.packet, bit));
    for (const damaged of [...cutOff(moment.packet), ...flipped]) {
      try {
        takeInAt(moment, instead(damaged));
      } catch (error) {
        t.fail(`${moment.kind}: ${Buffer.from(damaged).toString('hex')}: ${String(error)}`);
      }
      tries++;
    }
  }
  t.true(tries > 8000, `${tries}`);
});
