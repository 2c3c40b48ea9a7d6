/**
 * The outcomes a user must handle, each a class of its own with what is needed to act on it. A message says what to do.
 */
import type { Reply, Unanswered } from './types.js';

/** The group's outbound queue is at its limit: await a receipt's `accepted` to keep pace. Nothing was sent. */
export class GroupFull extends Error {
  override readonly name = 'GroupFull';
  constructor(
    readonly group: string,
    /** Multicasts that wait to be let in; of requests from outside, and of asks, those of this node that have not ended. */
    readonly queued: number,
    /** Bytes of these. */
    readonly queuedBytes: number,
    what: 'multicasts' | 'requests' = 'multicasts',
  ) {
    super(
      `group '${group}' takes no more for now: ${queued} ${what} (${queuedBytes} bytes) wait ` +
        (what === 'multicasts' ? 'to be let in; ' : 'for an answer; ') +
        `await the 'accepted' promise of a receipt${what === 'multicasts' ? '' : ', or an ask,'} to keep pace`,
    );
  }
}

/**
 * The member is cut off from most of its domain: what it sent could not be delivered before that changes, if ever. Nothing
 * was sent. Wait for another `status` than `wedged`; or have the group's multicasts wait (`whileWedged: 'queue'`).
 */
export class GroupWedged extends Error {
  override readonly name = 'GroupWedged';
  constructor(
    readonly group: string,
    /** What is waited for: who is missing. */
    readonly why: string,
  ) {
    super(
      `group '${group}' takes nothing while this member is wedged: ${why}; wait for its status to change, ` +
        "or say whileWedged: 'queue' to have multicasts wait",
    );
  }
}

/** A message that encodes to more bytes than the limit. Nothing was sent. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
  constructor(
    readonly bytes: number,
    readonly limit: number,
  ) {
    super(
      `the message takes ${bytes} bytes, the limit is ${limit}; send it in parts, or raise limits.messageBytesMax on all nodes`,
    );
  }
}

/** A value that would not arrive as it was sent. `path` leads to the culprit, such as `msg.items[3].when`. */
export class NotEncodable extends Error {
  override readonly name = 'NotEncodable';
  constructor(
    readonly path: string,
    readonly why: string,
  ) {
    super(`${path} cannot be sent: ${why}`);
  }
}

/** Bytes that are no value: a member of the group speaks another codec, or they were made to do harm. */
export class NotDecodable extends Error {
  override readonly name = 'NotDecodable';
}

/**
 * Thrown in the iterable that a `restore` reads: the rest of this state does not come. If another donor sends the state
 * anew, `restore` is called anew, after this call has ended.
 */
export class TransferInterrupted extends Error {
  override readonly name = 'TransferInterrupted';
  constructor(
    readonly group: string,
    readonly why: string,
  ) {
    super(`the state of '${group}' does not come to its end: ${why}`);
  }
}

/** A multicast that will not become stable. */
export class MulticastFailed extends Error {
  override readonly name = 'MulticastFailed';
  constructor(
    /** The multicast's id. */
    readonly id: string,
    /** Whether some members may have delivered it nevertheless; false: nobody has and nobody will. */
    readonly mayHaveBeenDelivered: boolean,
    readonly why: string,
  ) {
    super(
      `multicast ${id} failed: ${why}; ` +
        (mayHaveBeenDelivered
          ? 'members may have delivered it: read the state before sending it again'
          : 'nobody has delivered it'),
    );
  }
}

/** The ref's actor is no member of its group (any more): it left, was stopped, or never was one on this node. */
export class NotAMember extends Error {
  override readonly name = 'NotAMember';
  constructor(
    readonly group: string,
    readonly why: string,
  ) {
    super(`no member of '${group}' here: ${why}`);
  }
}

/** An actor's function waits for what cannot happen before it returns. Send without awaiting, or await outside. */
export class WouldDeadlock extends Error {
  override readonly name = 'WouldDeadlock';
  constructor(
    readonly group: string,
    readonly what: string,
  ) {
    super(
      `the function of '${group}' awaits ${what} of its own group, which cannot come before it returns; ` +
        `do not await it there`,
    );
  }
}

/** What an ask that has not come to a good end leaves: the replies that came, and who is missing. */
function standing(replies: readonly unknown[], missing: readonly Unanswered[], mayHaveTakenEffect: boolean): string {
  const without = missing.map(({ member, why }) => `${member.name} (${why})`).join(', ');
  return (
    `${replies.length} replied${without === '' ? '' : `, not ${without}`}; ` +
    (mayHaveTakenEffect
      ? 'the message may have taken effect: read the state before asking again'
      : 'the message has taken no effect')
  );
}

