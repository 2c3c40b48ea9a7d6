/**
 * One node that is looked at: what passes through it while somebody looks, and what it knows when it is asked.
 *
 * While nobody looks it keeps the last views and no more, so that who comes after an accident sees how it came about.
 */
import { explain as explainCore } from '../../lib/explain.js';
import type { Deliveries, GroupItem, ViewInfo } from '../../lib/events.js';
import type { NodeId } from '../../lib/ids.js';
import { gauge, hearing, lack, matrixOf } from '../../lib/inspect.js';
import type { DomainState, GroupState } from '../../lib/membership/state.js';
import type { Subscription } from 'rxjs';
import { followDomain, createEar, hear, heardView, type Ear } from './ear.js';
import type {
  GroupSeen,
  MatrixSeen,
  NodeSeen,
  OwnMember,
  Percentiles,
  Rates,
  Seen,
  Snapshot,
  ViewSeen,
} from './format.js';
import type { Host, Watcher } from '../host.js';
import { claimsFrom } from '../claims.js';
import { causeOf } from '../views.js';
import { isSampled, type Sampling } from './sampling.js';

/** Views of one group that are kept. */
const viewsMax = 20;
/** Groups of which views are kept, and that are shown: the others are counted. */
const groupsMax = 200;

/** Who is told of what happens. */
export type Tell = (record: Seen) => void;

/** A node that is looked at. */
export interface Looker {
  readonly host: Host;
  /** Null while nobody looks. */
  ear: Ear | null;
  readonly views: Map<string, ViewSeen[]>;
  domain: DomainState | undefined;
  readonly suspected: Set<NodeId>;
  deliveries: number;
  viewCount: number;
  /** From when a multicast that is shown was heard until it was delivered here, in milliseconds. */
  latencies: number[];
  /** What the last rates were computed from. */
  last: { readonly at: number; readonly multicasts: ReadonlyMap<string, number>; readonly bytes: number } | null;
}

/** Looks at a node from now on. Call the result when it is enough. */
export function lookAt(
  host: Host,
  tell: Tell,
  ended: () => void,
): { readonly looker: Looker; readonly stop: () => void } {
  const looker: Looker = {
    host,
    ear: null,
    views: new Map(),
    domain: undefined,
    suspected: new Set(),
    deliveries: 0,
    viewCount: 0,
    latencies: [],
    last: null,
  };
  const watcher: Watcher = {
    packet(bytes) {
      if (looker.ear) hear(looker.ear, bytes, performance.now(), clock(), tell);
    },
    items: (group, items) => seeItems(looker, group, items, tell),
  };
  host.watcher = watcher;
  const subscription: Subscription = host.domain.subscribe({
    next: (state) => state && seeDomain(looker, state, tell),
    complete: ended,
  });
  const stop = (): void => {
    subscription.unsubscribe();
    if (host.watcher === watcher) host.watcher = undefined;
  };
  return { looker, stop };
}

/** Monotonic nanoseconds, as traces have them. */
export function clock(): number {
  return Number(process.hrtime.bigint());
}

/** Somebody looks, or nobody does any more. */
export function listen(looker: Looker, sampling: Sampling | null): void {
  looker.ear = sampling === null ? null : createEar(looker.host.life.id, sampling);
  looker.last = null;
  looker.deliveries = 0;
  looker.viewCount = 0;
  looker.latencies = [];
  if (looker.ear && looker.domain) followDomain(looker.ear, looker.domain);
}

/** The views that stand, as records: what a picture begins with. */
export function currentViews({ host, domain }: Looker, t: number): Seen[] {
  const own = [...host.members.values()].flatMap(({ viewInfo }) => (viewInfo ? [viewRecord(host, viewInfo, t)] : []));
  const groups = [...(domain?.groups.values() ?? [])].slice(0, groupsMax);
  const others = groups.filter(({ name }) => !host.members.has(name));
  return [...own, ...others.map((group) => agreedRecord(host, domain as DomainState, group, undefined))];
}

function seeDomain(looker: Looker, state: DomainState, tell: Tell): void {
  const { host, ear, domain: before } = looker;
  looker.domain = state;
  for (const name of looker.views.keys())
    if (!state.groups.has(name) && !host.members.has(name)) looker.views.delete(name);
  for (const group of state.groups.values()) {
    const earlier = before?.id === state.id ? before.groups.get(group.name) : undefined;
    if (earlier?.view === group.view || host.members.has(group.name)) continue;
    keepView(looker, group.name, agreedView(group, earlier));
    if (ear) tell(agreedRecord(host, state, group, earlier));
  }
  if (!ear) return;
  ear.self = host.life.id;
  followDomain(ear, state);
  const members = state.nodes.map(({ id }) => id);
  const gone = before?.id === state.id ? before.nodes.filter(({ id }) => !members.includes(id)) : [];
  tell({
    t: clock(),
    p: host.life.id,
    e: 'view',
    g: '$domain',
    v: String(state.number),
    k: state.number,
    m: members,
    primary: true,
    prev: before ? String(before.number) : null,
    joined: state.nodes.filter(({ joined }) => joined === state.number).map(({ id }) => id),
    left: gone.map(({ id }) => [id, looker.suspected.has(id) ? 'failed' : 'left'] as const),
    dom: state.id,
  });
}

