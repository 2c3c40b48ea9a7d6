/** How something grows with the number of members: the exponent of the power law that fits it best. */

/** A count that was taken with so many members. */
export interface Measured {
  readonly members: number;
  readonly count: number;
}

/**
 * The exponent `e` for which `c * members ** e` comes closest, by least squares of the logarithms: 0 for what stays the
 * same, 1 for what each member adds to, 2 for what each member adds to for every other. NaN if there are fewer than two
 * sizes, or a count that no power law has, zero or less.
 */
export function exponentOf(points: readonly Measured[]): number {
  const x = points.map(({ members }) => Math.log(members));
  const y = points.map(({ count }) => Math.log(count));
  const meanX = meanOf(x);
  const meanY = meanOf(y);
  const spread = sumOf(x.map((value) => (value - meanX) ** 2));
  if (spread === 0 || !y.every(Number.isFinite)) return NaN;
  return sumOf(x.map((value, i) => (value - meanX) * ((y[i] as number) - meanY))) / spread;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function meanOf(values: readonly number[]): number {
  return sumOf(values) / values.length;
}
