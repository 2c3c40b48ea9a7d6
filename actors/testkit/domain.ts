/**
 * A domain of whole nodes in one process, on a simulated network under a virtual clock: what a user's own replicated actors are
 * tested in. The nodes are those of the library, with the library's protocol; only their network, clocks and chance are simulated.
 */
import { start, stop as stopNact, type Ref } from 'nact';
import type { Logger } from 'winston';
import { gauge } from '../../lib/inspect.js';
import { check, type Report } from '../../lib/trace/check.js';
import type { Traced } from '../../lib/trace/format.js';
import { fork } from '../../transport/simulation/random.js';
import { leaveDomain, ready } from '../api.js';
import { hostOf, type Host } from '../host.js';
import { endHost } from '../leave.js';
import type { NactActor, NactParent } from '../nact-internals.js';
import { groupsIn } from '../plugin.js';
import type { GroupsOptions } from '../types.js';
import { differing, missing } from './convergence.js';
import { GuaranteeViolated, Misused, NotInTime, ReplicasDiffer } from './errors.js';
import { seedOf } from './seeds.js';
import { Simulation, type NetworkConditions } from './simulation.js';
import { begin, createProcess, end, goOn, runtimeOf, transportOf, type Process } from './station.js';

/** Options of {@link testDomain}. */
export interface TestDomainOptions<Actors> {
  /** How many nodes there are at the beginning (`a`, `b`, ...), or their names; default 3. The first founds the domain. */
  readonly nodes?: number | readonly string[];
  /** Spawns a node's actors, as its program would. What it returns is the node's `actors`. */
  readonly spawn: (system: Ref<unknown>, name: string) => Actors;
  /** The run: packets' delays, what is lost, all that is drawn. Default: `NACT_GROUPS_SEED`, else 1. */
  readonly seed?: number;
  readonly network?: Partial<NetworkConditions>;
  /** What else the nodes are given. */
  readonly groups?: Omit<
    GroupsOptions,
    'domain' | 'name' | 'transport' | 'key' | 'insecure' | 'rekey' | 'quorum' | 'logger' | 'trace'
  >;
}

/** One node of a test. */
export interface TestNode<Actors> {
  readonly name: string;
  /** Its nact system. */
  readonly system: Ref<unknown>;
  /** What `spawn` has returned for it. */
  readonly actors: Actors;
  /** Its id in the domain: name and incarnation. */
  readonly id: string;
  readonly isPaused: boolean;
}

/** What is waited for takes no longer by default, in simulated milliseconds. */
const withinDefault = 60_000;
const nodesMax = 26;
const conditionsDefault: NetworkConditions = { delay: [0.1, 1], loss: 0, duplication: 0 };

let systems = 0;

/**
 * Starts a domain and waits until all its nodes are in it and every group has all its members.
 *
 * @example
 * const domain = await testDomain({ spawn: (system) => spawnReplicated(system, stock, 'stock', { initialState: {} }) });
 * dispatch(domain.node('b').actors, { sku: 'tea', n: 5 });
 * domain.crash('a');
 * await domain.expectConverged();
 */
export async function testDomain<Actors>(options: TestDomainOptions<Actors>): Promise<TestDomain<Actors>> {
  const domain = new TestDomain(options);
  for (const name of namesOf(options.nodes ?? 3)) await domain.join(name);
  await domain.until(() => domain.missing() === undefined, withinDefault);
  return domain;
}

function namesOf(nodes: number | readonly string[]): readonly string[] {
  if (typeof nodes !== 'number') return nodes;
  if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > nodesMax) {
    throw new Misused(`nodes must be a number from 1 to ${nodesMax}, or an array of names, not ${nodes}`);
  }
  return Array.from({ length: nodes }, (_, i) => String.fromCharCode('a'.charCodeAt(0) + i));
}

class Living<Actors> implements TestNode<Actors> {
  constructor(
    readonly name: string,
    readonly system: Ref<unknown>,
    readonly actors: Actors,
    readonly host: Host,
    readonly process: Process,
  ) {}

  get id(): string {
    return this.host.life.id;
  }

  get isPaused(): boolean {
    return this.process.paused;
  }
}

/**
 * A simulated domain. Time stands still but in `advance`, `until` and what is made of them: so what takes time (a delivery, a
 * view, an `ask`) is awaited through `until`.
 */
export class TestDomain<Actors> {
  /** The seed of this run. */
  readonly seed: number;
  /** What the network does; `loss` and `duplication` may be changed at any time. */
  readonly network: NetworkConditions;
  readonly #options: TestDomainOptions<Actors>;
  readonly #simulation: Simulation;
  readonly #living = new Map<string, Living<Actors>>();
  readonly #trace: Traced[] = [];
  readonly #log: string[] = [];
  #incarnations = 0;

