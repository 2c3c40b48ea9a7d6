/**
 * What must come about once nothing goes wrong any more: one view of all who live, everything sent delivered, buffers
 * empty, the same state at all replicas, and silence but for heartbeats.
 *
 * Each function says what is still missing, in words; nothing missing is success.
 */
import { digest } from './application.js';
import type { Gauge } from './core.js';
import type { Process, World } from './world.js';

function living(world: World): Process[] {
  return world.processes.filter((process) => process.node !== null);
}

function sameMembers(view: readonly string[], wanted: readonly Process[]): boolean {
  return view.length === wanted.length && wanted.every((process) => view.includes(process.id));
}

/** LIVE-VIEW: the domain's view is exactly the living, each group's exactly those who want to be in it. */
export function missingViews(world: World): string | undefined {
  const alive = living(world).filter((process) => !process.hasLeft);
  for (const process of alive) {
    if (process.node?.leavingDomain !== 'no') return `${process.id} has not left its domain`;
    const domain = process.views.get('$domain');
    if (domain === undefined) return `${process.id} is in no domain`;
    if (!sameMembers(domain.m, alive)) return `${process.id} has the domain view ${domain.v} of ${domain.m.join(' ')}`;
    const others = alive.find((other) => other.views.get('$domain')?.v !== domain.v);
    if (others !== undefined) return `${process.id} and ${others.id} have different domain views`;
    const changing = [...process.blocked][0];
    if (changing !== undefined) return `${process.id} is changing its view of ${changing}`;
    for (const group of process.wanted.keys()) {
      const members = alive.filter((other) => other.wanted.has(group));
      const view = process.views.get(group);
      if (view === undefined) return `${process.id} has no view of ${group}`;
      if (!sameMembers(view.m, members)) return `${process.id} has the view ${view.v} of ${group}: ${view.m.join(' ')}`;
    }
    const leaving = [...process.replicas.keys()].find((group) => !process.wanted.has(group));
    if (leaving !== undefined) return `${process.id} has not left ${leaving}`;
  }
  return undefined;
}

/** LIVE-DEL: what each member has sent is let in and stable, and applied by all. */
export function missingDeliveries(world: World): string | undefined {
  for (const process of living(world)) {
    if (process.caller.open.size > 0) return `${process.id}: ${process.caller.open.size} asks have not ended`;
    for (const replica of process.replicas.values()) {
      const { group, sent, accepted, stable, failed } = replica;
      const who = `${process.id} in ${group}`;
      if (accepted + failed < sent) return `${who}: ${sent} sent, ${accepted} let in, ${failed} failed`;
      if (stable + failed < sent) return `${who}: ${sent} sent, ${stable} stable, ${failed} failed`;
      if (replica.mailbox.length > 0 || replica.busy) return `${who}: ${replica.mailbox.length} items not consumed`;
      if (replica.flushes.size > 0) return `${who}: ${replica.flushes.size} flushes have not ended`;
      if (replica.outgoing.size > 0) return `${who}: a transfer has not ended`;
      if (replica.settings.kind === 'replicated' && replica.state === null) return `${who}: no state`;
    }
  }
  return undefined;
}

/** STATE: all replicas of a group are equal. */
export function missingEquality(world: World): string | undefined {
  const digests = new Map<string, { readonly who: string; readonly h: string }>();
  for (const process of living(world)) {
    for (const { group, state } of process.replicas.values()) {
      if (state === null) continue;
      const h = `${digest(state)} at ${state.position}`;
      const other = digests.get(group);
      if (other !== undefined && other.h !== h) return `${group}: ${other.who} has ${other.h}, ${process.id} has ${h}`;
      digests.set(group, { who: process.id, h });
    }
  }
  return undefined;
}

/** DRAIN: nothing is buffered anywhere. */
export function missingDrain(world: World): string | undefined {
  for (const process of living(world)) {
    if (process.node === null) continue;
    const gauge: Gauge = world.core.gauge(process.node);
    for (const name of ['unstable', 'unstableBytes', 'queued', 'reorder', 'reassembly'] as const) {
      if (gauge[name] !== 0) return `${process.id}: ${name} is ${gauge[name]}`;
    }
  }
  return undefined;
}
