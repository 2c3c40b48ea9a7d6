/** What comes in fragments is put together as it was, whatever the fragments claim. */
import test from 'ava';
import fc from 'fast-check';
import { addFragment, beginAssembly, endAssembly } from '../../../lib/group/assembly.js';
import { Writer, cleared } from '../../../lib/wire/bytes.js';
import { locate, writeFragment } from '../../../lib/wire/record.js';

const claimed = (left: number, bytes: Uint8Array): Uint8Array => {
  const w = new Writer();
  w.varint(left);
  w.raw(bytes);
  return w.take();
};

test('fragments as they are written come together in the room that the first has found', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 500 }), fc.integer({ min: 1, max: 100 }), (payload, share) => {
      const scratch = new Writer();
      let rooms = 0;
      const allocate = (bytes: number): Uint8Array => (rooms++, new Uint8Array(bytes));
      let at = 0;
      let assembly: ReturnType<typeof beginAssembly> | null = null;
      for (; at + share < payload.length; at += share) {
        const w = new Writer();
        writeFragment(w, 0, payload, at, at + share, scratch);
        const place = { start: 0, end: 0 };
        locate(w.bytes, 0, place);
        t.is(place.end, w.length);
        const fragment = w.bytes.subarray(place.start, place.end);
        if (assembly) addFragment(assembly, fragment, allocate);
        else assembly = beginAssembly(fragment, 1000, allocate);
      }
      if (assembly) t.deepEqual(endAssembly(assembly, payload.subarray(at), allocate), payload);
      t.true(rooms <= 1);
    }),
  );
});

test('claims that are not true cost nothing but copies', (t) => {
  const part = fc.record({ left: fc.maxSafeNat(), bytes: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 10 }),
      fc.uint8Array(),
      fc.nat({ max: 64 }),
      (parts, last, roomMax) => {
        let assembly: ReturnType<typeof beginAssembly> | null = null;
        for (const { left, bytes } of parts) {
          if (assembly) addFragment(assembly, claimed(left, bytes), cleared);
          else assembly = beginAssembly(claimed(left, bytes), roomMax, cleared);
          t.true(assembly.bytes.length <= Math.max(roomMax, 2 * assembly.length));
        }
        const whole = [...parts.flatMap(({ bytes }) => [...bytes]), ...last];
        if (assembly) t.deepEqual([...endAssembly(assembly, last, cleared)], whole);
      },
    ),
  );
});
