/** The options of how long and how often, for every command that runs rounds. */
import { number } from './options.js';
import type { readArgs } from './options.js';
import type { Effort } from './plan.js';

/** For the command's own options. */
export const effortSpec = {
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  quick: { type: 'boolean' },
} as const;

/** For the command's help; the number of rounds is its own. */
export const effortHelp = `  --seconds 2            measured time of one trial
  --warm-up 1            seconds before that`;

/** The windows of the baselines that are tried. */
const windows = [8, 16, 32, 64, 128, 256, 512, 1024];

/** What the options say; so many rounds if they say nothing. Throws {@link UsageError}. */
export function readEffort(given: ReturnType<typeof readArgs<typeof effortSpec>>, rounds: number): Effort {
  const { quick = false } = given;
  return {
    rounds: number('rounds', given.rounds ?? String(quick ? 1 : rounds), 1, 100, true),
    warmUpMillis: 1000 * number('warm-up', given['warm-up'] ?? (quick ? '0.5' : '1'), 0, 60, false),
    measuredMillis: 1000 * number('seconds', given.seconds ?? (quick ? '1' : '2'), 0.1, 60, false),
    multicasts: null,
    sweepMillis: quick ? 100 : 250,
    sweepPasses: quick ? 1 : 2,
    windows,
  };
}
