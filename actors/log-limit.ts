/**
 * Log lines about what others send: an honest node may be wrong once, one that is not a million times a second, and neither is to
 * fill a disk. The first of a kind within a second is logged at once, then one line tells how many there were.
 */
import type { Logger } from 'winston';
import { createReporter } from '../transport/reporter.js';

/** Takes lines, see above. */
export interface LimitedLog {
  /** `kind`: those that are counted together; named by the code, or by a group of this node's own. */
  note(level: 'error' | 'warn', kind: string, message: string): void;
  /** Logs nothing more. */
  close(): void;
}

/** A limited log that ends in a logger. */
export function limitedLog(log: Logger): LimitedLog {
  const at = (level: 'error' | 'warn') =>
    createReporter(({ message }) => {
      log.log(level, message);
    });
  const reporters = { error: at('error'), warn: at('warn') };
  return {
    note: (level, kind, message) => reporters[level].report(kind, message),
    close() {
      reporters.error.close();
      reporters.warn.close();
    },
  };
}
