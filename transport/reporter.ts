/**
 * Reports failures that may come by the thousand a second (a full send buffer, an outsider that knocks) without
 * drowning the log: the first of a kind at once, then at most one line a second with the count of what was held back.
 * Nothing is lost silently: every failure is in some line's count.
 */
import { logKindsMax, logWindowMillis } from '../lib/limits.js';

/** Takes failures, see {@link createReporter}. */
export interface Reporter {
  /** Reports a failure of a kind; `message` is used if it is the one that gets through. Never calls back from inside. */
  report(kind: string, message: string): void;
  /** Reports nothing more. */
  close(): void;
}

interface Window {
  held: number;
  last: string;
  timer: NodeJS.Timeout;
}

/** A reporter that hands what gets through to `error`, always from the event loop. */
export function createReporter(error: (error: Error) => void): Reporter {
  const windows = new Map<string, Window>();
  let closed = false;

  const tell = (message: string): void => {
    if (!closed) error(new Error(message));
  };

  const windowEnds = (kind: string): void => {
    const window = windows.get(kind);
    if (window === undefined) return;
    if (window.held === 0) {
      windows.delete(kind);
      return;
    }
    tell(window.held === 1 ? window.last : `${window.last} (${window.held} times in the last second)`);
    window.held = 0;
    window.timer = setTimeout(windowEnds, logWindowMillis, kind).unref();
  };

  return {
    report(kind, message) {
      if (closed) return;
      if (windows.size >= logKindsMax && !windows.has(kind)) kind = 'other';
      const window = windows.get(kind);
      if (window !== undefined) {
        window.held += 1;
        window.last = message;
        return;
      }
      windows.set(kind, { held: 0, last: message, timer: setTimeout(windowEnds, logWindowMillis, kind).unref() });
      setImmediate(tell, message);
    },
    close() {
      closed = true;
      for (const window of windows.values()) clearTimeout(window.timer);
      windows.clear();
    },
  };
}
