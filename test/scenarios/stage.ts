/**
 * A stage: a quiet world without chance, in which only what the scenario says goes wrong, and what the scenario has set up
 * in it: names for multicasts and lives, rules by packet kind, triggers, and the golden trace as it is written.
 */
import type { GroupSettings } from '../../lib/membership/state.js';
import { defaults } from '../../lib/options.js';
import type { Traced } from '../../lib/trace/format.js';
import type { Core } from '../simulation/core.js';
import type { Packet, Rule } from '../../transport/simulation/network.js';
import { createRandom } from '../../transport/simulation/random.js';
import { type Process, type World, addProcess, createWorld } from '../simulation/world.js';

/** Something to be done once, at a moment inside a node's turn. */
export interface Trigger {
  readonly who: string;
  readonly isRecord: (record: Traced) => boolean;
  readonly packetKind: string | undefined;
  readonly act: () => void;
}

export interface Stage {
  readonly core: Core;
  world: World;
  readonly options: Record<string, number | string>;
  readonly groups: Map<string, GroupSettings>;
  readonly processes: Map<string, Process>;
  /** Names of multicasts by id, and back. */
  readonly labels: Map<string, string>;
  readonly ids: Map<string, string>;
  /** Names of lives by node id. */
  readonly lives: Map<string, string>;
  /** The nodes in the domain as each life last showed them. */
  readonly nodesKnown: Map<string, string>;
  readonly rules: Map<string, Rule>;
  readonly held: Map<string, Packet[]>;
  /** Once the stage is played by hand: every packet that was sent since and was not brought. */
  waiting: Packet[] | null;
  readonly cuts: (readonly [string, string])[];
  triggers: Trigger[];
  /** How often each node has sent a packet with a section of a kind. */
  readonly sent: Map<string, number>;
  /** The golden trace, line by line. */
  readonly lines: string[];
}

const nodeTimes = { heartbeat: 20, timeout: 200, timeoutMax: 200, discovery: 80 };

function quietWorld(core: Core, options: Readonly<Record<string, number | string>>): World {
  return createWorld({
    core,
    random: createRandom(1),
    node: { ...defaults, domain: 'scenario', ...nodeTimes, ...options },
    delayMin: 1,
    delayMax: 1,
    turnDelayMax: 0,
    timerLatenessMax: 0,
    batchMax: 64,
    loopback: false,
    weighing: null,
    clockDrift: 0,
    streamPatience: 1000,
    tethers: false,
    socketBytes: 1 << 20,
    habits: () => ({ pace: 0, snapshotChunks: 2, snapshotFiller: 0, replyAfter: 0, refuses: () => 'no', hashEvery: 1 }),
  });
}

/** An empty stage. */
export function createStage(core: Core): Stage {
  return {
    core,
    world: quietWorld(core, {}),
    options: {},
    groups: new Map(),
    processes: new Map(),
    labels: new Map(),
    ids: new Map(),
    lives: new Map(),
    nodesKnown: new Map(),
    rules: new Map(),
    held: new Map(),
    waiting: null,
    cuts: [],
    triggers: [],
    sent: new Map(),
    lines: [],
  };
}

/** Puts the processes on the stage; options that were set before take effect. */
export function populate(stage: Stage, names: readonly string[]): void {
  stage.world = quietWorld(stage.core, stage.options);
  for (const name of names) stage.processes.set(name, addProcess(stage.world, name));
  stage.world.onTrace.add((process, record) => onRecord(stage, process, record));
  stage.world.onSend.add((process, bytes) => onPacket(stage, process, bytes));
}

/** A process by its name; a scenario that names another is wrong. */
export function processOf(stage: Stage, name: string): Process {
  const process = stage.processes.get(name);
  if (process === undefined) throw new Error(`no node is called ${name}`);
  return process;
}

