/**
 * Plays a scenario: each step in turn, and what the nodes did under it, one line for each thing a reader wants to see.
 */
import type { Order } from '../../lib/membership/state.js';
import type { Core } from '../simulation/core.js';
import { bring, comeToRest, letPass, stoodStill, suspect, takeInHand, tellDeath } from '../simulation/by-hand.js';
import { type Packet, type Verdict, cut, mend } from '../../transport/simulation/network.js';
import type { Traced } from '../../lib/trace/format.js';
import { deliverHeld, resumeStreams } from '../../transport/simulation/medium.js';
import {
  crash,
  joinGroup,
  leaveDomain,
  leaveGroup,
  multicast,
  pause,
  post,
  restart,
  resume,
  runUntil,
  start,
} from '../simulation/world.js';
import { nextTime } from '../../transport/simulation/agenda.js';
import { type Condition, readCondition } from './conditions.js';
import type { Script } from './script.js';
import { type Stage, createStage, populate, processOf } from './stage.js';

/** What came of a scenario. */
export interface Played {
  readonly golden: string;
  readonly trace: readonly Traced[];
  /** Failures of the world, and steps that did not come about. */
  readonly failures: readonly string[];
}

const orders: readonly Order[] = ['fifo', 'causal', 'total', 'barrier'];

/** `run until` gives up after so many simulated milliseconds. */
const patience = 10_000;

/** How far `let time pass` goes: beyond every repetition of a core with heartbeats of 100 ms. */
export const restMillis = 120_000;

/** Plays a scenario to its end, or to the first step that fails. */
export function play(script: Script, core: Core): Played {
  const stage = createStage(core);
  const failures = playOn(stage, script);
  return { golden: `${stage.lines.join('\n')}\n`, trace: stage.world.trace, failures };
}

/** Plays a script on a stage; returns what failed. */
export function playOn(stage: Stage, script: Script): string[] {
  const failures: string[] = [];
  for (const step of script.steps) {
    stage.lines.push(`> ${step.text}`);
    try {
      perform(stage, step.words);
      if (stage.waiting !== null) comeToRest(stage.world);
    } catch (error) {
      failures.push(`line ${step.line}: ${step.text}: ${error instanceof Error ? error.message : String(error)}`);
    }
    for (const { property, detail } of stage.world.failures) failures.push(`line ${step.line}: ${property}: ${detail}`);
    if (failures.length > 0) break;
  }
  return failures;
}

function perform(stage: Stage, words: readonly string[]): void {
  const [verb = '', ...rest] = words;
  const first = rest[0] ?? '';
  switch (verb) {
    case 'nodes':
      return populate(stage, rest);
    case 'option':
      stage.options[first] = first === 'quorum' ? (rest[1] ?? '') : Number(rest[1]);
      return;
    case 'group':
      return defineGroup(stage, first, rest[1] ?? '');
    case 'start':
      return startNodes(stage, rest);
    case 'join':
      return join(stage, first, rest.slice(1));
    case 'leave':
      return leave(stage, first, rest.slice(1));
    case 'send':
      return send(stage, rest);
    case 'drop':
    case 'hold':
      return addRule(stage, verb, rest);
    case 'pass':
      removeRule(stage, 'drop', rest);
      return;
    case 'release':
      return release(stage, rest);
    case 'partition':
      return partition(stage, rest);
    case 'mend':
      return mendAll(stage);
    case 'when':
      return when(stage, rest);
    case 'run':
      return runFor(stage, rest);
    case 'by':
      stage.waiting = takeInHand(stage.world);
      return;
    case 'bring':
      return bringOne(stage, rest);
    case 'let':
      return letPass(stage.world, restMillis);
    case 'suspect':
      return suspect(stage.world, processOf(stage, rest[2] ?? ''), processOf(stage, first).id);
    case 'death':
      return tellDeath(stage.world, processOf(stage, rest[2] ?? ''), processOf(stage, first).id);
    case 'force': {
      const at = rest.indexOf('at');
      return post(stage.world, processOf(stage, rest[at + 1] ?? ''), { kind: 'force', nodes: rest.slice(0, at) });
    }
    case 'slept':
      return stoodStill(stage.world, processOf(stage, first));
    case 'expect':
      if (!readCondition(stage, rest)()) throw new Error('it is not so');
      return;
    default:
      return strike(stage, verb ?? '', rest);
  }
}

