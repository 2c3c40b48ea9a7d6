/** What users feel in one process: the longest pause of deliveries, the longest stall of the event loop, memory. */

/** A stretch of time, measured. In milliseconds and bytes. */
export interface Stretch {
  readonly deliveries: number;
  readonly pause: number;
  readonly stall: number;
  readonly memory: number;
}

/** Measures one stretch after the other. */
export interface Meter {
  /** A delivery was applied. */
  delivered(): void;
  /** Ends a stretch and begins the next. */
  next(): Stretch;
}

const tickMillis = 5;
const memoryMillis = 100;

/** A meter whose first stretch begins now. */
export function startMeter(): Meter {
  let [deliveries, pause, stall, memory] = [0, 0, 0, 0];
  let last = performance.now();
  let ticked = last;
  setInterval(() => {
    const now = performance.now();
    stall = Math.max(stall, now - ticked - tickMillis);
    ticked = now;
  }, tickMillis);
  // asking takes a tenth of a millisecond
  setInterval(() => (memory = Math.max(memory, process.memoryUsage.rss())), memoryMillis);
  return {
    delivered() {
      const now = performance.now();
      if (now - last > pause) pause = now - last;
      last = now;
      deliveries += 1;
    },
    next() {
      const now = performance.now();
      const stretch = {
        deliveries,
        pause: Math.max(pause, now - last),
        stall: Math.max(stall, now - ticked - tickMillis),
        memory,
      };
      [deliveries, pause, stall, memory] = [0, 0, 0, process.memoryUsage.rss()];
      last = now;
      ticked = now;
      return stretch;
    },
  };
}