/** A group in which this node has no member: what the domain has agreed on is all there is to see. */
function agreedView(group: GroupState, earlier: GroupState | undefined): ViewSeen {
  const members = group.members.map(({ node }) => node);
  const { came, went } = changes(group, earlier);
  const causes = [
    ...(came.length > 0 ? [`joined: ${came.map(nameIn).join(', ')}`] : []),
    ...(went.length > 0 ? [`gone: ${went.map(nameIn).join(', ')}`] : []),
  ];
  const cause = earlier === undefined ? 'seen for the first time' : causes.join('; ') || 'same members';
  return { id: String(group.view), members, cause, at: Date.now() };
}

function agreedRecord(host: Host, state: DomainState, group: GroupState, earlier: GroupState | undefined): Seen {
  const { came, went } = changes(group, earlier);
  return {
    t: clock(),
    p: host.life.id,
    e: 'view',
    g: group.name,
    v: String(group.view),
    k: group.view,
    m: group.members.map(({ node }) => node),
    primary: true,
    prev: earlier === undefined ? null : String(earlier.view),
    joined: came,
    left: went.map((id) => [id, 'left'] as const),
    dom: state.id,
  };
}

function changes(group: GroupState, earlier: GroupState | undefined): { came: NodeId[]; went: NodeId[] } {
  const now = group.members.map(({ node }) => node);
  const before = earlier?.members.map(({ node }) => node) ?? [];
  return { came: now.filter((id) => !before.includes(id)), went: before.filter((id) => !now.includes(id)) };
}

/** The name in a node's id. */
function nameIn(id: string): string {
  return id.slice(0, id.lastIndexOf('#'));
}

function keepView(looker: Looker, group: string, view: ViewSeen): void {
  looker.viewCount += 1;
  let views = looker.views.get(group);
  if (!views) {
    if (looker.views.size >= groupsMax) return;
    views = [];
    looker.views.set(group, views);
  }
  views.unshift(view);
  if (views.length > viewsMax) views.pop();
}

/** What a member's actor gets. Own members' views are told with their causes. */
function seeItems(looker: Looker, group: string, items: readonly GroupItem[], tell: Tell): void {
  const { ear, host } = looker;
  for (const item of items) {
    if (item.kind === 'view') {
      keepView(looker, group, installedView(item.view));
      if (ear) tell(viewRecord(host, item.view, clock()));
    } else if (ear === null) continue;
    else if (item.kind === 'deliveries') seeDeliveries(looker, ear, group, item, tell);
    else if (item.kind === 'status' && item.status === 'changing') {
      const v = host.members.get(group)?.view?.id ?? '0';
      tell({ t: clock(), p: host.life.id, e: 'blocked', g: group, v });
    }
  }
}

function installedView(view: ViewInfo): ViewSeen {
  const members = view.members.map(({ id }) => id);
  return { id: String(view.id), members, cause: causeOf(view), at: Date.now() };
}

function viewRecord(host: Host, view: ViewInfo, t: number): Seen {
  return {
    t,
    p: host.life.id,
    e: 'view',
    g: view.group,
    v: String(view.id),
    k: view.id,
    m: view.members.map(({ id }) => id),
    primary: view.primary,
    prev: view.previous === null ? null : String(view.previous),
    joined: view.joined.map(({ id }) => id),
    left: view.left.map(({ member, cause }) => [member.id, cause] as const),
    dom: view.domain,
  };
}

function seeDeliveries(looker: Looker, ear: Ear, group: string, deliveries: Deliveries, tell: Tell): void {
  const { from, message, count, position, order, uniform, view } = deliveries;
  looker.deliveries += count;
  const { every } = ear.sampling;
  for (let at = Math.ceil(message / every) * every; at < message + count; at += every) {
    const id = `${from.id}:${at}`;
    const sentAt = ear.sentAt.get(id);
    // one that was sent before anybody looked, or in a burst
    if (sentAt === undefined || !isSampled(ear.sampling, at)) continue;
    looker.latencies.push(performance.now() - sentAt);
    const place = position > 0 ? { pos: position + at - message } : {};
    const record = { e: 'deliver', g: group, id, v: String(view.id), o: order, u: uniform, ...place, h: '' } as const;
    tell({ t: clock(), p: looker.host.life.id, ...record });
  }
}

/** Tells of who is suspected by now and was not before. */
export function seeSuspects(looker: Looker, tell: Tell): void {
  const { core } = looker.host.life;
  const now = new Map(core ? hearing(core, performance.now()).map(({ id, suspected }) => [id, suspected]) : []);
  for (const [who, isSuspected] of now) {
    if (!isSuspected) looker.suspected.delete(who);
    else if (!looker.suspected.has(who)) {
      looker.suspected.add(who);
      tell({ t: clock(), p: looker.host.life.id, e: 'suspect', who });
    }
  }
}

