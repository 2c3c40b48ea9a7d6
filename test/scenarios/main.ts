/**
 * `node dist/test/scenarios/main.js [FOLDER]`: plays all scenarios and prints the names of those that fail, or in which a
 * property is violated. The mutants are tried on the scenarios with it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { libraryChecker, libraryCore } from '../simulation/library.js';
import { play } from './player.js';
import { readScript } from './script.js';

const folder = process.argv[2] ?? 'test/scenarios';

for (const file of readdirSync(folder).sort()) {
  const name = /^(.*)\.scenario$/.exec(file)?.[1];
  if (name === undefined) continue;
  const { failures, trace } = play(readScript(readFileSync(`${folder}/${file}`, 'utf8')), libraryCore);
  const { violations } = libraryChecker(trace, { quiesced: false, alive: [], limits: {} });
  if (failures.length > 0 || violations.length > 0) console.log(name);
}
