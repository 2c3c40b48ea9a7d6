/** Who is timed: raw multicast, and the library by order and by who sends. */

/** A way to get a message to all. */
export interface Contender {
  readonly name: string;
  readonly order: 'raw' | 'fifo' | 'causal' | 'total' | 'uniform';
  /** The process that sends; 0 is the oldest member, which sequences the total order. */
  readonly sender: number;
}

/** All that are timed; the baseline is first. */
export const contenders: readonly Contender[] = [
  { name: 'raw', order: 'raw', sender: 0 },
  { name: 'fifo', order: 'fifo', sender: 0 },
  { name: 'causal', order: 'causal', sender: 0 },
  { name: 'total', order: 'total', sender: 0 },
  { name: 'total-other', order: 'total', sender: 1 },
  { name: 'uniform', order: 'uniform', sender: 0 },
];

/** The names. */
export const contenderNames = contenders.map(({ name }) => name);
