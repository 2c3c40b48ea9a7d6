/**
 * What goes wrong, and when.
 *
 * Noise (loss, duplication, reordering, delay) is a rule beside the network for a while. The rest happens to processes and
 * links: at a drawn time, or *aimed*: armed to go off at a moment of a view change, between two effects of one turn, because
 * that is where a virtual-synchrony protocol breaks and where chance alone rarely strikes.
 *
 * A fault never takes so many lives that no quorum of the domain's last state is left: a domain that has lost its majority
 * at once waits by design.
 */
import type { Traced } from '../../lib/trace/format.js';
import { type Packet, type Rule, cut, mend } from './network.js';
import type { FaultKind, Plan } from './plan.js';
import { type Random, between, chance, fork, integer, pick, shuffled, some } from './random.js';
import { sendOne } from './traffic.js';
import {
  type Process,
  type ViewRecord,
  type World,
  addProcess,
  after,
  crash,
  deliverHeld,
  joinGroup,
  leaveDomain,
  leaveGroup,
  pause,
  restart,
  resume,
  resumeStreams,
  start,
} from './world.js';

/** Last words that are kept for later, at most. */
const heldMax = 200;

/** The faults of one run. */
export interface Faults {
  readonly world: World;
  readonly plan: Plan;
  readonly random: Random;
  /** What is to be undone when the world heals; each undoes itself once. */
  readonly undo: Set<() => void>;
  /** The last state of each founding of the domain, by its founder's name. */
  readonly states: Map<string, ViewRecord>;
  healed: boolean;
  count: number;
  inside: number;
  readonly byKind: Map<string, number>;
}

export function createFaults(world: World, plan: Plan, random: Random): Faults {
  const faults: Faults = {
    world,
    plan,
    random,
    undo: new Set(),
    states: new Map(),
    healed: false,
    count: 0,
    inside: 0,
    byKind: new Map(),
  };
  world.onTrace.add((_process, record) => {
    if (record.e !== 'view' || record.g !== '$domain') return;
    const known = faults.states.get(record.dom);
    if (known === undefined || known.k < record.k) faults.states.set(record.dom, record);
  });
  return faults;
}

/** Whether some living member is between `blocked` and its next view. */
function isChanging(world: World): boolean {
  return world.processes.some((process) => process.node !== null && process.blocked.size > 0);
}

/** Counts a fault; `inside` says whether it came inside a view change. */
function note(faults: Faults, kind: string, inside: boolean): void {
  faults.count += 1;
  faults.byKind.set(kind, (faults.byKind.get(kind) ?? 0) + 1);
  if (inside) faults.inside += 1;
}

// Who may die -----------------------------------------------------------------------------------------------------

function living(world: World): Process[] {
  return world.processes.filter((process) => process.node !== null);
}

/** Whether those of these that are in a state are a quorum of it. */
function isQuorumOf(state: ViewRecord, alive: ReadonlySet<string>): boolean {
  const count = state.m.filter((id) => alive.has(id)).length;
  return 2 * count > state.m.length || (2 * count === state.m.length && alive.has(state.m[0] ?? ''));
}

function idsOf(processes: readonly Process[]): Set<string> {
  return new Set(processes.map((process) => process.id));
}

/**
 * Whether the living could go on. If the last state of a domain, whoever knew it, has no quorum of the living, they wait by
 * design; and if the last one that any of them knows has none, since those who knew more, or whose votes are needed, are
 * dead. Those who departed in good order are not missed: they stayed until they were not needed.
 */
export function canGoOn(faults: Faults): boolean {
  const { world } = faults;
  const alive = living(world);
  const ids = idsOf(alive);
  const notMissed = new Set([...ids, ...world.departed]);
  const last = new Map<string, ViewRecord>();
  for (const { views } of alive) {
    const state = views.get('$domain');
    if (state !== undefined && state.k > (last.get(state.dom)?.k ?? 0)) last.set(state.dom, state);
  }
  return [...last.values()].every((state) => {
    const final = faults.states.get(state.dom) ?? state;
    return isQuorumOf(final, ids) && isQuorumOf(state, notMissed);
  });
}

