/** A seal lets through what it was made for, and nothing that was damaged. */
import fc from 'fast-check';
import test from 'ava';
import { sealBytes, sealOf, unseal } from '../../transport/seal.js';

function sealed(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + sealBytes);
  all.set(bytes);
  all.set(sealOf(bytes), bytes.length);
  return all;
}

const anything = fc.uint8Array({ minLength: 1, maxLength: 1500 });

test('what was sealed comes out as it was', (t) => {
  fc.assert(fc.property(anything, (bytes) => t.deepEqual(unseal(sealed(bytes)), bytes) ?? true));
});

test('a burst of up to 32 damaged bits is always seen', (t) => {
  fc.assert(
    fc.property(anything, fc.nat(), fc.integer({ min: 1, max: 0xffff_ffff }), (bytes, where, flips) => {
      const damaged = sealed(bytes);
      const view = new DataView(damaged.buffer);
      const at = where % (damaged.length - 3);
      view.setUint32(at, view.getUint32(at) ^ flips);
      return unseal(damaged) === null;
    }),
  );
  t.pass();
});

test('a datagram that lacks its end, or is shorter than a seal, is damaged', (t) => {
  const whole = sealed(Uint8Array.from({ length: 100 }, (_, i) => i * i));
  for (let length = 0; length < whole.length; length += 1) t.is(unseal(whole.subarray(0, length)), null);
});

test('the seal is the CRC-32 that everybody uses', (t) => {
  t.deepEqual(sealOf(new TextEncoder().encode('123456789')), Uint8Array.of(0xcb, 0xf4, 0x39, 0x26));
});
