/**
 * Virtual time over real turns of the event loop.
 *
 * nact handles each message in a turn of its own, so a step of the simulation is: one thing off the agenda (a packet arrives, a
 * timer goes off), then as many turns as the actors need to come to rest. In between the clock stands still. All nodes are
 * in one process and turns come in the order in which they were asked for, so one seed gives one run.
 */
import { nextTime, takeNext, createAgenda, type Agenda } from '../../transport/simulation/agenda.js';
import { resumeStreams, type Medium } from '../../transport/simulation/medium.js';
import { cut, createNetwork, mend, type Network, type Rule } from '../../transport/simulation/network.js';
import { chance, createRandom, fork, type Random } from '../../transport/simulation/random.js';
import { post, type Process } from './station.js';

/** What the simulated network does to packets. May be changed at any time. */
export interface NetworkConditions {
  /** How long a packet takes, in simulated milliseconds, drawn between these two; default 0.1 and 1. */
  readonly delay: readonly [number, number];
  /** How many of all datagrams are lost, 0 to 1; default 0. Streams lose nothing. */
  loss: number;
  /** How many arrive twice, 0 to 1; default 0. */
  duplication: number;
}

/** A connection that cannot get through breaks after so many simulated milliseconds. */
const streamPatience = 2000;
const socketBytes = 8 * 1024 * 1024;
/** Actors that are not at rest after so many turns wait for something that only time brings. */
const turnsMax = 16;

/** See above. */
export class Simulation implements Medium<Process> {
  readonly agenda: Agenda = createAgenda();
  readonly random: Random;
  readonly network: Network;
  readonly processes: Process[] = [];
  readonly options: Medium<Process>['options'];
  readonly counters = { packets: 0, datagrams: 0, streams: 0, bytes: 0 };
  readonly onSend: Medium<Process>['onSend'] = new Set();
  now = 0;
  #stepping: Promise<boolean> | undefined;
  #sides: readonly (readonly string[])[] = [];
  #cuts: (readonly [string, string])[] = [];

  constructor(
    seed: number,
    conditions: NetworkConditions,
    /** Whether some actor is at something. */
    private readonly isBusy: () => boolean,
  ) {
    this.random = createRandom(seed);
    const [delayMin, delayMax] = conditions.delay;
    this.options = { delayMin, delayMax, loopback: false, streamPatience, socketBytes };
    this.network = createNetwork(fork(this.random), delayMin, delayMax);
    this.network.rules.add(rule(conditions, fork(this.random), delayMax));
  }

  post(process: Process, event: Parameters<typeof post>[1]): void {
    post(process, event);
  }

  /** Does the next thing that is due until `limit`; false if there is none, and that is the time then. */
  step(limit: number): Promise<boolean> {
    this.#stepping ??= this.#step(limit).finally(() => (this.#stepping = undefined));
    return this.#stepping;
  }

  async #step(limit: number): Promise<boolean> {
    await this.settle();
    const due = nextTime(this.agenda) <= limit ? takeNext(this.agenda) : undefined;
    if (due === undefined) {
      if (limit < Infinity) this.now = Math.max(this.now, limit);
      return false;
    }
    this.now = Math.max(this.now, due.at);
    due.run();
    return true;
  }

  /** Lets the actors come to rest. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < turnsMax; turns += 1) {
      await new Promise(setImmediate);
      if (!this.isBusy()) return;
    }
  }

  /** Separates the sides from each other; who is on none is on one with all others that are on none. */
  separate(sides: readonly (readonly string[])[]): void {
    this.join();
    this.#sides = sides;
    for (const process of this.processes) this.#cutOff(process, this.processes.indexOf(process));
  }

  /** The sides of a separation, as given; none if there is none. */
  get sides(): readonly (readonly string[])[] {
    return this.#sides;
  }

  /** Ends all separation. */
  join(): void {
    for (const [a, b] of this.#cuts.splice(0)) mend(this.network, a, b);
    this.#sides = [];
    resumeStreams(this);
  }

  /** Takes in a new process, on its side of a separation. */
  add(process: Process): void {
    this.processes.push(process);
    this.#cutOff(process, this.processes.length - 1);
  }

  /** Cuts a process off from those before it that are on another side. */
  #cutOff(process: Process, before: number): void {
    const sideOf = ({ name }: Process): number => this.#sides.findIndex((side) => side.includes(name));
    for (const other of this.processes.slice(0, before)) {
      if (sideOf(other) === sideOf(process)) continue;
      for (const [from, to] of [
        [other.address, process.address],
        [process.address, other.address],
      ] as const) {
        cut(this.network, from, to);
        this.#cuts.push([from, to]);
      }
    }
  }
}

function rule(conditions: NetworkConditions, random: Random, delayMax: number): Rule {
  return ({ kind }) => {
    if (kind === 'stream') return undefined;
    if (conditions.loss > 0 && chance(random, conditions.loss)) return { kind: 'drop' };
    const isDuplicated = conditions.duplication > 0 && chance(random, conditions.duplication);
    return isDuplicated ? { kind: 'duplicate', millis: delayMax } : undefined;
  };
}
