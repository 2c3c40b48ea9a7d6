/** One node with a member of a group that replicates a table, as a process of its own. */
import { start } from 'nact';
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
import { buildTable, change, copyTable, digestTable, takeLoad, valueOf } from './table.js';
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
let [readyAt, firstChunkAt, lastChunkAt, activeAt, bytes, from] = [0, 0, 0, 0, 0, ''];
let viewsSeen = 0;
let membersNow = 0;
let stopLoad = () => undefined as void;
let sent: Sent = { sent: 0, stable: 0, failed: 0 };

const system = start(
  { name: self },
  groups({
    domain: name,
    name: self,
    trace: (record) => {
      if (record.e === 'suspect')
        suspicions.push(`${self} suspects ${record.who} at ${monotonic().toFixed(0)} ms: ${record.why ?? ''}`);
    },
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
    onTransfer(progress) {
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
        settle(multicast(ref, { key, value: valueOf(key + count, size) }));
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
