/**
 * The files of the page: its own, the pure parts of the library that it runs (the checker of traces among them), and uPlot. All are
 * served from the installed package; nothing comes from elsewhere.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file as it is served. */
export interface ServedFile {
  readonly type: string;
  readonly body: Buffer;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The compiled package: `dist`. */
const compiled = fileURLToPath(new URL('../..', import.meta.url));
/** What is not compiled lies beside its sources. */
const sources = path.join(compiled, '..', 'actors', 'inspector', 'page');

const cache = new Map<string, ServedFile | null>();

/** The file at a path of the address, or null if none is served there. */
export function pageFile(address: string): ServedFile | null {
  let file = cache.get(address);
  if (file !== undefined) return file;
  const where = whereIs(address);
  file = where === null ? null : read(where);
  // what anybody asks for must not fill the memory
  if (file !== null) cache.set(address, file);
  return file;
}

function whereIs(address: string): string | null {
  if (address === '/') return path.join(sources, 'index.html');
  if (address === '/page.css' || address === '/icon.svg') return path.join(sources, address);
  if (address === '/uplot.js') return uPlotFile('uPlot.iife.min.js');
  if (address === '/uplot.css') return uPlotFile('uPlot.min.css');
  // modules: nothing but names, so that no path leads out of these folders
  if (/^\/(actors\/inspector\/page|lib)(\/[a-z][a-z-]*)+\.js$/.test(address)) return path.join(compiled, address);
  return null;
}

function uPlotFile(name: string): string {
  const main = createRequire(import.meta.url).resolve('uplot');
  return path.join(path.dirname(main), name);
}

function read(where: string): ServedFile | null {
  try {
    return { type: types[path.extname(where)] ?? 'text/plain', body: readFileSync(where) };
  } catch {
    return null;
  }
}