function strike(stage: Stage, verb: string, names: readonly string[]): void {
  for (const name of names) {
    const process = processOf(stage, name);
    if (verb === 'crash') crash(stage.world, process, true);
    else if (verb === 'restart') restart(stage.world, process, 0);
    else if (verb === 'pause') pause(stage.world, process);
    else if (verb === 'resume') resume(stage.world, process);
    else throw new Error(`no such step: ${verb}`);
    stage.lines.push(`  ${name.padEnd(3)} * ${verb}`);
  }
}

function defineGroup(stage: Stage, name: string, kind: string): void {
  if (kind !== 'replicated' && kind !== 'plain') throw new Error(`a group is replicated or plain, not ${kind}`);
  stage.groups.set(name, { kind, order: kind === 'replicated' ? 'total' : 'fifo', codec: 'model/1' });
}

function startNodes(stage: Stage, words: readonly string[]): void {
  const together = words[0] === 'together';
  const names = together ? words.slice(1) : words;
  const there = [...stage.processes.values()].filter((process) => process.node !== null).map(({ name }) => name);
  for (const name of names) {
    start(stage.world, processOf(stage, name));
    there.push(name);
    if (!together) waitFor(stage, readCondition(stage, ['domain', 'of', ...there]));
  }
}

function join(stage: Stage, group: string, words: readonly string[]): void {
  const settings = stage.groups.get(group);
  if (settings === undefined) throw new Error(`no group is called ${group}`);
  const soon = words.includes('soon');
  for (const name of words.filter((word) => word !== 'soon')) {
    const process = processOf(stage, name);
    joinGroup(stage.world, process, group, settings);
    if (!soon) waitFor(stage, () => process.views.get(group)?.m.includes(process.id) ?? false);
  }
}

function leave(stage: Stage, what: string, names: readonly string[]): void {
  for (const name of names) {
    const process = processOf(stage, name);
    if (what === 'domain') leaveDomain(stage.world, process);
    else leaveGroup(stage.world, process, what);
  }
}

/** `m1..m20` is twenty names. */
function labelsIn(word: string): string[] {
  const [, prefix = '', from = '', to = ''] = /^(\D+)(\d+)\.\.\D+(\d+)$/.exec(word) ?? [];
  if (prefix === '') return [word];
  const count = Number(to) - Number(from) + 1;
  return Array.from({ length: count }, (_, index) => `${prefix}${Number(from) + index}`);
}

function send(stage: Stage, words: readonly string[]): void {
  const [sender = '', name = '', , group = ''] = words;
  const process = processOf(stage, sender);
  const order = words.slice(4).find((word): word is Order => orders.includes(word as Order));
  const bytes = Number(words.find((word) => /^\d+$/.test(word)) ?? 16);
  const inherent = stage.groups.get(group)?.order ?? 'fifo';
  for (const label of labelsIn(name)) {
    const uniform = words.includes('uniform');
    const message = multicast(stage.world, process, group, order ?? inherent, uniform, bytes);
    if (message === 0) throw new Error(`${sender} cannot send to ${group}`);
    stage.labels.set(`${process.id}:${message}`, label);
    stage.ids.set(label, `${process.id}:${message}`);
  }
}

// Rules -----------------------------------------------------------------------------------------------------------

interface Pattern {
  readonly key: string;
  readonly matches: (packet: Packet) => boolean;
}

/** `install from a to b`. */
function readPattern(stage: Stage, words: readonly string[]): Pattern {
  const [kind = '', from, source = '', to, target = ''] = words;
  if (from !== 'from' || to !== 'to') throw new Error('expected: KIND from NODE to NODE');
  const isEnd = (name: string, address: string): boolean => name === '*' || processOf(stage, name).address === address;
  return {
    key: words.join(' '),
    matches: (packet) =>
      isEnd(source, packet.from) &&
      isEnd(target, packet.to) &&
      (kind === 'packets' || stage.core.describePacket(packet.bytes).includes(kind)),
  };
}