  /** @internal */
  constructor(options: TestDomainOptions<Actors>) {
    this.#options = options;
    this.seed = seedOf(options.seed);
    this.network = { ...conditionsDefault, ...options.network };
    this.#simulation = new Simulation(this.seed, this.network, () =>
      [...this.#living.values()].some(({ host, process }) => !process.paused && isBusy(host)),
    );
  }

  /** Simulated milliseconds since the beginning. */
  get now(): number {
    return this.#simulation.now;
  }

  /** The nodes that live, in the order in which they came. */
  get nodes(): readonly TestNode<Actors>[] {
    return [...this.#living.values()];
  }

  /** What all nodes, the dead included, have traced. */
  get trace(): readonly Traced[] {
    return this.#trace;
  }

  /** What all nodes have logged: `milliseconds node level message`. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** A node that lives, by name. Throws {@link Misused}. */
  node(name: string): TestNode<Actors> {
    return this.#find(name);
  }

  #find(node: string | TestNode<Actors>): Living<Actors> {
    const name = typeof node === 'string' ? node : node.name;
    const found = this.#living.get(name);
    if (!found)
      throw new Misused(`no node '${name}' lives; there are ${[...this.#living.keys()].join(', ') || 'none'}`);
    return found;
  }

  /** A new node, or one that crashed or left, comes in: resolves when it is in the domain. */
  async join(name: string): Promise<TestNode<Actors>> {
    if (this.#living.has(name)) throw new Misused(`a node '${name}' lives already`);
    const node = this.#start(name);
    await this.until(ready(node.system));
    return node;
  }

  #start(name: string): Living<Actors> {
    const simulation = this.#simulation;
    let process = simulation.processes.find((candidate) => candidate.name === name);
    if (!process) {
      process = createProcess(name);
      simulation.add(process);
    }
    begin(process);
    systems += 1;
    const runtime = runtimeOf(simulation, process, fork(simulation.random), () => (this.#incarnations += 1));
    const plugin = groupsIn(
      {
        ...this.#options.groups,
        domain: 'test',
        name,
        transport: transportOf(simulation, process),
        quorum: 'majority',
        logger: this.#logger(name),
        trace: (record) => void this.#trace.push(record.e === 'gauge' ? { ...record, rss: 0 } : record),
      },
      runtime,
    );
    const system = start({ name: `testkit-${systems}-${name}` }, plugin);
    const actors = this.#options.spawn(system, name);
    const node = new Living(name, system, actors, hostOf(system), process);
    this.#living.set(name, node);
    return node;
  }

  #logger(node: string): Logger {
    const at = (level: string, message: unknown): void => {
      if (level !== 'debug') this.#log.push(`${this.now.toFixed(3)} ${node} ${level} ${String(message)}`);
    };
    const logger = Object.fromEntries(
      ['error', 'warn', 'info', 'debug'].map((level) => [level, (message: unknown) => at(level, message)]),
    );
    return { ...logger, log: at } as unknown as Logger;
  }

  /** Ends a node as `kill -9` does: without a word. What its own program still waits for is rejected. */
  crash(node: string | TestNode<Actors>): void {
    const { name, process, host, system } = this.#find(node);
    this.#living.delete(name);
    end(this.#simulation, process);
    forEachActor(host.system, (actor) => {
      (actor as { afterStop?: unknown }).afterStop = () => undefined;
    });
    endHost(host, new Error(`node ${name} has crashed`));
    forEachActor(host.system, (actor) => {
      if (!actor.stopped) actor.stop();
    });
    stopNact(system);
  }

  /** Has a node leave its groups and the domain. Resolves when it is out. */
  async leave(node: string | TestNode<Actors>): Promise<void> {
    const { name, system } = this.#find(node);
    await this.until(leaveDomain(system));
    this.#living.delete(name);
  }

  /** Stops a process in the middle of everything, like `kill -STOP` or a long collection of garbage. */
  pause(node: string | TestNode<Actors>): void {
    const { process, host } = this.#find(node);
    process.paused = true;
    // what its program still asks for is held as well
    if (host.actor) host.actor.dispatch = () => undefined;
  }

  /** Lets a process go on that was paused. */
  resume(node: string | TestNode<Actors>): void {
    const { process, host } = this.#find(node);
    if (!process.paused) return;
    const { actor } = host;
    if (actor) {
      delete (actor as { dispatch?: unknown }).dispatch;
      if (host.woken) actor.dispatch({ type: 'wake' });
    }
    goOn(process);
  }

  /**
   * Cuts the network between sides: `partition(['a'], ['b', 'c'])`. Nodes that are not named are on one more side. Replaces a
   * partition of before.
   */
  partition(...sides: readonly (readonly (string | TestNode<Actors>)[])[]): void {
    const names = sides.map((side) => side.map((node) => this.#find(node).name));
    const twice = names.flat().find((name, i, all) => all.indexOf(name) !== i);
    if (twice !== undefined) throw new Misused(`'${twice}' is on two sides of a partition`);
    this.#simulation.separate(names);
  }

  /** Ends the partition. */
  heal(): void {
    this.#simulation.join();
  }

  /** Lets so many simulated milliseconds go by. */
  async advance(millis: number): Promise<void> {
    if (!(millis >= 0 && millis < Infinity)) throw new Misused(`advance takes milliseconds, not ${String(millis)}`);
    const until = this.now + millis;
    while (await this.#simulation.step(until));
    await this.#simulation.settle();
  }

  /**
   * Lets time go by until a promise has settled or a condition holds. Resolves with what the promise does.
   *
   * Rejects with what it does, and with {@link NotInTime} after `within` simulated milliseconds, by default a minute.
   */
  async until<T>(what: PromiseLike<T> | (() => boolean), within = withinDefault): Promise<T> {
    const deadline = this.now + within;
    const wait = typeof what === 'function' ? conditionOf<T>(what) : settlementOf(what);
    for (;;) {
      await this.#simulation.settle();
      const settled = wait();
      if (settled) return settled.value();
      if (this.now >= deadline) throw this.#late(typeof what === 'function' ? String(what) : 'a promise', within);
      await this.#simulation.step(deadline);
    }
  }

  #late(what: string, within: number): NotInTime {
    const lacks = this.missing();
    const why = lacks === undefined ? what : `${what}\nOf the domain is missing: ${lacks}`;
    const warnings = this.#log.filter((line) => / (warn|error) /.test(line));
    return new NotInTime(why, within, this.seed, warnings);
  }

  /**
   * What is missing for the living nodes to have converged: one domain and one view of each group, everything sent delivered
   * everywhere and stable, nothing waiting. Undefined if nothing is.
   */
  missing(): string | undefined {
    for (const { name, process } of this.#living.values()) if (process.paused) return `${name} is paused`;
    const what = missing([...this.#living.values()].map(({ host }) => host));
    const { sides } = this.#simulation;
    return (
      what ??
      (sides.length > 0 ? `the network is parted: ${sides.map((side) => side.join(' ')).join(' | ')}` : undefined)
    );
  }

  /**
   * Waits until the living nodes have converged; then the replicas of each group have to be equal, and the traces of all nodes,
   * the dead included, have to keep every guarantee.
   *
   * Rejects with {@link NotInTime}, {@link ReplicasDiffer}, {@link GuaranteeViolated}.
   */
  async expectConverged(within = withinDefault): Promise<void> {
    const deadline = this.now + within;
    await this.#simulation.settle();
    while (this.missing() !== undefined) {
      if (this.now >= deadline) throw this.#late('convergence', within);
      await this.#simulation.step(deadline);
      await this.#simulation.settle();
    }
    const hosts = [...this.#living.values()].map(({ host }) => host);
    const differs = differing(hosts);
    if (differs) throw new ReplicasDiffer(differs.group, differs.states, this.seed);
    for (const { life } of hosts) {
      if (!life.core) continue;
      const t = Math.round(this.now * 1e6);
      this.#trace.push({ t, p: life.id, e: 'gauge', ...gauge(life.core), rss: 0, lagMs: 0 });
    }
    this.#check(true);
  }

  /** Has the checker look at the trace so far. Throws {@link GuaranteeViolated}. */
  check(): Report {
    return this.#check(false);
  }

  #check(quiesced: boolean): Report {
    const alive = [...this.#living.values()].map(({ id }) => id);
    const report = check(this.#trace, { quiesced, alive });
    if (!report.ok) throw new GuaranteeViolated(report.violations, this.seed);
    return report;
  }

  /** Ends all nodes, and has the trace checked once more. Throws {@link GuaranteeViolated}. */
  stop(): void {
    for (const { name } of this.nodes) this.crash(name);
    this.check();
  }
}

/** Has a settlement looked at as often as it is called. */
type Wait<T> = () => { value(): T } | undefined;

function conditionOf<T>(holds: () => boolean): Wait<T> {
  return () => (holds() ? { value: () => undefined as T } : undefined);
}

function settlementOf<T>(promise: PromiseLike<T>): Wait<T> {
  let settled: { value(): T } | undefined;
  promise.then(
    (value) => {
      settled = { value: () => value };
    },
    (error: unknown) => {
      settled = {
        value: () => {
          throw error;
        },
      };
    },
  );
  return () => settled;
}

/** Whether some actor of a node is at something, or about to be. */
function isBusy(host: Host): boolean {
  let busy = host.phase === 'opening' || host.woken;
  for (const { tokened, draining } of host.members.values()) busy ||= tokened || draining;
  forEachActor(host.system, (actor) => {
    busy ||= (actor as { busy?: boolean }).busy === true;
  });
  return busy;
}

function forEachActor(parent: NactParent, f: (actor: NactActor) => void): void {
  for (const actor of [...parent.children.values()]) {
    f(actor);
    forEachActor(actor, f);
  }
}
