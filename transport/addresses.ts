/**
 * Addresses: a node is reached at "host:port", a domain at a multicast address and port that follow from its name, so
 * that nodes which agree on nothing but the name find each other.
 */
import { createHash } from 'node:crypto';
import { isIP, isIPv4, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TransportError } from './errors.js';

/** A numeric address and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** An interface of this machine with the address that is used on it. */
export interface Interface {
  readonly name: string;
  readonly address: string;
  readonly loopback: boolean;
}

/** The ports a domain's multicasts may be on: below what systems hand out by themselves (from 32768), above the usual services. */
const multicastPortFirst = 20_000;
const multicastPorts = 10_000;

/** "127.0.0.1:41234", "[::1]:41234". */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Takes "host:port" apart; the host may be a name. Throws a {@link TransportError} that says what is wrong. */
export function parseHostPort(text: string, portMin = 1): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined) {
    throw new TransportError(`'${text}' is not an address: write host:port, or [host]:port for IPv6`);
  }
  if (parts?.[1] !== undefined && isIP(host) !== 6) {
    throw new TransportError(`'${text}' is not an address: brackets are for IPv6 only`);
  }
  const port = Number(parts?.[3]);
  if (port < portMin || port > 65_535) {
    throw new TransportError(`'${text}': a port is a number from ${portMin} to 65535`);
  }
  return { host, port };
}

/** Takes a numeric "host:port" apart. Throws a {@link TransportError}: names are not looked up where packets are sent. */
export function parseAddress(text: string, portMin = 1): Endpoint {
  const { host, port } = parseHostPort(text, portMin);
  const family = isIP(host);
  if (family !== 4 && family !== 6) {
    throw new TransportError(`'${text}': '${host}' is not a numeric IPv4 or IPv6 address; resolve names before`);
  }
  return { host: family === 6 ? shortIPv6(host) : host, port, family };
}

/** IPv6 addresses can be written in many ways; this is the one. */
function shortIPv6(host: string): string {
  return new SocketAddress({ address: host, family: 'ipv6' }).address;
}

/** How a numeric address is written: a peer is known by its text, so there must be one for each. */
export function canonicalAddress({ host, port, family }: Endpoint): string {
  return formatAddress(family === 6 ? shortIPv6(host) : host, port);
}

/** Why a text is no address of a peer, or null. */
export function addressFault(address: string): string | null {
  try {
    if (canonicalAddress(parseAddress(address)) === address) return null;
  } catch (error) {
    return error instanceof Error ? error.message : 'bad address';
  }
  return `'${address}' is not how an address is written`;
}

/** Whether a numeric host is this machine, for processes on it only. */
export function isLoopback(host: string): boolean {
  return host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function domainHash(domain: string): Buffer {
  return createHash('sha256').update('nact-groups domain\0').update(domain).digest();
}

/**
 * The multicast address and port of a domain: 239.192.0.0/14 (RFC 2365: organization-local scope, for private use) and
 * 20000 to 29999. Two domains in 2.6 thousand million pairs of address and port meet by chance; the frames name their
 * domain, so they would only waste each other's time.
 */
export function domainMulticast(domain: string): { readonly address: string; readonly port: number } {
  const hash = domainHash(domain);
  // 1 to 254 in the last part: 0 and 255 look like a network and a broadcast, and some equipment takes them for that
  const address = `239.${192 + (hash.readUInt8(0) % 4)}.${hash.readUInt8(1)}.${1 + (hash.readUInt8(2) % 254)}`;
  return { address, port: multicastPortFirst + (hash.readUInt32BE(4) % multicastPorts) };
}

/** Eight bytes that tell domains apart where streams begin. No secret: it keeps mistakes out, not attackers. */
export function domainTag(domain: string): Uint8Array {
  return new Uint8Array(domainHash(domain).subarray(16, 24));
}

/** Checks an IPv4 multicast address that a user gave. */
export function checkMulticastAddress(address: string): void {
  const first = isIPv4(address) ? Number(address.split('.')[0]) : 0;
  if (first < 224 || first > 239) {
    throw new TransportError(
      `'${address}' is not an IPv4 multicast address: choose one from 239.192.0.0 to 239.195.255.255, or leave it out ` +
        `to have it derived from the domain's name`,
    );
  }
  if (address.startsWith('224.0.0.')) {
    throw new TransportError(
      `multicast address '${address}' is reserved for the network's own protocols: choose one from 239.192.0.0 to ` +
        `239.195.255.255, or leave it out to have it derived from the domain's name`,
    );
  }
}

/** The interface with this name ('eth0') or IPv4 address. Throws a {@link TransportError} that lists what there is. */
export function resolveInterface(nameOrAddress: string): Interface {
  const found: Interface[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { family, address, internal } of addresses ?? []) {
      if (family === 'IPv4') found.push({ name, address, loopback: internal && address.startsWith('127.') });
    }
  }
  const match = found.find((each) => each.address === nameOrAddress || each.name === nameOrAddress);
  if (match !== undefined) return match;
  const available = found.map((each) => `${each.address} (${each.name})`).join(', ') || 'none';
  throw new TransportError(
    `no interface '${nameOrAddress}' with an IPv4 address on this machine: give a name or an address of one of ` +
      `${available}`,
  );
}
