/**
 * What the proposer proposes when it is free to choose: every change that is waiting, in one decree.
 */
import type { Millis, NodeId } from '../ids.js';
import { wake } from './control.js';
import type { Membership, Offer, Request } from './control.js';
import { changedSince, covers } from './decree-log.js';
import { applyChange, draftOf } from './decree.js';
import { exclusions, isSilentForGood, isSurelyGone } from './judging.js';
import { changesPerDecreeMax, decreeBytesMax, joinsCountedFor, joinsPerSecondMax } from '../limits.js';
import { changeBytes } from './messages.js';
import { isHeardByAll } from './probation.js';
import { isQuorum, keepsQuorum, keepsWeight } from './quorum.js';
import { hasPublicKeys } from './state.js';
import type { Change, Decree, DomainState } from './state.js';

/** The next decree, or null if nothing is waiting that can be done now. */
export function gather(m: Membership, state: DomainState, now: Millis): Decree | null {
  const requests = requestedChanges(m, state);
  const leaves = bearable(m, state, requests);
  const others = [...joins(m, state, now), ...requests.filter((change) => change.kind !== 'leave')];
  const gone = sparing(m, state, requests, exclusions(m, state, now), now);
  // Leavers can wait, and the proposer itself longest: were those who stay too few to go on without the excluded,
  // the leavers are needed to exclude them first. Failing that, only what takes nobody away is done.
  const attempts = [
    [...leaves, ...gone],
    [...leaves.filter((change) => change.node !== m.id), ...gone],
    gone,
    gone.filter((change) => change.cause === 'failed'),
    [],
  ];
  for (const departures of attempts) {
    const decree = compose(state, [...departures, ...others]);
    if (keepsQuorum(state, decree) && keepsWeight(state, decree) && leavesTheLiving(m, state, decree, now)) {
      return decree.changes.length > 0 ? decree : null;
    }
  }
  return null;
}

/**
 * Exclusions, but of nobody for mere silence who would be the last of a group beside those who leave it: it may only be slow, and has
 * what they take along. They wait for it, as long as they wait for anybody.
 */
function sparing(
  m: Membership,
  state: DomainState,
  requests: readonly Change[],
  gone: readonly (Change & { kind: 'exclude' })[],
  now: Millis,
): readonly (Change & { kind: 'exclude' })[] {
  const isGone = (id: NodeId) => gone.some(({ node }) => node === id);
  const leaves = (id: NodeId, group: string) =>
    (id === m.id && m.isLeaving) ||
    requests.some((change) => {
      if (change.kind === 'leave') return change.node === id;
      return change.kind === 'group-leave' && change.node === id && change.group === group;
    });
  const isAnybodyLeaving = m.isLeaving || requests.some(({ kind }) => kind === 'leave');
  const last = new Set<NodeId>();
  for (const { name, members } of state.groups.values()) {
    const staying = members.filter(({ node }) => !leaves(node, name));
    if (!isAnybodyLeaving && staying.length === members.length) continue;
    if (staying.every(({ node }) => isGone(node))) {
      for (const { node } of staying) last.add(node);
    }
  }
  return gone.filter(({ node }) => !last.has(node) || isSurelyGone(m, node) || isSilentForGood(m, node, now));
}

/** Those who leave, as many as may be before the rest weighs too little; the proposer last. */
function bearable(
  m: Membership,
  state: DomainState,
  requests: readonly Change[],
): readonly (Change & { kind: 'leave' })[] {
  const leaves = requests.filter((change) => change.kind === 'leave');
  if (state.rules.minimumWeight === 0) return leaves;
  const chosen: (Change & { kind: 'leave' })[] = [];
  for (const leave of [...leaves.filter(({ node }) => node !== m.id), ...leaves.filter(({ node }) => node === m.id)]) {
    if (keepsWeight(state, compose(state, [...chosen, leave]))) chosen.push(leave);
  }
  return chosen;
}

/**
 * Whether a quorum of those who stay was heard just now. If not, some may be dead and not yet suspected, and without
 * the leavers there would be too few to exclude them.
 */
