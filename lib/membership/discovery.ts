/**
 * How nodes find each other: seekers say hello, members answer with their domain, the seeker offers itself. Who hears of
 * no domain for a while founds one, unless a seeker with a smaller incarnation is about, which then does: nodes that
 * are started together found one domain. Two domains of one name that meet become one: the weaker's nodes start anew.
 *
 * A node founds only with an incarnation that it has never offered, and offers it to one domain only: it could have been
 * let in without knowing, and would be in two places at once.
 */
import { nodeId } from '../ids.js';
import type { DomainId, Incarnation, Millis } from '../ids.js';
import { isNew } from './batch.js';
import { end, founderOf, jittered, log, multicast, unicast, wake } from './control.js';
import type { Membership, Outputs, Phase, Sender, Sighting } from './control.js';
import { strengthOf } from './heartbeat.js';
import { reasonOf } from './authorizing.js';
import { believedProposer } from './judging.js';
import { enter } from './learning.js';
import { versionFault } from './protocol.js';
import { challengesMax, datagramsInVain, helloPaddingBytes, nodesMax, sightingsMax } from '../limits.js';
import { messageBytes } from './messages.js';
import type { ControlMessageOf } from './messages.js';
import { hasPublicKeys, nodeByIncarnation, nodeOf } from './state.js';
import type { DomainState, Rules } from './state.js';
import { membersHeard } from './probation.js';
import { draw } from './random.js';

/** A seeker's turn: says hello, founds, or offers itself. */
export function seek(m: Membership, phase: Phase & { kind: 'seeking' }, now: Millis, out: Outputs): void {
  if (m.options.founds) {
    // the operator knows what there is
    m.complete = true;
    foundDomain(m, now, out);
    return;
  }
  const found = bestSighting(m);
  if (found !== null) {
    m.phase = { kind: 'joining', domain: found.id, seen: found.sighting.number, offerAt: now, offers: 0, proof: 0 };
    join(m, m.phase, now, out);
    return;
  }
  // nobody is heard, nor hears it, while a process stands still; then it reads first what was said meanwhile
  const { discovery, heartbeat } = m.options;
  const late = Math.max(0, now - phase.lookAt);
  phase.since += late;
  if (late > heartbeat / 4) phase.since = Math.max(phase.since, now + heartbeat / 4 - discovery);
  const foundAt = Math.max(phase.since, m.domainHeardAt) + discovery;
  const elderUntil = elderCandidateUntil(m, phase);
  if (now >= foundAt && now >= elderUntil) {
    foundDomain(m, now, out);
    return;
  }
  if (now >= phase.helloAt) {
    sayHello(m, now, out);
    phase.helloAt = now + jittered(m, m.options.heartbeat / 2);
  }
  phase.lookAt = Math.min(phase.helloAt, Math.max(foundAt, elderUntil));
  wake(m, phase.lookAt);
}

const nothing = new Uint8Array(0);
const padding = new Uint8Array(helloPaddingBytes);

function sayHello(m: Membership, now: Millis, out: Outputs): void {
  const { name, address, challenge } = m.options;
  multicast(m, { kind: 'hello', name, address, padding: challenge === null ? nothing : padding }, now, out);
}

/** How long a seeker with a smaller incarnation is believed to be alive: a few hellos. */
function elderCandidateUntil(m: Membership, phase: Phase & { kind: 'seeking' }): Millis {
  let until = -Infinity;
  for (const [incarnation, heardAt] of phase.candidates) {
    if (incarnation < m.options.incarnation) until = Math.max(until, heardAt + 5 * m.options.heartbeat);
  }
  return until;
}

function foundDomain(m: Membership, now: Millis, out: Outputs): void {
  const { name, incarnation, address, weight, process, metadata, publicKey, versions } = m.options;
  const version = versions.most;
  const founder = { id: m.id, name, incarnation, address, weight, process, metadata, publicKey, version, joined: 1 };
  const id = m.id as string as DomainId;
  const state: DomainState = { id, number: 1, rules: rulesOf(m), version, nodes: [founder], groups: new Map() };
  enter(m, state, [], now, out);
}

function rulesOf({ options: { quorum, minimumWeight, heartbeat, timeout } }: Membership): Rules {
  return quorum === 'majority'
    ? { quorum, minimumWeight, heartbeat: 0, timeout: 0 }
    : { quorum, minimumWeight, heartbeat: Math.round(heartbeat), timeout: Math.round(timeout) };
}

