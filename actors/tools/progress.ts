/** How far something is, on standard error: a bar on a terminal, which is gone when it is done; lines where there is none. */
import { SingleBar } from 'cli-progress';

/** What shows it. */
export interface Progress {
  /** So much is done. `note` stands beside the bar. */
  readonly to: (done: number, note?: string) => void;
  /** A line of its own, on a terminal or not; here or elsewhere. */
  readonly say: (line: string, out?: ProgressStream) => void;
  /** Nothing more comes. */
  readonly close: () => void;
}

/** Where it is shown. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write'> & { readonly isTTY?: boolean };

/** Begins to show how far something of so many parts is. */
export function openProgress(total: number, stream: ProgressStream = process.stderr): Progress {
  if (stream.isTTY !== true) {
    return {
      to: () => undefined,
      say: (line, out = stream) => void out.write(`${line}\n`),
      close: () => undefined,
    };
  }
  const bar = new SingleBar({
    format: '{bar} {value}/{total} {eta_formatted} {note}',
    stream: stream as NodeJS.WriteStream,
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 50,
  });
  bar.start(total, 0, { note: '' });
  return {
    to: (done, note = '') => bar.update(done, { note }),
    say: (line, out = stream) => {
      stream.write('\r\u001b[K');
      out.write(`${line}\n`);
      bar.render();
    },
    close: () => bar.stop(),
  };
}

const megabytes = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/**
 * Shows how much of a state has come or gone: how large it is nobody knows before its end. On a terminal only, in a line that
 * is written over.
 */
export function showTransfer(
  {
    from,
    to,
    bytes,
    done,
  }: { readonly from: string; readonly to: string; readonly bytes: number; readonly done: boolean },
  self: string,
  stream: ProgressStream = process.stderr,
): void {
  if (stream.isTTY !== true) return;
  const what = to === self ? `state from ${from}` : `state for ${to}`;
  const end = done ? ': complete\n' : '';
  stream.write(`\r\u001b[K${what}: ${megabytes.format(bytes / 1e6)} MB${end}`);
}
