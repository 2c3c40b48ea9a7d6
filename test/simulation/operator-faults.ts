/**
 * Losses that take an operator: most of a domain is gone at once, or is believed to be, and those who are left are forced on.
 *
 * An operator is right if those of the old domain who live, but for the one that founds the domain anew, can decide nothing any
 * more. Then nothing is ever decided in the old domain after that, which is checked here. One who is wrong makes two domains, each
 * of which keeps all promises by itself; when they hear each other again, the smaller has to give way, as any two domains have to.
 */
import { canLeave, isQuorumOf, lastStates } from './chains.js';
import { type Faults, cutFor, idsOf, living } from './fault-state.js';
import { type Random, between, chance, integer, pick, shuffled } from '../../transport/simulation/random.js';
import { type Process, type World, after, crash, fail, post, start } from './world.js';

/** An operator tries so often. */
const triesMax = 16;

/** Those who are not left die, all or all but one that is not heard, or go on where nobody here hears them. */
export function loseQuorum(faults: Faults, random: Random): boolean {
  const { world, plan } = faults;
  const { timeout, timeoutMax } = plan.world.node;
  const state = lastStates(world.chains).find(({ m }) => living(world).some(({ id }) => m.includes(id)));
  if (state === undefined || state.m.length < 2) return false;
  const members = shuffled(
    random,
    living(world).filter(({ id }) => state.m.includes(id)),
  );
  const left = members.slice(0, integer(random, 1, Math.max(1, Math.floor(state.m.length / 2))));
  if (left.length === 0 || canLeave(world.chains, state, idsOf(left))) return false;
  const missing = members.filter((process) => !left.includes(process));
  const hidden = pick(random, [[], missing.slice(0, 1), missing]);
  const deafness = between(random, 4, 9) * timeoutMax;
  const [isHeard, hears] = pick(random, [
    [false, false],
    [false, true],
  ]);
  const pairs = hidden.flatMap(({ address: from }) =>
    left.flatMap(({ address: to }) => [
      ...(isHeard ? [] : [[from, to] as const]),
      ...(hears ? [] : [[to, from] as const]),
    ]),
  );
  cutFor(faults, pairs, deafness);
  for (const process of missing.filter((one) => !hidden.includes(one))) {
    crash(world, process, chance(random, 0.5));
    const { life } = process;
    after(world, between(random, 2, 8) * timeoutMax, () => {
      if (process.life === life && !faults.healed && chance(random, 0.7)) start(world, process);
    });
  }
  watchForced(world, state.dom);
  after(world, timeout, () => speak(faults, random, left, triesMax));
  return true;
}

/** The operator looks whether a quorum is missed, and says so who is heard; now and then a name is wrong. */
function speak(faults: Faults, random: Random, left: readonly Process[], tries: number): void {
  const { world } = faults;
  if (faults.healed || tries === 0) return;
  const speaker = pick(random, left);
  const { node } = speaker;
  if (node?.membership.state && !node.host.quorate && !speaker.paused) {
    const { state, suspects } = node.membership;
    const heard = state.nodes.filter(({ id }) => !suspects.has(id)).map(({ name }) => name);
    const isWrong = chance(random, 0.2);
    post(world, speaker, { kind: 'force', nodes: isWrong ? [...heard, 'z'] : heard });
  }
  after(world, between(random, 0.2, 0.8) * faults.plan.world.node.timeout, () =>
    speak(faults, random, left, tries - 1),
  );
}

/** FORCED: once a domain is forced on by an operator who is right, nothing is decided any more in what it was. */
function watchForced(world: World, dom: string): void {
  let last = Infinity;
  world.onEffect.add((process, effect) => {
    if (effect.kind !== 'restart' || effect.forced !== 'found') return;
    const state = lastStates(world.chains).find((one) => one.dom === dom);
    if (!state?.m.includes(process.id)) return;
    if (isRight(world, dom, process)) last = Math.min(last, state.k);
  });
  world.onTrace.add((_process, record) => {
    if (record.e !== 'view' || record.g !== '$domain' || record.dom !== dom || record.k <= last) return;
    fail(world, 'FORCED', `state ${record.k} of ${dom} is decided, which was forced on from state ${last}`);
  });
}

/**
 * Whether those who live without the founder can decide nothing in what was their domain. A quorum that weighs too little still
 * decides all that excludes nobody; and a founder whose vote is on its way has voted.
 */
export function isRight(world: World, dom: string, founder: Process): boolean {
  const others = living(world).filter((process) => process !== founder);
  const instance = founder.node?.membership.instance;
  return lastStates(world.chains).every((state) => {
    const hasVoted = instance?.number === state.k + 1 && instance.acceptor.accepted !== null;
    return state.dom !== dom || !isQuorumOf(state, idsOf(hasVoted ? [...others, founder] : others));
  });
}
