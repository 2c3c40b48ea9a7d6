/**
 * One process of the demo: a nact system with a replicated departure board, over UDP multicast.
 *
 * Sends the events it is told to, and tells which of them became stable.
 */
import { start } from 'nact';
import {
  digestOf,
  GroupFull,
  groups,
  leaveDomain,
  MulticastFailed,
  multicast,
  read,
  ready,
  spawnReplicated,
  udpMulticast,
  views,
  type Receipt,
} from '../index.js';
import { airportOf, delayOf, eventOf, readInput, type DemoEvent } from './demo-input.js';
import type { Notice, Order, Row } from './demo-protocol.js';

/** How often receipts and progress are told, in milliseconds. */
const noticeMillis = 20;
/** Sent between two looks at whether they were let in. */
const burst = 100;
/** Wrong ids in a report. */
const wrongMax = 5;

interface Line {
  flights: number;
  delay: number;
  chain: number;
}

/** The board is changed in place, so it has a `snapshot`: a copy for every event would cost more than the event. */
interface Board {
  readonly airports: Map<string, Line>;
  /** How often each id was applied, at most 255. */
  readonly counts: Uint8Array;
  applied: number;
}

function apply(board: Board, { id, record }: DemoEvent): Board {
  const airport = airportOf(record);
  let line = board.airports.get(airport);
  if (!line) {
    line = { flights: 0, delay: 0, chain: 0 };
    board.airports.set(airport, line);
  }
  line.flights += 1;
  line.delay += delayOf(record);
  line.chain = Math.imul(line.chain ^ id, 16_777_619) >>> 0;
  board.counts[id] = (board.counts[id] ?? 0) + 1;
  board.applied += 1;
  return board;
}

function copy({ airports, counts, applied }: Board): Board {
  return {
    airports: new Map(Array.from(airports, ([name, line]) => [name, { ...line }])),
    counts: counts.slice(),
    applied,
  };
}

function rowsOf(board: Board): Row[] {
  return Array.from(board.airports, ([airport, line]) => ({ airport, ...line })).sort((a, b) =>
    a.airport < b.airport ? -1 : 1,
  );
}

const [domain = '', name = '', file = '', events = '0'] = process.argv.slice(2);
const total = Number(events);
const input = readInput(file);
const started = performance.now();
let receivedBytes = 0;
let stable: number[] = [];
let failed: number[] = [];

function tell(notice: Notice): void {
  process.send?.(notice);
}

const system = start(groups({ domain, name, transport: udpMulticast() }));
const empty: Board = { airports: new Map(), counts: new Uint8Array(total), applied: 0 };
let board = empty;
const flights = spawnReplicated(
  system,
  (state: Board, event: DemoEvent) => (board = apply(state, event)),
  'departures',
  {
    initialState: empty,
    snapshot: copy,
    onTransfer: ({ bytes, done }) => {
      receivedBytes = bytes;
      if (done) transferred = true;
    },
    onView: (state) => {
      board = state;
      if (!transferred) return;
      transferred = false;
      tell({ kind: 'transferred', bytes: receivedBytes, ms: performance.now() - started, applied: state.applied });
    },
  },
);
let transferred = false;

views(flights).subscribe(({ id, members, cause }) =>
  tell({ kind: 'view', id, members: members.map((member) => member.name), cause, applied: board.applied }),
);

async function send([from, to]: readonly [number, number]): Promise<void> {
  let last: Receipt | undefined;
  for (let id = from; id < to;) {
    try {
      const receipt = multicast(flights, eventOf(input, id));
      const own = id++;
      receipt.stable.then(
        () => stable.push(own),
        () => failed.push(own),
      );
      last = receipt;
    } catch (error) {
      if (!(error instanceof GroupFull)) throw error;
      await letIn(last);
    }
    if (id % burst === 0) await letIn(last);
  }
}

/** Keeps pace. That a multicast failed is told by its `stable`. */
async function letIn(receipt: Receipt | undefined): Promise<void> {
  try {
    await receipt?.accepted;
  } catch (error) {
    if (!(error instanceof MulticastFailed)) throw error;
  }
}

async function report(): Promise<void> {
  while (board.applied < total) await new Promise((resolve) => setTimeout(resolve, noticeMillis));
  const notice = await read(flights, (state): Notice => {
    const rows = rowsOf(state);
    const wrong: [number, number][] = [];
    for (let id = 0; id < total && wrong.length < wrongMax; id++) {
      if (state.counts[id] !== 1) wrong.push([id, state.counts[id] ?? 0]);
    }
    return { kind: 'report', digest: digestOf(rows), applied: state.applied, rows, wrong };
  });
  tell(notice);
}

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case 'send':
      return send(order.range);
    case 'missing':
      return tell({
        kind: 'missing',
        question: order.question,
        ids: await read(flights, ({ counts }) => order.ids.filter((id) => counts[id] === 0)),
      });
    case 'report':
      return report();
    case 'leave':
      await leaveDomain(system);
      process.exit(0);
  }
}

process.on('message', (order: Order) => {
  obey(order).catch((error: unknown) => tell({ kind: 'error', message: String(error) }));
});
// the parent is gone: so are we
process.on('disconnect', () => process.exit(1));

let told = 0;
setInterval(() => {
  if (stable.length + failed.length > 0) {
    tell({ kind: 'receipts', stable, failed });
    stable = [];
    failed = [];
  }
  if (board.applied === told) return;
  told = board.applied;
  tell({ kind: 'progress', applied: told });
}, noticeMillis);

await ready(system);
tell({ kind: 'ready', name });
