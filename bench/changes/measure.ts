/**
 * Times changes of a view: each is begun once nothing is under way any more, and ends when the last member of the new view
 * has it, and whoever leaves or joins is out or in.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { millis } from '../clock.js';
import { MeasurementFailed } from '../crew.js';
import type { Remote } from '../remote.js';
import type { Track } from '../track.js';
import { addMember, assemble, dismiss, forgetViews, viewOfAll } from './crew.js';
import type { Crew } from './crew.js';
import type { ChangesNode } from './node.js';

/** What is timed, and how often. */
export interface ChangesPlan {
  readonly members: number;
  readonly repetitions: number;
  /** Of the state that a joiner gets; 0: there is none to be timed. */
  readonly stateBytes: number;
}

/** The changes that are timed. */
export const changes = [
  'kill -9 to the new view',
  'leave of the group',
  'join of the group, by a node of the domain',
  'leave of the domain',
  'join of the domain and the group',
  'join, from the start of the process',
  'join with the state',
  'join with the state, from the start of the process',
] as const;
/** One of them. */
export type Change = (typeof changes)[number];

/** One change, timed. */
export interface Timed {
  readonly change: Change;
  readonly millis: number;
  /** Of the state that a joiner got. */
  readonly bytes: number;
}

/** After a change nothing is under way any more. */
const quietMillis = 300;

/** Of how many parts the plan is: its repetitions, and those with a state. */
export function changesParts({ repetitions, stateBytes }: ChangesPlan): number {
  return stateBytes > 0 ? 2 * repetitions : repetitions;
}

/** Runs the plan. Rejects with {@link MeasurementFailed}. */
export async function measureChanges(plan: ChangesPlan, to: Track): Promise<Timed[]> {
  const timed: Timed[] = [];
  const take = (change: Change, millisTaken: number, bytes = 0) => {
    if (!(millisTaken > 0)) throw new MeasurementFailed(`${change}: took ${millisTaken} ms`);
    timed.push({ change, millis: millisTaken, bytes });
  };
  const crew = await assemble(plan.members, 0);
  try {
    for (let repetition = 0; repetition < plan.repetitions; repetition++) {
      to.tell(`repetition ${repetition + 1} of ${plan.repetitions}`);
      // each rank in turn
      await killAndReplace(crew, repetition % plan.members, take);
      await leaveAndJoin(crew, (repetition + 1) % plan.members, take);
      await goAndComeBack(crew, (repetition + 2) % plan.members, take);
      to.done();
    }
  } finally {
    await dismiss(crew);
  }
  if (plan.stateBytes > 0) await joinWithState(plan, to, take);
  return timed;
}

type Take = (change: Change, millis: number, bytes?: number) => void;

/** The member of that rank among those that are there. */
function pick({ nodes }: Crew, rank: number): [string, Remote<ChangesNode>] {
  const found = [...nodes][rank];
  if (!found) throw new MeasurementFailed(`no member of rank ${rank}`);
  return found;
}

async function prepare(crew: Crew): Promise<void> {
  await sleep(quietMillis);
  await forgetViews(crew);
}

async function killAndReplace(crew: Crew, rank: number, take: Take): Promise<void> {
  await prepare(crew);
  const [name, node] = pick(crew, rank);
  crew.nodes.delete(name);
  const killedAt = millis();
  const killed = node.kill();
  take('kill -9 to the new view', (await viewOfAll(crew)) - killedAt);
  await killed;
  await replace(crew, name, take);
}

async function replace(crew: Crew, name: string, take: Take): Promise<void> {
  await prepare(crew);
  const { join, fromStart } = await addMember(crew, name);
  take('join of the domain and the group', join);
  take('join, from the start of the process', fromStart);
}

async function leaveAndJoin(crew: Crew, rank: number, take: Take): Promise<void> {
  await prepare(crew);
  const [name, node] = pick(crew, rank);
  const [left, viewAt] = await Promise.all([node.call('leave', null), viewOfAll(crew, name)]);
  take('leave of the group', Math.max(left.to, viewAt) - left.from);
  await prepare(crew);
  const joined = await node.call('join', null);
  take('join of the group, by a node of the domain', Math.max(joined.to, await viewOfAll(crew)) - joined.from);
  // it is the youngest now
  crew.nodes.delete(name);
  crew.nodes.set(name, node);
}

async function goAndComeBack(crew: Crew, rank: number, take: Take): Promise<void> {
  await prepare(crew);
  const [name, node] = pick(crew, rank);
  const [left, viewAt] = await Promise.all([node.call('leaveDomain', null), viewOfAll(crew, name)]);
  take('leave of the domain', Math.max(left.to, viewAt) - left.from);
  crew.nodes.delete(name);
  await node.kill();
  await replace(crew, name, take);
}

/** One joiner after the other gets the state of the others. */
async function joinWithState(plan: ChangesPlan, to: Track, take: Take): Promise<void> {
  const crew = await assemble(plan.members - 1, plan.stateBytes);
  try {
    for (let repetition = 0; repetition < plan.repetitions; repetition++) {
      to.tell(`state, repetition ${repetition + 1} of ${plan.repetitions}`);
      await prepare(crew);
      const { join, fromStart, bytes } = await addMember(crew, 'joiner');
      if (bytes < plan.stateBytes) throw new MeasurementFailed(`a joiner has ${bytes} of ${plan.stateBytes} bytes`);
      take('join with the state', join, bytes);
      take('join with the state, from the start of the process', fromStart, bytes);
      const [name, node] = pick(crew, plan.members - 1);
      crew.nodes.delete(name);
      await prepare(crew);
      await Promise.all([node.call('leaveDomain', null), viewOfAll(crew)]);
      await node.kill();
      to.done();
    }
  } finally {
    await dismiss(crew);
  }
}
