/**
 * The types users hold: views and members, contexts, props, events, options.
 */
import type { ActorPath, Logger as ActorLogger, Ref } from 'nact';
import type { Observable } from 'rxjs';
import type { Logger } from 'winston';
import type { GroupStatus } from '../lib/events.js';
import type { GroupOrder, LeaveCause, Order } from '../lib/membership/state.js';
import type { Traced } from '../lib/trace/format.js';
import type { TransportFactory } from '../transport/transport.js';

declare const stateOf: unique symbol;
declare const answerOf: unique symbol;

/**
 * A ref to this node's member of a group. nact's `dispatch` multicasts to the group with its defaults, `query` works
 * through it, `stop` leaves. Inside a message it stands for the group, wherever it arrives.
 *
 * What `groupRef` returns is one, too: of the group as seen from outside, for `dispatch`, `multicast` and `ask`.
 */
export interface GroupRef<Msg, State = unknown, Answer = unknown> extends Ref<Msg> {
  /** Phantom: carries the state's type to `read`. */
  readonly [stateOf]?: State;
  /** Phantom: carries the replies' type to `ask`. A method, so that a ref of unknown replies fits where they are known. */
  [answerOf]?(answer: Answer): void;
}

/** One member of a view. */
export interface Member {
  /** The node's name. */
  readonly name: string;
  /** `name#incarnation`: this life of that node, never used again. */
  readonly id: string;
  /** Point to point, first in first out, to the member's `onDirect`. */
  readonly ref: Ref<unknown>;
}

/** A member that is no longer there, and why. */
export interface Departure extends Member {
  readonly cause: LeaveCause;
}

/** An agreed membership of a group: the same at every member. Immutable. */
export interface View {
  /** Grows from view to view and may skip. */
  readonly id: string;
  readonly group: string;
  /** Oldest first. */
  readonly members: readonly Member[];
  /** This node's index in `members`. */
  readonly rank: number;
  /** The oldest member. */
  readonly coordinator: Member;
  readonly joined: readonly Member[];
  readonly left: readonly Departure[];
  /** In words: `founded`, `joined: b`, `failed: c`, `left: a; joined: d`, `barrier` if a barrier was sent and no more. */
  readonly cause: string;
  /** Whether multicasts are delivered in it. */
  readonly primary: boolean;
  /** The view before it at this member; null for its first. */
  readonly previous: string | null;
}

/** Who asked. */
export interface Client {
  /** The node's name. */
  readonly name: string;
  /** `name#incarnation`: this life of that node. */
  readonly id: string;
}

/** What a group actor's function gets besides state and message: nact's context and the group's. Fresh for each call. */
export interface Context<Msg = never, Answer = unknown> {
  readonly parent: Ref<unknown>;
  readonly path: ActorPath;
  readonly self: Ref<Msg>;
  readonly name: string;
  readonly children: Map<string, Ref<unknown>>;
  /** Who is to be answered, if this node's own `query` or `dispatch` said so; else nobody. */
  readonly sender: Ref<unknown>;
  /** nact's logger if the system has one, else the library's. */
  readonly log: ActorLogger;
  /** The view of delivery. */
  readonly view: View;
  /** The sending member; in `onView` the coordinator. Of a request from outside the group: the member that passed it on. */
  readonly from: Member;
  /** The node that asked, member or not, the same at every replica; null if nobody did. */
  readonly client: Client | null;
  /** In the group's total order, from 1; 0 for messages of other orders, and in `onView` the last one before it. */
  readonly position: number;
  /**
   * When the message was sent, in milliseconds since the epoch, by its sender's clock but never before an earlier message.
   * Under total order it is the same at every replica; a clock that is ahead takes the group along. For messages of other
   * orders it never goes back at this member, and may differ from member to member. In `onView` the group's time by then.
   */
  readonly time: number;
  /**
   * A number in [0, 1). The sequence is the same at every member for the same message, and for the same view in `onView`,
   * and another for each; in `onDirect` it is this member's own. Not for secrets: who knows the message can know it.
   */
  random(): number;
  /** This member's index in the view. */
  readonly rank: number;
  /** This member. */
  readonly me: Member;
  /**
   * True at one replica: the sender's; for what is delivered only at the view change that the sender has not survived, the
   * next view's rank 0. For effects that should happen once.
   *
   * While the sender stays, that is exactly once. If it crashes, the effect can be lost (others have delivered the
   * message before the view change, the sender died before it acted) or done twice (the sender had acted, the others
   * deliver the message only at the view change). Without `uniform` it can also be the effect of a message that died with
   * its sender. What must be neither lost nor doubled needs a key by which a repetition is recognized.
   */
  readonly mine: boolean;
  /**
   * Answers an `ask`: this member's reply, now or later; the first counts. At the replica that has the sender of a nact
   * `query` it answers that. If nobody asked, it does nothing, so a function may reply to whatever it gets.
   *
   * Throws what the codec throws for a value that cannot be sent, {@link MessageTooLarge}: then the asker is told.
   */
  reply(value: Answer): void;
}

