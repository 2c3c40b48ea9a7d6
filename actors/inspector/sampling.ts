/**
 * Which multicasts are shown one by one: all while they are few, else one of so many by number, the same at all nodes that are
 * looked at together, so that what becomes of one that is shown is shown everywhere.
 */

/** Multicasts a second that a picture can show. */
const shownMax = 60;
/** Fewer than this, and more are shown. */
const shownMin = 15;
/** Of these at most so many in one go: rates double within a second, pictures do not. */
const burstMax = 120;

/** What is being shown. */
export interface Sampling {
  /** One of so many, a power of two. */
  every: number;
  /** Multicasts sent that were shown since the last review, and the time of that, in milliseconds. */
  shown: number;
  reviewedAt: number;
}

/** Everything is shown at first. */
export function createSampling(now: number): Sampling {
  return { every: 1, shown: 0, reviewedAt: now };
}

/** Whether the multicast of this number is one to show. */
export function isSampled(sampling: Sampling, message: number): boolean {
  return message % sampling.every === 0;
}

/** Counts a multicast that is to be shown for the first time; false if there were too many lately. */
export function maybeShow(sampling: Sampling): boolean {
  if (sampling.shown >= burstMax) {
    sampling.every *= 2;
    sampling.shown = 0;
    return false;
  }
  sampling.shown += 1;
  return true;
}

/** Once a second: shows more or less from now on. */
export function reviewSampling(sampling: Sampling, now: number): void {
  const seconds = (now - sampling.reviewedAt) / 1000;
  if (seconds < 1) return;
  const rate = sampling.shown / seconds;
  if (rate > shownMax) sampling.every *= 2;
  else if (rate < shownMin && sampling.every > 1) sampling.every /= 2;
  sampling.shown = 0;
  sampling.reviewedAt = now;
}
