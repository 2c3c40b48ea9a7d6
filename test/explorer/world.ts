/**
 * States of the explored world as rows of numbers, what can happen in each, and what comes of it.
 *
 * A row: flags, the state of each process (of a dead one only its history, as a negative number), then the packets under
 * way: for each link that is not empty a negative mark and its packets in order, and last, under a mark of their own, the
 * packets that went astray.
 */
import { type Locals, type Move, eventCode, moveOf } from './locals.js';

/** What the environment may do, at most. */
export interface Budget {
  readonly crashes: number;
  /** Datagrams that are lost, or overtaken by whatever comes after them. */
  readonly astray: number;
  /** Suspicions of the living. */
  readonly mistakes: number;
  /** Processes that join the group, as bits. */
  readonly joins: number;
}

/**
 * Which orders are tried. `all`; or with `quick-votes` all in which what leads to a decree (requests, ballots, votes, reports
 * of suspicion) is taken in before anything else: decrees are then agreed on at once, and who learns of them when, and
 * everything that is about groups, goes on as slowly as it may.
 */
export type Mode = 'all' | 'quick-votes';

/** What is explored. */
export interface Model {
  readonly locals: Locals;
  readonly size: number;
  readonly budget: Budget;
  readonly mode: Mode;
  /** Of the dead the system tells, and nobody is suspected for silence but the living, who then notice that they slept. */
  readonly isVerified: boolean;
}

/** A state of the world, to be worked on. */
export interface State {
  alive: number;
  /** Multicasts sent, as bits by number. */
  sent: number;
  /** Crashes, packets astray, mistakes so far. */
  crashes: number;
  astray: number;
  mistakes: number;
  /** States of processes; of the dead -1 - history. */
  readonly locals: number[];
  /** Packets under way, by link. */
  readonly links: number[][];
  /** Packets that went astray: packet * 8 + to, sorted. */
  late: number[];
}

const nothing: number[] = [];

/** What happens: a kind and what it happens to. */
export type Happening = { readonly dies?: number } & (
  | { readonly kind: 'bring'; readonly link: number }
  | { readonly kind: 'bring-late'; readonly at: number }
  | { readonly kind: 'stray'; readonly link: number }
  | { readonly kind: 'time' }
  | { readonly kind: 'suspect'; readonly who: number; readonly whom: number }
  | { readonly kind: 'death'; readonly who: number; readonly whom: number }
  | { readonly kind: 'crash'; readonly who: number }
  | { readonly kind: 'join'; readonly who: number }
  | { readonly kind: 'send'; readonly who: number; readonly nth: number }
);

const kinds = ['bring', 'bring-late', 'stray', 'time', 'suspect', 'crash', 'join', 'send', 'death'] as const;
const argumentMax = 2 ** 12;
const diesMax = 2 ** 14;

/** A happening as one number. */
export function encodeHappening(happening: Happening): number {
  const kind = (kinds.indexOf(happening.kind) * diesMax + (happening.dies ?? 0)) * argumentMax;
  switch (happening.kind) {
    case 'bring':
    case 'stray':
      return kind + happening.link;
    case 'bring-late':
      return kind + happening.at;
    case 'time':
      return kind;
    case 'suspect':
    case 'death':
      return kind + happening.who * 8 + happening.whom;
    case 'send':
      return kind + happening.nth * 8 + happening.who;
    case 'crash':
    case 'join':
      return kind + happening.who;
  }
}

/** The happening of a number. */
export function decodeHappening(code: number): Happening {
  const rest = code % argumentMax;
  const kind = kinds[Math.floor(code / argumentMax / diesMax)]!;
  const dies = Math.floor(code / argumentMax) % diesMax;
  switch (kind) {
    case 'bring':
    case 'stray':
      return { kind, link: rest, dies };
    case 'bring-late':
      return { kind, at: rest, dies };
    case 'time':
      return { kind };
    case 'suspect':
    case 'death':
      return { kind, who: rest >> 3, whom: rest & 7, dies };
    case 'send':
      return { kind, who: rest & 7, nth: rest >> 3, dies };
    case 'crash':
    case 'join':
      return { kind, who: rest, dies };
  }
}

