/**
 * The conditions of the scenario language: questions about the stage that are true or false at any moment.
 */
import { digest } from '../simulation/application.js';
import { canGoOn } from '../simulation/chains.js';
import { missingDeliveries, missingDrain } from '../simulation/liveness.js';
import { type Stage, processOf } from './stage.js';

/** A condition, to be looked at again and again. */
export type Condition = () => boolean;

/** The words after `word`. */
function following(words: readonly string[], word: string): readonly string[] {
  const index = words.indexOf(word);
  if (index < 0) throw new Error(`expected '${word}' in: ${words.join(' ')}`);
  return words.slice(index + 1);
}

function hasView(stage: Stage, group: string, names: readonly string[]): boolean {
  const members = names.map((name) => processOf(stage, name));
  return members.every(({ node, views, blocked }) => {
    const view = views.get(group);
    if (node === null || view === undefined || blocked.has(group) || view.m.length !== members.length) return false;
    return members.every((member) => view.m.includes(member.id));
  });
}

function hasDelivered(stage: Stage, name: string, label: string): boolean {
  const id = stage.ids.get(label);
  const { id: self } = processOf(stage, name);
  return stage.world.trace.some((record) => record.e === 'deliver' && record.id === id && record.p === self);
}

function areEqual(stage: Stage, group: string, names: readonly string[]): boolean {
  const digests = names.map((name) => {
    const state = processOf(stage, name).replicas.get(group)?.state;
    return state ? digest(state) : `${name} has none`;
  });
  return new Set(digests).size === 1;
}

function isCalm(stage: Stage): boolean {
  const { world } = stage;
  const changing = world.processes.some((process) => process.node !== null && process.blocked.size > 0);
  return !changing && missingDeliveries(world) === undefined && missingDrain(world) === undefined;
}

/** Reads a condition. Names in it are looked up when it is asked, so that it may speak of later lives. */
export function readCondition(stage: Stage, words: readonly string[]): Condition {
  const [kind = '', second = ''] = words;
  switch (kind) {
    case 'not': {
      const condition = readCondition(stage, words.slice(1));
      return () => !condition();
    }
    case 'domain': {
      const names = following(words, 'of');
      return () => hasView(stage, '$domain', names);
    }
    case 'view': {
      const names = following(words, 'of');
      return () => hasView(stage, second, names);
    }
    case 'delivered': {
      const names = following(words, 'at');
      return () => names.every((name) => hasDelivered(stage, name, second));
    }
    case 'blocked': {
      const names = following(words, 'at');
      return () => names.every((name) => processOf(stage, name).blocked.has(second));
    }
    case 'sent': {
      const names = following(words, 'by');
      return () => names.every((name) => (stage.sent.get(`${name} ${second}`) ?? 0) > 0);
    }
    case 'state': {
      const group = words[2] ?? '';
      const names = following(words, 'at');
      return () => names.every((name) => Boolean(processOf(stage, name).replicas.get(group)?.state));
    }
    case 'equal': {
      const names = following(words, 'at');
      return () => areEqual(stage, second, names);
    }
    case 'down':
      return () => processOf(stage, second).node === null;
    case 'wedged':
      return () => [...processOf(stage, second).replicas.values()].every((replica) => replica.status === 'wedged');
    case 'calm':
      return () => isCalm(stage);
    case 'can': {
      const { world } = stage;
      return () =>
        canGoOn(world.chains, new Set(world.processes.filter(({ node }) => node !== null).map(({ id }) => id)));
    }
    default:
      throw new Error(`no such condition: ${words.join(' ')}`);
  }
}