function leavesTheLiving(m: Membership, state: DomainState, { changes }: Decree, now: Millis): boolean {
  if (!changes.some((change) => change.kind === 'leave')) return true;
  const gone = new Set(changes.map((change) => (change.kind === 'leave' || change.kind === 'exclude') && change.node));
  const stay = state.nodes.filter((node) => !gone.has(node.id));
  const recently = now - 3 * m.options.heartbeat;
  const heard = new Set(
    stay.filter((node) => (m.peers.get(node.incarnation)?.heardAt ?? now) >= recently).map(({ id }) => id),
  );
  return isQuorum(stay, (id) => heard.has(id));
}

/** The changes that change something, within the limits of a decree. */
function compose(state: DomainState, changes: readonly Change[]): Decree {
  const draft = draftOf(state);
  const chosen: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    bytes += changeBytes(change);
    if (chosen.length >= changesPerDecreeMax || bytes > decreeBytesMax) break;
    if (applyChange(draft, change)) chosen.push(change);
  }
  return { number: draft.number, changes: chosen };
}

/** Offers, a moment after the first: nodes that are started together join together. */
function joins(m: Membership, state: DomainState, now: Millis): readonly Change[] {
  let ripeAt = Infinity;
  for (const [incarnation, offer] of m.offers) {
    if (now - offer.lastAt > m.options.timeout) m.offers.delete(incarnation);
    else if (mayJoin(m, state, offer, now)) ripeAt = Math.min(ripeAt, offer.firstAt + m.options.heartbeat / 10);
  }
  if (ripeAt > now) {
    wake(m, ripeAt);
    return [];
  }
  const room = roomForJoins(m, now);
  return [...m.offers.values()]
    .filter((offer) => mayJoin(m, state, offer, now))
    .slice(0, room)
    .map(({ name, incarnation, address, weight, process, metadata, publicKey, version }) => {
      return { kind: 'join', name, incarnation, address, weight, process, metadata, publicKey, version };
    });
}

/** How many may join now; if none, it is looked again when some may. */
function roomForJoins(m: Membership, now: Millis): number {
  const { since, count } = m.joins;
  if (now - since >= joinsCountedFor) return joinsPerSecondMax;
  if (count >= joinsPerSecondMax && m.offers.size > 0) wake(m, since + joinsCountedFor);
  return Math.max(0, joinsPerSecondMax - count);
}

function mayJoin(m: Membership, state: DomainState, offer: Offer, now: Millis): boolean {
  // who was refused for its keys by one proposer may be known to the next
  if (hasPublicKeys(state) !== (offer.publicKey !== '')) return false;
  return isNew(m, state, offer) && isHeardByAll(m, state, offer, now);
}

/**
 * Whether this incarnation has certainly not been in the domain before. Identities are never used twice, or what one
 * of its lives has promised would be forgotten by the next.
 */
export function isNew(
  m: Membership,
  state: DomainState,
  { seen, incarnation }: Pick<Offer, 'seen' | 'incarnation'>,
): boolean {
  const joined = (change: Change) => change.kind === 'join' && change.incarnation === incarnation;
  return covers(m.log, seen, state.number) && !changedSince(m.log, seen, joined);
}

/** What the nodes want, by age; leaves of groups before joins, as they come. */
function requestedChanges(m: Membership, state: DomainState): readonly (Change & { node: NodeId })[] {
  return state.nodes.flatMap(({ id }) => {
    const request = id === m.id ? { at: state.number, changes: m.wishes } : m.requests.get(id);
    return request === undefined ? [] : (stillMeant(m, state, request) as (Change & { node: NodeId })[]);
  });
}

/** A request that was overtaken by a decree on the same matter (it came late, or twice) means nothing any more. */
function stillMeant(m: Membership, state: DomainState, { at, changes }: Request): readonly Change[] {
  if (at >= state.number) return changes;
  if (!covers(m.log, at, state.number)) return [];
  return changes.filter((wish) => !changedSince(m.log, at, (change) => isSameMatter(wish, change)));
}

function isSameMatter(a: Change, b: Change): boolean {
  if (a.kind !== 'group-join' && a.kind !== 'group-leave') return false;
  return (b.kind === 'group-join' || b.kind === 'group-leave') && a.group === b.group && a.node === b.node;
}
