/**
 * A digest for traces: two lanes in the manner of FNV-1a, four bytes at a time, 64 bits in hex. Not for security; equal
 * pieces give equal digests, and two different payloads of a run collide hardly ever.
 */
export interface Digest {
  a: number;
  b: number;
}

/** The digest of no bytes. */
export function createDigest(): Digest {
  return { a: 0x811c9dc5, b: 0x9747b28c };
}

/** Takes in another piece. Where pieces end is a part of what is digested. */
export function update(digest: Digest, bytes: Uint8Array): void {
  let { a, b } = digest;
  for (let i = 0; i < bytes.length; i += 4) {
    // beyond the end there are zeros; the length tells them from others
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 13;
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 15;
  }
  a = Math.imul(a ^ bytes.length, 0x01000193);
  b = Math.imul(b ^ bytes.length, 0x85ebca6b);
  digest.a = a;
  digest.b = b;
}

/** Sixteen hexadecimal digits. */
export function spellDigest({ a, b }: Digest): string {
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0');
}

/** The digest of one piece of bytes. */
export function digest(bytes: Uint8Array): string {
  const whole = createDigest();
  update(whole, bytes);
  return spellDigest(whole);
}
