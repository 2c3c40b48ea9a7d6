/** The core writes and reads text exactly as the platform does, which the core itself may not ask. */
import test from 'ava';
import fc from 'fast-check';
import { Malformed } from '../../../lib/wire/bytes.js';
import { decodeUtf8, encodeUtf8 } from '../../../lib/wire/utf8.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

test('text is encoded as the platform does it, lone surrogates included, and decoded again', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), utf16()), (text) => {
      t.deepEqual(encodeUtf8(text), new TextEncoder().encode(text));
      t.is(
        decodeUtf8(encodeUtf8(text)),
        new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text)),
      );
    }),
    { numRuns: 1000 },
  );
});

/** Strings of any UTF-16 units, paired or not. */
function utf16(): fc.Arbitrary<string> {
  const unit = fc.oneof(fc.integer({ min: 0xd7f0, max: 0xe010 }), fc.nat({ max: 0xffff }));
  return fc.array(unit, { maxLength: 12 }).map((units) => String.fromCharCode(...units));
}

test('bytes are text exactly when the platform says so: no long forms, no surrogates, nothing above U+10FFFF', (t) => {
  const byte = fc.oneof(
    fc.constantFrom(
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
    ),
    fc.nat({ max: 255 }),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 8 }), (list) => {
      const bytes = Uint8Array.from(list);
      let expected: string | null = null;
      try {
        expected = strict.decode(bytes);
      } catch {
        // not text
      }
      if (expected === null) t.throws(() => decodeUtf8(bytes), { instanceOf: Malformed });
      else t.is(decodeUtf8(bytes), expected);
    }),
    { numRuns: 5000 },
  );
});
