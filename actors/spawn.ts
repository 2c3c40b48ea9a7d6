/**
 * Spawning a member of a group: an ordinary nact actor whose `dispatch`, `stop` and `reset` are those of the group.
 */
import { Nobody, spawn, type Ref } from 'nact';
import type { GroupOrder, GroupSettings } from '../lib/membership/state.js';
import { DuplicateMember, GroupFull, GroupWedged, InvalidOption, NotAMember } from './errors.js';
import { createAdmission } from './admission.js';
import { createVerdicts } from './verdicts.js';
import { defaultCodec } from './codec.js';
import { drain } from './group-actor.js';
import { deferred, hostOf, logFieldsOf, registerMember, type Behavior, type Host, type Member } from './host.js';
import { beginLeave, join, wrapAncestors } from './leave.js';
import { actorLogger } from './logging.js';
import { inside, outside, type NactActor, type NactParent, type NactRef } from './nact-internals.js';
import { Mailbox } from './mailbox.js';
import { groupStream } from './observables.js';
import { send } from './sending.js';
import { watchPace } from './pace.js';
import { createTable } from './structures.js';
import { resetMember } from './supervision.js';
import { outboxOf } from './transport-actor.js';
import type { CommonProps, Earlier, GroupFunc, GroupRef, MemberProps, ReplicatedProps } from './types.js';

const groupOrders: readonly GroupOrder[] = ['fifo', 'causal', 'total'];

/**
 * Spawns a member whose state is replicated: total order unless `props.order` says otherwise, state transfer on join.
 * The actor's name is the group's; a node has one member of a group.
 *
 * Throws {@link DuplicateMember}, {@link NotInDomain} if the system was not started with `groups`, {@link InvalidOption} for a group that
 * the node has said it does not enter, and nact's own errors.
 *
 * @example
 * ```ts
 * const stock = spawnReplicated(
 *   system,
 *   (state: Stock, { sku, n }: Change) => ({ ...state, [sku]: (state[sku] ?? 0) + n }),
 *   'stock',
 *   { initialState: {} as Stock },
 * );
 * ```
 */
export function spawnReplicated<State, Msg, Answer = unknown>(
  parent: Ref<never>,
  f: GroupFunc<State, Msg, Answer>,
  name: string,
  props: ReplicatedProps<NoInfer<State>, NoInfer<Msg>> = {},
): GroupRef<Msg, State, Answer> {
  return spawnGroup('replicated', parent, f as Behavior['f'], name, props as AnyProps);
}

/**
 * Spawns a plain group member: its own state, no transfer. Otherwise as {@link spawnReplicated}.
 *
 * @example
 * ```ts
 * const room = spawnMember(system, (said: number, { text }: Line, ctx) => {
 *   console.log(`${ctx.from.name}: ${text}`);
 *   return said + 1;
 * }, 'room', { initialState: 0 });
 * ```
 */
export function spawnMember<State, Msg, Answer = unknown>(
  parent: Ref<never>,
  f: GroupFunc<State, Msg, Answer>,
  name: string,
  props: MemberProps<NoInfer<State>, NoInfer<Msg>> = {},
): GroupRef<Msg, State, Answer> {
  return spawnGroup('plain', parent, f as Behavior['f'], name, props as AnyProps);
}

type AnyProps = CommonProps<unknown, unknown> &
  Pick<ReplicatedProps<unknown, unknown>, 'snapshot' | 'onTransfer' | 'immutable' | 'digests' | 'digest'> &
  Loose;
/** What differs between the two kinds, or takes what only its user can type. */
interface Loose {
  readonly onDirect?: (state: unknown, msg: unknown, ctx: unknown) => unknown;
  readonly restore?: (snapshot: unknown, earlier: Earlier<unknown, unknown>) => unknown;
}

function spawnGroup(
  kind: GroupSettings['kind'],
  parent: Ref<never>,
  f: Behavior['f'],
  group: string,
  props: AnyProps,
): Ref<unknown> {
  const host = hostOf(parent);
  const order = props.order ?? 'total';
  if (!groupOrders.includes(order))
    throw new InvalidOption(`order must be one of ${groupOrders.join(', ')}, not ${String(order)}`);
  const { digests = 0, whileWedged = 'refuse' } = props;
  if (whileWedged !== 'refuse' && whileWedged !== 'queue')
    throw new InvalidOption(`whileWedged must be 'refuse' or 'queue', not ${String(whileWedged)}`);
  if (!Number.isSafeInteger(digests) || digests < 0 || (digests > 0 && order !== 'total')) {
    throw new InvalidOption(`digests must be a number of positions, in a group in total order, not ${digests}`);
  }
  if (typeof group !== 'string' || group === '')
    throw new InvalidOption("a member of a group needs a name: the group's");
  const claimed = host.options.groups;
  if (claimed?.includes(group) === false)
    throw new InvalidOption(`groups({ groups }) says that this node enters only ${claimed.join(', ')}: add '${group}'`);
  if (host.phase === 'leaving' || host.phase === 'left' || host.phase === 'refused') {
    throw new NotAMember(group, 'the system has left its domain');
  }
  const earlier = host.members.get(group);
  const living = host.successors.get(group) ?? (earlier?.phase === 'leaving' ? undefined : earlier);
  if (living) throw new DuplicateMember(group, String(living.ref.path));

  const cell: { member?: Member } = {};
  const ref = inside(
    spawn(parent, () => drain(cell.member as Member), group, {
      ...(props.onCrash ? { onCrash: props.onCrash as never } : {}),
      ...(props.afterStop ? { afterStop: props.afterStop as never } : {}),
      ...(props.shutdownAfter === undefined ? {} : { shutdownAfter: props.shutdownAfter }),
    }),
  );
  const actor = host.system.find(ref) as NactActor;
  const member = createMember(host, kind, order, f, group, props, actor, ref);
  cell.member = member;
  patchActor(member);
  wrapAncestors(member);
  watchPace(member);
  registerMember(member);
  if (earlier) host.successors.set(group, member);
  else join(member);
  return outside(ref);
}

