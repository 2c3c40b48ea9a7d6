/** Tables for the terminal. */

/** Lines of cells under a head, in columns; the first `texts` columns are set left, the others, numbers, right. */
export function formatTable(head: readonly string[], lines: readonly (readonly string[])[], texts: number): string {
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const format = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column < texts ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, ...lines].map(format).join('\n');
}
