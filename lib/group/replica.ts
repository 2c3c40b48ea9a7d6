/**
 * The way to the member's actor: one ordered sequence of views, deliveries and what else it must know.
 *
 * At a joiner whose state is on its way the sequence waits: what was delivered since the snapshot's view follows the
 * state. Nothing overtakes anything.
 */
import { eachOf } from '../deliveries.js';
import type { Deliveries, GroupItem, GroupStatus, ViewInfo } from '../events.js';
import { digest } from '../trace/digest.js';
import { serve } from './serving.js';
import type { Group, Host } from './state.js';

/** Hands an item to the actor, after everything before it. */
export function emit(host: Host, group: Group, item: GroupItem): void {
  const { replica } = group;
  if (replica.kind === 'transferring') {
    replica.held.push(item);
    if (item.kind === 'deliveries') replica.heldBytes += item.payloadBytes;
    return;
  }
  pass(host, group, item);
}

/** Hands an item to the actor although it waits for its state: the state itself, and what must not wait. */
export function pass(host: Host, group: Group, item: GroupItem): void {
  if (item.kind === 'deliveries') {
    group.backlogBytes += item.payloadBytes;
    if (item.request) serve(host, group, item);
    if (host.options.trace) traceDeliveries(host, group, item);
  } else if (item.kind === 'view' && host.options.trace) traceView(host, item.view);
  group.items.push(item);
  host.touch(group);
}

function traceView(host: Host, view: ViewInfo): void {
  host.trace({
    e: 'view',
    g: view.group,
    v: String(view.id),
    k: view.id,
    m: view.members.map(({ id }) => id),
    primary: view.primary,
    prev: view.previous === null ? null : String(view.previous),
    joined: view.joined.map(({ id }) => id),
    left: view.left.map(({ member, cause }) => [member.id, cause]),
    dom: host.domainId(),
  });
}

function traceDeliveries(host: Host, group: Group, deliveries: Deliveries): void {
  for (const item of eachOf(deliveries)) {
    host.trace({
      e: 'deliver',
      g: group.name,
      id: `${item.from.id}:${item.message}`,
      v: String(item.view.id),
      o: item.order,
      u: item.uniform,
      ...(item.position > 0 ? { pos: item.position, time: item.time } : {}),
      h: digest(item.payload),
      ...(item.request ? { r: `${item.request.client}:${item.request.number}` } : {}),
      ...(item.request?.repeated ? { repeated: true } : {}),
    });
  }
}

/** Tells the member's status, if it is another than before, or if others are missing now. */
export function setStatus(host: Host, group: Group, status: GroupStatus, why: string): void {
  const isNews = group.status !== status || (status === 'wedged' && group.why !== why);
  if (!isNews || group.ended) return;
  group.status = status;
  group.why = why;
  pass(host, group, { kind: 'status', status, why });
}

/** The status that follows from where the member stands. */
export function updateStatus(host: Host, group: Group): void {
  if (group.ended) return;
  if (!group.current) setStatus(host, group, 'joining', 'waits for its first view');
  else if (!host.quorate) setStatus(host, group, 'wedged', host.lack());
  else if (group.replica.kind === 'transferring') {
    setStatus(host, group, 'transferring', 'the state is on its way');
  } else if (group.wedged) setStatus(host, group, 'changing', 'a view is being installed');
  else setStatus(host, group, 'active', 'a view is installed');
}