function createMember(
  host: Host,
  kind: GroupSettings['kind'],
  order: GroupOrder,
  f: Behavior['f'],
  group: string,
  props: AnyProps,
  actor: NactActor,
  ref: NactRef,
): Member {
  const codec = props.codec ?? defaultCodec(host.refs);
  const behavior: Behavior = {
    f,
    onView: props.onView as Behavior['onView'],
    onDirect: props.onDirect,
    snapshot: props.snapshot,
    restore: props.restore,
    accept: props.accept,
    onTransfer: props.onTransfer,
    immutable: props.immutable,
    initialState: props.initialState,
    initialStateFunc: props.initialStateFunc as Behavior['initialStateFunc'],
  };
  return {
    host,
    group,
    settings: { kind, order, codec: codec.name },
    order,
    codec,
    structures: props.codec ? undefined : createTable(),
    former: undefined,
    rebirths: 0,
    divergence: { every: props.digests ?? 0, digest: props.digest, checks: new Map(), warned: false, behind: false },
    verdicts: createVerdicts(),
    behavior,
    queueLengthMax: Math.min(props.mailboxLimit ?? host.options.queueLengthMax, host.options.queueLengthMax),
    whileWedged: props.whileWedged ?? 'refuse',
    actor,
    ref,
    ancestors: ancestorsOf(actor),
    log: actor.log ?? actorLogger(host.log, () => logFieldsOf(ref)),
    stream: groupStream(),
    phase: 'waiting',
    gone: undefined,
    left: deferred(),
    outbox: outboxOf(host, group),
    held: [],
    mailbox: new Mailbox(),
    tokened: false,
    draining: false,
    discarding: false,
    state: kind === 'plain' ? plainState(behavior, actor) : undefined,
    hasState: kind === 'plain',
    founder: false,
    copyNoticed: false,
    asynchronous: [f, props.onView, props.onDirect].some(isAsync),
    returned: 0,
    position: 0,
    time: 0,
    view: undefined,
    viewInfo: undefined,
    me: undefined,
    consumed: 0,
    dropped: 0,
    waiters: [],
    admission: createAdmission(),
    flushes: new Map(),
    outgoing: new Map(),
    incoming: undefined,
  };
}

function plainState(behavior: Behavior, actor: NactActor): unknown {
  return behavior.initialStateFunc ? behavior.initialStateFunc(actor.createContext(undefined)) : behavior.initialState;
}

function isAsync(f: unknown): boolean {
  return Object.prototype.toString.call(f) === '[object AsyncFunction]';
}

function ancestorsOf(actor: NactActor): NactParent[] {
  const ancestors: NactParent[] = [];
  for (let at = actor.parent; at; at = at.parent) ancestors.push(at);
  return ancestors;
}

/** Makes nact's functions mean the group. */
function patchActor(member: Member): void {
  const { actor } = member;
  actor.dispatch = (message, sender) => dispatchTo(member, message, sender);
  actor.stop = () => beginLeave(member, false);
  actor.reset = () => resetMember(member);
}

/** nact's dispatch: what a full queue or a wedged member does not take is dropped loudly, since nobody looks at a result. */
function dispatchTo(member: Member, message: unknown, sender: unknown): void {
  try {
    const number = send(member, message, member.order, false);
    if (sender !== undefined && !(sender instanceof Nobody)) member.outbox.senders.set(number, sender);
  } catch (error) {
    if (!(error instanceof GroupFull) && !(error instanceof GroupWedged)) throw error;
    member.dropped += 1;
    // one line for each doubling: a program that floods must not flood its log as well
    if ((member.dropped & (member.dropped - 1)) !== 0) return;
    const why = `${member.dropped} dispatched so far dropped: ${error.message}`;
    member.log.error(why);
    const { subject, status } = member.stream;
    if (subject.observed) subject.next({ kind: 'status', status, why });
  }
}
