/**
 * Packets are read back as they were written, within their stated bounds; any other bytes are a packet or malformed.
 */
import test from 'ava';
import fc from 'fast-check';
import { Malformed, Reader, Writer } from '../../../lib/wire/bytes.js';
import {
  type PacketHeader,
  beginSection,
  endSection,
  headerBytesMax,
  readHeader,
  readSection,
  tagOf,
  writeHeader,
} from '../../../lib/wire/packet.js';
import { cutOff, flip } from '../packets.js';

const headers: fc.Arbitrary<PacketHeader> = fc.record(
  {
    version: fc.integer({ min: 1, max: 255 }),
    domain: fc.nat({ max: 0xffffffff }),
    source: fc.maxSafeNat(),
    destination: fc.maxSafeNat(),
    founding: fc.nat({ max: 0xffffffff }),
    number: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);
const sections = fc.array(fc.tuple(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 400 })), { maxLength: 6 });

function write(header: PacketHeader, parts: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const w = new Writer(8);
  writeHeader(w, header);
  for (const [kind, body] of parts) {
    const start = beginSection(w, kind);
    w.raw(body);
    endSection(w, start);
  }
  return w.take();
}

/** Header and sections of a packet. */
function read(bytes: Uint8Array): { header: PacketHeader; parts: [number, Uint8Array][] } {
  const r = new Reader(bytes);
  const header = readHeader(r);
  const parts: [number, Uint8Array][] = [];
  while (r.left > 0) {
    const { kind, end } = readSection(r);
    parts.push([kind, r.raw(end - r.at)]);
  }
  return { header, parts };
}

test('a packet is read back as it was written', (t) => {
  fc.assert(
    fc.property(headers, sections, (header, parts) => {
      const { header: readAgain, parts: partsAgain } = read(write(header, parts));
      t.deepEqual(readAgain, header);
      t.deepEqual(
        partsAgain.map(([kind, body]) => [kind, [...body]]),
        parts.map(([kind, body]) => [kind, [...body]]),
      );
    }),
  );
});

test('no header is longer than its stated bound', (t) => {
  const max = Number.MAX_SAFE_INTEGER;
  const all = { version: 255, domain: 0xffffffff, source: max, destination: max, founding: 0xffffffff, number: max };
  t.true(write(all, []).length <= headerBytesMax);
});

test('a section may have as many bytes as its length can say', (t) => {
  const body = new Uint8Array(0xffffff);
  const header = { version: 1, domain: 1, source: 1, destination: 0, founding: 1, number: 1 };
  t.is(read(write(header, [[2, body]])).parts[0]?.[1].length, body.length);
});

test('a packet cut off anywhere, flipped anywhere or made up is a packet or Malformed', (t) => {
  fc.assert(
    fc.property(headers, sections, fc.uint8Array({ maxLength: 60 }), (header, parts, noise) => {
      const bytes = write(header, parts);
      const tries: Uint8Array[] = [noise, Uint8Array.of(0x4e, 0x47, 1, ...noise)];
      tries.push(...cutOff(bytes));
      for (let bit = 0; bit < 8 * bytes.length; bit++) tries.push(flip(bytes, bit));
      for (const each of tries) {
        try {
          read(each);
        } catch (error) {
          t.true(error instanceof Malformed, String(error));
        }
      }
      t.pass();
    }),
    { numRuns: 50 },
  );
});

test('a packet of no version or with another beginning is malformed', (t) => {
  const bytes = write({ version: 255, domain: 1, source: 1, destination: 0, founding: 1, number: 1 }, []);
  for (const at of [0, 1, 2]) {
    const other = bytes.slice();
    other[at] = (other[at] as number) + 1;
    t.throws(() => read(other), { instanceOf: Malformed });
  }
});

test('tags have 32 bits, are never 0, and tell names apart', (t) => {
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const tag = tagOf(`domain-${i}`);
    t.true(Number.isInteger(tag) && tag > 0 && tag <= 0xffffffff);
    seen.add(tag);
  }
  t.is(seen.size, 1000);
});
