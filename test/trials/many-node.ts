/** One node with a member in each of many groups, as a process of its own. */
import { start } from 'nact';
import { dispatch } from 'nact';
import { digestOf, domain, groups, read, ready, spawnReplicated, views, type GroupRef } from '../../actors/index.js';
import { assignmentOf, serve } from './remote.js';
import { monotonic } from './stage.js';

/** What the process is to be. */
export interface ManyAssignment {
  readonly domain: string;
  readonly name: string;
  readonly groups: number;
}

/** When the groups of a node had a membership, in shared monotonic milliseconds. */
export interface Agreed {
  readonly first: number;
  readonly last: number;
}

/** What a node has done so far. */
export interface Work {
  readonly at: number;
  readonly packetsOut: number;
  readonly bytesOut: number;
  readonly cpuMillis: number;
}

interface Count {
  readonly applied: number;
}

const assignment = assignmentOf<ManyAssignment>();
const system = start({ name: assignment.name }, groups({ domain: assignment.domain, name: assignment.name }));
const refs: GroupRef<number, Count>[] = [];
/** By group: the members of its view here, sorted, and since when. */
const members: string[] = [];
const since: number[] = [];
const waiting = new Set<() => void>();
let load: NodeJS.Timeout | undefined;

for (let i = 0; i < assignment.groups; i++) {
  const ref = spawnReplicated(system, ({ applied }: Count, _n: number) => ({ applied: applied + 1 }), `group-${i}`, {
    initialState: { applied: 0 },
  });
  refs.push(ref);
  members.push('');
  since.push(0);
  views(ref).subscribe((view) => {
    members[i] = view.members
      .map(({ name }) => name)
      .sort()
      .join();
    since[i] = monotonic();
    for (const look of waiting) look();
  });
}

const served = {
  /** Resolves when all groups have these members. */
  agreed(names: readonly string[]): Promise<Agreed> {
    const wanted = [...names].sort().join();
    return new Promise((resolve) => {
      const look = () => {
        if (members.some((each) => each !== wanted)) return;
        waiting.delete(look);
        resolve({ first: Math.min(...since), last: Math.max(...since) });
      };
      waiting.add(look);
      look();
    });
  },
  work(_: null): Work {
    const { packetsOut = 0, bytesOut = 0 } = domain(system).statistics();
    const { user, system: kernel } = process.cpuUsage();
    return { at: monotonic(), packetsOut, bytesOut, cpuMillis: (user + kernel) / 1000 };
  },
  /** Multicasts so many a second, to one group after the other. 0: no more. */
  load(rate: number): void {
    clearInterval(load);
    if (rate === 0) return;
    const from = performance.now();
    let sent = 0;
    load = setInterval(() => {
      for (const due = ((performance.now() - from) / 1000) * rate; sent < due; sent++) {
        dispatch(refs[sent % refs.length] as GroupRef<number>, sent);
      }
    }, 10);
  },
  /** Of all groups' states. */
  async digest(_: null): Promise<string> {
    return digestOf(await Promise.all(refs.map((ref) => read(ref, ({ applied }) => applied))));
  },
};

/** What this process serves. */
export type ManyNode = typeof served;

await ready(system);
serve(served);
