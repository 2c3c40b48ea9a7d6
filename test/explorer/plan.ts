/** What is to be explored, as the command line spells it. */
import { parseArgs } from 'node:util';
import type { Plan } from './begin.js';
import type { MulticastKind } from './locals.js';
import type { Bounds } from './search.js';

/** A plan and when to give it up. */
export interface Task {
  readonly plan: Plan;
  readonly bounds: Bounds;
}

/** What can be said of a plan; without it the budget is small enough for a test. */
export const planOptions = {
  /** Processes, all in the domain, oldest first. */
  nodes: { type: 'string', default: '3' },
  /** So many of them are in the group; the first is its sequencer. */
  members: { type: 'string', default: '2' },
  /** So many of the others join it, each at any time. */
  joins: { type: 'string', default: '1' },
  kind: { type: 'string', default: 'replicated' },
  /** Each sent by any member at any time: `total,fifo,causal,total-uniform`; `none`. */
  multicasts: { type: 'string', default: 'total' },
  crashes: { type: 'string', default: '0' },
  astray: { type: 'string', default: '0' },
  mistakes: { type: 'string', default: '0' },
  /** The dead are told of by the system, and do not count against the quorum. */
  'verified-deaths': { type: 'boolean', default: false },
  'quick-votes': { type: 'boolean', default: false },
  states: { type: 'string', default: '200000000' },
  seconds: { type: 'string', default: '86400' },
} as const;

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** Reads a plan. */
export function readTask(values: Values): Task {
  const count = (name: string, max: number): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 0 || value > max) throw new Error(`--${name} is 0 to ${max}`);
    return value;
  };
  const names = [...'abcde'].slice(0, count('nodes', 5));
  const members = count('members', names.length);
  const joiners = names.slice(members, members + count('joins', names.length - members));
  const { kind } = values;
  if (kind !== 'replicated' && kind !== 'plain') throw new Error('--kind is replicated or plain');
  const budget = { crashes: count('crashes', 4), astray: count('astray', 4), mistakes: count('mistakes', 4) };
  return {
    plan: {
      nodes: names,
      members: names.slice(0, members),
      joiners,
      kind,
      multicasts: multicastsOf(String(values['multicasts'])),
      budget,
      quorum: values['verified-deaths'] === true ? 'verified-deaths' : 'majority',
      mode: values['quick-votes'] === true ? 'quick-votes' : 'all',
    },
    bounds: { statesMax: count('states', 1e9), secondsMax: count('seconds', 1e6) },
  };
}

function multicastsOf(text: string): MulticastKind[] {
  if (text === 'none') return [];
  const kinds = text.split(',').map((word): MulticastKind => {
    const [order = '', ...rest] = word.split('-');
    if (order !== 'fifo' && order !== 'causal' && order !== 'total') throw new Error(`no such multicast: ${word}`);
    return { order, uniform: rest[0] === 'uniform' };
  });
  if (kinds.length > 4) throw new Error('at most four multicasts');
  return kinds;
}

/** Reads the words of a plan, as a mutant's is written. */
export function readWords(words: readonly string[]): Task {
  return readTask(parseArgs({ args: [...words], options: planOptions }).values);
}
