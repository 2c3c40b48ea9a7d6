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
  readonly family: 4 | 6;
  readonly loopback: boolean;
  /** How the system is told of the interface where it joins a multicast group or sends to it. */
  readonly forMulticast: string;
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

/** The 16 bytes of a numeric address; IPv4 is mapped (RFC 4291, 2.5.5.2). */
export function addressBytes(host: string): Uint8Array {
  const bytes = new Uint8Array(16);
  if (isIPv4(host)) {
    bytes.set([0xff, 0xff, ...host.split('.').map(Number)], 10);
    return bytes;
  }
  // the short form has one '::' at most, in place of all that is missing
  const [head = '', tail = ''] = shortIPv6(host).split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const put = (values: number[], from: number): void =>
    values.forEach((value, i) => bytes.set([value >> 8, value & 0xff], 2 * (from + i)));
  put(groups(head), 0);
  put(groups(tail), 8 - groups(tail).length);
  return bytes;
}

/** The endpoint with an address of 16 bytes, as {@link addressBytes} writes it. */
export function endpointAt(address: Uint8Array, port: number): Endpoint {
  const bytes = Buffer.from(address.buffer, address.byteOffset, address.byteLength);
  if (bytes.readUInt32BE(8) === 0xffff && bytes.readUInt32BE(0) === 0 && bytes.readUInt32BE(4) === 0) {
    return { host: bytes.subarray(12).join('.'), port, family: 4 };
  }
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return { host: shortIPv6(groups.join(':')), port, family: 6 };
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
 * The multicast address and port of a domain. IPv4: 239.192.0.0/14 (RFC 2365: organization-local scope, for private use);
 * IPv6: ff18::8000:0 to ff18::ffff:ffff (RFC 4291, 3307: a group of organization-local scope that nobody has assigned); and 20000
 * to 29999. Two domains in 2.6 thousand million pairs of address and port meet by chance; the frames name their
 * domain, so they would only waste each other's time.
 */
export function domainMulticast(
  domain: string,
  family: 4 | 6 = 4,
): { readonly address: string; readonly port: number } {
  const hash = domainHash(domain);
  const port = multicastPortFirst + (hash.readUInt32BE(4) % multicastPorts);
  if (family === 6) {
    // the lowest four bytes are all that Ethernet sees of it
    const high = (0x8000 | hash.readUInt16BE(0)).toString(16);
    return { address: shortIPv6(`ff18::${high}:${hash.readUInt16BE(2).toString(16)}`), port };
  }
  // 1 to 254 in the last part: 0 and 255 look like a network and a broadcast, and some equipment takes them for that
  const address = `239.${192 + (hash.readUInt8(0) % 4)}.${hash.readUInt8(1)}.${1 + (hash.readUInt8(2) % 254)}`;
  return { address, port };
}

/** Eight bytes that tell domains apart where streams begin. No secret: it keeps mistakes out, not attackers. */
export function domainTag(domain: string): Uint8Array {
  return new Uint8Array(domainHash(domain).subarray(16, 24));
}

const multicastRemedy =
  "choose one from 239.192.0.0 to 239.195.255.255, for IPv6 one from ff18::/16, or leave it out to have it derived from the domain's name";

/** Checks a multicast address that a user gave, and writes it in the one way. Throws a {@link TransportError}. */
export function multicastEndpoint(address: string, port: number): Endpoint {
  const family = isIP(address);
  const host = family === 6 && !address.includes('%') ? shortIPv6(address) : address;
  const first = family === 4 ? Number(host.split('.')[0]) : parseInt(host, 16);
  if (family === 4 ? first < 224 || first > 239 : family !== 6 || first >> 8 !== 0xff) {
    throw new TransportError(`'${address}' is not a multicast address: ${multicastRemedy}`);
  }
  if (family === 4 && host.startsWith('224.0.0.')) {
    throw new TransportError(
      `multicast address '${address}' is reserved for the network's own protocols: ${multicastRemedy}`,
    );
  }
  const scope = first & 0xf;
  if (family === 6 && (scope < 3 || scope > 14)) {
    throw new TransportError(
      `multicast address '${address}' is of scope ${scope}, which is for one interface or link, or reserved: ${multicastRemedy}`,
    );
  }
  return { host, port, family: family === 4 ? 4 : 6 };
}

/** Addresses that can be used, of one interface or all, each as it would be resolved. */
export function usableInterfaces(): readonly Interface[] {
  const found: Interface[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    // Windows names interfaces by number there, other systems by name
    const scope = addresses?.find((each) => each.family === 'IPv6' && each.scopeid > 0);
    const zone = process.platform === 'win32' && scope?.family === 'IPv6' ? scope.scopeid : name;
    for (const { family, address, internal } of addresses ?? []) {
      const loopback = internal && isLoopback(address);
      if (family === 'IPv4') found.push({ name, address, family: 4, loopback, forMulticast: address });
      // others could not tell by a link-local address on which of their links it is
      else if (!isLinkLocal(address)) found.push({ name, address, family: 6, loopback, forMulticast: `::%${zone}` });
    }
  }
  return found;
}

function isLinkLocal(address: string): boolean {
  return (parseInt(address, 16) & 0xffc0) === 0xfe80;
}

/**
 * The interface with this name ('eth0') or address. By name, an address of this family is taken, if one is asked for, else one of
 * IPv4 if there is any. Throws a {@link TransportError} that lists what there is.
 */
export function resolveInterface(nameOrAddress: string, family?: 4 | 6): Interface {
  const found = usableInterfaces();
  const wanted = isIP(nameOrAddress) === 6 && !nameOrAddress.includes('%') ? shortIPv6(nameOrAddress) : nameOrAddress;
  const named = found.filter((each) => each.name === wanted && each.family === (family ?? each.family));
  const match = found.find((each) => each.address === wanted) ?? named.find((each) => each.family === 4) ?? named[0];
  if (match !== undefined) return match;
  const available = found.map((each) => `${each.address} (${each.name})`).join(', ') || 'none';
  const kind = family === undefined ? 'an address that can be used' : `an IPv${family} address that can be used`;
  throw new TransportError(
    `no interface '${nameOrAddress}' with ${kind} on this machine: give a name or an address of one of ${available}` +
      (wanted.startsWith('fe80:') ? '; link-local addresses mean nothing to others' : ''),
  );
}
