/** Something to be found: each byte that fits leads to the question for the next. */

/** Whether these bytes are five letters of which each is one of sixteen. */
export function isWord(bytes: Uint8Array): boolean {
  if ((bytes[0] as number) >> 4 !== 5) return false;
  if ((bytes[1] as number) >> 4 !== 5) return false;
  if ((bytes[2] as number) >> 4 !== 5) return false;
  if ((bytes[3] as number) >> 4 !== 5) return false;
  return (bytes[4] as number) >> 4 === 5;
}
