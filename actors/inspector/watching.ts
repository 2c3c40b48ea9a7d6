/**
 * What the nodes of this process show to whoever looks: their snapshots and rates, and what happens, as records. It costs nothing
 * while nobody looks: then no packet is read, no record is made and no timer runs.
 */
import { InvalidOption } from '../errors.js';
import type { Host } from '../host.js';
import type { Rates, Records, Seen, Snapshot } from './format.js';
import { clock, currentViews, listen, lookAt, ratesOf, seeSuspects, snapshotOf, type Looker } from './looker.js';
import { createSampling, reviewSampling, type Sampling } from './sampling.js';

/** How often pages are told what happened, in milliseconds; snapshots and rates less often. */
const tickMillis = 100;
const ticksPerSnapshot = 3;
const ticksPerRates = 10;
/** Records kept until the next tick; more are lost, and counted. */
const recordsMax = 4000;

/** Somebody who looks. */
export interface Spectator {
  /** By id; else the first there is. */
  readonly node: string | null;
  /** Of which the matrix is wanted; else of the first. */
  readonly group: string | null;
  /** False if it cannot take it now. */
  snapshot(snapshot: Snapshot): boolean;
  rates(rates: Rates): boolean;
  records(records: Records): boolean;
}

interface Watched {
  readonly looker: Looker;
  readonly stop: () => void;
}

interface Seat {
  readonly spectator: Spectator;
  /** Its last snapshot, so that nothing is told twice. */
  told: string;
  lost: number;
}

/** The nodes of this process that are looked at, and who looks. */
export class Watching {
  readonly #watched = new Map<Host, Watched>();
  readonly #seats = new Set<Seat>();
  #records: Seen[] = [];
  #lost = 0;
  #sampling: Sampling | null = null;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  /** `ended`: the last of the nodes has left its domain. */
  constructor(readonly ended: () => void = () => undefined) {}

  /** Shows a node as well. Throws {@link InvalidOption} if it is looked at by somebody else. */
  add(host: Host): void {
    if (host.watcher !== undefined) {
      throw new InvalidOption(`system '${host.system.name}' has an inspector already: give it one, not two`);
    }
    const looking = lookAt(
      host,
      (record) => this.#take(record),
      () => this.#remove(host),
    );
    this.#watched.set(host, looking);
    if (this.#sampling) listen(looking.looker, this.#sampling);
  }

  /** Somebody looks; call the result when it is enough. */
  open(spectator: Spectator): () => void {
    const seat: Seat = { spectator, told: '', lost: 0 };
    this.#seats.add(seat);
    if (this.#seats.size === 1) this.#begin();
    // what it looks at now, and then what changes
    const now = clock();
    const records = this.#lookers().flatMap((each) => currentViews(each, now));
    spectator.records({ records, every: 1, lost: 0, clock: now });
    this.#show(seat);
    return () => {
      if (this.#seats.delete(seat) && this.#seats.size === 0) this.#end();
    };
  }

  /** Looks at nothing any more. */
  close(): void {
    this.#end();
    this.#seats.clear();
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
  }

  #remove(host: Host): void {
    this.#watched.get(host)?.stop();
    if (this.#watched.delete(host) && this.#watched.size === 0) this.ended();
  }

  #lookers(): Looker[] {
    return Array.from(this.#watched.values(), ({ looker }) => looker);
  }

  #begin(): void {
    this.#sampling = createSampling(performance.now());
    for (const looker of this.#lookers()) listen(looker, this.#sampling);
    this.#timer = setInterval(() => this.#tick(), tickMillis);
    this.#timer.unref();
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#sampling = null;
    this.#records = [];
    for (const looker of this.#lookers()) listen(looker, null);
  }

  #take(record: Seen): void {
    if (this.#seats.size === 0) return;
    if (this.#records.length >= recordsMax) this.#lost += 1;
    else this.#records.push(record);
  }

  #tick(): void {
    this.#ticks += 1;
    const now = performance.now();
    for (const looker of this.#lookers()) seeSuspects(looker, (record) => this.#take(record));
    if (this.#sampling) reviewSampling(this.#sampling, now);
    this.#tellRecords();
    if (this.#ticks % ticksPerSnapshot === 0) for (const seat of this.#seats) this.#show(seat);
    if (this.#ticks % ticksPerRates === 0) this.#tellRates(now);
  }

  #tellRecords(): void {
    if (this.#records.length === 0) return;
    const told = { records: this.#records, every: this.#sampling?.every ?? 1, lost: this.#lost, clock: clock() };
    this.#records = [];
    this.#lost = 0;
    for (const seat of this.#seats) {
      if (seat.spectator.records({ ...told, lost: told.lost + seat.lost })) seat.lost = 0;
      else seat.lost += told.records.length;
    }
  }

  #tellRates(now: number): void {
    for (const looker of this.#lookers()) {
      const rates = ratesOf(looker, now);
      if (rates === null) continue;
      for (const { spectator } of this.#seats) if (this.#lookerOf(spectator) === looker) spectator.rates(rates);
    }
  }

  #lookerOf({ node }: Spectator): Looker | undefined {
    const lookers = this.#lookers();
    return lookers.find(({ host }) => host.life.id === node) ?? lookers[0];
  }

  #show(seat: Seat): void {
    const looker = this.#lookerOf(seat.spectator);
    if (!looker) return;
    const snapshot = snapshotOf(looker, this.#lookers(), seat.spectator.group);
    const text = JSON.stringify(snapshot);
    if (text !== seat.told && seat.spectator.snapshot(snapshot)) seat.told = text;
  }
}
