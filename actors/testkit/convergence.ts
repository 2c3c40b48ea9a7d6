/** Whether all nodes of a test have come to rest in agreement, and what is missing if they have not. */
import { gauge } from '../../lib/inspect.js';
import { digestWith } from '../digest.js';
import type { Host, Member } from '../host.js';

/** What is still missing, in words; nothing missing is success. The digests of states are not looked at. */
export function missing(hosts: readonly Host[]): string | undefined {
  const ids = hosts.map(({ life }) => life.id);
  for (const host of hosts) {
    const { life, phase, inbox } = host;
    if (phase !== 'running' || !life.core || !life.domain) return `${life.id} is not in the domain`;
    const inDomain = life.domain.nodes.map(({ id }) => id);
    if (!isSame(inDomain, ids)) return `${life.id} has a domain of ${inDomain.join(', ')}`;
    for (const member of host.members.values()) {
      const what = missingMember(member, hosts);
      if (what !== undefined) return `${life.id} in '${member.group}': ${what}`;
    }
    const held = Object.entries(gauge(life.core)).find(([, count]) => count > 0);
    if (held) return `${life.id} holds ${held[1]} (${held[0]})`;
    if (inbox.length > 0) return `${life.id} has events to take in`;
  }
  return undefined;
}

function missingMember({ phase, hasState, stream, group, mailbox, draining, outbox }: Member, hosts: readonly Host[]) {
  if (phase !== 'member') return `the member is ${phase}`;
  if (stream.status !== 'active') return `${stream.status}: ${stream.why}`;
  if (!hasState) return 'it has no state yet';
  const members = stream.view?.members.map(({ id }) => id) ?? [];
  const wanted = hosts.filter((host) => host.members.has(group)).map(({ life }) => life.id);
  if (!isSame(members, wanted)) return `its view is ${members.join(', ')}`;
  if (!mailbox.isEmpty || draining) return `its function has ${mailbox.length} items before it`;
  if (outbox.stable < outbox.last) return `${outbox.last - outbox.stable} of its multicasts are not stable`;
  return undefined;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one) => others.includes(one));
}

/** The first replicated group whose replicas are not all equal, with their states by node. */
export function differing(hosts: readonly Host[]): { group: string; states: Record<string, unknown> } | undefined {
  const digests = new Map<string, string>();
  for (const host of hosts) {
    for (const { group, settings, state } of host.members.values()) {
      if (settings.kind !== 'replicated') continue;
      const digest = digestWith(host.refs, state);
      const known = digests.get(group);
      if (known === undefined) digests.set(group, digest);
      else if (known !== digest) return { group, states: statesOf(hosts, group) };
    }
  }
  return undefined;
}

function statesOf(hosts: readonly Host[], group: string): Record<string, unknown> {
  return Object.fromEntries(
    hosts.flatMap(({ options, members }) => {
      const member = members.get(group);
      return member ? [[options.name, member.state]] : [];
    }),
  );
}
