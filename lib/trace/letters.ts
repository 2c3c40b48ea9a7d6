/** The two ends of letters, brought together: the n-th that is told from one process to another is the n-th it told it. */
import type { History, Letter } from './history.js';

/** All letters from one process to another, in the orders of their two traces. */
export interface Correspondence {
  readonly from: string;
  readonly to: string;
  readonly tells: Letter[];
  readonly tolds: Letter[];
}

/** The letters of a history. */
export interface Letters {
  readonly correspondences: Iterable<Correspondence>;
  /** What was told, by its being handed out; letters of which no trace tells are not there. */
  readonly tellOf: ReadonlyMap<Letter, Letter>;
}

/** Brings the ends of all letters together. */
export function pairLetters(history: History): Letters {
  const byPeers = new Map<string, Correspondence>();
  for (const process of history.processes.values()) {
    for (const letter of process.letters) {
      const { from, to } = peersOf(letter);
      const key = `${from}\n${to}`;
      let between = byPeers.get(key);
      if (between === undefined) {
        between = { from, to, tells: [], tolds: [] };
        byPeers.set(key, between);
      }
      (letter.record.e === 'tell' ? between.tells : between.tolds).push(letter);
    }
  }
  const tellOf = new Map<Letter, Letter>();
  for (const { tells, tolds } of byPeers.values()) {
    for (const told of tolds) {
      const tell = tells[told.record.n - 1];
      if (tell?.record.n === told.record.n) tellOf.set(told, tell);
    }
  }
  return { correspondences: byPeers.values(), tellOf };
}

function peersOf({ record }: Letter): { readonly from: string; readonly to: string } {
  return record.e === 'tell' ? { from: record.p, to: record.to } : { from: record.from, to: record.p };
}