/** The strongest domain whose proposer is known. */
function bestSighting(m: Membership): { id: DomainId; sighting: Sighting } | null {
  let best: { id: DomainId; sighting: Sighting } | null = null;
  for (const [id, sighting] of m.sightings) {
    if (sighting.contact === null) continue;
    if (best === null || isStronger(id, sighting.size, best.id, best.sighting.size)) best = { id, sighting };
  }
  return best;
}

/** Which of two domains goes on when they meet: the larger, then the one that was founded first. */
function isStronger(a: DomainId, sizeOfA: number, b: DomainId, sizeOfB: number): boolean {
  return sizeOfA > sizeOfB || (sizeOfA === sizeOfB && founderOf(a) < founderOf(b));
}

/** A joiner's turn: offers itself, again and again, until it is in or the domain has fallen silent. */
export function join(m: Membership, phase: Phase & { kind: 'joining' }, now: Millis, out: Outputs): void {
  const sighting = m.sightings.get(phase.domain);
  const deadline = (sighting?.heardAt ?? -Infinity) + 3 * m.options.timeout;
  if (sighting === undefined || now >= deadline) {
    end(m, { kind: 'restart', why: `the domain that this node was joining fell silent` }, out);
    return;
  }
  if (now >= phase.offerAt) {
    const { name, incarnation, address, weight, process, metadata, publicKey, versions } = m.options;
    phase.offers += 1;
    // a hello now and then: the answers say who proposes by now
    if (phase.offers % 4 === 0) sayHello(m, now, out);
    const { domain, seen, proof } = phase;
    const hears = membersHeard(m, domain, now);
    const { least, most: version } = versions;
    const who = { incarnation, name, address, weight, process, metadata, publicKey, version, least };
    const offer = { kind: 'offer', domain, ...who, rules: rulesOf(m), seen, hears, proof } as const;
    if (sighting.contact !== null) unicast(sighting.contact, offer, out, phase.offers > datagramsInVain);
    phase.offerAt = now + jittered(m, m.options.heartbeat / 2);
  }
  wake(m, Math.min(phase.offerAt, deadline));
}

/** Somebody looks for a domain. */
export function onHello(
  m: Membership,
  from: Sender,
  message: ControlMessageOf<'hello'>,
  now: Millis,
  out: Outputs,
): void {
  if (m.phase.kind === 'seeking') {
    m.phase.candidates.delete(from.incarnation);
    if (m.phase.candidates.size < nodesMax) m.phase.candidates.set(from.incarnation, now);
  }
  if (m.phase.kind !== 'member' || m.state === null) return;
  noteClaim(m, m.state, from.incarnation, message.address, now);
  const proposer = believedProposer(m, m.state);
  // one of the others answers as well, now and then, in case the proposer is not there any more
  if (proposer.id !== m.id && draw(m.random) * m.state.nodes.length >= 1) return;
  const { id: domain, number } = m.state;
  const { id: proposerId, address } = proposer;
  const size = strengthOf(m);
  const invitation = { kind: 'invitation', domain, number, size, proposer: proposerId, address } as const;
  // whoever it is may have named somebody else's address
  if (m.options.challenge !== null && messageBytes(invitation) > messageBytes(message)) return;
  unicast({ id: nodeId(message.name, from.incarnation), address: message.address }, invitation, out);
}

/** A newer life at a node's address: the older is most likely over, and the detector is told. */
function noteClaim(m: Membership, state: DomainState, claimant: Incarnation, address: string, now: Millis): void {
  const holder = state.nodes.find((node) => node.address === address);
  // not by a hello that was under way since before it came
  if (holder === undefined || holder.incarnation >= claimant || holder.id === m.id) return;
  const peer = m.peers.get(holder.incarnation);
  if (peer === undefined || peer.claimedAt !== null) return;
  peer.claimedAt = now;
  if (peer.brokeAt !== null) peer.goneAt ??= now;
  wake(m, now);
}