function addRule(stage: Stage, verb: 'drop' | 'hold', words: readonly string[]): void {
  const pattern = readPattern(stage, words);
  const held: Packet[] = [];
  const rule = (packet: Packet): Verdict | undefined => {
    if (!pattern.matches(packet)) return undefined;
    if (verb === 'hold') held.push(packet);
    return { kind: verb };
  };
  const key = `${verb} ${pattern.key}`;
  stage.rules.set(key, rule);
  stage.held.set(key, held);
  stage.world.network.rules.add(rule);
}

function removeRule(stage: Stage, verb: 'drop' | 'hold', words: readonly string[]): Packet[] {
  const key = `${verb} ${words.join(' ')}`;
  const rule = stage.rules.get(key);
  if (rule === undefined) throw new Error(`nothing does: ${key}`);
  stage.world.network.rules.delete(rule);
  stage.rules.delete(key);
  return stage.held.get(key) ?? [];
}

function release(stage: Stage, words: readonly string[]): void {
  for (const packet of removeRule(stage, 'hold', words)) deliverHeld(stage.world, packet);
}

function partition(stage: Stage, words: readonly string[]): void {
  const bar = words.indexOf('|');
  const [one, other] = [words.slice(0, bar), words.slice(bar + 1)];
  for (const a of one.map((name) => processOf(stage, name).address)) {
    for (const b of other.map((name) => processOf(stage, name).address)) {
      for (const pair of [[a, b] as const, [b, a] as const]) {
        cut(stage.world.network, pair[0], pair[1]);
        stage.cuts.push(pair);
      }
    }
  }
}

function mendAll(stage: Stage): void {
  for (const [from, to] of stage.cuts.splice(0)) mend(stage.world.network, from, to);
  resumeStreams(stage.world);
}

// By hand ---------------------------------------------------------------------------------------------------------

/** `accept from a to b`, `row+heartbeat 2 from a to b`: of those that wait there the first, or the second, with these sections. */
function bringOne(stage: Stage, words: readonly string[]): void {
  const at = words.indexOf('from');
  const nth = Number(words.slice(1, at)[0] ?? 1);
  const [, source = '', , target = ''] = words.slice(at);
  const waiting = stage.waiting ?? [];
  const from = processOf(stage, source).address;
  const to = processOf(stage, target).address;
  const alike = waiting.filter((packet) => {
    return packet.from === from && packet.to === to && stage.core.describePacket(packet.bytes).join('+') === words[0];
  });
  const packet = alike[nth - 1];
  if (packet === undefined) throw new Error(`${alike.length} such packets wait`);
  waiting.splice(waiting.indexOf(packet), 1);
  bring(stage.world, packet);
}

// Moments and time ------------------------------------------------------------------------------------------------

/** `a sends install: crash a`. */
function when(stage: Stage, words: readonly string[]): void {
  const colon = words.findIndex((word) => word.endsWith(':'));
  const [who = '', verb = '', what = ''] = words.slice(0, colon + 1).map((word) => word.replace(/:$/, ''));
  const step = words.slice(colon + 1);
  stage.triggers.push({
    who,
    packetKind: verb === 'sends' ? what : undefined,
    isRecord: momentOf(stage, verb, what),
    act: () => perform(stage, step),
  });
}

function momentOf(stage: Stage, verb: string, what: string): (record: Traced) => boolean {
  switch (verb) {
    case 'sends':
      return () => false;
    case 'blocks':
      return (record) => record.e === 'blocked' && record.g === what;
    case 'installs':
      return (record) => record.e === 'view' && record.g === what;
    case 'learns':
      return (record) => record.e === 'view' && record.g === '$domain';
    case 'delivers':
      return (record) => record.e === 'deliver' && record.id === stage.ids.get(what);
    default:
      throw new Error(`no such moment: ${verb}`);
  }
}

function runFor(stage: Stage, words: readonly string[]): void {
  if (words[0] === 'until') waitFor(stage, readCondition(stage, words.slice(1)));
  else runUntil(stage.world, stage.world.now + Number(words[0]));
}

/** Runs until the condition holds, and not one moment further. */
function waitFor(stage: Stage, condition: Condition): void {
  const { world } = stage;
  const deadline = world.now + patience;
  while (!condition()) {
    const next = nextTime(world.agenda);
    if (next > deadline) throw new Error(`it is not so after ${patience} ms`);
    if (world.failures.length > 0) return;
    runUntil(world, next);
  }
}
