/** Seeds: which run a test is, and many of them. */
import { Misused, seedVariable } from './errors.js';

/** What is run where nothing says otherwise: the same each time. */
const seedDefault = 1;

/** The seed in the environment; undefined: there is none. Throws {@link Misused}. */
function seedInEnvironment(): number | undefined {
  const text = process.env[seedVariable];
  if (text === undefined || text === '') return undefined;
  return checked(Number(text), seedVariable);
}

function checked(seed: number, what: string): number {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new Misused(`${what} must be a whole number from 0 on, not ${String(seed)}`);
  }
  return seed;
}

/** The seed of a run. Throws {@link Misused}. */
export function seedOf(seed: number | undefined): number {
  return seed === undefined ? (seedInEnvironment() ?? seedDefault) : checked(seed, 'seed');
}

/**
 * Runs a test once for each of so many seeds, from 1 on, or for the one in `NACT_GROUPS_SEED` alone. What a run throws gets
 * the seed added to its message, and ends it.
 *
 * @example
 * await forEachSeed(100, async (seed) => {
 *   const domain = await testDomain({ seed, network: { loss: 0.05 }, spawn });
 *   await domain.expectConverged();
 * });
 */
export async function forEachSeed(seeds: number, run: (seed: number) => unknown): Promise<void> {
  const one = seedInEnvironment();
  const all = one === undefined ? Array.from({ length: checked(seeds, 'seeds') }, (_, i) => i + 1) : [one];
  for (const seed of all) {
    try {
      await run(seed);
    } catch (error) {
      const note = `Seed ${seed} of ${all.length}: ${seedVariable}=${seed} in the environment runs it alone.`;
      if (error instanceof Error && !error.message.includes(note)) error.message += `\n\n${note}`;
      throw error;
    }
  }
}
