/**
 * Waiting that is fair to what is waited for. A process that was stopped, or busy, finds its timers overdue before it
 * has read what has arrived meanwhile; a plain timer would then judge by an inbox that nobody has looked at.
 */

/** The wait goes on by as much a turn of the event loop at most: a wait of 2 s lasts 40 turns, however long each takes. */
const partMillis = 50;

/** A wait that can be called off. */
export interface Patience {
  clear(): void;
}

/** Runs something after this time, of which a stretch without a turn of the event loop counts for 50 ms at most. */
export function afterAwake(millis: number, run: () => void): Patience {
  let left = Math.ceil(millis / partMillis);
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return;
    clearInterval(timer);
    run();
  }, partMillis);
  return { clear: () => clearInterval(timer) };
}
