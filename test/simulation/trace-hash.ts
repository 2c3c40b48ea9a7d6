/** One hash for a whole trace: two runs that have the same one have gone the same way, byte for byte. */
import { createHash } from 'node:crypto';
import type { Traced } from '../../lib/trace/format.js';

/** The hash of a trace as it would be written to a file. */
export function hashOf(trace: readonly Traced[]): string {
  const hash = createHash('sha256');
  for (const record of trace) hash.update(`${JSON.stringify(record)}\n`);
  return hash.digest('hex');
}