/** What the node knows now. `group`: of which the matrix is shown; the first one if there is none of that name. */
export function snapshotOf(looker: Looker, lookers: readonly Looker[], group: string | null): Snapshot {
  const { host, domain } = looker;
  const { core } = host.life;
  const groups = [...(domain?.groups.values() ?? [])];
  const shown = groups.slice(0, groupsMax);
  const looked = groups.find(({ name }) => name === group) ?? shown[0];
  return {
    domain: host.options.domain,
    self: host.life.id,
    lookers: lookers.map((each) => each.host.life.id),
    number: domain?.number ?? 0,
    phase: host.phase,
    lack: core ? lack(core) : null,
    nodes: nodesOf(looker),
    groups: shown.map((each) => groupOf(looker, each)),
    groupsOmitted: groups.length - shown.length,
    matrix: looked ? matrixSeen(looker, looked.name) : null,
  };
}

function nodesOf({ host, domain }: Looker): NodeSeen[] {
  const { core } = host.life;
  const heard = new Map(core ? hearing(core, performance.now()).map((each) => [each.id, each]) : []);
  return (domain?.nodes ?? []).map(({ id, name, address, weight, metadata }) => {
    const { suspected = false, silence = null, lag = 0 } = heard.get(id) ?? {};
    const isSelf = id === host.life.id;
    return {
      ...{ id, name, address, weight, suspected, silence: silence === null ? null : Math.round(silence) },
      lag: Math.round(isSelf ? host.lag : lag),
      metadata: claimsFrom(metadata)?.metadata ?? {},
    };
  });
}

function groupOf(looker: Looker, { name, settings, view, members }: GroupState): GroupSeen {
  return {
    name,
    kind: settings.kind,
    order: settings.order,
    view: String(view),
    members: members.map(({ node }) => node),
    own: ownMember(looker.host, name),
    views: looker.views.get(name) ?? [],
  };
}

function ownMember(host: Host, name: string): OwnMember | null {
  const member = host.members.get(name);
  if (!member) return null;
  const { stream, outbox, mailbox } = member;
  return {
    status: stream.status,
    why: stream.why,
    since: stream.since.getTime(),
    queued: outbox.last - outbox.accepted,
    unstable: outbox.accepted - outbox.stable,
    mailbox: mailbox.length,
    waiting: host.life.core ? explainCore(host.life.core, name) : [],
  };
}

function matrixSeen({ host, ear }: Looker, name: string): MatrixSeen | null {
  const own = host.life.core ? matrixOf(host.life.core, name) : null;
  if (own) return { group: name, ...own, view: String(own.view), source: 'own' };
  const heard = ear ? heardView(ear, name) : undefined;
  if (!heard || heard.received.length === 0) return null;
  const { members, received, paused, id } = heard;
  const size = members.length;
  return {
    group: name,
    view: String(id),
    members,
    received: members.map((_, row) => Array.from(received.subarray(row * size, (row + 1) * size))),
    paused: Array.from(paused, (value) => value === 1),
    source: 'heard',
  };
}

/** What went on since this was last asked; null the first time. */
export function ratesOf(looker: Looker, now: number): Rates | null {
  const { ear, host, last } = looker;
  if (!ear) return null;
  const multicasts = new Map([...ear.groups.values()].map((group) => [group.name, group.multicasts]));
  let bytes = 0;
  for (const group of ear.groups.values()) bytes += group.bytes;
  looker.last = { at: now, multicasts, bytes };
  const counted = takeCounts(looker, ear);
  if (last === null || now <= last.at) return null;
  const seconds = (now - last.at) / 1000;
  const byGroup: Record<string, number> = {};
  let sum = 0;
  for (const [name, count] of multicasts) {
    const rate = Math.max(0, count - (last.multicasts.get(name) ?? 0)) / seconds;
    sum += rate;
    if (rate > 0) byGroup[name] = rate;
  }
  return {
    at: Date.now(),
    multicasts: sum,
    bytes: Math.max(0, bytes - last.bytes) / seconds,
    byGroup,
    deliveries: counted.deliveries / seconds,
    packets: counted.packets / seconds,
    views: counted.views,
    delivery: percentiles(counted.latencies),
    stability: percentiles(counted.stabilities),
    unstableBytes: host.life.core ? gauge(host.life.core).unstableBytes : 0,
    lag: host.lag,
  };
}

/** Takes what was counted since the last time. */
function takeCounts(looker: Looker, ear: Ear) {
  const { deliveries, viewCount: views, latencies } = looker;
  const { packets, stabilities } = ear;
  looker.deliveries = 0;
  looker.viewCount = 0;
  looker.latencies = [];
  ear.packets = 0;
  ear.stabilities = [];
  return { deliveries, views, latencies, packets, stabilities };
}

function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
