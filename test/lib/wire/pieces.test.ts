/** Sections in pieces come out whole, whatever is lost, doubled or late; what does not fit together is malformed. */
import test from 'ava';
import fc from 'fast-check';
import { pieceOverheadBytes, piecesBytesMax, piecesKeptFor, sectionInPiecesBytesMax } from '../../../lib/limits.js';
import { Malformed, Reader, Writer } from '../../../lib/wire/bytes.js';
import { createPieces, cutIntoPieces, forgetPieces, takePiece } from '../../../lib/wire/pieces.js';

test('a section comes out once, when its last piece is there, in whatever order, doubled or sent again', (t) => {
  const plan = fc.record({
    length: fc.integer({ min: 1, max: 20_000 }),
    size: fc.integer({ min: 40, max: 1200 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(plan, fc.infiniteStream(fc.nat()), ({ length, size, seed }, chance) => {
      const body = Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff);
      const all = createPieces();
      const pieces = [...cutIntoPieces(5, body, size)];
      t.true(pieces.every((piece) => piece.length <= size));
      const left = [...pieces];
      while (left.length > 0) {
        const at = (chance.next().value as number) % left.length;
        const piece = left[at] as Uint8Array;
        if (left.length > 1 && (chance.next().value as number) % 3 === 0) {
          t.is(takePiece(all, 7, new Reader(piece), 0), null, 'it comes twice');
        }
        left.splice(at, 1);
        const whole = takePiece(all, 7, new Reader(piece), 0);
        if (left.length > 0) t.is(whole, null);
        else t.deepEqual(whole, { kind: 5, body });
      }
      t.deepEqual([all.partial.size, all.bytes], [0, 0]);
    }),
    { numRuns: 100 },
  );
});

test('pieces of several sources and sections do not mix', (t) => {
  const all = createPieces();
  const [one, other] = [new Uint8Array(3000).fill(1), new Uint8Array(3000).fill(2)];
  const [a, b] = [[...cutIntoPieces(5, one, 1200)], [...cutIntoPieces(5, other, 1200)]];
  for (const pieces of [a, b]) for (const piece of pieces.slice(1)) t.is(takePiece(all, 7, new Reader(piece), 0), null);
  t.is(takePiece(all, 8, new Reader(a[0] as Uint8Array), 0), null);
  t.deepEqual(takePiece(all, 7, new Reader(b[0] as Uint8Array), 0)?.body, other);
  t.deepEqual(takePiece(all, 7, new Reader(a[0] as Uint8Array), 0)?.body, one);
});

test('what nobody completes is forgotten: after a while, or the oldest when there is too much', (t) => {
  const all = createPieces();
  for (let i = 0; i < 40; i++) {
    const pieces = [...cutIntoPieces(5, new Uint8Array(sectionInPiecesBytesMax).fill(i), 1200)];
    for (const piece of pieces.slice(1)) {
      takePiece(all, 7, new Reader(piece), i);
      t.true(all.bytes <= piecesBytesMax);
    }
  }
  const counted = sectionInPiecesBytesMax * (1 + pieceOverheadBytes / 1200);
  t.is(all.partial.size, Math.floor(piecesBytesMax / counted));
  forgetPieces(all, 39 + piecesKeptFor);
  t.is(all.partial.size, 1);
  forgetPieces(all, 40 + piecesKeptFor);
  t.deepEqual([all.partial.size, all.bytes], [0, 0]);
});

test('pieces that cannot be are malformed: beyond the end, of nothing, too large, or not what they name', (t) => {
  const [good] = cutIntoPieces(5, new Uint8Array(100), 1200) as Iterable<Uint8Array>;
  const made = (length: number, at: number, bytes: number): Uint8Array => {
    const w = new Writer();
    w.raw((good as Uint8Array).subarray(0, 8));
    w.u8(5);
    w.varint(length);
    w.varint(at);
    w.raw(new Uint8Array(bytes));
    return w.take();
  };
  for (const [length, at, bytes] of [
    [100, 90, 11],
    [100, 0, 0],
    [sectionInPiecesBytesMax + 1, 0, 10],
    [99, 0, 99],
  ] as const) {
    t.throws(() => takePiece(createPieces(), 7, new Reader(made(length, at, bytes)), 0), { instanceOf: Malformed });
  }
  t.throws(() => takePiece(createPieces(), 7, new Reader(new Uint8Array(5)), 0), { instanceOf: Malformed });
});