/** What a supervisor gets: nact's own actions, and the messages that wait. */
export interface SupervisionContext<Msg = never> {
  readonly parent: Ref<unknown>;
  readonly path: ActorPath;
  readonly self: Ref<Msg>;
  readonly name: string;
  readonly mailbox: readonly Msg[];
  readonly stop: symbol;
  readonly stopAll: symbol;
  readonly stopChild: symbol;
  readonly stopAllChildren: symbol;
  readonly escalate: symbol;
  readonly resume: symbol;
  readonly reset: symbol;
  readonly resetAll: symbol;
  readonly resetChild: symbol;
  readonly resetAllChildren: symbol;
}

/** Turns messages into bytes and back; for those who do not want the default. Members must agree on the name. */
export interface Codec {
  /** Agreed on by all members. */
  readonly name: string;
  /** The bytes are the library's from then on. Throws if the message cannot be sent. */
  encode(message: unknown): Uint8Array;
  /** Must copy what it keeps. Throws if the bytes are no message. */
  decode(bytes: Uint8Array): unknown;
}

/** How far a transfer of state has come. */
export interface TransferProgress {
  /** The member that sends it, as `name#incarnation`; another than before if the first has gone: then it starts over. */
  readonly from: string;
  /** The member that gets it. */
  readonly to: string;
  /** Encoded bytes: at the joiner those that have come, at the donor those that have gone out. */
  readonly bytes: number;
  /** At the joiner the last have come, though not all may be restored; at the donor the last have gone out. */
  readonly done: boolean;
}

/** A request of a node, at the member that is to let it in. */
export interface Request<Msg = unknown> {
  readonly message: Msg;
  /** The node that sent it. */
  readonly from: Client;
}

/** What plain and replicated members have in common. */
export interface CommonProps<State, Msg> {
  readonly initialState?: State;
  /** Called instead of `initialState` being used, with nact's context. */
  readonly initialStateFunc?: (ctx: Context<Msg>) => State;
  /** The default order of the group's multicasts, agreed by all its members; default `total`. */
  readonly order?: GroupOrder;
  /** Called for each view, in the same order as the messages. Returns the new state; nothing: the state stays. */

  readonly onView?: (state: State, view: View, ctx: Context<Msg>) => State | void | Promise<State | void>;
  /** What to do when a function throws: sees the one message that did it, undefined if it was none. nact's actions. */
  readonly onCrash?: (
    msg: Msg | undefined,
    error: unknown,
    ctx: SupervisionContext<Msg>,
    child?: Ref<unknown>,
  ) => symbol | Promise<symbol>;
  /** Called once the member has left its group. */
  readonly afterStop?: (state: State, ctx: Context<Msg>) => void | Promise<void>;
  /** Leaves after so long without a message, in milliseconds. */
  readonly shutdownAfter?: number;
  /** Multicasts that may wait to be let in, of this member; default 65,536. */
  readonly mailboxLimit?: number;
  /**
   * What becomes of multicasts, asks and linearizable reads while this member is `wedged`, cut off from most of its domain:
   * `refuse` throws {@link GroupWedged}; `queue` has them wait, until enough nodes are back or until this one is excluded,
   * and then they fail. Default `refuse`: whoever sends knows at once.
   */
  readonly whileWedged?: 'refuse' | 'queue';
  /** Default: the library's, on cbor-x. */
  readonly codec?: Codec;
  /**
   * Whether a request from outside the group is let in; false, or the reason why not, refuses it. Asked at the one member
   * that the request came to, once or more often, and for one request after the other. It is no place for what replicas
   * must agree on: by the time the request is delivered, the state may be another. Default: everything is let in.
   */
  readonly accept?: (request: Request<Msg>) => boolean | string | Promise<boolean | string>;
}

