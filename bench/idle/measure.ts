/**
 * What a domain costs in which nothing is said: packets, bytes and processor time per second, and memory by the number of
 * groups and of members. Memory is compared between domains: what a process has with more groups, or with more members,
 * beyond what it has with fewer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { privateNetwork } from '../processes.js';
import { startRemote } from '../remote.js';
import type { Remote } from '../remote.js';
import { mean, sum } from '../statistics.js';
import type { Track } from '../track.js';
import type { IdleNode, NodeAssignment } from './node.js';

/** Which domains are looked at, and for how long. */
export interface IdlePlan {
  /** Domains of `members` nodes, by their numbers of groups, */
  readonly groups: readonly number[];
  readonly members: number;
  /** and domains with `memberGroups` groups, by their numbers of nodes. */
  readonly memberCounts: readonly number[];
  readonly memberGroups: number;
  /** From the last view to silence: receipts, last acknowledgements, timers. */
  readonly settleMillis: number;
  readonly measuredMillis: number;
}

/** One domain at rest. */
export interface Idle {
  readonly members: number;
  readonly groups: number;
  /** Of the whole domain. */
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Of one node, the mean: milliseconds of processor time per second. */
  readonly cpuMillisPerSecond: number;
  /** Of one node, the mean: bytes. */
  readonly resident: number;
  readonly heap: number;
  /** From the start of the first node until all are in all groups. */
  readonly formMillis: number;
}

const formMillisMax = 180_000;

/** The domains that a plan looks at, each once. */
export function domainsOf(plan: IdlePlan): { readonly members: number; readonly groups: number }[] {
  const byGroups = plan.groups.map((groups) => ({ members: plan.members, groups }));
  const byMembers = plan.memberCounts.map((members) => ({ members, groups: plan.memberGroups }));
  const all = [...byGroups, ...byMembers];
  return all.filter(
    (each, i) => all.findIndex((other) => other.members === each.members && other.groups === each.groups) === i,
  );
}

/** Looks at one domain after the other. Rejects with `MeasurementFailed`. */
export async function measureIdle(plan: IdlePlan, { tell, done }: Track): Promise<Idle[]> {
  const found: Idle[] = [];
  for (const { members, groups } of domainsOf(plan)) {
    tell(`${members} nodes, ${groups} groups`);
    found.push(await lookAt(members, groups, plan));
    done();
  }
  return found;
}

async function lookAt(members: number, groups: number, { settleMillis, measuredMillis }: IdlePlan): Promise<Idle> {
  const network = privateNetwork();
  const nodes: Remote<IdleNode>[] = [];
  const all = <T>(call: (node: Remote<IdleNode>) => Promise<T>) => Promise.all(nodes.map(call));
  try {
    const from = performance.now();
    for (let index = 0; index < members; index++) {
      const assignment: NodeAssignment = { ...network, index, groups };
      const url = new URL('./node.js', import.meta.url);
      nodes.push(startRemote<IdleNode>(`node ${index}`, url, assignment, ['--expose-gc']));
      // the first is to be the oldest
      await nodes[index]?.call('work', null, formMillisMax);
    }
    await all((node) => node.call('full', members, formMillisMax));
    const formMillis = performance.now() - from;
    await sleep(settleMillis);
    const before = await all((node) => node.call('work', null));
    await sleep(measuredMillis);
    const after = await all((node) => node.call('work', null));
    const perSecond = (of: 'packets' | 'bytes' | 'cpuMillis'): number[] =>
      after.map((work, i) => {
        const earlier = before[i] as typeof work;
        return (1000 * (work[of] - earlier[of])) / (work.at - earlier.at);
      });
    const memory = await all((node) => node.call('memory', null));
    return {
      members,
      groups,
      packetsPerSecond: sum(perSecond('packets')),
      bytesPerSecond: sum(perSecond('bytes')),
      cpuMillisPerSecond: mean(perSecond('cpuMillis')),
      resident: mean(memory.map(({ resident }) => resident)),
      heap: mean(memory.map(({ heap }) => heap)),
      formMillis,
    };
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
  }
}