/** A domain answers. */
export function onInvitation(m: Membership, message: ControlMessageOf<'invitation'>, now: Millis): void {
  if (m.phase.kind !== 'seeking' && m.phase.kind !== 'joining') return;
  const sighting = sight(m, message, now);
  if (sighting === null) return;
  sighting.contact = { kind: 'node', id: message.proposer, address: message.address, again: false };
  // a moment for others to answer: there may be a stronger domain
  wake(m, now + m.options.heartbeat / 4);
}

/** Notes a sign of life of a domain that this node is not in. */
export function sight(
  m: Membership,
  { domain, number, size }: { domain: DomainId; number: number; size: number },
  now: Millis,
): Sighting | null {
  m.domainHeardAt = now;
  let sighting = m.sightings.get(domain);
  if (sighting === undefined) {
    if (m.sightings.size >= sightingsMax) return null;
    sighting = { size: 0, number, contact: null, heardAt: now, strongerSince: null };
    m.sightings.set(domain, sighting);
  }
  sighting.heardAt = now;
  sighting.number = Math.max(sighting.number, number);
  // 0 is said by those who are cut off from the rest of it, and tells nothing of the rest
  if (size > 0) sighting.size = size;
  if (m.state === null) return sighting;
  const stronger = size > 0 && isStronger(domain, size, m.state.id, strengthOf(m));
  if (!stronger && size > 0) sighting.strongerSince = null;
  else if (stronger) sighting.strongerSince ??= now;
  return sighting;
}

/** Gives way to a domain of the same name that has been stronger for a while: never do both go on. */
export function yieldToStronger(m: Membership, now: Millis, out: Outputs): void {
  if (m.state === null || m.phase.kind !== 'member') return;
  const { timeout } = m.options;
  for (const [id, { strongerSince, heardAt, size }] of m.sightings) {
    if (strongerSince === null || heardAt <= strongerSince || heardAt < now - timeout) continue;
    if (!isStronger(id, size, m.state.id, strengthOf(m))) continue;
    if (now < strongerSince + timeout) {
      wake(m, strongerSince + timeout);
      continue;
    }
    const why = `the domain ${id} of the same name, with ${size} nodes, goes on instead of ${m.state.id}`;
    log(out, 'warn', why);
    out.push({ kind: 'excluded', why, state: m.state });
    end(m, m.leavingSince === null ? { kind: 'restart', why } : { kind: 'left' }, out);
    return;
  }
}

/** Forgets domains that have not been heard of for long. */
export function forgetSightings(m: Membership, now: Millis): void {
  for (const [id, { heardAt }] of m.sightings) {
    if (now - heardAt > 3 * m.options.timeout) m.sightings.delete(id);
  }
}

/** Somebody wants to join. */
export function onOffer(m: Membership, message: ControlMessageOf<'offer'>, now: Millis, out: Outputs): void {
  if (m.phase.kind !== 'member' || m.state === null || nodeByIncarnation(m.state, message.incarnation)) return;
  noteClaim(m, m.state, message.incarnation, message.address, now);
  const proposer = believedProposer(m, m.state);
  const joiner = { id: nodeId(message.name, message.incarnation), address: message.address };
  const { challenge } = m.options;
  if (challenge !== null) {
    // whether it is where it says the proposer finds out; until then it is told nothing else, and nothing is remembered of it
    if (proposer.id !== m.id) {
      unicast(proposer, message, out);
      return;
    }
    const number = numberFor(m, challenge, message);
    if (message.proof !== number) {
      unicast(joiner, { kind: 'challenge', domain: m.state.id, number }, out);
      return;
    }
  }
  const denial = m.options.authorize({ ...joiner, kind: 'join', name: message.name, metadata: message.metadata });
  if (denial !== null) {
    m.offers.delete(message.incarnation);
    unicast(joiner, { kind: 'refusal', domain: m.state.id, why: reasonOf(denial) }, out);
    return;
  }
  const known = m.offers.get(message.incarnation);
  const hears = new Set(message.hears);
  if (known !== undefined) {
    known.lastAt = now;
    known.hears = hears;
  } else if (m.offers.size < nodesMax) {
    const { incarnation, name, address, weight, process, metadata, publicKey, version, seen } = message;
    const who = { incarnation, name, address, weight, process, metadata, publicKey, version };
    m.offers.set(incarnation, { ...who, seen, hears, firstAt: now, lastAt: now });
  }
  if (proposer.id !== m.id) {
    unicast(proposer, message, out);
    return;
  }
  const refusal = whyNot(m, m.state, message, known?.firstAt ?? now);
  if (!isNew(m, m.state, message)) unicast(joiner, { kind: 'expired', domain: m.state.id }, out);
  else if (refusal !== null) unicast(joiner, { kind: 'refusal', domain: m.state.id, why: refusal }, out);
  else return;
  m.offers.delete(message.incarnation);
}

