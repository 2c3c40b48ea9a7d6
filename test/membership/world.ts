/**
 * A small world for control planes: virtual time, a network that loses, delays, doubles, reorders and partitions,
 * processes that crash, stall and start again. Deterministic for a seed. Everything sent goes through its binary form.
 *
 * It checks as it goes: one state per number and domain, decrees in order, a quorum of each state in the next, nothing
 * after the end of a life. A violation throws.
 */
import { type Authorize, type Claim, letIn } from '../../lib/membership/authorizing.js';
import { isDeepStrictEqual } from 'node:util';
import type { DomainId, NodeId } from '../../lib/ids.js';
import { applyDecree } from '../../lib/membership/decree.js';
import {
  controlMessage,
  createMembership,
  domainTag,
  heard,
  endView,
  joinGroup,
  leaveDomain,
  leaveGroup,
  prepareToLeave,
  multicastSent,
  nextTick,
  receive,
  tick,
} from '../../lib/membership/membership.js';
import type {
  ControlMessage,
  Destination,
  Membership,
  MembershipOptions,
  MembershipOutput,
} from '../../lib/membership/membership.js';
import { versions } from '../../lib/membership/protocol.js';
import { keepsQuorum } from '../../lib/membership/quorum.js';
import type { DomainState, GroupSettings } from '../../lib/membership/state.js';
import { Reader, Writer } from '../../lib/wire/bytes.js';

/** What a process is set up with; see {@link MembershipOptions}. */
export type Settings = Partial<Omit<MembershipOptions, 'name' | 'incarnation' | 'address' | 'seed'>>;

/** What the network does to a packet, by chance. */
export interface Weather {
  readonly loss: number;
  readonly duplication: number;
  readonly delayMin: number;
  readonly delayMax: number;
}

/** Nothing is lost, little is late. */
export const calm: Weather = { loss: 0, duplication: 0, delayMin: 0.1, delayMax: 0.5 };

/** One life of a node. */
export interface Process {
  /** What the world calls it. */
  readonly key: string;
  readonly name: string;
  readonly address: string;
  readonly membership: Membership;
  readonly outputs: MembershipOutput[];
  alive: boolean;
  stalled: boolean;
  /** What arrives while it is stalled. */
  readonly inbox: Packet[];
  tickAt: number;
}

/** A control message under way. */
export interface Packet {
  readonly from: Process;
  readonly to: Destination;
  readonly tag: number;
  readonly number: number;
  readonly message: ControlMessage;
  readonly bytes: Uint8Array;
}

interface Item {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** What replicated groups of these tests have in common. */
export const plain: GroupSettings = { kind: 'plain', order: 'fifo', codec: 'none' };

/** What a process does that its tests have no eye for; no process has tethers here. */
const unnoticed: readonly MembershipOutput['kind'][] = ['send', 'log', 'tether', 'probe', 'quorate'];

/** See the file's head. */
export class World {
  now = 0;
  weather: Weather = calm;
  /** Whether those whose incarnation is over start again. */
  restarts = true;
  /** Decides on a packet before the weather does. */
  rule: (packet: Packet, to: Process) => 'pass' | 'drop' = () => 'pass';
  /** Who may come in, at every process. */
  authorize: Authorize = letIn;
  /** Called for each output, after it took effect. */
  watch: (process: Process, output: MembershipOutput) => void = () => {};
  readonly processes = new Map<string, Process>();
  readonly chains = new Map<DomainId, Map<number, DomainState>>();
  packets = 0;
  private readonly queue: Item[] = [];
  private order = 0;
  private word: number;
  private incarnations = 1000;
  private islands: readonly (readonly string[])[] = [];

  constructor(
    readonly seed: number,
    readonly settings: Settings = {},
  ) {
    this.word = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  }

