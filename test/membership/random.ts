/**
 * One random run: nodes come, go, crash, stall and are cut off from each other while the network misbehaves; then all
 * is well, and within a bound all that live must be one domain.
 */
import { isQuorum } from '../../lib/membership/quorum.js';
import type { DomainState } from '../../lib/membership/state.js';
import { World, calm, letters } from './world.js';

/** What a run came to. */
export interface Outcome {
  readonly settledAfter: number;
  readonly decrees: number;
  readonly wedged: number;
  readonly exclusions: number;
  readonly leaves: number;
  readonly domains: number;
}

const groups = ['red', 'green', 'blue'];

/** Runs one seed; throws if a property is violated. */
export function randomRun(seed: number): Outcome {
  const w = new World(seed);
  const names = letters(1 + w.below(7));
  const outcome = { settledAfter: 0, decrees: 0, wedged: 0, exclusions: 0, leaves: 0, domains: 0 };
  w.watch = (process, output) => {
    if (output.kind === 'excluded') outcome.exclusions += 1;
    if (output.kind === 'left') outcome.leaves += 1;
    if (output.kind === 'refused') throw new Error(`seed ${seed}: ${process.membership.id} refused: ${output.why}`);
  };
  if (w.random() < 0.5) w.startAll(names);
  else for (const name of names) w.at(w.below(3000), () => w.processes.has(name) || w.start(name));
  if (w.random() < 0.7) w.run(w.below(4000));
  w.weather = {
    loss: w.random() < 0.5 ? 0 : w.random() * 0.3,
    duplication: w.random() < 0.5 ? 0 : 0.2,
    delayMin: 0.1,
    delayMax: w.random() < 0.5 ? 1 : w.random() * 200,
  };
  for (let i = 3 + w.below(15); i > 0; i--) {
    disturb(w, names);
    w.run(w.random() < 0.4 ? w.below(30) : w.below(2000));
  }
  w.heal();
  w.rule = () => 'pass';
  w.weather = w.random() < 0.7 ? calm : { loss: 0.05, duplication: 0.05, delayMin: 0.1, delayMax: 20 };
  for (const name of names) if (!w.processes.has(name)) w.start(name);
  outcome.settledAfter = settle(w, outcome);
  outcome.domains = w.chains.size;
  outcome.decrees = [...w.chains.values()].reduce((sum, chain) => sum + chain.size, 0);
  return outcome;
}

function disturb(w: World, names: readonly string[]): void {
  const name = names[w.below(names.length)] as string;
  const process = w.processes.get(name);
  const kind = w.below(13);
  if (process === undefined) {
    w.start(name);
  } else if (kind < 3) {
    w.crash(name);
    if (w.random() < 0.5) w.at(w.now + w.below(500), () => w.processes.has(name) || w.start(name));
  } else if (kind === 3) {
    if (!process.stalled) w.stall(name, w.below(4000));
  } else if (kind === 4) {
    w.leave(name);
  } else if (kind === 5) {
    const side = names.filter(() => w.random() < 0.5);
    w.partition(
      side,
      names.filter((other) => !side.includes(other)),
    );
  } else if (kind === 6) {
    w.heal();
    w.rule = () => 'pass';
  } else if (kind === 7) {
    const deaf = names[w.below(names.length)] as string;
    w.rule = ({ from }, to) => (from.name === name && to.name === deaf ? 'drop' : 'pass');
  } else if (kind >= 10) {
    ambush(w);
  } else {
    const group = groups[w.below(groups.length)] as string;
    if (w.random() < 0.6) w.joinGroup(name, group);
    else w.leaveGroup(name, group);
  }
}

/** The next time that something is proposed or decided, only some hear of it, and then somebody dies. */
function ambush(w: World): void {
  const kind = (['accept', 'accept', 'decided', 'accepted', 'promise'] as const)[w.below(5)];
  const dies = w.random() < 0.7 ? 'sender' : 'receiver';
  const share = w.random();
  let sprung = false;
  w.rule = ({ from, message }, to) => {
    if (message.kind !== kind) return sprung && message.kind === 'decided' ? 'drop' : 'pass';
    if (!sprung) {
      sprung = true;
      const { key } = dies === 'sender' ? from : to;
      w.at(w.now + w.below(40), () => {
        if (w.processes.has(key)) w.crash(key);
        w.rule = () => 'pass';
      });
    }
    return w.random() < share ? 'drop' : 'pass';
  };
  // something to decide
  const [someone] = [...w.processes.keys()];
  if (someone !== undefined && w.random() < 0.5) w.joinGroup(someone, groups[w.below(groups.length)] as string);
}

const bound = 30_000;

/** Waits for one domain of all; where too many have died for a quorum, an operator stops those who wait for them. */
function settle(w: World, outcome: { wedged: number }): number {
  const from = w.now;
  for (let round = 0; ; round++) {
    try {
      w.until('one domain of all', () => settledForGood(w), bound);
      return w.now - from;
    } catch (error) {
      const stuck = [...w.processes.values()].filter(({ membership: { state } }) => state && isWedged(w, state));
      if (stuck.length === 0 || round === 4) throw error;
      outcome.wedged += 1;
      for (const { name } of stuck) {
        w.crash(name);
        w.start(name);
      }
    }
  }
}

function settledForGood(w: World): boolean {
  return (
    w.settled() &&
    [...w.processes.values()].every(({ membership: m }) => m.suspects.size === 0 && m.wishes.length === 0)
  );
}

/** Whether nobody can be blamed: those who live are no quorum of the domain's latest state, or cannot learn of it. */
function isWedged(w: World, { id }: DomainState): boolean {
  const chain = w.chains.get(id);
  if (chain === undefined) return false;
  const latest = chain.get(Math.max(...chain.keys())) as DomainState;
  const members = [...w.processes.values()].map(({ membership }) => membership);
  const lives = (node: string) => members.some((m) => m.id === node);
  if (!isQuorum(latest.nodes, lives)) return true;
  const previous = chain.get(latest.number - 1);
  const isKnown = members.some((m) => m.state?.id === id && m.state.number === latest.number);
  return !isKnown && previous !== undefined && !isQuorum(previous.nodes, lives);
}
