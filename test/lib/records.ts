/** Records, chunks and streams of them, as tests make them up. */
import fc from 'fast-check';
import { Writer } from '../../lib/wire/bytes.js';
import { type Chunk, RecordKind, endsMulticast, moreFlag, uniformFlag, writeRecord } from '../../lib/wire/record.js';

/** One record: its first byte and its payload. */
export interface MadeRecord {
  readonly first: number;
  readonly payload: Uint8Array;
}

/** Multicasts, whole and in fragments, times, and assignments for a view of at least four. */
export const records: fc.Arbitrary<MadeRecord> = fc.oneof(
  fc.record({
    first: fc
      .tuple(
        fc.constantFrom(0, 1, 2, RecordKind.barrier),
        fc.constantFrom(0, uniformFlag),
        fc.constantFrom(0, moreFlag),
      )
      .map(([kind, uniform, more]) => kind | uniform | more),
    // begins as a fragment does
    payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.of(bytes.length & 0x7f, ...bytes)),
  }),
  fc.record({
    first: fc.constantFrom(RecordKind.assignment, RecordKind.dependencies),
    payload: fc
      .array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 127 })), { maxLength: 4 })
      .map((pairs) => Uint8Array.from(pairs.flat())),
  }),
  fc.record({
    first: fc.constant(RecordKind.time),
    payload: fc.nat({ max: 127 }).map((time) => Uint8Array.of(time)),
  }),
);

/** These records as bytes. */
export function bytesOf(list: readonly MadeRecord[]): Uint8Array {
  const w = new Writer(16);
  for (const { first, payload } of list) writeRecord(w, first, payload);
  return w.take();
}

/** Records `from` to `to` (numbered from 1) of a stream as one chunk. */
export function chunkOf(stream: readonly MadeRecord[], from: number, to: number): Chunk {
  const before = stream.slice(0, from - 1).filter(({ first }) => endsMulticast(first)).length;
  return {
    first: from,
    count: to - from + 1,
    firstMessage: before + 1,
    bytes: bytesOf(stream.slice(from - 1, to)),
  };
}

/** The same chunk with its bytes as a list, so that buffers behind them do not matter to a comparison. */
export function plainChunk({ first, count, firstMessage, bytes }: Chunk): object {
  return { first, count, firstMessage, bytes: [...bytes] };
}