function fire(stage: Stage, matches: (trigger: Trigger) => boolean): void {
  const due = stage.triggers.filter(matches);
  if (due.length === 0) return;
  stage.triggers = stage.triggers.filter((trigger) => !due.includes(trigger));
  for (const trigger of due) trigger.act();
}

function onRecord(stage: Stage, process: Process, record: Traced): void {
  if (record.e === 'start') nameLife(stage, process);
  const line = goldenLine(stage, record);
  if (line !== undefined) stage.lines.push(`  ${lifeOf(stage, record.p).padEnd(3)} ${line}`);
  fire(stage, (trigger) => trigger.who === process.name && trigger.isRecord(record));
}

function onPacket(stage: Stage, process: Process, bytes: Uint8Array): void {
  const kinds = stage.core.describePacket(bytes);
  for (const kind of new Set(kinds)) {
    const key = `${process.name} ${kind}`;
    stage.sent.set(key, (stage.sent.get(key) ?? 0) + 1);
  }
  fire(stage, ({ who, packetKind }) => who === process.name && packetKind !== undefined && kinds.includes(packetKind));
}

/** The first life of a is `a`, the second `a'`, and so on. */
function nameLife(stage: Stage, process: Process): void {
  const earlier = [...stage.lives.keys()].filter((id) => id.startsWith(`${process.name}#`)).length;
  stage.lives.set(process.id, process.name + "'".repeat(earlier));
}

export function lifeOf(stage: Stage, id: string): string {
  return stage.lives.get(id) ?? id;
}

function livesOf(stage: Stage, ids: readonly string[]): string {
  return ids.map((id) => lifeOf(stage, id)).join(' ');
}

function labelOf(stage: Stage, id: string): string {
  return stage.labels.get(id) ?? id;
}

/** What a reader wants to see of a record; nothing of most. */
function goldenLine(stage: Stage, record: Traced): string | undefined {
  switch (record.e) {
    case 'view':
      return viewLine(stage, record);
    case 'blocked':
      return `blocked in ${record.g} ${record.v}`;
    case 'send':
      return `sends ${labelOf(stage, record.id)} in ${record.g}${record.v === null ? ', later' : ` ${record.v}`}`;
    case 'xmit':
      return `transmits ${labelOf(stage, record.id)} in ${record.g} ${record.v}`;
    case 'sendfail':
      return `fails to send ${labelOf(stage, record.id)}`;
    case 'deliver': {
      const at = record.pos === undefined ? '' : ` at ${record.pos}`;
      return `delivers ${labelOf(stage, record.id)}${at} in ${record.g} ${record.v}`;
    }
    case 'state-out':
      return `gives the state of ${record.g} ${record.v} to ${lifeOf(stage, record.for)}`;
    case 'state-in':
      return `has the state of ${record.g} ${record.v} from ${lifeOf(stage, record.from)}`;
    case 'suspect':
      return `suspects ${lifeOf(stage, record.who)}`;
    case 'left':
      return `has left ${record.g ?? 'the domain'}`;
    case 'excluded':
      return `is excluded${record.g === undefined ? '' : ` from ${record.g}`}`;
    case 'start':
    case 'stable':
    case 'hash':
    case 'diverged':
    case 'ask':
    case 'answered':
    case 'asked':
    case 'leave':
    case 'tell':
    case 'told':
    case 'gauge':
      return undefined;
  }
}

/** Of the domain's states only those that change who is in it: a state that changes groups shows in their views. */
function viewLine(stage: Stage, record: Traced & { readonly e: 'view' }): string | undefined {
  const members = livesOf(stage, record.m);
  if (record.g === '$domain') {
    if (stage.nodesKnown.get(record.p) === members) return undefined;
    stage.nodesKnown.set(record.p, members);
  }
  const name = record.g === '$domain' ? 'domain' : `view ${record.g}`;
  return `${name} ${record.v}: ${members}${record.primary ? '' : ' (not primary)'}`;
}
