/** The stability matrix as a heat map: how far each observer is behind each sender. */
import type { MatrixSeen } from '../format.js';

/** One entry. */
export interface Cell {
  /** The last record of the sender that the observer has, without a gap. */
  readonly received: number;
  /** Records that somebody has and the observer lacks. */
  readonly behind: number;
  /** 0: has all; 3: is far behind. */
  readonly level: 0 | 1 | 2 | 3;
  /** The sender's own. */
  readonly isOwn: boolean;
}

/** From so many records behind a cell is warm, and from so many hot. */
const warm = 16;
const hot = 256;

/** By observer, then by sender. */
export function heat({ members, received }: Pick<MatrixSeen, 'members' | 'received'>): Cell[][] {
  const most = members.map((_, sender) => Math.max(...received.map((row) => row[sender] ?? 0)));
  return received.map((row, observer) =>
    row.map((value, sender) => {
      const behind = (most[sender] ?? value) - value;
      const level = behind === 0 ? 0 : behind < warm ? 1 : behind < hot ? 2 : 3;
      return { received: value, behind, level, isOwn: observer === sender };
    }),
  );
}
