/** What a node has asked of groups and is not answered. Plain data: the verbs are in `asking.ts`. */
import type { Wanted } from './events.js';
import type { MessageNumber, Millis, NodeId } from './ids.js';
import type { GroupMember, LeaveCause } from './membership/state.js';

/** A request of this node that has not ended. */
export interface Asking {
  readonly number: number;
  readonly group: string;
  readonly replies: Wanted;
  readonly until: Millis;
  /** What a contact is to multicast; null if this node's own member has asked, by this multicast. */
  readonly payload: Uint8Array | null;
  readonly message: MessageNumber;
  /** Who has it in hand. */
  contact: GroupMember | null;
  /** A contact that had it in hand is gone: the group may have it. */
  mayBeIn: boolean;
  /** The members of the view in which it was delivered, once that is known. */
  expected: readonly GroupMember[] | null;
  readonly got: Set<NodeId>;
  /** Who has said that it will not reply, and why. */
  readonly silent: Map<NodeId, string>;
}

/**
 * Through whom this node asks a group: one member at a time, so that requests come there in their order. Another only when
 * that one is gone, or refuses and has nothing of this node's in hand.
 */
export interface Contact {
  /** As the member that it is: one that left and came back has nothing in hand. Null: one is to be chosen, when it is time. */
  member: GroupMember | null;
  /** Contacts chosen so far. */
  tries: number;
  againAt: Millis;
  /** The last request that it was given since it was chosen; 0: none. */
  last: number;
}

/** This node's requests. */
export interface Asks {
  readonly open: Map<number, Asking>;
  /** By group. */
  readonly contacts: Map<string, Contact>;
  /** No request was sent whose number is above this. */
  last: number;
  /** When the next one has to be looked at. */
  due: Millis;
  /** Whether members may have gone, so that some wait in vain. */
  review: boolean;
  /** Whether some wait for a contact, and may get one. */
  resend: boolean;
  /** Whether some wait for older ones to end. */
  blocked: boolean;
  /** How members have left, the latest last. */
  readonly causes: Map<NodeId, LeaveCause>;
}

/** Nothing asked. */
export function createAsks(): Asks {
  return {
    open: new Map(),
    contacts: new Map(),
    last: 0,
    due: Infinity,
    review: false,
    resend: false,
    blocked: false,
    causes: new Map(),
  };
}