/** The number that a joiner at this address has to repeat. */
function numberFor(
  { challenges }: Membership,
  draw: () => number,
  { incarnation, address }: ControlMessageOf<'offer'>,
): number {
  const known = challenges.get(incarnation);
  if (known?.address === address) return known.number;
  if (challenges.size >= challengesMax) {
    for (const oldest of challenges.keys()) {
      challenges.delete(oldest);
      break;
    }
  }
  const number = draw();
  challenges.set(incarnation, { address, number });
  return number;
}

/** The domain wants to know whether this node is where it says. */
export function onChallenge(m: Membership, message: ControlMessageOf<'challenge'>, now: Millis): void {
  const { phase } = m;
  if (phase.kind !== 'joining' || phase.domain !== message.domain || phase.proof === message.number) return;
  phase.proof = message.number;
  phase.offerAt = now;
  wake(m, now);
}

/**
 * Why a node cannot be let in, if it cannot. A node of the same name that has been silent since the offer came is given
 * time to be excluded: most likely it is the same program, restarted.
 */
function whyNot(
  m: Membership,
  state: DomainState,
  { name, address, rules, least, version, publicKey }: ControlMessageOf<'offer'>,
  firstAt: Millis,
): string | null {
  const fault = versionFault(state, { least, most: version });
  if (fault !== null) return fault;
  if (state.nodes.length >= nodesMax) return `the domain has its maximum of ${nodesMax} nodes`;
  const { quorum, minimumWeight } = state.rules;
  if (rules.quorum !== quorum || rules.minimumWeight !== minimumWeight) {
    return `the domain's quorum is '${quorum}', its minimum weight ${minimumWeight}: all nodes have to say the same`;
  }
  if (rules.heartbeat !== state.rules.heartbeat || rules.timeout !== state.rules.timeout) {
    return (
      `the domain's detector has a heartbeat of ${state.rules.heartbeat} ms and a timeout of ${state.rules.timeout} ms: ` +
      `with the quorum 'verified-deaths' all nodes have to have the same`
    );
  }
  if (hasPublicKeys(state) !== (publicKey !== '')) {
    return hasPublicKeys(state)
      ? 'the domain draws a new group key whenever a node goes, and this node takes no part in that: give it the option rekey: true'
      : 'the domain draws no group keys, as this node would: leave out its option rekey, or give it to all nodes';
  }
  // whoever had its address is an earlier life of it
  const holder = state.nodes.find((node) => node.name === name && node.address !== address);
  if (holder === undefined) return null;
  const heardAt = m.peers.get(holder.incarnation)?.heardAt ?? -Infinity;
  // late packets of the dead do not count
  const { heartbeat, timeout } = m.options;
  if (holder.id !== m.id && heardAt <= firstAt + Math.max(2 * heartbeat, timeout / 2)) return null;
  return `a living node of this name exists: ${holder.id} at ${holder.address}`;
}

/** The domain does not take this node. */
export function onRefusal(m: Membership, message: ControlMessageOf<'refusal'>, out: Outputs): void {
  if (m.phase.kind === 'joining' && m.phase.domain === message.domain)
    end(m, { kind: 'refused', why: message.why }, out);
}

/** The domain does not take this incarnation. */
export function onExpired(m: Membership, message: ControlMessageOf<'expired'>, out: Outputs): void {
  if (m.phase.kind !== 'joining' || m.phase.domain !== message.domain) return;
  end(m, { kind: 'restart', why: 'this incarnation may have been in the domain already' }, out);
}

/** In. A state without this node is from before, and means nothing. */
export function onWelcome(m: Membership, message: ControlMessageOf<'welcome'>, now: Millis, out: Outputs): void {
  if (m.phase.kind !== 'joining' || message.state.id !== m.phase.domain) return;
  if (nodeOf(message.state, m.id) !== undefined) enter(m, message.state, message.decrees, now, out);
}