/** What a replica had before its node was excluded and began a new life. */
export interface Earlier<State, Msg> {
  /** Its last state; undefined if it had none, or if this is its node's first life. The others have gone on without it. */
  readonly previous: State | undefined;
  /** Its multicasts that were never sent, oldest first, as they were handed over: nobody has delivered them. */
  readonly unsent: readonly Msg[];
  /** Those that were sent, and of which it is not known whether the others have delivered them: the new state shows it. */
  readonly uncertain: readonly Msg[];
}

/** Props of a replicated actor. */
export interface ReplicatedProps<State, Msg> extends CommonProps<State, Msg> {
  /** Direct messages do not change a replicated state: what it returns is ignored. */
  readonly onDirect?: (state: State, msg: unknown, ctx: Context<Msg>) => void | Promise<void>;
  /**
   * Whether the function leaves a state alone that it has been given, and returns a new one (parts that did not change may
   * be shared). Then a large state is sent while the function goes on; else it is copied first, and the function waits
   * for that, though the event loop does not. Default false. With `NODE_ENV=development` a state that was changed in place
   * all the same is reported as an error in the log; it is copied then, too. Has no effect with a `snapshot`.
   */
  readonly immutable?: boolean;
  /**
   * What is sent to a joiner. Default: the state itself. Needed if the state holds what a message could not, or takes too
   * long to copy. Called when the state is as of the joiner's first view. Returns
   * - a value, which is encoded while the function goes on: so it must not be changed by that; or
   * - an iterable or async iterable of values, a generator as a rule. A value is asked for when there is room for it on the
   *   way, while the function goes on: so the generator must read a state that does not change, or a copy. It is closed
   *   (`finally` runs) when the joiner needs no more.
   */
  readonly snapshot?: (state: State) => unknown;
  /**
   * Makes the state from what `snapshot` returned: the value, or for any iterable an async iterable of its values. Deliveries
   * wait until it has resolved.
   *
   * The iterable hands out values while more are on their way, and takes no more from the donor than is read: a state that
   * does not fit into memory twice can be read into its place. If the donor goes before the last value is there, the
   * iterable throws {@link TransferInterrupted}; when that call of `restore` has ended, whatever it returns or throws, it is
   * called anew with the state from another donor, as of a later view. The same error comes if the member is to get no state
   * any more. So it must be ready to start over: what it wrote for the broken transfer is to be dropped.
   *
   * If this node was excluded (a partition, a long stop), `earlier` has the state that this replica had and the multicasts
   * that it could not send, so that nothing is thrown away in silence: merge what you need into the state that you return
   * only if all members would (they do not see it), else send it again. The promises of their receipts have rejected.
   */
  readonly restore?: (snapshot: never, earlier: Earlier<State, Msg>) => State | Promise<State>;
  /** Called as a state comes in, and at the donor as it goes out. What it throws is logged, and changes nothing. */
  readonly onTransfer?: (progress: TransferProgress) => void;
  /**
   * The replicas compare digests of their states each time the position is a multiple of this, and one that differs from
   * most says so ({@link GroupEvent} `diverged`) and fetches the state anew. Default 0: never. For groups in total order;
   * the same at all members. Each comparison takes a multicast of every member.
   */
  readonly digests?: number;
  /**
   * Text that is the same for equal states and differs for others, up to 128 characters. Default: a SHA-256 of the whole
   * state, for states of up to a mebibyte: some milliseconds, in which the node does nothing else.
   */
  readonly digest?: (state: State) => string;
}

/** Props of a plain member. */
export interface MemberProps<State, Msg> extends CommonProps<State, Msg> {
  /** A message to this member alone. Returns the new state; nothing: the state stays. */

