/**
 * For how long the machine let processes wait: what members are late by through no fault of theirs. Told by the kernel for each
 * process (Linux: how long it was ready to run and no processor was free), and by a timer of this process that is overdue.
 */
import { readFileSync } from 'node:fs';
import { monotonic } from '../trials/stage.js';

/** How often it is looked, in milliseconds. */
const step = 20;

/** What is known of the processes that are watched. */
export interface Stalls {
  /** Watches one more process, as long as it lives. */
  watch(pid: number): void;
  /** The longest that one of these, or this process, was kept waiting, in all, between two times, in milliseconds. */
  longest(pids: readonly number[], from: number, to: number): number;
  readonly end: () => void;
}

interface Sample {
  readonly at: number;
  /** In all its life. */
  readonly waited: number;
}

/** Begins to watch. */
export function watchStalls(): Stalls {
  const series = new Map<number, Sample[]>();
  const living = new Set<number>();
  const own: Sample[] = [];
  let overdue = 0;
  let due = monotonic() + step;
  const look = () => {
    const now = monotonic();
    overdue += Math.max(0, now - due);
    due = now + step;
    own.push({ at: now, waited: overdue });
    for (const pid of living) {
      const waited = waitedBy(pid);
      if (waited === null) living.delete(pid);
      else series.get(pid)?.push({ at: now, waited });
    }
  };
  const timer = setInterval(look, step);
  return {
    watch(pid) {
      series.set(pid, []);
      living.add(pid);
    },
    longest(pids, from, to) {
      // to the looks around these times, where there are such
      const within = (samples: readonly Sample[]) => {
        const first = samples.findLast(({ at }) => at <= from) ?? samples[0];
        const last = samples.find(({ at }) => at >= to) ?? samples.at(-1);
        return first && last ? last.waited - first.waited : 0;
      };
      return Math.max(0, ...[own, ...pids.map((pid) => series.get(pid) ?? [])].map(within));
    },
    end: () => clearInterval(timer),
  };
}

/** In milliseconds; null where it is not told, or no longer. */
function waitedBy(pid: number): number | null {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return null;
  }
}
