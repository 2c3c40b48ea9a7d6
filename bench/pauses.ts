/** How long a process stood still: its event loop, and its garbage collector within that. */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

/** Times between two looks at the clock by the event loop, which are to be {@link lookMillis} apart. In milliseconds. */
export interface Pauses {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly longest: number;
  /** The longest pause for garbage; 0 if there was none. */
  readonly garbage: number;
}

/** Often enough to tell pauses of 50 ms, so seldom that it costs nothing. A pause is at most the time that is shown. */
export const lookMillis = 5;

/** Begins to watch; the function that it returns ends that. */
export function watchPauses(): () => Pauses {
  const from = performance.now();
  let garbage = 0;
  const note = (entries: readonly { readonly startTime: number; readonly duration: number }[]) => {
    for (const { startTime, duration } of entries) if (startTime >= from) garbage = Math.max(garbage, duration);
  };
  const observer = new PerformanceObserver((list) => note(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const loop = monitorEventLoopDelay({ resolution: lookMillis });
  loop.enable();
  return () => {
    loop.disable();
    note(observer.takeRecords());
    observer.disconnect();
    const at = (share: number) => loop.percentile(share) / 1e6;
    return { p50: at(50), p99: at(99), p999: at(99.9), longest: loop.max / 1e6, garbage };
  };
}
