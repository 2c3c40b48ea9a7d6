/** How far a measurement is: a line for each thing that was done, and on a terminal a bar. */
import { openProgress } from '../actors/tools/progress.js';

/** What a measurement tells while it goes on. */
export interface Track {
  /** A line about what was done, or is about to be. */
  readonly tell: (line: string) => void;
  /** One part of all is done. */
  readonly done: () => void;
}

/** For a measurement within another, of which nothing is to be told. */
export const untold: Track = { tell: () => undefined, done: () => undefined };

/** Follows a measurement of so many parts to its end, or to its error. */
export async function track<T>(parts: number, measure: (track: Track) => Promise<T>): Promise<T> {
  const progress = openProgress(parts);
  let count = 0;
  try {
    return await measure({ tell: (line) => progress.say(line), done: () => progress.to(++count) });
  } finally {
    progress.close();
  }
}