/** Reads a row. */
export function readRow(model: Model, row: Int32Array, from: number, to: number): State {
  const { size } = model;
  const flags = row[from]!;
  const links: number[][] = new Array<number[]>(size * size * 2).fill(nothing);
  const late: number[] = [];
  let target = late;
  for (let at = from + 1 + size; at < to; at += 1) {
    const value = row[at]!;
    if (value >= 0) target.push(value);
    else if (value === -1 - links.length) target = late;
    else {
      target = [];
      links[-1 - value] = target;
    }
  }
  return {
    alive: flags & 0xff,
    sent: (flags >> 8) & 0xf,
    crashes: (flags >> 12) & 0xf,
    astray: (flags >> 16) & 0xf,
    mistakes: (flags >> 20) & 0xf,
    locals: Array.from(row.subarray(from + 1, from + 1 + size)),
    links,
    late,
  };
}

/** Writes a state's row; returns where it ends. */
export function writeRow(model: Model, state: State, row: Int32Array, from: number): number {
  row[from] = state.alive | (state.sent << 8) | (state.crashes << 12) | (state.astray << 16) | (state.mistakes << 20);
  let at = from + 1;
  for (let who = 0; who < model.size; who += 1) row[at++] = state.locals[who]!;
  const { links, late } = state;
  for (let link = 0; link < links.length; link += 1) {
    const packets = links[link]!;
    if (packets.length === 0) continue;
    row[at++] = -1 - link;
    for (let i = 0; i < packets.length; i += 1) row[at++] = packets[i]!;
  }
  if (late.length > 0) {
    row[at++] = -1 - links.length;
    for (let i = 0; i < late.length; i += 1) row[at++] = late[i]!;
  }
  return at;
}

/** A copy that shares the links until they are changed. */
function fork(state: State): State {
  return { ...state, locals: state.locals.slice(), links: state.links.slice() };
}

function isAlive(state: State, who: number): boolean {
  return (state.alive & (1 << who)) !== 0;
}

/** What is traced so far by a process. */
export function historyOf(model: Model, state: State, who: number): number {
  const local = state.locals[who]!;
  return local < 0 ? -1 - local : model.locals.states[local]!.history;
}

// What can happen -----------------------------------------------------------------------------------------------------

type Take = (happening: Happening) => void;

/** What is to be tried in a state. */
export function happenings(model: Model, state: State, take: Take): void {
  const next = foregone(model, state);
  if (next !== null) return fromLink(model, state, linkEnd(model, next.link), next.link, take);
  for (let who = 0; who < model.size; who += 1) if (isAlive(state, who)) events(model, state, who, take);
  if (state.alive !== 0 && isQuiet(state)) take({ kind: 'time' });
}

/**
 * What is to be tried alone. A packet about the past changes nothing, now or later, so when it comes is all the same. (It
 * would be a sign of life, to those who suspect a living process by mistake.)
 */
function foregone(model: Model, state: State): { readonly link: number } | null {
  const { links, locals } = state;
  for (let link = 0; link < links.length; link += 1) {
    const packet = links[link]![0];
    if (packet === undefined) continue;
    if (model.mode === 'quick-votes' && model.locals.packets[packet]!.isVote) return { link };
    if (model.budget.mistakes > 0 || model.budget.astray > state.astray) continue;
    if (moveOf(model.locals, locals[linkEnd(model, link)]!, eventCode.packet(packet)).isMoot) return { link };
  }
  return null;
}

/** Whether no packet is under way but those that went astray. */
function isQuiet(state: State): boolean {
  for (let link = 0; link < state.links.length; link += 1) if (state.links[link]!.length > 0) return false;
  return true;
}

/** Who is at the receiving end. */
function linkEnd(model: Model, link: number): number {
  return (link >> 1) % model.size;
}

/** All that a process can do or be made to do. */
function events(model: Model, state: State, who: number, take: Take): void {
  const { budget, locals, size } = model;
  const { isMember, suspectable, confirmable } = locals.states[state.locals[who]!]!;
  for (let from = 0; from < size; from += 1) {
    fromLink(model, state, who, (from * size + who) * 2, take);
    fromLink(model, state, who, (from * size + who) * 2 + 1, take);
    if ((suspectable & (1 << from)) !== 0 && maySuspect(model, state, who, from)) {
      withDeaths(model, state, who, { kind: 'suspect', who, whom: from }, take);
    }
    if (model.isVerified && !isAlive(state, from) && (confirmable & (1 << from)) !== 0) {
      withDeaths(model, state, who, { kind: 'death', who, whom: from }, take);
    }
  }
  for (let at = 0; at < state.late.length; at += 1) {
    if ((state.late[at]! & 7) === who && state.late[at] !== state.late[at - 1]) {
      withDeaths(model, state, who, { kind: 'bring-late', at }, take);
    }
  }
  if (!isMember && (budget.joins & (1 << who)) !== 0) withDeaths(model, state, who, { kind: 'join', who }, take);
  if (isMember) sends(model, state, who, take);
  if (state.crashes < budget.crashes) take({ kind: 'crash', who });
}