  readonly onDirect?: (state: State, msg: unknown, ctx: Context<Msg>) => State | void | Promise<State | void>;
}

/** The function of a group's actor. The state's type is that of its first parameter. */
export type GroupFunc<State, Msg, Answer = unknown> = (
  state: State,
  msg: Msg,
  ctx: Context<Msg, Answer>,
) => NoInfer<State> | Promise<NoInfer<State>>;

/** How {@link read} reads. */
export interface ReadOptions {
  /** After everything in total order that anybody had completed, not only what was delivered here. */
  readonly linearizable?: boolean;
}

/** What a read is told of the replica that it reads. */
export interface ReadContext {
  /**
   * Whether this replica is cut off from most of its domain: others may have gone on without it, and what is read may be
   * out of date for as long as that lasts.
   */
  readonly wedged: boolean;
  readonly status: GroupStatus;
  /** The last position of the total order that the state holds. */
  readonly position: number;
  /** The view that the state is of; null before the first. */
  readonly view: View | null;
}

/** What a call of `multicast` may ask for. */
export interface MulticastOptions {
  /**
   * Default: the group's. `barrier` (Isis' GBCAST): ordered against everything, views included. It is the last that is
   * delivered in its view, at all who go on or at none, and costs a view change.
   */
  readonly order?: Order;
  /** Delivered nowhere before all members of the view have received it. */
  readonly uniform?: boolean;
}

/** How a group is asked. */
export interface AskOptions {
  /** How many members are to reply: `one`, more than half of them, all of them, or so many. `one` is 1. */
  readonly replies: 'one' | 'majority' | 'all' | number;
  /** In milliseconds; default 5000. */
  readonly timeout?: number;
  /** Default: the group's. */
  readonly order?: Order;
  /** Delivered nowhere before all members of the view have received it. */
  readonly uniform?: boolean;
}

/** One member's reply. */
export interface Reply<Answer = unknown> {
  readonly member: Member;
  readonly value: Answer;
}

/** A member that has not replied, and why. */
export interface Unanswered {
  readonly member: Member;
  readonly why: string;
}

/** Replies in the order in which they came, and who of the view in which the message was delivered is missing. */
export type Replies<Answer = unknown> = readonly Reply<Answer>[] & { readonly missing: readonly Unanswered[] };

/** What `ask` returns: a promise of all replies, and a stream of them as they come. */
export interface Asked<Answer = unknown> extends Promise<Replies<Answer>> {
  /**
   * Each reply as it comes; those that came before are given first, so nothing is missed however late one subscribes.
   * Completes when the promise resolves, errors with what it rejects with.
   */
  readonly replies: Observable<Reply<Answer>>;
}

/** What became of a multicast. The promises are made when first touched, and only then. */
export interface Receipt {
  /** Names the multicast within its group for ever: the node's id and a number. */
  readonly id: string;
  /** Flow control has let it in. Await it to keep pace. Rejects with {@link MulticastFailed}. */
  readonly accepted: Promise<void>;
  /**
   * This node's own actor is done with it: resolves with its position, 0 if it has none. As a rule its function has
   * returned. But it may have thrown, or the codec could not decode the message: then the state is as it was, and what
   * is next is the supervisor's to say. An actor that is stopping after a crash, or fetches its state anew, passes over
   * what it is delivered. Rejects with {@link MulticastFailed}.
   */
  readonly delivered: Promise<number>;
  /** Every member of the view has received it, and all it depends on. Rejects with {@link MulticastFailed}. */
  readonly stable: Promise<void>;
}

/** One event of a group at this member, in the order in which they happen. */
export type GroupEvent<Msg = unknown> =
  | { readonly kind: 'view'; readonly view: View }
  | {
      readonly kind: 'delivery';
      readonly message: Msg;
      readonly from: Member;
      readonly position: number;
      readonly order: Order;
      readonly view: View;
    }
  /** This node's own multicasts up to this id are stable. */
  | { readonly kind: 'stable'; readonly id: string }
  | { readonly kind: 'status'; readonly status: GroupStatus; readonly why: string }
  /** This replica's state differed from that of most others after this position. It fetches the state anew. */
  | { readonly kind: 'diverged'; readonly position: number; readonly view: View };