  /** In [0, 1). */
  random(): number {
    this.word = (this.word + 0x6d2b79f5) >>> 0;
    let t = this.word;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below `n`. */
  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** Starts a new life of a node; `key` is what this world calls it, if not by its name. */
  start(name: string, address = `at-${name}`, key = name): Process {
    if (this.processes.has(key)) throw new Error(`${key} is running`);
    const incarnation = (this.incarnations += 1 + this.below(3));
    const options = {
      heartbeat: 100,
      timeout: 1000,
      timeoutMax: 3000,
      discovery: 400,
      minimumNodes: 1,
      founds: false,
      weight: 1,
      process: '',
      metadata: '',
      publicKey: '',
      versions,
      authorize: (claim: Claim) => this.authorize(claim),
      challenge: null,
      quorum: 'majority' as const,
      minimumWeight: 0,
      ...this.settings,
      name,
      incarnation,
      address,
      seed: this.below(1_000_000),
    };
    const process: Process = {
      key,
      name,
      address,
      membership: createMembership(options, this.now),
      outputs: [],
      alive: true,
      stalled: false,
      inbox: [],
      tickAt: Infinity,
    };
    this.processes.set(key, process);
    this.schedule(process);
    return process;
  }

  /** Starts several at once. */
  startAll(names: readonly string[]): Process[] {
    return names.map((name) => this.start(name));
  }

  get(name: string): Process {
    const process = this.processes.get(name);
    if (process === undefined) throw new Error(`no process ${name}`);
    return process;
  }

  /** Kills without a word. */
  crash(name: string): void {
    const process = this.get(name);
    process.alive = false;
    this.processes.delete(name);
  }

  /** Stops and later continues a process: its timers fire before it reads what is queued. */
  stall(name: string, span: number): void {
    // what its socket cannot hold meanwhile is lost
    const process = this.get(name);
    process.stalled = true;
    this.at(this.now + span, () => {
      process.stalled = false;
      this.step(process, (out) => tick(process.membership, this.now, out));
      for (const packet of process.inbox.splice(0)) this.arrive(packet, process);
    });
  }

  /** Only those on one island reach each other; who is on none reaches nobody. */
  partition(...islands: readonly (readonly string[])[]): void {
    this.islands = islands;
  }

  heal(): void {
    this.islands = [];
  }

  leave(name: string): void {
    const process = this.get(name);
    this.step(process, (out) => leaveDomain(process.membership, this.now, out));
  }

  /** As {@link leave}, out of a group first; what it has said there takes so long to arrive. */
  leaveAll(name: string, group: string, span: number): void {
    const process = this.get(name);
    this.step(process, () => prepareToLeave(process.membership));
    this.leaveGroup(name, group);
    this.at(this.now + span, () => this.leave(name));
  }

  joinGroup(name: string, group: string, settings = plain): void {
    const process = this.get(name);
    this.step(process, (out) => joinGroup(process.membership, group, settings, this.now, out));
  }

  leaveGroup(name: string, group: string): void {
    const process = this.get(name);
    this.step(process, (out) => leaveGroup(process.membership, group, this.now, out));
  }

  /** A member has sent a barrier in the view of a group that it knows. */
  endView(name: string, group: string): void {
    const process = this.get(name);
    const view = process.membership.state?.groups.get(group)?.view ?? 0;
    this.step(process, (out) => endView(process.membership, group, view, this.now, out));
  }

  /** Lets time pass. */
  run(span: number): void {
    const end = this.now + span;
    this.runWhile(() => (this.queue[0]?.at ?? Infinity) <= end);
    this.now = end;
  }

  /** Lets time pass until something holds; throws if it does not within `span`. Returns how long it took. */
  until(what: string, holds: () => boolean, span: number): number {
    const start = this.now;
    this.runWhile(() => !holds() && this.now < start + span);
    if (!holds()) throw new Error(`seed ${this.seed}: not within ${span} ms: ${what}\n${this.describe()}`);
    return this.now - start;
  }

  /** Whether all that live agree that they, and nobody else, are the domain. */
  settled(names: readonly string[] = [...this.processes.keys()]): boolean {
    if (!names.every((name) => this.processes.has(name))) return false;
    const all = names.map((name) => this.get(name).membership);
    const first = all[0]?.state;
    if (first === undefined) return true;
    if (first === null || first.nodes.length !== all.length) return false;
    return all.every(
      (m) =>
        m.phase.kind === 'member' &&
        m.state?.id === first.id &&
        m.state.number === first.number &&
        first.nodes.some((node) => node.id === m.id),
    );
  }

  describe(): string {
    return [...this.processes.values()]
      .map(({ key, membership: m, stalled }) => {
        const nodes = m.state?.nodes.map((node) => node.id).join(' ') ?? '';
        const suspects = [...m.suspects].join(' ');
        const { kind } = m.phase;
        const proposer = m.instance.proposer.kind;
        const what = `${kind}${stalled ? ' stalled' : ''} ${m.state?.id ?? 'nowhere'}:${m.state?.number ?? 0}`;
        return `  ${key} ${m.id}: ${what} [${nodes}] suspects [${suspects}] ${proposer} round ${m.instance.round}`;
      })
      .join('\n');
  }

  private runWhile(condition: () => boolean): void {
    while (this.queue.length > 0 && condition()) {
      const item = this.pop();
      this.now = Math.max(this.now, item.at);
      item.run();
    }
  }

  /** Runs one step of a process and carries out what comes of it. */
  step(process: Process, what: (out: MembershipOutput[]) => void): void {
    if (!process.alive || process.stalled) return;
    const out: MembershipOutput[] = [];
    what(out);
    for (const output of out) {
      if (!process.alive) return;
      this.check(process, output);
      if (!unnoticed.includes(output.kind)) process.outputs.push(output);
      if (output.kind === 'send') this.send(process, output.to, output.message);
      if (output.kind === 'restart' || output.kind === 'left' || output.kind === 'refused')
        this.end(process, output.kind);
      this.watch(process, output);
    }
    this.schedule(process);
  }

  private end(process: Process, kind: 'restart' | 'left' | 'refused'): void {
    process.alive = false;
    if (this.processes.get(process.key) === process) this.processes.delete(process.key);
    if (kind === 'restart' && this.restarts) {
      this.at(this.now + 1 + this.below(20), () => {
        if (!this.processes.has(process.key)) this.start(process.name, process.address, process.key);
      });
    }
  }

  private send(from: Process, to: Destination, message: ControlMessage): void {
    const w = new Writer();
    controlMessage.write(w, message);
    const state = from.membership.state;
    const header = { tag: state === null ? 0 : domainTag(state.id), number: state?.number ?? 0 };
    const packet: Packet = { from, to, ...header, message, bytes: w.take() };
    if (to.kind === 'all') multicastSent(from.membership, this.now);
    for (const target of this.processes.values()) {
      if (target === from || (to.kind === 'node' && target.address !== to.address)) continue;
      this.carry(packet, target);
    }
  }

  /** Has a process hear of another, as by a packet that was late. */
  hear(from: Process, to: string, number: number): void {
    const sender = { incarnation: from.membership.options.incarnation, address: from.address };
    const { state } = from.membership;
    const target = this.get(to);
    const tag = state === null ? 0 : domainTag(state.id);
    this.step(target, (out) => heard(target.membership, sender, { tag, number, isToAll: true }, this.now, out));
  }

  /** Has a process get a message that nobody sent. */
  inject(from: string, to: string, message: ControlMessage): void {
    const w = new Writer();
    controlMessage.write(w, message);
    const target = this.get(to);
    const destination: Destination = { kind: 'node', id: target.membership.id, address: target.address, again: false };
    this.arrive({ from: this.get(from), to: destination, tag: 0, number: 0, message, bytes: w.take() }, target);
  }

  private carry(packet: Packet, target: Process): void {
    const { loss, duplication, delayMin, delayMax } = this.weather;
    if (!this.reaches(packet.from.key, target.key) || this.rule(packet, target) === 'drop') return;
    const copies = this.random() < duplication ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.random() < loss) continue;
      this.at(this.now + delayMin + this.random() * (delayMax - delayMin), () => {
        if (target.stalled && target.inbox.length < 1000) target.inbox.push(packet);
        else this.arrive(packet, target);
      });
    }
  }