/** Whether every state that is the last of its domain, or that somebody is in, keeps a quorum of the living without this one. */
function mayDie(faults: Faults, process: Process): boolean {
  const alive = living(faults.world).filter((other) => other !== process);
  if (process.node === null || alive.length === 0) return false;
  const ids = idsOf(alive);
  const everIds = new Set([...ids, process.id]);
  const known = alive.flatMap(({ views }) => views.get('$domain') ?? []);
  const last = [...faults.states.values()].filter((state) => state.m.some((id) => everIds.has(id)));
  return [...known, ...last].every((state) => isQuorumOf(state, ids));
}

function victim(faults: Faults): Process | undefined {
  const candidates = living(faults.world).filter((process) => mayDie(faults, process));
  return candidates.length === 0 ? undefined : pick(faults.random, candidates);
}

/** Rank 0 of a group, or the oldest node of the domain: whoever leads the next change. */
function coordinator(faults: Faults): Process | undefined {
  const { world, random } = faults;
  const names = shuffled(random, ['$domain', ...faults.plan.groups.map((group) => group.name)]);
  for (const name of names) {
    for (const process of living(world)) {
      const first = process.views.get(name)?.m[0];
      const found = living(world).find((candidate) => candidate.id === first);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

// Links -----------------------------------------------------------------------------------------------------------

/** Cuts links for a while; undone at the latest when the world heals. */
function cutFor(faults: Faults, pairs: readonly (readonly [string, string])[], millis: number): void {
  const { world } = faults;
  for (const [from, to] of pairs) cut(world.network, from, to);
  const undo = (): void => {
    if (!faults.undo.delete(undo)) return;
    for (const [from, to] of pairs) mend(world.network, from, to);
    resumeStreams(world);
  };
  faults.undo.add(undo);
  after(world, millis, undo);
}

function ruleFor(faults: Faults, rule: Rule, millis: number): void {
  faults.world.network.rules.add(rule);
  const undo = (): void => {
    if (faults.undo.delete(undo)) faults.world.network.rules.delete(rule);
  };
  faults.undo.add(undo);
  after(faults.world, millis, undo);
}

/** Either shorter than the detector's timeout, so that nobody is excluded, or longer. */
function spell(faults: Faults): number {
  const { timeout } = faults.plan.world.node;
  return chance(faults.random, 0.4) ? between(faults.random, 5, timeout) : between(faults.random, timeout, 5 * timeout);
}

function isolate(faults: Faults, process: Process, millis: number): void {
  const others = faults.world.processes.filter((other) => other !== process);
  const pairs = others.flatMap((other) => [
    [process.address, other.address] as const,
    [other.address, process.address] as const,
  ]);
  cutFor(faults, pairs, millis);
}

function partition(faults: Faults, oneWay: boolean): void {
  const all = shuffled(faults.random, faults.world.processes);
  const size = integer(faults.random, 1, Math.max(1, all.length - 1));
  const [one, other] = [all.slice(0, size), all.slice(size)];
  const pairs = one.flatMap((a) =>
    other.flatMap((b) => [[a.address, b.address] as const, ...(oneWay ? [] : [[b.address, a.address] as const])]),
  );
  cutFor(faults, pairs, spell(faults));
}

/** Many links, each in one direction: nobody agrees with anybody on who is there. */
function spoilLinks(faults: Faults): void {
  const share = pick(faults.random, [0.15, 0.3, 0.5]);
  const { processes } = faults.world;
  const pairs = processes.flatMap((a) =>
    some(
      faults.random,
      processes.filter((b) => b !== a),
      share,
    ).map((b) => [a.address, b.address] as const),
  );
  cutFor(faults, pairs, spell(faults));
}

/** A single link, in one direction: two nodes that do not agree on who is there. */
function cutLink(faults: Faults): void {
  const [a, b] = shuffled(faults.random, faults.world.processes);
  if (a !== undefined && b !== undefined) cutFor(faults, [[a.address, b.address]], spell(faults));
}

// Noise -----------------------------------------------------------------------------------------------------------

function noise(faults: Faults, kind: 'loss' | 'duplication' | 'reordering' | 'delay'): void {
  const random = fork(faults.random);
  const millis = between(faults.random, 50, 800);
  const share = pick(faults.random, [0.05, 0.15, 0.35]);
  // on one process's links only, or everywhere
  const target = chance(faults.random, 0.5) ? pick(faults.random, faults.world.processes).address : null;
  const concerns = (from: string, to: string): boolean => target === null || target === from || target === to;
  ruleFor(
    faults,
    (packet) => {
      if (packet.kind === 'stream' || !concerns(packet.from, packet.to) || !chance(random, share)) return undefined;
      if (kind === 'loss') return { kind: 'drop' };
      if (kind === 'duplication') return { kind: 'duplicate', millis: between(random, 0, 60) };
      if (kind === 'reordering') return { kind: 'delay', millis: between(random, 0, 12) };
      return { kind: 'delay', millis: between(random, 20, 250) };
    },
    millis,
  );
}

/** What a step of the protocol waits for, or must not believe when it comes late. */
const kindsToDelay = [
  'data',
  'fetched',
  'row',
  'report',
  'cut',
  'have-all',
  'install',
  'finish',
  'accept',
  'accepted',
  'promise',
  'decided',
  'decrees',
  'welcome',
] as const;

/** Packets that carry one kind of section come late, some of them much too late. */
function delayKind(faults: Faults): void {
  const random = fork(faults.random);
  const { timeout } = faults.plan.world.node;
  const kind = pick<string>(faults.random, kindsToDelay);
  const share = pick(faults.random, [0.3, 0.7, 1]);
  const longest = pick(faults.random, [10, timeout, 2 * timeout]);
  const { describePacket } = faults.world.core;
  ruleFor(
    faults,
    (packet) => {
      if (packet.kind === 'stream' || !chance(random, share) || !describePacket(packet.bytes).includes(kind)) {
        return undefined;
      }
      return { kind: 'delay', millis: between(random, 1, longest) };
    },
    between(faults.random, 100, 4 * timeout),
  );
}

/** The loss that is there all the time until the world heals. */
export function startLoss(faults: Faults): void {
  const random = fork(faults.random);
  const { loss } = faults.plan;
  if (loss === 0) return;
  ruleFor(faults, (packet) => (packet.kind !== 'stream' && chance(random, loss) ? { kind: 'drop' } : undefined), 1e9);
}

// Processes -------------------------------------------------------------------------------------------------------

/** Nothing is repaired until the next flush begins: what reached some only is then for the flush to fetch. */
function stopRepairs(faults: Faults): void {
  const { world, plan } = faults;
  let isOver = false;
  const listener = (_process: Process, record: Traced): void => {
    if (record.e !== 'blocked') return;
    isOver = true;
    world.onTrace.delete(listener);
  };
  world.onTrace.add(listener);
  ruleFor(
    faults,
    (packet) => {
      if (isOver || packet.kind !== 'unicast' || !world.core.describePacket(packet.bytes).includes('nak'))
        return undefined;
      return { kind: 'drop' };
    },
    2 * plan.world.node.timeout,
  );
}

/** A burst in every group that it is in: what is unstable when it dies is what a flush has to settle. */
function burst(faults: Faults, process: Process, uniform?: boolean): void {
  for (const group of faults.plan.groups) {
    const count = integer(faults.random, 0, 4);
    for (let i = 0; i < count; i += 1) sendOne(faults.world, faults.random, process, group, uniform);
  }
}

/**
 * From now on what this process sends to some, or its packets of one kind, come late: when the receivers have learned that
 * it is gone, or just the next decree, and are in the middle of the next view change.
 */
function holdLastWords(faults: Faults, process: Process, kind?: string): Rule {
  const { world, random } = faults;
  const { id } = process;
  const late = new Set(some(random, world.processes, 0.7).map(({ address }) => address));
  const held: Packet[] = [];
  const listener = (receiver: Process, record: Traced): void => {
    if (faults.healed) world.onTrace.delete(listener);
    if (record.e !== 'view' || record.g !== '$domain' || (kind === undefined && record.m.includes(id))) return;
    for (const packet of held.filter((candidate) => candidate.to === receiver.address)) {
      held.splice(held.indexOf(packet), 1);
      after(world, between(random, 0, 3 * world.options.delayMax), () => {
        if (!faults.healed) deliverHeld(world, packet);
      });
    }
  };
  world.onTrace.add(listener);
  const rule: Rule = (packet) => {
    if (packet.from !== process.address || packet.kind === 'stream' || !late.has(packet.to)) return undefined;
    if (process.id !== id || held.length >= heldMax) return undefined;
    if (kind !== undefined && !world.core.describePacket(packet.bytes).includes(kind)) return undefined;
    held.push(packet);
    return { kind: 'hold' };
  };
  ruleFor(faults, rule, 8 * faults.plan.world.node.timeout);
  return rule;
}

/** Arms a process to die, or to leave a group, when it sends a packet of this kind, which comes late. */
function armLateWords(faults: Faults): void {
  const { world, random } = faults;
  const kind = pick<string>(random, ['data', 'cut', 'fetched', 'fetched', 'have-all', 'install', 'install', 'decided']);
  let found: Rule | undefined;
  const rule: Rule = (packet) => {
    if (found !== undefined) return undefined;
    if (packet.kind === 'stream' || !world.core.describePacket(packet.bytes).includes(kind)) return undefined;
    const process = world.processes.find((candidate) => candidate.address === packet.from);
    if (process === undefined || !mayDie(faults, process)) return undefined;
    world.network.rules.delete(rule);
    note(faults, `aimed: late ${kind}`, isChanging(world));
    const leaves = chance(random, 0.5);
    found = holdLastWords(faults, process, leaves ? kind : undefined);
    after(world, between(random, 0, 2), () => {
      if (faults.healed) return;
      if (!leaves && mayDie(faults, process)) crash(world, process, true);
      if (leaves) for (const group of process.replicas.keys()) leaveGroup(world, process, group);
    });
    return found(packet);
  };
  ruleFor(faults, rule, 5 * faults.plan.world.node.timeout);
}

/** Dies, perhaps after last words that reach only some, or come late, perhaps silently, perhaps to come back at once. */
function kill(faults: Faults, process: Process, back: 'never' | 'at once' | 'perhaps'): void {
  const { world, random } = faults;
  if (!mayDie(faults, process)) return;
  const silent = chance(random, 0.4);
  const die = (): void => {
    if (faults.healed || !mayDie(faults, process)) return;
    if (back === 'at once') restart(world, process, between(random, 0, 8));
    else crash(world, process, silent);
    if (back === 'perhaps' && chance(random, 0.5)) {
      const { life } = process;
      after(world, between(random, 1, 900), () => {
        if (process.life === life && !faults.healed) start(world, process);
      });
    }
  };
  if (chance(random, 0.4)) return die();
  if (chance(random, 0.4)) holdLastWords(faults, process);
  else silence(faults, process, some(random, world.processes, 0.6), between(random, 8, 60));
  burst(faults, process);
  if (chance(random, 0.6)) stopRepairs(faults);
  after(world, between(random, 0.5, 8), die);
}

/** These do not hear it for a while. */
function silence(faults: Faults, process: Process, deaf: readonly Process[], millis: number): void {
  const pairs = deaf.filter((other) => other !== process).map((other) => [process.address, other.address] as const);
  cutFor(faults, pairs, millis);
}

/**
 * Two that die together, after a while in which the others hear one of them not at all, and the other in part or in full:
 * they go on with each other, and what they agree on is lost with them, or half of it: the order or the bodies.
 */
function killTwo(faults: Faults): boolean {
  const { world, random } = faults;
  const leader = coordinator(faults);
  const rest = shuffled(random, living(world));
  const first = leader !== undefined && chance(random, 0.7) ? leader : rest[0];
  const second = rest.find((process) => process !== first);
  if (first === undefined || second === undefined || !mayDie(faults, first) || !mayDie(faults, second)) return false;
  // the one whose bodies are lost with it, while the other orders uniform multicasts behind them
  const prefix = chance(random, 0.35);
  const [unheard, heard] = !prefix && chance(random, 0.5) ? [first, second] : [second, first];
  const others = world.processes.filter((process) => process !== first && process !== second);
  const longest = pick(random, [15, 40, 0.8 * faults.plan.world.node.timeout]);
  const delay = prefix ? between(random, 20, 60) : between(random, 4, longest);
  if (prefix || chance(random, 0.8)) stopRepairs(faults);
  silence(faults, unheard, prefix || chance(random, 0.6) ? others : some(random, others, 0.7), 2 * delay + 10);
  silence(faults, heard, prefix || chance(random, 0.5) ? [] : some(random, others, 0.5), 2 * delay + 10);
  after(world, between(random, 0, delay / 4), () => burst(faults, unheard, false));
  const uniform = prefix || chance(random, 0.3) ? true : undefined;
  for (const process of others) {
    after(world, between(random, 0, delay / 2), () => burst(faults, process, uniform));
  }
  after(world, between(random, delay / 3, delay), () => burst(faults, heard));
  for (const process of [first, second]) {
    after(world, delay + between(random, 0, 3), () => {
      if (!faults.healed && mayDie(faults, process)) crash(world, process, chance(random, 0.5));
    });
  }
  return true;
}

/**
 * One dies after a burst that one other alone has heard, who wants to leave its groups: it is let go while the others fetch
 * from it what they lack, and its answers come when they are at the next change.
 */
function leaveMidFlush(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const [sender, holder] = shuffled(random, living(world));
  if (sender === undefined || holder === undefined || !mayDie(faults, sender)) return false;
  const { describePacket } = world.core;
  const { timeout } = plan.world.node;
  stopRepairs(faults);
  silence(
    faults,
    sender,
    world.processes.filter((process) => process !== holder),
    2 * timeout,
  );
  burst(faults, sender);
  let hasAnswered = false;
  const rule: Rule = (packet) => {
    if (packet.from !== holder.address || packet.kind === 'stream' || hasAnswered) return undefined;
    const kinds = describePacket(packet.bytes);
    hasAnswered = kinds.includes('fetched');
    return kinds.includes('request') && !hasAnswered ? { kind: 'drop' } : undefined;
  };
  ruleFor(faults, rule, 6 * timeout);
  holdLastWords(faults, holder, 'fetched');
  after(world, 4, () => {
    if (faults.healed) return;
    for (const group of holder.replicas.keys()) leaveGroup(world, holder, group);
    if (mayDie(faults, sender)) crash(world, sender, true);
  });
  return true;
}

/** The oldest node of the newest state that somebody living is in. */
function oldestNode(faults: Faults): Process | undefined {
  const alive = living(faults.world);
  const states = alive.flatMap(({ views }) => views.get('$domain') ?? []);
  const newest = states.reduce<ViewRecord | undefined>(
    (best, view) => (best && best.k >= view.k ? best : view),
    undefined,
  );
  return alive.find((process) => process.id === newest?.m[0]);
}

/**
 * The oldest node decides something, tells one node only, and dies, or is not heard for a while if it is itself to go: to leave,
 * or to exclude somebody that it does not hear. Whoever is told may be the one that is to go.
 */
function tellHalf(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const { timeout } = plan.world.node;
  const oldest = oldestNode(faults);
  if (oldest === undefined || world.processes.length < 2) return false;
  const gone = pick(random, living(world));
  const leaves = gone === oldest || chance(random, 0.5);
  if (leaves && living(world).length > 1) leaveDomain(world, gone);
  else cutFor(faults, [[gone.address, oldest.address]], 3 * timeout);
  const told = gone !== oldest && chance(random, 0.7) ? gone : pick(random, [...world.processes, undefined]);
  let decided = false;
  const listener = (process: Process, record: Traced): void => {
    if (process !== oldest || record.e !== 'view' || record.g !== '$domain' || record.m.includes(gone.id)) return;
    world.onTrace.delete(listener);
    decided = true;
    after(world, 0, () => {
      if (!faults.healed && mayDie(faults, oldest)) crash(world, oldest, true);
    });
  };
  if (gone !== oldest) world.onTrace.add(listener);
  // who leaves is in no group any more when it asks for its decree, and traces no state that it is not in
  const isDecided = (): boolean => (gone === oldest ? oldest.replicas.size === 0 : decided);
  ruleFor(
    faults,
    (packet) => {
      if (packet.from !== oldest.address || packet.kind === 'stream' || packet.to === told?.address) return undefined;
      return isDecided() ? { kind: 'drop' } : undefined;
    },
    between(random, 2, 5) * timeout,
  );
  return true;
}

/**
 * A proposal of the oldest node, which nobody hears for a while, reaches the others only after they have promised a higher
 * ballot; their answers reach it, the news of the higher ballot do not.
 */
function delayBallot(faults: Faults): boolean {
  const { world, random, plan } = faults;
  const oldest = oldestNode(faults);
  if (oldest === undefined || living(world).length < 3) return false;
  const { describePacket } = world.core;
  const held: Packet[] = [];
  const rule: Rule = (packet) => {
    if (packet.kind === 'stream') return undefined;
    if (packet.to === oldest.address) {
      const kinds = describePacket(packet.bytes);
      return kinds.includes('accepted') || kinds.includes('request') ? undefined : { kind: 'drop' };
    }
    if (packet.from !== oldest.address) return undefined;
    if (held.length < heldMax && describePacket(packet.bytes).includes('accept')) held.push(packet);
    return { kind: 'hold' };
  };
  const listener = (process: Process, bytes: Uint8Array): void => {
    if (faults.healed) world.onSend.delete(listener);
    if (!describePacket(bytes).includes('promise')) return;
    for (const packet of held.filter(({ to }) => to === process.address)) {
      held.splice(held.indexOf(packet), 1);
      if (!faults.healed) deliverHeld(world, packet);
    }
  };
  world.onSend.add(listener);
  const undo = (): void => {
    if (faults.undo.delete(undo)) world.onSend.delete(listener);
  };
  faults.undo.add(undo);
  const millis = between(random, 1.5, 4) * plan.world.node.timeout;
  after(world, millis, undo);
  ruleFor(faults, rule, millis);
  return causeChange(faults);
}

function pauseFor(faults: Faults, process: Process, millis: number): void {
  const { world } = faults;
  if (process.paused || process.node === null) return;
  pause(world, process);
  const { life } = process;
  const undo = (): void => {
    if (faults.undo.delete(undo) && process.life === life) resume(world, process);
  };
  faults.undo.add(undo);
  after(world, millis, undo);
}

// Membership ------------------------------------------------------------------------------------------------------

const nameList = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];

/** Adds the next process of the run. */
export function nextProcess(faults: Faults): Process | undefined {
  const name = nameList[faults.world.processes.length];
  if (name === undefined || faults.world.processes.length >= faults.plan.names) return undefined;
  const process = addProcess(faults.world, name);
  for (const group of faults.plan.groups) {
    if (chance(faults.random, group.share)) process.wanted.set(group.name, group.settings);
  }
  return process;
}

function joinNode(faults: Faults): boolean {
  const down = faults.world.processes.filter((process) => process.node === null);
  const process = down.length > 0 && chance(faults.random, 0.6) ? pick(faults.random, down) : nextProcess(faults);
  if (process === undefined || process.node !== null) return false;
  if (process.hasLeft) {
    for (const group of faults.plan.groups) process.wanted.set(group.name, group.settings);
  }
  start(faults.world, process);
  return true;
}

function joinSomeGroup(faults: Faults): boolean {
  const choices = living(faults.world).flatMap((process) =>
    faults.plan.groups
      .filter((group) => !process.wanted.has(group.name) && !process.hasLeft)
      .map((group) => ({ process, group })),
  );
  if (choices.length === 0) return false;
  const { process, group } = pick(faults.random, choices);
  joinGroup(faults.world, process, group.name, group.settings);
  return true;
}

function leaveSomeGroup(faults: Faults): boolean {
  const choices = living(faults.world).flatMap((process) =>
    [...process.wanted.keys()].map((group) => ({ process, group })),
  );
  if (choices.length === 0) return false;
  const { process, group } = pick(faults.random, choices);
  leaveGroup(faults.world, process, group);
  // back again, sometimes before the leave is through
  if (chance(faults.random, 0.5)) {
    const { life } = process;
    const settings = faults.plan.groups.find((candidate) => candidate.name === group)?.settings;
    after(faults.world, between(faults.random, 0, 300), () => {
      if (process.life === life && settings !== undefined) joinGroup(faults.world, process, group, settings);
    });
  }
  return true;
}

function leaveWholly(faults: Faults): boolean {
  const process = victim(faults);
  if (process === undefined || living(faults.world).length < 2) return false;
  leaveDomain(faults.world, process);
  return true;
}

// Aimed faults ----------------------------------------------------------------------------------------------------

type Moment = 'blocked' | 'report' | 'install' | 'later install' | 'decree';

/** Whether this record is the moment, as a function that remembers what it has seen. */
function recognizer(faults: Faults, moment: Moment): (record: Traced) => boolean {
  const seen = new Map<string, number>();
  const nth = moment === 'report' || moment === 'later install' ? integer(faults.random, 2, 3) : 1;
  return (record) => {
    const wanted = moment === 'blocked' || moment === 'report' ? 'blocked' : 'view';
    if (record.e !== wanted || (record.e !== 'blocked' && record.e !== 'view')) return false;
    if ((record.g === '$domain') !== (moment === 'decree')) return false;
    const key = `${record.g} ${record.v}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count === nth;
  };
}

function aimedVictim(faults: Faults, self: Process, group: string): Process | undefined {
  const members = self.views.get(group)?.m ?? [];
  const alive = living(faults.world);
  const byRank = members.flatMap((id) => alive.filter((process) => process.id === id));
  const draw = integer(faults.random, 0, 9);
  if (draw < 4) return byRank[0];
  if (draw < 6) return byRank[1];
  if (draw < 9) return self;
  return pick(faults.random, alive);
}

/** Arms a fault to go off right after somebody sends a packet of this kind. */
function armAtPacket(faults: Faults): void {
  const { world, random } = faults;
  const kind = pick<string>(random, ['report', 'cut', 'fetch', 'fetched', 'have-all', 'install', 'accept', 'decided']);
  const listener = (process: Process, bytes: Uint8Array): void => {
    if (faults.healed) world.onSend.delete(listener);
    else if (world.core.describePacket(bytes).includes(kind)) {
      world.onSend.delete(listener);
      strike(faults, process, '$domain', `sent ${kind}`);
    }
  };
  world.onSend.add(listener);
}

/** Arms a fault to go off at a moment of the next view change. */
function arm(faults: Faults, follow: boolean): void {
  const { world, random } = faults;
  if (chance(random, 0.25)) return armLateWords(faults);
  if (chance(random, 0.3)) return armAtPacket(faults);
  const moment = pick<Moment>(random, ['blocked', 'report', 'report', 'install', 'install', 'later install', 'decree']);
  const isMoment = recognizer(faults, moment);
  const listener = (process: Process, record: Traced): void => {
    if (faults.healed) world.onTrace.delete(listener);
    else if (isMoment(record)) {
      world.onTrace.delete(listener);
      strike(faults, process, 'g' in record && record.g !== undefined ? record.g : '$domain', moment);
      if (follow) arm(faults, chance(random, 0.3));
    }
  };
  world.onTrace.add(listener);
}

function strike(faults: Faults, self: Process, group: string, moment: string): void {
  const { random } = faults;
  const target = aimedVictim(faults, self, group);
  if (target === undefined) return;
  const { timeout } = faults.plan.world.node;
  note(faults, `aimed: ${moment}`, isChanging(faults.world));
  const draw = integer(random, 0, 11);
  if (draw < 6) kill(faults, target, 'perhaps');
  else if (draw < 7) kill(faults, target, 'at once');
  else if (draw < 8) pauseFor(faults, target, between(random, 1, 3 * timeout));
  else if (draw < 10) isolate(faults, target, spell(faults));
  else if (draw < 11) cutLink(faults);
  else partition(faults, chance(random, 0.5));
}

// All together ----------------------------------------------------------------------------------------------------

function happen(faults: Faults, kind: FaultKind): boolean {
  switch (kind) {
    case 'loss':
    case 'duplication':
    case 'reordering':
    case 'delay':
      noise(faults, kind);
      return true;
    case 'one-way partition':
      if (chance(faults.random, 0.4)) cutLink(faults);
      else partition(faults, true);
      return true;
    case 'late packets of one kind':
      delayKind(faults);
      return true;
    case 'bad links':
      spoilLinks(faults);
      return true;
    case 'crash of two':
      return killTwo(faults);
    case 'leave during a flush':
      return leaveMidFlush(faults);
    case 'half-told decree':
      return tellHalf(faults);
    case 'late ballot':
      return delayBallot(faults);
    case 'two-way partition':
      partition(faults, false);
      return true;
    case 'isolation':
      isolate(faults, pick(faults.random, faults.world.processes), spell(faults));
      return true;
    case 'pause':
      pauseFor(faults, pick(faults.random, faults.world.processes), spell(faults));
      return true;
    case 'crash':
    case 'restart': {
      const process = victim(faults);
      if (process !== undefined) kill(faults, process, kind === 'restart' ? 'at once' : 'perhaps');
      return process !== undefined;
    }
    case 'crash of a coordinator': {
      const process = coordinator(faults);
      if (process === undefined || !mayDie(faults, process)) return false;
      kill(faults, process, 'perhaps');
      return true;
    }
    case 'aimed':
      arm(faults, chance(faults.random, 0.4));
      return causeChange(faults);
    case 'join of a node':
      return joinNode(faults);
    case 'join of a group':
      return joinSomeGroup(faults);
    case 'leave of a group':
      return leaveSomeGroup(faults);
    case 'leave of the domain':
      return leaveWholly(faults);
  }
}

/** Starts a view change for an armed fault to strike. */
function causeChange(faults: Faults): boolean {
  const draw = integer(faults.random, 0, 9);
  if (draw < 4 && joinNode(faults)) return true;
  if (draw < 6 && joinSomeGroup(faults)) return true;
  if (draw < 8 && leaveSomeGroup(faults)) return true;
  const process = victim(faults);
  if (process === undefined) return joinNode(faults);
  kill(faults, process, 'perhaps');
  return true;
}

/** Lets faults happen until the world heals. */
export function startFaults(faults: Faults): void {
  const next = (): void => {
    if (faults.healed) return;
    const kind = pick(faults.random, faults.plan.kinds);
    const inside = isChanging(faults.world);
    if (happen(faults, kind)) note(faults, kind, inside);
    after(faults.world, between(faults.random, 0.3, 1.7) * faults.plan.interval, next);
  };
  after(faults.world, faults.plan.calm, next);
}

/** Ends all faults: links mend, noise stops, the paused go on, the dead stay dead or come back. */
export function heal(faults: Faults): void {
  faults.healed = true;
  for (const undo of [...faults.undo]) undo();
  for (const process of faults.world.processes) {
    const isDead = process.node === null && !process.hasLeft;
    if (isDead && (faults.plan.revive || living(faults.world).length === 0)) start(faults.world, process);
  }
}
