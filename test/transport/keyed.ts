/** Transports under keys. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { domainKey, Keyring, type DomainKey } from '../../transport/keyring.js';
import type { Transport, TransportFactory } from '../../transport/transport.js';

/** A key that follows from a text: the same in every process. */
export function keyOf(text: string): DomainKey {
  return domainKey(createHash('sha256').update(text).digest());
}

/** A ring of such keys; the first is used. */
export function ringOf(...texts: string[]): Keyring {
  return new Keyring(texts.map(keyOf));
}

/** The same transport under the keys of a ring. */
export function under(ring: Keyring, open: TransportFactory): TransportFactory {
  return (domain, handlers) => open(domain, handlers, ring);
}

/** How many senders a transport believes. */
export function proven(transport: Transport): number {
  return transport.statistics()['sendersProven'] ?? 0;
}

/** A network whose transports are handed out when they and all before them in their domain believe each other. */
export function introduced(open: TransportFactory): TransportFactory {
  const domains = new Map<string, Set<Transport>>();
  return async (domain, handlers) => {
    const others = domains.get(domain) ?? new Set();
    domains.set(domain, others);
    const before = [...others].map((other) => ({ other, count: proven(other) }));
    const transport = await open(domain, handlers);
    while (proven(transport) < others.size || before.some(({ other, count }) => proven(other) <= count)) await sleep(1);
    others.add(transport);
    const close = (): Promise<void> => {
      others.delete(transport);
      return transport.close();
    };
    return Object.assign(Object.create(transport) as Transport, { close });
  };
}
