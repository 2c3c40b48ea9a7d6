/** When messages are sent: alike for all contenders. */
import { setTimeout as sleep } from 'node:timers/promises';

/** One message at a time, each so many milliseconds after the one before, at random. */
export interface Apart {
  readonly kind: 'apart';
  readonly leastMillis: number;
  readonly mostMillis: number;
}

/** So many a second: every millisecond those that are due. A sender that falls far behind does not catch up. */
export interface Steady {
  readonly kind: 'steady';
  readonly perSecond: number;
}

/** How messages follow each other. */
export type Pace = Apart | Steady;

/** What a sender may be behind, in milliseconds of its pace: more would be a burst. */
const behindMillisMax = 20;

/** Calls `send` with 0 to `count` - 1 at the given pace; resolves with the milliseconds that it took. */
export async function sendPaced(pace: Pace, count: number, send: (number: number) => void): Promise<number> {
  const from = performance.now();
  if (pace.kind === 'apart') {
    const { leastMillis, mostMillis } = pace;
    for (let number = 0; number < count; number++) {
      await sleep(leastMillis + Math.random() * (mostMillis - leastMillis));
      send(number);
    }
  } else {
    const millisApart = 1000 / pace.perSecond;
    let dueAt = from;
    let number = 0;
    while (number < count) {
      await sleep(1);
      const now = performance.now();
      dueAt = Math.max(dueAt, now - behindMillisMax);
      for (; dueAt <= now && number < count; dueAt += millisApart) send(number++);
    }
  }
  return performance.now() - from;
}
