/**
 * Which code ran, as V8 knows it for its own profiler: block by block. No code is changed for that, so modules are fuzzed as they are
 * shipped, and there is nothing to install.
 *
 * V8 tells of a block only where it ran more or less often than what is around it. So each function's text is painted, from the
 * outermost block to the innermost, and what counts is which characters ran.
 */
import { Session, type Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** By function, whether each character of its text ran. */
export type Covered = Map<string, Uint8Array>;

/** Sees what runs. */
export interface Coverage {
  /** What ran since this was last asked. */
  take(): Covered;
  close(): void;
}

const root = new URL('../../', import.meta.url).href;
const library = ['lib/', 'actors/', 'transport/'];

/**
 * Starts to look, in this process: at all modules in these folders of what was built, whoever loads them. Once in a process: what V8 has
 * stopped to look at it does not look at again.
 */
export function openCoverage(folders: readonly string[] = library): Coverage {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const names = new Map<string, string | null>();
  const nameOf = (url: string): string | null => {
    let name = names.get(url);
    if (name === undefined) {
      name = folders.some((folder) => url.startsWith(root + folder)) ? fileURLToPath(url) : null;
      names.set(url, name);
    }
    return name;
  };
  return {
    take() {
      const covered: Covered = new Map();
      // answers at once, since it is of this thread
      session.post('Profiler.takePreciseCoverage', (error, taken) => {
        if (error) throw error;
        for (const { url, functions } of taken.result) {
          const name = nameOf(url);
          if (name !== null) for (const { ranges } of functions) paint(covered, name, ranges);
        }
      });
      return covered;
    },
    close() {
      session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}

function paint(covered: Covered, name: string, [whole, ...blocks]: readonly Profiler.CoverageRange[]): void {
  if (!whole || whole.count === 0) return;
  const from = whole.startOffset;
  const text = new Uint8Array(whole.endOffset - from).fill(1);
  for (const { startOffset, endOffset, count } of blocks) {
    text.fill(count > 0 ? 1 : 0, startOffset - from, endOffset - from);
  }
  covered.set(`${name} ${from}`, text);
}

/** Whether something ran that had not. */
export function isNews(seen: Covered, covered: Covered): boolean {
  for (const [name, text] of covered) {
    const known = seen.get(name);
    if (!known || text.some((ran, i) => ran === 1 && known[i] === 0)) return true;
  }
  return false;
}

/** What ran has run. */
export function note(seen: Covered, covered: Covered): void {
  for (const [name, text] of covered) {
    const known = seen.get(name);
    if (!known) seen.set(name, text);
    else for (let i = 0; i < text.length; i++) if (text[i] === 1) known[i] = 1;
  }
}

/** So many characters of code have run. */
export function sizeOf(seen: Covered): number {
  let size = 0;
  for (const text of seen.values()) for (const ran of text) size += ran;
  return size;
}