  private reaches(a: string, b: string): boolean {
    return this.islands.length === 0 || this.islands.some((island) => island.includes(a) && island.includes(b));
  }

  private arrive({ from, to, tag, number, bytes }: Packet, target: Process): void {
    if (to.kind === 'node' && !to.id.endsWith(`#${target.membership.options.incarnation}`)) return;
    this.packets += 1;
    const sender = { incarnation: from.membership.options.incarnation, address: from.address };
    this.step(target, (out) =>
      heard(target.membership, sender, { tag, number, isToAll: to.kind === 'all' }, this.now, out),
    );
    this.step(target, (out) => {
      receive(target.membership, sender, controlMessage.read(new Reader(bytes)), this.now, out);
    });
  }

  private schedule(process: Process): void {
    const at = Math.max(nextTick(process.membership), this.now);
    if (!process.alive || (process.tickAt <= at && process.tickAt >= this.now)) return;
    if (at === Infinity) return;
    process.tickAt = at;
    this.at(at, () => {
      if (process.tickAt !== at) return;
      process.tickAt = Infinity;
      this.step(process, (out) => tick(process.membership, this.now, out));
    });
  }

  private readonly known = new Map<NodeId, { number: number; over: boolean }>();
  private readonly offered = new Map<NodeId, DomainId>();

