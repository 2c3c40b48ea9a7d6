/**
 * A digest for traces: two lanes of FNV-1a, 64 bits in hex. Not for security; equal bytes give equal digests, and two
 * different payloads of a run collide hardly ever.
 */
export interface Digest {
  a: number;
  b: number;
}

/** The digest of no bytes. */
export function createDigest(): Digest {
  return { a: 0x811c9dc5, b: 0x9747b28c };
}

/** Takes in more bytes; where chunks end does not matter. */
export function update(digest: Digest, bytes: Uint8Array): void {
  let { a, b } = digest;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
    b ^= b >>> 15;
  }
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
