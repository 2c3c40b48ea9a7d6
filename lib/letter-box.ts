/** The letters between this node and another that are on their way out or in. Plain data: the verbs are in `letters.ts`. */
import type { GroupId, Seqno, ViewId } from './ids.js';
import type { Context, Letter } from './group/messages.js';
import type { Group } from './group/state.js';
import { Queue } from './queue.js';

/** How much of one group's streams a node has sent or delivered, by rank of the view; absent entries are 0. */
export interface Past {
  readonly view: ViewId;
  readonly seqnos: readonly Seqno[];
}

/** A letter on its way out: it leaves when these groups have sent up to these own multicasts. */
interface Held {
  readonly letter: Letter;
  readonly payload: Uint8Array;
  readonly after: readonly { readonly group: Group; readonly message: number }[];
}

/** A letter that came in and is not handed out. */
interface Early {
  readonly context: Context;
  /** Null: it was too large and is not handed out, but what it told counts. */
  readonly letter: Letter | null;
  readonly payload: Uint8Array;
}

/** The letters between this node and another. */
export interface Letters {
  readonly held: Queue<Held>;
  heldBytes: number;
  readonly early: Queue<Early>;
  earlyBytes: number;
  /** The first pieces of a letter that is too large for one message. */
  pieces: Uint8Array[];
  piecesBytes: number;
  /** What the letters so far have told. */
  readonly told: Map<GroupId, Past>;
  /** Letters taken in to be sent, and handed out, for the trace. */
  sent: number;
  read: number;
}

/** No letters. */
export function createLetters(): Letters {
  return {
    held: new Queue(),
    heldBytes: 0,
    early: new Queue(),
    earlyBytes: 0,
    pieces: [],
    piecesBytes: 0,
    told: new Map(),
    sent: 0,
    read: 0,
  };
}
