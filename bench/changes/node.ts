/** One member of a group with a replicated state, as a process of its own; it tells when what happened. */
import { start } from 'nact';
import {
  groups,
  leave,
  leaveDomain,
  read,
  ready,
  spawnReplicated,
  status,
  udpMulticast,
  views,
} from '../../actors/index.js';
import type { GroupRef } from '../../actors/index.js';
import { millis } from '../clock.js';
import { assignmentOf } from '../processes.js';
import type { Network } from '../processes.js';
import { serve } from '../remote.js';

/** What the process is to be. */
export interface NodeAssignment extends Network {
  readonly name: string;
  /** Of the state that a founder begins with. */
  readonly stateBytes: number;
}

/** When this member came to be one, in milliseconds of the machine's monotonic clock. */
export interface Arrival {
  /** It began to join the domain. */
  readonly startedAt: number;
  /** It has its first view, and the state as of that. */
  readonly activeAt: number;
  /** Of the state that it has. */
  readonly bytes: number;
}

type State = ReadonlyMap<number, Uint8Array>;
interface SeenView {
  readonly members: string;
  readonly at: number;
}

/** The state has entries of so many bytes. */
const entryBytes = 1000;

const { name, stateBytes, domain, address, port } = assignmentOf<NodeAssignment>();
const initialState: State = new Map(
  Array.from({ length: Math.ceil(stateBytes / entryBytes) }, (_, key) => [key, new Uint8Array(entryBytes).fill(key)]),
);
const startedAt = millis();
const system = start({ name }, groups({ domain, name, transport: udpMulticast({ address, port }) }));
await ready(system);

let seen: SeenView[] = [];
const waiting = new Set<() => void>();
let ref = join();

function join(): GroupRef<never, State> {
  const joined = spawnReplicated(system, (state: State) => state, 'bench', { initialState, immutable: true });
  views(joined).subscribe(({ members }) => {
    seen.push({ members: namesOf(members.map((member) => member.name)), at: millis() });
    for (const look of waiting) look();
  });
  return joined;
}

function namesOf(names: readonly string[]): string {
  return [...names].sort().join();
}

/** Resolves when the member takes part, with the time. */
function active(): Promise<number> {
  return new Promise((resolve) => {
    status(ref).subscribe((now) => now === 'active' && resolve(millis()));
  });
}

const arrivedAt = await active();

const served = {
  /** How this process came in. */
  async arrived(_: null): Promise<Arrival> {
    const bytes = await read(ref, (state) => [...state.values()].reduce((sum, { length }) => sum + length, 0));
    return { startedAt, activeAt: arrivedAt, bytes };
  },
  /** Forgets the views that were. */
  forget(_: null): void {
    seen = [];
  },
  /** Resolves when there is a view of just these members that is not forgotten, with the time it was seen at. */
  view(names: readonly string[]): Promise<number> {
    const wanted = namesOf(names);
    return new Promise((resolve) => {
      const look = (): void => {
        const found = seen.find(({ members }) => members === wanted);
        if (!found) return;
        waiting.delete(look);
        resolve(found.at);
      };
      waiting.add(look);
      look();
    });
  },
  /** Leaves the group; tells when it began to and when it was out. */
  async leave(_: null): Promise<{ readonly from: number; readonly to: number }> {
    const from = millis();
    await leave(ref);
    return { from, to: millis() };
  },
  /** Joins the group again; tells when it began to and when it had the state. */
  async join(_: null): Promise<{ readonly from: number; readonly to: number }> {
    const from = millis();
    ref = join();
    return { from, to: await active() };
  },
  /** Leaves the domain; tells when it began to and when it was out. */
  async leaveDomain(_: null): Promise<{ readonly from: number; readonly to: number }> {
    const from = millis();
    await leaveDomain(system);
    return { from, to: millis() };
  },
};

/** What such a process serves. */
export type ChangesNode = typeof served;

serve(served);
