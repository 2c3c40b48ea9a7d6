/**
 * The protocol trace on disk: JSON lines, one file per incarnation. What a batch of effects traces is written with one
 * synchronous write before any of the effects is carried out, so that a killed process has told the truth.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Traced, TraceRecord } from '../lib/trace/format.js';
import type { Runtime } from './runtime.js';

/** Where records go. */
export interface TraceWriter {
  /** The file that is written, if it is one. */
  readonly file: string | undefined;
  /** Records what happened; nothing may be done about it before {@link flush}. */
  record(record: TraceRecord): void;
  /** Writes what was recorded. Throws if the disk does. */
  flush(): void;
  close(): void;
}

/** Starts the trace of one life. A file that exists is never written to: the next free number goes into the name. */
export function openTrace(
  target: string | ((record: Traced) => void),
  p: string,
  { nanos }: Pick<Runtime, 'nanos'>,
): TraceWriter {
  const traced = (record: TraceRecord): Traced => ({ t: nanos(), p, ...record });
  return typeof target === 'string' ? fileTrace(target, traced) : functionTrace(target, traced);
}

/** Puts the time, in monotonic nanoseconds comparable within one host, and the process first. */
type Stamp = (record: TraceRecord) => Traced;

function fileTrace(target: string, traced: Stamp): TraceWriter {
  const { file, descriptor } = openNew(target);
  let lines = '';
  return {
    file,
    record(record) {
      lines += `${JSON.stringify(traced(record))}\n`;
    },
    flush() {
      if (lines === '') return;
      const bytes = Buffer.from(lines);
      lines = '';
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    },
    close() {
      this.flush();
      closeSync(descriptor);
    },
  };
}

/** `name.jsonl`, else `name.2.jsonl`, `name.3.jsonl`, ... */
function openNew(target: string): { file: string; descriptor: number } {
  const { dir, name, ext } = path.parse(target);
  for (let number = 1; ; number++) {
    const file = number === 1 ? target : path.join(dir, `${name}.${number}${ext}`);
    try {
      return { file, descriptor: openSync(file, 'wx') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function functionTrace(target: (record: Traced) => void, traced: Stamp): TraceWriter {
  return {
    file: undefined,
    record: (record) => target(traced(record)),
    flush: () => undefined,
    close: () => undefined,
  };
}
