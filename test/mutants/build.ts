/** How a mutant is made: the compiled code is copied, and the text of one file changed. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './list.js';

const dist = fileURLToPath(new URL('../..', import.meta.url));

/** A copy of the core and of what drives it, with the change made, in a folder of its own, which is the caller's to remove. */
export function prepare(mutant: Mutant | undefined): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-mutant-'));
  const isCode = (source: string): boolean => !/\.(d\.ts|map|tsbuildinfo)$/.test(source);
  const tests = ['lib', 'membership', 'simulation', 'scenarios', 'explorer'];
  for (const part of ['lib', 'transport', 'actors', ...tests.map((name) => `test/${name}`)]) {
    cpSync(path.join(dist, part), path.join(folder, part), { recursive: true, filter: isCode });
  }
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}\n');
  symlinkSync(path.join(dist, '../node_modules'), path.join(folder, 'node_modules'));
  try {
    if (mutant !== undefined) change(path.join(folder, 'lib', mutant.file), mutant);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return folder;
}

function change(file: string, mutant: Mutant): void {
  const source = readFileSync(file, 'utf8');
  const places = source.split(mutant.find).length - 1;
  if (places !== 1) throw new Error(`${mutant.name}: the text is ${places} times in ${mutant.file}, not once`);
  if (!mutant.replace.includes('hit()')) throw new Error(`${mutant.name}: the new text does not call hit()`);
  const counter = 'const hit = () => { globalThis.mutantHits = (globalThis.mutantHits ?? 0) + 1; return true; };\n';
  // a function as replacement: no `$` in it means anything
  writeFileSync(file, counter + source.replace(mutant.find, () => mutant.replace));
}
