/** What a terminal can show. Colours and what moves are for terminals only, and not with NO_COLOR (https://no-color.org). */
import { styleText } from 'node:util';

/** Colours that are used, by what they mean. */
const styles = { good: 'green', warn: 'yellow', bad: 'red', soft: 'gray', strong: 'bold' } as const;

/** What a colour means. */
export type Tone = keyof typeof styles;

/** Colours a text, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** Leaves texts as they are. */
export const plain: Paint = (_tone, text) => text;

/** Whether a stream shows colours. */
export function hasColours(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/** For this stream. */
export function paintFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Paint {
  return hasColours(stream, env) ? (tone, text) => styleText(styles[tone], text, { validateStream: false }) : plain;
}

/**
 * What another machine has named may hold control characters, which a terminal would obey: they are shown as what they are.
 */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Columns, as wide as they need to be; numbers to the right. Colours do not count. */
export function columns(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, [...cell].length)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const pad = ' '.repeat((widths[i] ?? 0) - [...cell].length);
        return right.has(i) ? pad + cell : cell + pad;
      })
      .join('  ')
      .trimEnd(),
  );
}
