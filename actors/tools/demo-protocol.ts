/**
 * What the demo's parent and its processes say to each other, as JSON over node's channel.
 */

/** A half-open range of event ids. */
export type Range = readonly [from: number, to: number];

/** To a process. */
export type Order =
  | { readonly kind: 'send'; readonly range: Range }
  /** Which of these ids are not on the board, after everything this process has been told of? */
  | { readonly kind: 'missing'; readonly question: number; readonly ids: readonly number[] }
  /** Once all events of the stream are applied. */
  | { readonly kind: 'report' }
  | { readonly kind: 'leave' };

/** One line of the departure board. */
export interface Row {
  readonly airport: string;
  readonly flights: number;
  /** Minutes, all flights together. */
  readonly delay: number;
  /** Over the ids in the order in which they were applied. */
  readonly chain: number;
}

/** From a process. */
export type Notice =
  | { readonly kind: 'ready'; readonly name: string }
  | {
      readonly kind: 'view';
      readonly id: string;
      readonly members: readonly string[];
      readonly cause: string;
      readonly applied: number;
    }
  /** Ids whose stable receipt came, and ids that failed. */
  | { readonly kind: 'receipts'; readonly stable: readonly number[]; readonly failed: readonly number[] }
  | { readonly kind: 'progress'; readonly applied: number }
  /** The state of a late joiner is in. */
  | { readonly kind: 'transferred'; readonly bytes: number; readonly ms: number; readonly applied: number }
  | { readonly kind: 'missing'; readonly question: number; readonly ids: readonly number[] }
  | {
      readonly kind: 'report';
      /** Of the board with the order in which everything was applied. */
      readonly digest: string;
      readonly applied: number;
      readonly rows: readonly Row[];
      /** Ids applied not exactly once, with how often; the first few. */
      readonly wrong: readonly (readonly [number, number])[];
    }
  | { readonly kind: 'error'; readonly message: string };
