/**
 * Prints the hash of each seed's trace, one a line: `hashes.js FIRST COUNT`. The same seed gives the same trace, byte for
 * byte, whenever it is played and whichever Node.js plays it.
 */
import { libraryChecker, libraryCore } from './library.js';
import { run } from './run.js';
import { hashOf } from './trace-hash.js';

const [first = 1, count = 1] = process.argv.slice(2).map(Number);
for (let seed = first; seed < first + count; seed += 1) {
  console.log(`${seed} ${hashOf(run(seed, libraryCore, libraryChecker).world.trace)}`);
}