/** A delivery, after the actor's function has run. */
export type DeliveryEvent<Msg = unknown> = Extract<GroupEvent<Msg>, { kind: 'delivery' }>;

/** A node of the domain. */
export interface DomainNode {
  readonly name: string;
  readonly id: string;
  readonly address: string;
  /** What it says of itself. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** An agreed state of the domain. */
export interface DomainView {
  /** Grows by one with each agreed change. */
  readonly number: number;
  /** The version of the protocol that its nodes speak: the newest that all of them can. */
  readonly version: number;
  /** Oldest first. */
  readonly nodes: readonly DomainNode[];
}

/** A group of the domain, as every node knows it. */
export interface DomainGroup {
  readonly name: string;
  readonly kind: 'replicated' | 'plain';
  readonly order: Order;
  /** Ids of the nodes with a member, oldest first. */
  readonly members: readonly string[];
}

/** Why nothing moves, as far as this node knows. */
export interface Explanation {
  readonly group: string;
  readonly status: GroupStatus;
  /** What was said when the status was taken on. */
  readonly why: string;
  /** When the status was taken on. */
  readonly since: Date;
  readonly view: string | null;
  /** Own multicasts that are not let in yet: flow control, a view change, or no view. */
  readonly queued: number;
  /** Own multicasts that are let in and not stable yet. */
  readonly unstable: number;
  /** Items that wait for the actor's function. */
  readonly mailbox: number;
  /** In words, worst first. */
  readonly waiting: readonly string[];
}

/** Times of the failure detector, in milliseconds, each at most 3,600,000 (an hour). */
export interface DetectorOptions {
  /** A node that says nothing for so long says that it lives; default 100. */
  readonly heartbeat?: number;
  /**
   * A node that is not heard for so long is suspected; default 1000. One that was killed is missed sooner, by the
   * connection that this breaks.
   */
  readonly timeout?: number;
  /**
   * Patience adapts up to this: with a node that has been silent for long before, and while its event loop or this one's
   * comes late; default three times `timeout`. The same as `timeout`: it does not adapt.
   */
  readonly timeoutMax?: number;
  /** How long a starting node looks for its domain before it founds one; default 400. */
  readonly discovery?: number;
}

/** Bounds of a node. */
export interface LimitOptions {
  /** Bytes under way at a time, of all nodes that send; default: four fifths of the socket's receive buffer, 128 KiB to 4 MiB. */
  readonly windowBytes?: number;
  /** Multicasts that wait to be let in, per group; default 65,536. */
  readonly queueLengthMax?: number;
  /** Bytes of these, per group; default 64 MiB. */
  readonly queueBytesMax?: number;
  /** One message, encoded; default 16 MiB, at most 64 MiB. */
  readonly messageBytesMax?: number;
  /** Bytes delivered to an actor and not yet applied above which senders wait; default 16 MiB. */
  readonly backlogBytesMax?: number;
  /**
   * A member whose actor makes senders wait for so long, in milliseconds, at least 10, leaves its group and comes back with
   * the group's state. Not the oldest: it keeps the state for the others. Default: they wait for as long as it takes.
   */
  readonly behindMax?: number;
}

/** A key: 32 random bytes, as such, or as text of 64 hexadecimal digits or of base64. */
export type Key = Uint8Array | string;

/**
 * Where a node has its keys from. Of several the first is used, the others are accepted. A file has a key a line, '#' begins a
 * comment; only its owner may have access to it; it is read again when it changes.
 */
export type KeyOption =
  Key | readonly Key[] | { readonly file: string } | (() => Key | readonly Key[] | Promise<Key | readonly Key[]>);

/** A node, as it says itself. */
export interface ClaimingNode {
  readonly name: string;
  /** `name#incarnation`. */
  readonly id: string;
  readonly address: string;
  /** Its option `metadata`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Its option `groups`: it enters no others. Undefined: it has not said which. */
  readonly groups: readonly string[] | undefined;
}

/** What a node wants: into the domain, into a group, or that a group of which it is no member does something. */
export type AuthorizeRequest =
  | { readonly kind: 'join'; readonly node: ClaimingNode }
  | { readonly kind: 'group' | 'request'; readonly node: ClaimingNode; readonly group: string };

/** Options of `groups`. */
export interface GroupsOptions {
  /** The domain to join: nodes that share its name and its transport find each other. */
  readonly domain: string;
  /** This node's name, unique in the domain while it lives; default: host name and process id. */
  readonly name?: string;
  /** Default: `udpMulticast()`, on the loopback interface. */
  readonly transport?: TransportFactory;
  /**
   * The domain's key: everything that leaves the process is encrypted and authenticated under it, and who has none of the
   * domain's keys is not heard. Default: the environment's `NACT_GROUPS_KEY`, or the file that `NACT_GROUPS_KEY_FILE` names; without
   * either nothing is encrypted. See docs/security.md.
   */
  readonly key?: KeyOption;
  /**
   * Whether the domain may reach beyond this machine though nothing protects it: whoever is on the network can read
   * messages and forge them. Default false: without a key `ready` rejects with {@link InvalidOption} on any interface but loopback.
   */
  readonly insecure?: boolean;
  /**
   * Whether messages and states are encrypted under a group key besides, which is drawn anew whenever a node leaves the domain or
   * is excluded: it cannot read on, though it still has the domain's key. The same at all nodes, and takes a `key`. Costs a second
   * encryption, and a view change waits until the new key is there. Default false. See docs/security.md.
   *
   * @example groups({ domain: 'shop', key: { file: '/etc/shop/keys' }, rekey: true, authorize })
   */
  readonly rekey?: boolean;
  /**
   * Who may come in: true, or why not. Asked at other nodes about this one, and here about others; give all nodes the same one. Of
   * requests it is asked before the group's `accept`. Has to answer at once, and to the same always the same; if it throws, that is a
   * no, and is logged. Who has the domain's key can claim any name, any metadata and any groups: this keeps mistakes out, and what
   * you can check (a token in `metadata`, say). Default: whoever has the key.
   */
  readonly authorize?: (request: AuthorizeRequest) => boolean | string;
  /** What this node says of itself to `authorize`, at most 512 bytes as JSON together with `groups`. All nodes see it. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * The groups of which this node has members, for `authorize`, which is told of them when the node joins the domain. It binds: a member of
   * another group is refused, here (by {@link InvalidOption}) and by the others. Requests to other groups are not concerned. Default: nothing
   * is said, and any group can be entered.
   */
  readonly groups?: readonly string[];
  /** No group forms before this many nodes are in; default 1. */
  readonly minimumNodes?: number;
  /**
   * What nodes count for, beside the count of heads: this node's own weight, or all of them by node name (1 for who is not
   * named). Whole numbers; default 1. No group forms before the nodes of the domain weigh more than `minimumWeight`, and
   * nobody is let go or excluded if the rest then weighed no more than that: they wedge instead. With weight 1 for each of k servers, 0
   * for all others, and a minimum of k / 2 there is a majority of the servers in every state of the domain.
   */
  readonly weights?: number | Readonly<Record<string, number>>;
  /** See `weights`; a whole number of halves, the same at all nodes. Default 0. */
  readonly minimumWeight?: number;
  /**
   * Who has to be left for the domain to go on; the same at all nodes. `majority`: more than half of the nodes, or half with
   * the oldest. `verified-deaths`, for nodes that are all processes of one machine: whoever is left, once the operating system
   * has confirmed the deaths of all others, so that killing all but one leaves the last one going. Default: `verified-deaths` with `udpMulticast` on the loopback
   * interface (on Linux), else `majority`. See docs/guarantees.md.
   */
  readonly quorum?: 'majority' | 'verified-deaths';
  /** Default: warnings and errors to the console. */
  readonly logger?: Logger;
  /** The protocol trace: a file (of the first life; later lives get a number), or a function. */
  readonly trace?: string | ((record: Traced) => void);
  readonly limits?: LimitOptions;
  readonly detector?: DetectorOptions;
  /** Whether an excluded node comes back as a new incarnation; default true. */
  readonly rejoin?: boolean;
}
