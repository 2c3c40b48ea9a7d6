/**
 * Sections that are too large for one small datagram travel in pieces: a path may eat large datagrams, and streams as well.
 *
 * A piece names its section by a digest of the whole, not by a number: a section that is sent again, by whatever way, adds to
 * the pieces that came before. So a lossy path lets any section through in the end.
 *
 * Piece: digest (8 bytes), section kind (1 byte), length of the whole, offset, bytes.
 */
import type { Incarnation, Millis } from '../ids.js';
import { must } from '../assert.js';
import { pieceOverheadBytes, piecesBytesMax, piecesKeptFor, sectionInPiecesBytesMax } from '../limits.js';
import { createDigest, update } from '../trace/digest.js';
import { type Reader, Malformed, Writer, owned } from './bytes.js';

/** Bytes of a piece before those of its section, at most. */
export const pieceHeaderBytesMax = 8 + 1 + 4 + 4;

/** Where the kind of its section is in a piece. */
export const pieceKindAt = 8;

/** Cuts a section's body into the bodies of pieces, each of at most `bytesMax` bytes. */
export function* cutIntoPieces(kind: number, body: Uint8Array, bytesMax: number): Generator<Uint8Array> {
  const { a, b } = digestOf(body);
  const share = bytesMax - pieceHeaderBytesMax;
  for (let at = 0; at < body.length; at += share) {
    const w = new Writer(bytesMax);
    for (const word of [a, b]) for (let shift = 0; shift < 32; shift += 8) w.u8((word >>> shift) & 0xff);
    w.u8(kind);
    w.varint(body.length);
    w.varint(at);
    w.raw(body.subarray(at, at + share));
    yield w.take();
  }
}

function digestOf(body: Uint8Array): { a: number; b: number } {
  const whole = createDigest();
  update(whole, body);
  return whole;
}

/** A section of which pieces came in. */
interface Partial {
  readonly kind: number;
  readonly length: number;
  /** Those that are there, by offset. */
  readonly pieces: Map<number, Uint8Array>;
  /** Bytes that are not there, and what the pieces count for. */
  missing: number;
  bytes: number;
  lastAt: Millis;
}

/** Sections that came in part, by source and digest, the oldest first. */
export interface Pieces {
  readonly partial: Map<string, Partial>;
  bytes: number;
}

/** No pieces. */
export function createPieces(): Pieces {
  return { partial: new Map(), bytes: 0 };
}

/** Takes in a piece; the whole section if that was the last of it. */
export function takePiece(
  all: Pieces,
  source: Incarnation,
  r: Reader,
  now: Millis,
): { readonly kind: number; readonly body: Uint8Array } | null {
  let key = String(source);
  for (let i = 0; i < 8; i++) key += ` ${r.u8()}`;
  const kind = r.u8();
  const length = r.varint();
  const at = r.varint();
  const bytes = r.raw(r.left);
  if (length > sectionInPiecesBytesMax || at + bytes.length > length || bytes.length === 0) {
    throw new Malformed(`a piece of ${bytes.length} bytes at ${at} of ${length}`);
  }
  const one = partialOf(all, key, kind, length, now);
  if (one.kind !== kind || one.length !== length) throw new Malformed('pieces of two sections under one name');
  one.lastAt = now;
  if (one.pieces.has(at)) return null;
  add(all, one, at, bytes);
  if (one.missing > 0) {
    makeRoom(all);
    return null;
  }
  forget(all, key);
  const body = put(one);
  const { a, b } = digestOf(body);
  const name = [a, b].flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff)).join(' ');
  if (key !== `${source} ${name}`) throw new Malformed('pieces that do not make what they name');
  return { kind, body };
}

function partialOf(all: Pieces, key: string, kind: number, length: number, now: Millis): Partial {
  let one = all.partial.get(key);
  if (one === undefined) {
    one = { kind, length, pieces: new Map(), missing: length, bytes: 0, lastAt: now };
    all.partial.set(key, one);
  }
  return one;
}

/** Memory is taken for what has come, not for what is announced. */
function add(all: Pieces, one: Partial, at: number, bytes: Uint8Array): void {
  const counted = bytes.length + pieceOverheadBytes;
  one.pieces.set(at, owned(bytes));
  one.missing -= bytes.length;
  one.bytes += counted;
  all.bytes += counted;
}

/** The section that its pieces make; of pieces that overlap it is another one than they name. */
function put({ length, pieces }: Partial): Uint8Array {
  const body = new Uint8Array(length);
  for (const [at, bytes] of pieces) body.set(bytes, at);
  return body;
}

function makeRoom(all: Pieces): void {
  for (const oldest of all.partial.keys()) {
    if (all.bytes <= piecesBytesMax) return;
    forget(all, oldest);
  }
}

function forget(all: Pieces, key: string): void {
  all.bytes -= must(all.partial.get(key), 'a section that came in part').bytes;
  all.partial.delete(key);
}

/** Forgets sections of which nothing more came for a while: what is still wanted is sent again. */
export function forgetPieces(all: Pieces, now: Millis): void {
  for (const [key, { lastAt }] of all.partial) if (now - lastAt > piecesKeptFor) forget(all, key);
}
