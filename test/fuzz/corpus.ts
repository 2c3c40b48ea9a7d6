/** Inputs that are kept: for each target a file of lines, an input in base64 each. Sorted, so that differences are few. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../../../test/fuzz/corpus/', import.meta.url);

function fileOf(name: string): string {
  return fileURLToPath(new URL(`${name}.txt`, folder));
}

/** The inputs kept for a target. */
export function readCorpus(name: string): Uint8Array[] {
  const file = fileOf(name);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => new Uint8Array(Buffer.from(line, 'base64')));
}

/** Keeps these inputs. */
export function writeCorpus(name: string, inputs: readonly Uint8Array[]): void {
  const lines = inputs.map((input) => Buffer.from(input).toString('base64'));
  writeFileSync(fileOf(name), `${lines.sort().join('\n')}\n`);
}