  private check(process: Process, output: MembershipOutput): void {
    const id = process.membership.id;
    const known = this.known.get(id);
    const insist = (condition: boolean, what: string) => {
      if (!condition) throw new Error(`seed ${this.seed}, ${this.now} ms, ${id}: ${what}\n${this.describe()}`);
    };
    if (
      output.kind === 'send' &&
      output.message.kind === 'offer' &&
      output.message.incarnation === process.membership.options.incarnation
    ) {
      const { domain } = output.message;
      insist((this.offered.get(id) ?? domain) === domain, 'offered one incarnation to two domains');
      this.offered.set(id, domain);
    }
    if (output.kind === 'installed') {
      insist(output.state.number > 1 || !this.offered.has(id), 'founded with an incarnation that it had offered');
      const { state, decree } = output;
      insist(known?.over !== true, 'installed after its end');
      insist(
        state.nodes.some((node) => node.id === id),
        'installed a state without itself',
      );
      insist((decree === null) === (known === undefined), 'only the first state comes without a decree');
      insist(known === undefined || known.number + 1 === state.number, 'skipped a state');
      this.known.set(id, { number: state.number, over: false });
      this.checkState(state, insist);
      const before = this.chains.get(state.id)?.get(state.number - 1);
      if (decree !== null && before !== undefined) {
        insist(decree.changes.length > 0, 'a decree that changes nothing');
        insist(keepsQuorum(before, decree), 'those who stay are no quorum');
        insist(
          isDeepStrictEqual(applyDecree(before, decree), state),
          'a state that does not follow from the one before',
        );
      }
    }
    if (output.kind === 'excluded' || output.kind === 'left' || output.kind === 'restart') {
      this.known.set(id, { number: known?.number ?? 0, over: true });
    }
  }

  private checkState(state: DomainState, insist: (condition: boolean, what: string) => void): void {
    const chain = this.chains.get(state.id) ?? new Map<number, DomainState>();
    this.chains.set(state.id, chain);
    const agreed = chain.get(state.number);
    insist(agreed === undefined || isDeepStrictEqual(agreed, state), `two states numbered ${state.number}`);
    chain.set(state.number, state);
  }

  /** Runs something at a time. */
  at(at: number, run: () => void): void {
    const queue = this.queue;
    let i = queue.push({ at, order: this.order++, run }) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(queue[parent] as Item, queue[i] as Item)) break;
      this.swap(i, parent);
      i = parent;
    }
  }

  private pop(): Item {
    const queue = this.queue;
    const first = queue[0] as Item;
    const last = queue.pop() as Item;
    if (queue.length === 0) return first;
    queue[0] = last;
    for (let i = 0; ;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < queue.length && before(queue[child] as Item, queue[least] as Item)) least = child;
      }
      if (least === i) return first;
      this.swap(i, least);
      i = least;
    }
  }

  private swap(i: number, j: number): void {
    const item = this.queue[i] as Item;
    this.queue[i] = this.queue[j] as Item;
    this.queue[j] = item;
  }
}

function before(a: Item, b: Item): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Names a, b, c and so on. */
export function letters(count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i < 26 ? String.fromCharCode(97 + i) : `n${i}`));
}
