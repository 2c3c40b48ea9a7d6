/** What has changed from one snapshot of a domain to the next: for logs and programs, one change a line. */
import type { Snapshot } from '../inspector/format.js';

/** One change. */
export type Change =
  | { readonly event: 'node'; readonly node: string; readonly change: 'joined' | 'gone' | 'suspected' | 'heard again' }
  | {
      readonly event: 'view';
      readonly group: string;
      readonly id: string;
      readonly members: readonly string[];
      readonly cause: string;
    }
  | { readonly event: 'group-ended'; readonly group: string }
  | { readonly event: 'quorum'; readonly lack: string | null }
  | { readonly event: 'phase'; readonly phase: Snapshot['phase'] };

/** In the order: the node itself, the domain's nodes, its groups. `before`: null at first, when everything is new. */
export function changesBetween(before: Snapshot | null, after: Snapshot): Change[] {
  const changes: Change[] = [];
  if (before?.phase !== after.phase) changes.push({ event: 'phase', phase: after.phase });
  if ((before?.lack ?? null) !== after.lack) changes.push({ event: 'quorum', lack: after.lack });
  changes.push(...nodeChanges(before, after), ...groupChanges(before, after));
  return changes;
}

function nodeChanges(before: Snapshot | null, after: Snapshot): Change[] {
  const old = new Map((before?.nodes ?? []).map((node) => [node.id, node]));
  const changes: Change[] = [];
  for (const { id, suspected } of after.nodes) {
    const was = old.get(id);
    old.delete(id);
    if (!was) changes.push({ event: 'node', node: id, change: 'joined' });
    if (suspected !== (was?.suspected ?? false)) {
      changes.push({ event: 'node', node: id, change: suspected ? 'suspected' : 'heard again' });
    }
  }
  for (const id of old.keys()) changes.push({ event: 'node', node: id, change: 'gone' });
  return changes;
}

function groupChanges(before: Snapshot | null, after: Snapshot): Change[] {
  const old = new Map((before?.groups ?? []).map((group) => [group.name, group.view]));
  const changes: Change[] = [];
  for (const { name, view, members, views } of after.groups) {
    const was = old.get(name);
    old.delete(name);
    if (was === view) continue;
    // several may have come between two looks, oldest first
    const missed = views.filter(({ id }) => was !== undefined && Number(id) > Number(was)).reverse();
    const told = missed.length > 0 ? missed : [{ id: view, members, cause: views[0]?.cause ?? '' }];
    for (const each of told) {
      changes.push({ event: 'view', group: name, id: each.id, members: each.members, cause: each.cause });
    }
  }
  for (const name of old.keys()) changes.push({ event: 'group-ended', group: name });
  return changes;
}
