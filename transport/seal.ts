/**
 * A seal on a datagram: its CRC-32, in four bytes behind it. UDP's own sum of 16 bits misses much of what a faulty cable,
 * switch or network card does to a packet, and the core believes what it is given: a damaged datagram has to be a lost one.
 *
 * A damaged datagram passes by chance once in 2^32 times. A seal keeps accidents out, not attackers: they can make one.
 */
import { crc32 } from 'node:zlib';

/** Bytes that a seal adds to a datagram. */
export const sealBytes = 4;

/** The seal of these bytes, to be sent behind them. */
export function sealOf(bytes: Uint8Array): Uint8Array {
  const seal = new Uint8Array(sealBytes);
  new DataView(seal.buffer).setUint32(0, crc32(bytes));
  return seal;
}

/** The bytes in front of the seal, as a part of the same memory; null if it is not theirs. */
export function unseal(sealed: Uint8Array): Uint8Array | null {
  const length = sealed.length - sealBytes;
  if (length < 0) return null;
  const bytes = sealed.subarray(0, length);
  const seal = new DataView(sealed.buffer, sealed.byteOffset + length).getUint32(0);
  return crc32(bytes) === seal ? bytes : null;
}
