/**
 * Where the exploration starts: a domain and a group that were formed as scenarios form them, then taken in hand.
 */
import type { Core } from '../simulation/core.js';
import { playOn, restMillis } from '../scenarios/player.js';
import { readScript } from '../scenarios/script.js';
import { type Stage, createStage } from '../scenarios/stage.js';
import { type MulticastKind, addFirst, createLocals } from './locals.js';
import type { Setting } from './process.js';
import type { Budget, Mode, Model, State } from './world.js';

/** What is to be explored. */
export interface Plan {
  /** All in the domain, oldest first. */
  readonly nodes: readonly string[];
  /** Those in the group, by rank. */
  readonly members: readonly string[];
  /** Those who may join it. */
  readonly joiners: readonly string[];
  readonly kind: 'replicated' | 'plain';
  readonly multicasts: readonly MulticastKind[];
  readonly budget: Omit<Budget, 'joins'>;
  readonly mode: Mode;
  readonly quorum: 'majority' | 'verified-deaths';
}

/** An exploration about to start. */
export interface Start {
  readonly model: Model;
  readonly first: State;
  /** The steps that lead to the first state. */
  readonly prelude: readonly string[];
}

const group = 'stock';

function preludeOf({ nodes, members, kind, quorum }: Plan): string[] {
  return [
    ...(quorum === 'majority' ? [] : [`option quorum ${quorum}`]),
    // nobody is suspected for silence, and the agreed time stands still
    ...[
      'option heartbeat 100',
      'option timeout 1000000000',
      'option timeoutMax 1000000000',
      'option wall -1000000000000',
      // copies of a process share frames: none may become another
      'option slabBytes 0',
    ],
    `nodes ${nodes.join(' ')}`,
    `group ${group} ${kind}`,
    `start ${nodes.join(' ')}`,
    `join ${group} ${members.join(' ')}`,
    'run until calm',
    'run 1000',
    'by hand',
  ];
}

/** Forms the domain and the group of a plan. */
export function begin(core: Core, plan: Plan): Start {
  const prelude = preludeOf(plan);
  const stage = createStage(core);
  const failures = playOn(stage, readScript(`# The beginning of an exploration.\n${prelude.join('\n')}\n`));
  if (failures.length > 0) throw new Error(failures.join('\n'));
  const model = modelOf(stage, plan);
  const locals = [...stage.processes.values()].map((process, who) => {
    const { node, id, clockOffset, clockRate } = process;
    if (node === null) throw new Error(`${id} is down`);
    const records = stage.world.trace.filter(({ p, e }) => p === id && e !== 'start' && e !== 'suspect');
    const now = clockOffset + stage.world.now * clockRate;
    const replica = process.replicas.get(group) ?? null;
    const state = { node, replica, sent: 0, now, over: false };
    return addFirst(
      model.locals,
      who,
      state,
      records.map(({ t: _t, p: _p, ...record }) => record),
    );
  });
  const links = Array.from({ length: model.size * model.size * 2 }, () => []);
  const alive = (1 << model.size) - 1;
  const first = { alive, sent: 0, crashes: 0, astray: 0, mistakes: 0, locals, links, late: [] };
  return { model, first, prelude };
}

function modelOf(stage: Stage, { joiners, nodes, multicasts, budget, mode, quorum }: Plan): Model {
  const { core, groups, processes, world } = stage;
  const settings = groups.get(group);
  if (settings === undefined) throw new Error('the group is defined');
  const habits = world.options.habits('', group);
  const setting: Setting = { core, group, settings, habits, rest: restMillis };
  const all = [...processes.values()];
  const ids = all.map(({ id }) => id);
  const addresses = all.map(({ address }) => address);
  const joins = joiners.reduce((mask, name) => mask | (1 << nodes.indexOf(name)), 0);
  return {
    locals: createLocals(setting, multicasts, ids, addresses),
    size: ids.length,
    budget: { ...budget, joins },
    mode,
    isVerified: quorum === 'verified-deaths',
  };
}
