/**
 * A way through the explored world as a scenario: what led to its first state, and then step by step, by hand.
 */
import { describePacket } from '../../lib/inspect.js';
import type { Core } from '../simulation/core.js';
import type { Checker } from '../simulation/run.js';
import { play } from '../scenarios/player.js';
import { readScript } from '../scenarios/script.js';
import type { Plan, Start } from './begin.js';
import { stuck } from './judge.js';
import type { Counterexample } from './search.js';
import { type Happening, type Model, type State, come } from './world.js';

/** Writes a counterexample as a scenario file. */
export function writeScenario(
  { model, first, prelude }: Start,
  { nodes }: Plan,
  { path, violation }: Counterexample,
): string {
  const teller: Teller = { model, names: nodes, waiting: new Map() };
  const steps: string[] = [];
  let state = first;
  for (const happening of path) {
    if (happening.kind !== 'stray') steps.push(tell(teller, state, happening));
    if ((happening.dies ?? 0) > 0) steps.push(`crash ${nodes[actorOf(model, state, happening)] ?? ''}`);
    state = come(model, state, happening, (_to, link, packet) => {
      const waiting = teller.waiting.get(link) ?? [];
      waiting.push(packet);
      teller.waiting.set(link, waiting);
    }).state;
  }
  const about = `# Found by the explorer. ${violation.property}: ${violation.detail.split('\n')[0] ?? ''}`;
  const due = violation.property === stuck ? expectations(model, nodes, state) : [];
  return `${[about, ...prelude, ...steps, ...due].join('\n')}\n`;
}

/** What was to come about at a state in which nothing more will. */
function expectations(model: Model, names: readonly string[], state: State): string[] {
  const living = names.filter((_, who) => (state.alive & (1 << who)) !== 0);
  const members = names.filter(
    (_, who) => state.locals[who]! >= 0 && model.locals.states[state.locals[who]!]!.isMember,
  );
  const view = members.length > 0 ? [`expect view ${model.locals.setting.group} of ${members.join(' ')}`] : [];
  return ['let time pass', `expect domain of ${living.join(' ')}`, ...view, 'expect calm'];
}

/** Plays a counterexample: whether the world fails under it, or a property is violated. */
export function showsIt(scenario: string, core: Core, checker: Checker): boolean {
  const { trace, failures } = play(readScript(scenario), core);
  // steps that cannot be taken are not what was to be shown
  if (failures.some((failure) => failure.includes('such packets wait'))) return false;
  return failures.length > 0 || checker(trace, { quiesced: false, alive: [], limits: {} }).violations.length > 0;
}

function actorOf(model: Model, state: State, happening: Happening): number {
  if (happening.kind === 'bring') return (happening.link >> 1) % model.size;
  if (happening.kind === 'bring-late') return state.late[happening.at]! & 7;
  return 'who' in happening ? happening.who : 0;
}

interface Teller {
  readonly model: Model;
  readonly names: readonly string[];
  /** What the player holds, by link: packets to the dead, and those that the explorer does not follow, included. */
  readonly waiting: Map<number, number[]>;
}

function tell(teller: Teller, state: State, happening: Exclude<Happening, { kind: 'stray' }>): string {
  const { model, names } = teller;
  const name = (who: number): string => names[who] ?? '';
  switch (happening.kind) {
    case 'bring':
      return bring(teller, happening.link, state.links[happening.link]![0]!);
    case 'bring-late': {
      const late = state.late[happening.at]!;
      const packet = late >> 3;
      return bring(teller, (model.locals.packets[packet]!.from * model.size + (late & 7)) * 2, packet);
    }
    case 'time':
      return 'let time pass';
    case 'suspect':
      return [
        ...(model.isVerified ? [`slept ${name(happening.whom)}`] : []),
        `suspect ${name(happening.whom)} at ${name(happening.who)}`,
      ].join('\n');
    case 'death':
      return `death ${name(happening.whom)} at ${name(happening.who)}`;
    case 'crash':
      return `crash ${name(happening.who)}`;
    case 'join':
      return `join ${model.locals.setting.group} ${name(happening.who)} soon`;
    case 'send': {
      const { order, uniform } = model.locals.multicasts[happening.nth]!;
      const group = model.locals.setting.group;
      return `send ${name(happening.who)} m${happening.nth + 1} to ${group} ${order}${uniform ? ' uniform' : ''}`;
    }
  }
}

function bring({ model, names, waiting }: Teller, link: number, packet: number): string {
  const there = waiting.get(link) ?? [];
  const kindsOf = (each: number): string => describePacket(model.locals.packets[each]!.bytes).join('+');
  const kinds = kindsOf(packet);
  const alike = there.filter((each) => kindsOf(each) === kinds);
  const nth = alike.indexOf(packet) + 1;
  there.splice(there.indexOf(packet), 1);
  const from = names[Math.floor((link >> 1) / model.size)] ?? '';
  const to = names[(link >> 1) % model.size] ?? '';
  return `bring ${kinds}${nth > 1 ? ` ${nth}` : ''} from ${from} to ${to}`;
}
