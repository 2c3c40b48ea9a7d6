/** Figures of domains at rest. */
import { formatTable } from '../table.js';
import type { Idle } from './measure.js';

/** What one group more, or one member more, adds to the memory of a node; in bytes. */
export interface Growth {
  readonly of: 'group' | 'member' | 'member and group';
  /** The domains that were compared, in words. */
  readonly between: string;
  readonly heap: number;
  readonly resident: number;
}

/** Compares the domain with the fewest groups, or members, with that with the most, where there are two. */
export function growthsOf(all: readonly Idle[], members: number, memberGroups: number): Growth[] {
  const byGroups = all.filter((idle) => idle.members === members).sort((a, b) => a.groups - b.groups);
  const byMembers = all.filter((idle) => idle.groups === memberGroups).sort((a, b) => a.members - b.members);
  const growths: Growth[] = [];
  const compare = (of: Growth['of'], sorted: readonly Idle[], count: (idle: Idle) => number): void => {
    const [least, most] = [sorted[0], sorted.at(-1)];
    if (!least || !most) return;
    const more = count(most) - count(least);
    if (more === 0) return;
    growths.push({
      of,
      between: `${wordsOf(least)} and ${wordsOf(most)}`,
      heap: (most.heap - least.heap) / more,
      resident: (most.resident - least.resident) / more,
    });
  };
  compare('group', byGroups, ({ groups }) => groups);
  compare('member', byMembers, (idle) => idle.members);
  compare('member and group', byMembers, (idle) => idle.members * idle.groups);
  return growths;
}

function wordsOf({ members, groups }: Idle): string {
  return `${members} nodes with ${groups} ${groups === 1 ? 'group' : 'groups'}`;
}

/** The figures as tables. */
export function tablesOf(all: readonly Idle[], growths: readonly Growth[]): string {
  const head = ['nodes', 'groups', 'packets/s', 'bytes/s', 'CPU ms/s a node', 'heap MB', 'resident MB', 'formed in s'];
  const lines = all.map((idle) => [
    String(idle.members),
    String(idle.groups),
    idle.packetsPerSecond.toFixed(1),
    idle.bytesPerSecond.toFixed(0),
    idle.cpuMillisPerSecond.toFixed(2),
    (idle.heap / 1e6).toFixed(1),
    (idle.resident / 1e6).toFixed(1),
    (idle.formMillis / 1000).toFixed(1),
  ]);
  const growthHead = ['memory of a node for one more', 'between', 'heap bytes', 'resident bytes'];
  const growthLines = growths.map(({ of, between, heap, resident }) => [
    of,
    between,
    heap.toFixed(0),
    resident.toFixed(0),
  ]);
  const tables = [formatTable(head, lines, 0)];
  if (growths.length > 0) tables.push('', formatTable(growthHead, growthLines, 2));
  return tables.join('\n');
}
