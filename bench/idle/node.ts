/** A node with a member in each of many groups that does nothing, as a process of its own. Started with --expose-gc. */
import { start } from 'nact';
import { domain as domainOf, groups, ready, spawnReplicated, udpMulticast, views } from '../../actors/index.js';
import { millis } from '../clock.js';
import { assignmentOf } from '../processes.js';
import type { Network } from '../processes.js';
import { serve } from '../remote.js';

/** What the process is to be. */
export interface NodeAssignment extends Network {
  readonly index: number;
  readonly groups: number;
}

/** What this process has done so far. */
export interface Work {
  /** In milliseconds of the machine's monotonic clock. */
  readonly at: number;
  readonly packets: number;
  readonly bytes: number;
  /** Of this process, and of the system for it. */
  readonly cpuMillis: number;
}

/** What this process holds, in bytes. */
export interface Memory {
  readonly resident: number;
  readonly heap: number;
}

const { index, groups: groupCount, domain, address, port } = assignmentOf<NodeAssignment>();
const transport = udpMulticast({ address, port });
const system = start({ name: `bench-${index}` }, groups({ domain, name: `member-${index}`, transport }));
await ready(system);

/** Members by group. */
const sizes = new Array<number>(groupCount).fill(0);
let news: () => void = () => undefined;
for (let group = 0; group < groupCount; group++) {
  const ref = spawnReplicated(system, (state: number, change: number) => state + change, `group-${group}`, {
    initialState: 0,
  });
  views(ref).subscribe(({ members }) => {
    sizes[group] = members.length;
    news();
  });
}

const served = {
  /** Resolves when all groups have so many members. */
  full: (members: number): Promise<void> =>
    new Promise((resolve) => {
      news = () => {
        if (sizes.every((size) => size === members)) resolve();
      };
      news();
    }),
  work(_: null): Work {
    const { packetsOut = NaN, bytesOut = NaN } = domainOf(system).statistics();
    const { user, system: kernel } = process.cpuUsage();
    return { at: millis(), packets: packetsOut, bytes: bytesOut, cpuMillis: (user + kernel) / 1000 };
  },
  /** Of what is in use: garbage is collected first. */
  memory(_: null): Memory {
    if (!globalThis.gc) throw new Error('started without --expose-gc');
    globalThis.gc();
    const { rss, heapUsed } = process.memoryUsage();
    return { resident: rss, heap: heapUsed };
  },
};

/** What such a process serves. */
export type IdleNode = typeof served;

serve(served);
