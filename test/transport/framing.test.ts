/**
 * Messages come out of a stream as they went in, wherever it is cut, within the limit and without holding on to chunks.
 */
import test from 'ava';
import fc from 'fast-check';
import { streamMessageBytesMax } from '../../lib/limits.js';
import { MessageReader, writeMessages } from '../../transport/framing.js';
import { pattern, same } from './listener.js';

function encode(messages: readonly Uint8Array[]): Buffer {
  const pieces: Uint8Array[] = [];
  writeMessages(messages, (bytes) => pieces.push(bytes));
  return Buffer.concat(pieces);
}

function decode(bytes: Uint8Array, cuts: readonly number[]): { messages: Uint8Array[]; reason: string | null } {
  const messages: Uint8Array[] = [];
  const reader = new MessageReader();
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b).concat(bytes.length)) {
    // a copy: the reader may keep what it is given
    const reason = reader.push(bytes.slice(from, cut), (message) => messages.push(message));
    if (reason !== null) return { messages, reason };
    from = cut;
  }
  return { messages, reason: null };
}

test('messages come out as they went in, wherever the stream is cut', (t) => {
  const size = fc.oneof(fc.nat(20), fc.nat(20_000), fc.constantFrom(0, 8191, 8192, 8193, 65_531, 65_532, 65_533));
  fc.assert(
    fc.property(fc.array(size, { maxLength: 40 }), fc.array(fc.nat(400_000), { maxLength: 30 }), (sizes, places) => {
      const messages = sizes.map((each, i) => pattern(each, i));
      const bytes = encode(messages);
      const cuts = places.map((each) => each % (bytes.length + 1));
      const decoded = decode(bytes, cuts);
      return (
        decoded.reason === null &&
        decoded.messages.length === messages.length &&
        messages.every((message, i) => same(decoded.messages[i], message))
      );
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('a message of the limit passes, one byte more ends the stream, whatever follows', (t) => {
  const largest = pattern(streamMessageBytesMax, 1);
  t.true(same(decode(encode([largest]), [3, 70_000]).messages[0], largest));
  const over = Buffer.alloc(4 + 100);
  over.writeUInt32BE(streamMessageBytesMax + 1);
  for (const cuts of [[], [1], [4]]) t.regex(decode(over, cuts).reason ?? '', /1048577 bytes; the limit is 1048576/);
});

test('a small message does not keep the chunk that it came in', (t) => {
  const [small] = decode(encode([pattern(10, 1), pattern(8000, 2)]), []).messages;
  t.is(small?.buffer.byteLength, 10);
});