function sends(model: Model, state: State, who: number, take: Take): void {
  const { multicasts } = model.locals;
  const tried: string[] = [];
  multicasts.forEach(({ order, uniform }, nth) => {
    const kind = `${order} ${uniform}`;
    if ((state.sent & (1 << nth)) !== 0 || tried.includes(kind)) return;
    tried.push(kind);
    withDeaths(model, state, who, { kind: 'send', who, nth }, take);
  });
}

function fromLink(model: Model, state: State, who: number, link: number, take: Take): void {
  if (state.links[link]!.length === 0) return;
  withDeaths(model, state, who, { kind: 'bring', link }, take);
  if (state.astray < model.budget.astray && link % 2 === 0) take({ kind: 'stray', link });
}

/** Silence is long against the network's delays: what a dead process had under way has come, or has gone astray. */
function maySuspect(model: Model, state: State, who: number, whom: number): boolean {
  if (isAlive(state, whom)) return state.mistakes < model.budget.mistakes;
  // the system is quicker
  if (model.isVerified) return false;
  return state.links[(whom * model.size + who) * 2]!.length === 0;
}

/** An event; and the same with the process dying as it sends what comes of it, so that on some links only a beginning goes out. */
function withDeaths(model: Model, state: State, who: number, happening: Doing, take: Take): void {
  take(happening);
  if (state.crashes >= model.budget.crashes) return;
  const counts = countsByLink(model, state, moveOf(model.locals, state.locals[who]!, codeOf(model, state, happening)));
  let ways = 1;
  for (const count of counts.values()) ways *= count + 1;
  // the last way is that nothing is lost: that is dying afterwards
  for (let dies = 1; dies < ways; dies += 1) take({ ...happening, dies });
}

/** How many packets a move puts under way on each link. */
function countsByLink(model: Model, state: State, { sends }: Move): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < sends.length; i += 3) {
    const link = sends[i + 1]!;
    if (!isAlive(state, sends[i]!) || model.locals.packets[sends[i + 2]!]!.isIdle) continue;
    counts.set(link, (counts.get(link) ?? 0) + 1);
  }
  return counts;
}

/** Whether somebody who lives does not suspect yet somebody who is dead. */
export function isUnaware(model: Model, state: State): boolean {
  return state.locals.some((local) => local >= 0 && (model.locals.states[local]!.suspectable & ~state.alive) !== 0);
}

// What comes of it ----------------------------------------------------------------------------------------------------

/** What came of a happening. */
export interface Come {
  readonly state: State;
  readonly failure: Move['failure'];
  /** Somebody has traced something. */
  readonly isNews: boolean;
}

/** Told of every packet that is sent, those included that the explorer does not follow. */
export type OnSend = (to: number, link: number, packet: number) => void;

/** What one process does, or is made to do. */
type Doing = Exclude<Happening, { kind: 'stray' | 'time' | 'crash' }>;

function codeOf(model: Model, state: State, happening: Doing): number {
  switch (happening.kind) {
    case 'bring':
      return eventCode.packet(state.links[happening.link]![0]!);
    case 'bring-late':
      return eventCode.packet(state.late[happening.at]! >> 3);
    case 'suspect':
      return eventCode.suspect(happening.whom);
    case 'death':
      return eventCode.death(happening.whom);
    case 'join':
      return eventCode.join;
    case 'send':
      return eventCode.send(happening.nth);
  }
}

/** What comes of a happening; the state itself is not changed. */
export function come(model: Model, before: State, happening: Happening, onSend?: OnSend): Come {
  const state = fork(before);
  switch (happening.kind) {
    case 'bring':
      state.links[happening.link] = state.links[happening.link]!.slice(1);
      return turn(model, state, before, linkEnd(model, happening.link), happening, onSend);
    case 'bring-late':
      state.late = state.late.filter((_, at) => at !== happening.at);
      return turn(model, state, before, before.late[happening.at]! & 7, happening, onSend);
    case 'stray': {
      const to = linkEnd(model, happening.link);
      const [packet, ...rest] = state.links[happening.link]!;
      state.links[happening.link] = rest;
      state.astray += 1;
      state.late = [...state.late, packet! * 8 + to].sort((a, b) => a - b);
      return { state, failure: null, isNews: false };
    }
    case 'time':
      return passTime(model, state, onSend);
    case 'suspect':
      if (isAlive(state, happening.whom)) state.mistakes += 1;
      if (model.isVerified) state.locals[happening.whom] = slept(model, state.locals[happening.whom]!);
      return turn(model, state, before, happening.who, happening, onSend);
    case 'crash':
      state.crashes += 1;
      bury(model, state, happening.who);
      return { state, failure: null, isNews: false };
    case 'death':
      return turn(model, state, before, happening.who, happening, onSend);
    case 'send':
      state.sent |= 1 << happening.nth;
      return turn(model, state, before, happening.who, happening, onSend);
    case 'join':
      return turn(model, state, before, happening.who, happening, onSend);
  }
}