/** An ask whose time was up before enough members had replied. */
export class AskTimedOut extends Error {
  override readonly name = 'AskTimedOut';
  constructor(
    readonly group: string,
    /** In milliseconds. */
    readonly timeout: number,
    /** What came in time. */
    readonly replies: readonly Reply[],
    /** Who has not replied. Empty if it is not known who delivered the message. */
    readonly missing: readonly Unanswered[],
    /** False: no member has delivered the message, nor will. */
    readonly mayHaveTakenEffect: boolean,
  ) {
    super(`'${group}' has not replied within ${timeout} ms: ${standing(replies, missing, mayHaveTakenEffect)}`);
  }
}

/** An ask that nobody can reply to any more, or that this node cannot wait for any more. */
export class AskFailed extends Error {
  override readonly name = 'AskFailed';
  constructor(
    readonly group: string,
    readonly why: string,
    /** What came before. */
    readonly replies: readonly Reply[],
    readonly missing: readonly Unanswered[],
    /** False: no member has delivered the message, nor will. */
    readonly mayHaveTakenEffect: boolean,
  ) {
    super(`asking '${group}' failed: ${why}: ${standing(replies, missing, mayHaveTakenEffect)}`);
  }
}

/** The member that a request came to did not let it in: its `accept` said no. It has taken no effect. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  constructor(
    readonly group: string,
    /** What `accept` said. */
    readonly why: string,
  ) {
    super(`'${group}' does not let this request in: ${why}`);
  }
}

/** A multicast that asked for a weaker order than its replicated actor's: replicas would diverge. */
export class OrderTooWeak extends Error {
  override readonly name = 'OrderTooWeak';
  constructor(
    readonly group: string,
    readonly asked: string,
    readonly least: string,
  ) {
    super(`'${group}' is replicated in ${least} order; a multicast may ask for more, not for ${asked}`);
  }
}

/** The domain does not take this node: its name is taken by a living one, or its protocol differs. */
export class DomainRefused extends Error {
  override readonly name = 'DomainRefused';
  constructor(
    readonly domain: string,
    readonly why: string,
  ) {
    super(`not let into domain '${domain}': ${why}`);
  }
}

/** The group exists with other settings (kind, order or codec) than the ones it was joined with. */
export class GroupRefused extends Error {
  override readonly name = 'GroupRefused';
  constructor(
    readonly group: string,
    readonly why: string,
  ) {
    super(`cannot join group '${group}': ${why}`);
  }
}

/** A node has at most one member of a group; another actor of this name is a member already. */
export class DuplicateMember extends Error {
  override readonly name = 'DuplicateMember';
  constructor(
    readonly group: string,
    readonly path: string,
  ) {
    super(`'${path}' is a member of group '${group}' on this node already; a node has one member of a group`);
  }
}

/** The system was not started with `groups()`, or has left its domain. */
export class NotInDomain extends Error {
  override readonly name = 'NotInDomain';
}

/**
 * An actor of another node to which a `query` cannot get, or from which no answer can come any more: its node has left the
 * domain or was excluded, or it has stopped. Ask for a new ref.
 */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  constructor(
    /** The actor, as `node://path`. */
    readonly target: string,
    readonly why: string,
    /** Whether the actor may have got the message nevertheless; false: it has not and will not. */
    readonly maybeDone: boolean,
  ) {
    super(
      `no answer from ${target}: ${why}; ${maybeDone ? 'it may have got the message' : 'it did not get the message'}`,
    );
  }
}

/** What was asked for works with actors of this node only: nothing is spawned below an actor of another. */
export class NotLocal extends Error {
  override readonly name = 'NotLocal';
  constructor(
    /** The actor, as `node://path`. */
    readonly target: string,
  ) {
    super(`${target} is on another node: have an actor there do it, and send that a message`);
  }
}

/** The domain is not forced on: why, and what to say instead. */
export class CannotForce extends Error {
  override readonly name = 'CannotForce';
  constructor(readonly why: string) {
    super(`the domain is not forced on: ${why}`);
  }
}

/** Two living systems of one name in a process would take each other's messages. */
export class SystemNameTaken extends Error {
  override readonly name = 'SystemNameTaken';
  constructor(readonly system: string) {
    super(
      `a system named '${system}' lives in this process already: give each its own name, start({ name }, groups(...))`,
    );
  }
}

/** An option that cannot be what was meant. */
export class InvalidOption extends Error {
  override readonly name = 'InvalidOption';
}
