/** One node with a member of a group that replicates a table, as a process of its own. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Writable } from 'node:stream';
import { start } from 'nact';
import { createLogger, transports } from 'winston';
import {
  domain,
  groups,
  multicast,
  read,
  ready,
  spawnReplicated,
  views,
  type GroupRef,
  type Receipt,
} from '../../actors/index.js';
import { startMeter } from './meter.js';
import { assignmentOf, serve } from './remote.js';
import { monotonic } from './stage.js';
import {
  buildTable,
  change,
  copyTable,
  digestTable,
  tableInPieces,
  tableOfPieces,
  takeLoad,
  valueOf,
} from './table.js';
import type { Change, Table, Variant } from './table.js';

/** What the process is to be. */
export interface TableAssignment {
  readonly domain: string;
  readonly name: string;
  readonly variant: Variant;
  /** The first node builds the table; the others get it. */
  readonly founder: boolean;
  /** What this process does with each chunk of the state, and with the first, in milliseconds: it may be slow. */
  readonly chunkMillis: number;
  readonly firstChunkMillis: number;
}

/** How a node came by its state; moments in shared monotonic milliseconds. */
export interface Arrival {
  readonly readyAt: number;
  readonly firstChunkAt: number;
  readonly lastChunkAt: number;
  /** The state is there, and so is what was delivered meanwhile. */
  readonly activeAt: number;
  readonly bytes: number;
  readonly from: string;
}

/** What became of the load. */
export interface Sent {
  readonly sent: number;
  readonly stable: number;
  readonly failed: number;
}

type Message = Change | Uint8Array;

const { domain: name, name: self, variant, founder, chunkMillis, firstChunkMillis } = assignmentOf<TableAssignment>();
const table = founder ? buildTable(variant) : undefined;
const meter = startMeter();
const suspicions: string[] = [];
const departures: string[] = [];
const eventLoop = monitorEventLoopDelay({ resolution: 5 });
eventLoop.enable();
let latencies: number[] = [];
let [readyAt, firstChunkAt, lastChunkAt, activeAt, bytes, from] = [0, 0, 0, 0, 0, ''];
let viewsSeen = 0;
let membersNow = 0;
let stopLoad = () => undefined as void;
let sent: Sent = { sent: 0, stable: 0, failed: 0 };

const told = new Writable({
  objectMode: true,
  write(line: unknown, _encoding, done) {
    const text = String(line);
    if (text.includes('suspected')) suspicions.push(`${self} at ${monotonic().toFixed(0)} ms: ${text}`);
    else process.stderr.write(`${text}\n`);
    done();
  },
});

const system = start(
  { name: self },
  groups({
    domain: name,
    name: self,
    // not traced: digests of all that is sent take their time
    logger: createLogger({ level: 'warn', transports: [new transports.Stream({ stream: told })] }),
  }),
);
await ready(system);
readyAt = monotonic();
const ref: GroupRef<Message, Table> = spawnReplicated(
  system,
  (state: Table, message: Message) => {
    meter.delivered();
    return message instanceof Uint8Array ? takeLoad(state, message) : change(state, variant.kind, message);
  },
  'table',
  {
    ...(table ? { initialState: table } : { initialState: undefined as never }),
    ...(variant.kind === 'in-place' ? { snapshot: copyTable } : {}),
    ...(variant.kind === 'pieces' ? { snapshot: tableInPieces, restore: tableOfPieces } : {}),
    ...(variant.kind === 'careless' ? {} : { immutable: true }),
    onTransfer(progress) {
      // a donor's own
      if (!progress.to.startsWith(`${self}#`)) return;
      burn(firstChunkAt === 0 ? firstChunkMillis : chunkMillis);
      firstChunkAt ||= monotonic();
      lastChunkAt = monotonic();
      ({ bytes, from } = progress);
    },
  },
);
views(ref).subscribe((view) => {
  viewsSeen += 1;
  membersNow = view.members.length;
  for (const { id, cause } of view.left) departures.push(`${id} ${cause}`);
});
void read(ref, () => (activeAt = monotonic()));

/** Holds up the event loop. */
function burn(millis: number): void {
  if (millis === 0) return;
  const until = monotonic() + millis;
  while (monotonic() < until);
}

const served = {
  /** Resolves when the member has the state. */
  async arrived(_: null): Promise<Arrival> {
    await read(ref, () => undefined);
    return { readyAt, firstChunkAt, lastChunkAt, activeAt, bytes, from };
  },
  /** Changes so many a second, until told to stop. */
  load({ rate, bytes: size }: { readonly rate: number; readonly bytes: number }): void {
    const begun = performance.now();
    let [count, stable, failed] = [0, 0, 0];
    const settle = (receipt: Receipt) =>
      void receipt.stable.then(
        () => void (stable += 1),
        () => void (failed += 1),
      );
    const timer = setInterval(() => {
      for (const due = ((performance.now() - begun) / 1000) * rate; count < due; count++) {
        const key = Math.floor(Math.random() * variant.entries);
        const sentAt = performance.now();
        const receipt = multicast(ref, { key, value: valueOf(key + count, size) });
        receipt.delivered.then(() => latencies.push(performance.now() - sentAt)).catch(() => undefined);
        settle(receipt);
      }
      sent = { sent: count, stable, failed };
    }, 4);
    stopLoad = () => {
      clearInterval(timer);
      const poll = setInterval(() => {
        sent = { sent: count, stable, failed };
        if (stable + failed === count) clearInterval(poll);
      }, 20);
    };
  },
  /** Ends the load; resolves when every change is stable or has failed. */
  async unload(_: null): Promise<Sent> {
    stopLoad();
    while (sent.stable + sent.failed < sent.sent) await new Promise((resolve) => setTimeout(resolve, 20));
    return sent;
  },
  /** Ends a stretch of measuring and begins the next. */
  stretch: (_: null) => meter.next(),
  /** The longest that the event loop was held up, and how long own multicasts took to be delivered here, since the last time. */
  smoothness(_: null): { readonly delay: number; readonly latencies: readonly number[] } {
    const taken = { delay: eventLoop.max / 1e6, latencies: latencies.sort((x, y) => x - y) };
    eventLoop.reset();
    latencies = [];
    return taken;
  },
  /** Sends bytes; resolves when all have received them. */
  async bytes(size: number): Promise<void> {
    const load = new Uint8Array(size);
    for (let i = 0; i < size; i += 997) load[i] = i % 251;
    await multicast(ref, load).stable;
  },
  /** What is wrong with a message, if anything. */
  attempt(kind: 'function' | 'symbol' | 'class' | 'cycle'): string {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = { cycle };
    const value = {
      function: () => 1,
      symbol: Symbol('s'),
      class: new (class Account {
        balance = 1;
      })(),
      cycle,
    }[kind];
    try {
      multicast(ref, { key: 1, value: { nested: [value] } } as unknown as Change);
      return 'sent';
    } catch (error) {
      return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
  },
  look: (_: null) => ({ suspicions, departures, views: viewsSeen, members: membersNow }),
  state: (_: null) => read(ref, ({ applied, loads, lastLoad }) => ({ applied, loads, lastLoad })),
  digest: (_: null) => read(ref, digestTable),
  statistics: (_: null) => domain(system).statistics(),
  /** Where this node takes unicasts and streams. */
  address: (_: null) =>
    new Promise<string>((resolve) => {
      domain(system)
        .views.subscribe(({ nodes }) => {
          const own = nodes.find((node) => node.name === self);
          if (own) resolve(own.address);
        })
        .add(() => undefined);
    }),
};

/** What this process serves. */
export type TableNode = typeof served;

serve(served);