/** It is suspected because it stood still, and when it goes on it notices. */
function slept(model: Model, local: number): number {
  return moveOf(model.locals, local, eventCode.slept).next;
}

/** One process does something. */
function turn(
  model: Model,
  state: State,
  before: State,
  who: number,
  happening: Doing,
  onSend: OnSend | undefined,
): Come {
  const { states } = model.locals;
  const old = state.locals[who]!;
  const move = moveOf(model.locals, old, codeOf(model, before, happening));
  state.locals[who] = move.next;
  const dies = happening.dies ?? 0;
  const kept = dies > 0 ? keptByLink(countsByLink(model, before, move), dies - 1) : null;
  if (dies > 0) state.crashes += 1;
  if (dies > 0 || states[move.next]!.over) bury(model, state, who);
  send(model, state, move, false, kept, onSend);
  return { state, failure: move.failure, isNews: states[old]!.history !== states[move.next]!.history };
}

/** Of each link's packets some beginning goes out, by the digits of a number. */
function keptByLink(counts: Map<number, number>, number: number): Map<number, number> {
  let digits = number;
  for (const [link, count] of counts) {
    counts.set(link, digits % (count + 1));
    digits = Math.floor(digits / (count + 1));
  }
  return counts;
}

/** The timers of all who live go off. */
function passTime(model: Model, state: State, onSend: OnSend | undefined): Come {
  const moves: Move[] = [];
  let isNews = false;
  const { states } = model.locals;
  for (let who = 0; who < model.size; who += 1) {
    if (!isAlive(state, who)) continue;
    const before = state.locals[who]!;
    const move = moveOf(model.locals, before, eventCode.time);
    if (move.failure !== null) return { state, failure: move.failure, isNews };
    isNews ||= states[before]!.history !== states[move.next]!.history;
    state.locals[who] = move.next;
    if (states[move.next]!.over) bury(model, state, who);
    moves.push(move);
  }
  for (const move of moves) send(model, state, move, true, null, onSend);
  return { state, failure: null, isNews };
}

/**
 * Puts packets under way. Of a dead one nobody hears. A heartbeat that suspects nobody tells at most the number of a state:
 * it is followed when time passes, as far as it tells anything, and taken as lost at other times.
 */
function send(
  model: Model,
  state: State,
  { sends }: Move,
  isAtRest: boolean,
  kept: Map<number, number> | null,
  onSend: OnSend | undefined,
): void {
  for (let i = 0; i < sends.length; i += 3) {
    const to = sends[i]!;
    const link = sends[i + 1]!;
    const packet = sends[i + 2]!;
    onSend?.(to, link, packet);
    if (!isAlive(state, to)) continue;
    if (model.locals.packets[packet]!.isIdle && (!isAtRest || tellsNothing(model, state, to, packet))) continue;
    if (kept !== null) {
      const left = kept.get(link) ?? 0;
      if (left === 0) continue;
      kept.set(link, left - 1);
    }
    state.links[link] = [...state.links[link]!, packet];
  }
}

/** Changes nothing, but that it may be time for a heartbeat. */
function tellsNothing(model: Model, state: State, to: number, packet: number): boolean {
  const { packets } = model.locals;
  const now = state.locals[to]!;
  const { next, sends } = moveOf(model.locals, now, eventCode.packet(packet));
  return next === now && sends.every((sent, at) => at % 3 !== 2 || packets[sent]!.isIdle);
}

/** Of the dead only what they traced counts; nothing reaches them. */
function bury(model: Model, state: State, who: number): void {
  state.alive &= ~(1 << who);
  state.locals[who] = -1 - model.locals.states[state.locals[who]!]!.history;
  for (let link = 0; link < state.links.length; link += 1) {
    if (linkEnd(model, link) === who && state.links[link]!.length > 0) state.links[link] = [];
  }
  if (state.late.length > 0) state.late = state.late.filter((late) => (late & 7) !== who);
}
