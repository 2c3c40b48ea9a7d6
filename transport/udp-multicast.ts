/**
 * IP multicast: one packet from the sender reaches every node of the domain, whatever their number.
 *
 * Three sockets. All nodes of a domain on a host share the multicast port. Each has a port of its own, the same number
 * for unicast datagrams and for streams, which is its address. Multicasts are sent from the unicast socket, so that
 * the source of any datagram is its sender's address.
 *
 * Datagrams may be lost, doubled and reordered; the source of a datagram can be forged by whoever can send on the network.
 * Under a key each is encrypted and authenticated. Without one those that leave the machine get a checksum, so that one that was
 * damaged on its way is lost too. On the loopback interface they never leave its memory, and a checksum would cost about as much
 * as half of the rest (60 KB: 16 microseconds at each end).
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import type { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { knownAddressesMax } from '../lib/limits.js';
import {
  domainMulticast,
  formatAddress,
  isLoopback,
  multicastEndpoint,
  parseAddress,
  resolveInterface,
} from './addresses.js';
import type { Endpoint, Interface } from './addresses.js';
import { sendOver } from './datagrams-out.js';
import { codeOf, failedTo, TransportError } from './errors.js';
import { refuseExposure } from './exposure.js';
import { keepMembership } from './group-membership.js';
import type { Keyring } from './keyring.js';
import { optionsFault } from './options.js';
import { createReporter } from './reporter.js';
import { sealBytes, sealOf, unseal } from './seal.js';
import { SealedDatagrams, sealedBytes } from './sealed-datagrams.js';
import { createStreams } from './streams.js';
import type { Transport, TransportFactory, TransportHandlers } from './transport.js';
import { bufferBytesWanted, checkRoute, closeSocket, openGroup, openPair, setBuffer } from './udp-sockets.js';

/** Where and how to multicast. Everything has a default. */
export interface UdpMulticastOptions {
  /**
   * The network interface, by name ('eth0') or by one of its addresses, IPv4 or IPv6, which is then this node's. By name its first
   * address is taken that is not link-local, of the multicast address' family or else IPv4 if it has any. Default: the loopback
   * interface, 127.0.0.1.
   */
  readonly interface?: string;
  /** The multicast address, IPv4 or IPv6. Default: derived from the domain's name, of the family of the interface's address. */
  readonly address?: string;
  /** The UDP port of the multicasts. Default: derived from the domain's name. */
  readonly port?: number;
  /**
   * This node's own port, for unicast datagrams by UDP and for streams by TCP; for firewalls. Each node of a machine has its own.
   * Default: one of the system's choice that is free for both.
   */
  readonly unicastPort?: number;
  /** How many routers a multicast may pass, plus one (IPv6: hop limit). Default 1: it stays in the local network. */
  readonly ttl?: number;
  /**
   * The largest datagram, in bytes, with what protects it. Default 60,000. Beyond the network's packet size the system sends a datagram in
   * pieces, and one lost piece loses all of it: on a network that loses packets choose about 1,400.
   */
  readonly datagramBytesMax?: number;
}

/**
 * The default of the largest datagram: the cost of a datagram hardly depends on its size, so large ones are fastest,
 * and UDP's own limit of 65,507 leaves room for what wraps it.
 */
const datagramBytesDefault = 60_000;
const datagramBytesUdp = 65_507;

/** Nothing smaller is of use: every IPv4 network passes 576 bytes. */
const datagramBytesMin = 508;

/**
 * Under a key nobody believes a node before it has answered: opening waits for so long, in milliseconds, that this is done when the
 * core says its first word, and the word not lost. A busy node may take longer; then the core says it again.
 */
const introductionMillis = 20;

const known = [
  'interface',
  'address',
  'port',
  'unicastPort',
  'ttl',
  'datagramBytesMax',
] as const satisfies readonly (keyof UdpMulticastOptions)[];

function checkNumber(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TransportError(`udpMulticast({ ${name}: ${value} }): give a whole number from ${min} to ${max}`);
  }
}

/**
 * IP multicast on one interface; by default on loopback, between processes of one machine.
 *
 * The factory rejects with a {@link TransportError} if there is no such interface, the address or the port cannot
 * be used, or an option makes no sense, and with an `ExposedError`, before it has
 * opened a socket, if it would carry in the clear what leaves this machine.
 *
 * `receiveBufferBytes` is what the smaller of the two sockets was granted. Linux charges at least 832 bytes per datagram
 * against twice that (measured, kernel 6.18): datagrams from 1 KB up fit to about nine tenths of it or more, but of 100 byte ones
 * only a quarter. So count a small datagram as 500 bytes.
 *
 * @example
 * ```ts
 * const system = start(groups({ domain: 'shop', key, transport: udpMulticast({ interface: 'eth0' }) }));
 * ```
 */
export function udpMulticast(options: UdpMulticastOptions = {}): TransportFactory {
  return async (domain, handlers, keyring, insecure = false): Promise<Transport> => {
    const wrong = optionsFault('udpMulticast()', options, known);
    if (wrong !== null) throw new TransportError(wrong);
    const { ttl = 1, unicastPort = 0, datagramBytesMax = datagramBytesDefault } = options;
    checkNumber('unicastPort', unicastPort, 0, 65_535);
    checkNumber('ttl', ttl, 0, 255);
    checkNumber('datagramBytesMax', datagramBytesMax, datagramBytesMin, datagramBytesUdp);
    if (options.port !== undefined) checkNumber('port', options.port, 1, 65_535);
    if (options.interface !== undefined && typeof options.interface !== 'string') {
      throw new TransportError(
        `udpMulticast({ interface: ${String(options.interface)} }): give the name of an interface or one of its addresses`,
      );
    }
    const given = options.address === undefined ? undefined : multicastEndpoint(options.address, options.port ?? 1);
    const on = resolveInterface(options.interface ?? '127.0.0.1', given?.family);
    if (given !== undefined && given.family !== on.family) {
      throw new TransportError(
        `multicast address '${given.host}' is IPv${given.family} and interface ${on.address} (${on.name}) IPv${on.family}: ` +
          'give both of one family, or the interface by its name',
      );
    }
    const derived = domainMulticast(domain, on.family);
    const multicast: Endpoint = {
      host: given?.host ?? derived.address,
      port: options.port ?? derived.port,
      family: on.family,
    };
    const where = `UDP multicast ${formatAddress(multicast.host, multicast.port)} on ${on.address} (${on.name})`;
    refuseExposure({ what: where, isLocal: on.loopback, keyring, insecure });
    await checkRoute(multicast, on);

    const group = await openGroup(multicast, on);
    try {
      const pair = await openPair(on, unicastPort);
      try {
        pair.unicast.setMulticastInterface(on.forMulticast);
        pair.unicast.setMulticastLoopback(true);
        pair.unicast.setMulticastTTL(ttl);
      } catch (error) {
        await Promise.all([closeSocket(pair.unicast), new Promise((resolve) => pair.server.close(resolve))]);
        throw failedTo(`cannot send multicasts from ${on.address}`, error, 'choose another interface or ttl');
      }
      const transport = run({
        domain,
        handlers,
        keyring,
        on,
        isByName: options.interface === on.name,
        group,
        ...pair,
        multicast,
        ttl,
        datagramBytesMax,
      });
      if (keyring !== undefined) await sleep(introductionMillis);
      return transport;
    } catch (error) {
      await closeSocket(group);
      throw error;
    }
  };
}

interface Opened {
  readonly domain: string;
  readonly handlers: TransportHandlers;
  readonly keyring: Keyring | undefined;
  readonly on: Interface;
  /** Whether the interface counts, and not its address. */
  readonly isByName: boolean;
  readonly group: Socket;
  readonly unicast: Socket;
  readonly server: Server;
  readonly port: number;
  readonly multicast: Endpoint;
  readonly ttl: number;
  readonly datagramBytesMax: number;
}

/** The transport over sockets that are open. */
function run(opened: Opened): Transport {
  const { handlers, keyring, on, group, unicast, multicast } = opened;
  const isSealed = keyring === undefined && !on.loopback;
  const extraBytes = keyring !== undefined ? sealedBytes : isSealed ? sealBytes : 0;
  const datagramBytesMax = opened.datagramBytesMax - extraBytes;
  const ownPort = opened.port;
  const ownHost = on.address;
  const address = formatAddress(ownHost, ownPort);
  const reporter = createReporter((error) => handlers.error(error));
  const nameOf = createNames();
  const endpoints = new Map<string, Endpoint | null>();
  const counts = { damaged: 0, foreign: 0, 'not authentic': 0, 'seen before': 0, 'not proven yet': 0 };
  const membership = keepMembership(group, {
    multicast,
    on,
    reporter,
    received: onMulticast,
    joinedAnew: (anew) => unicast.setMulticastInterface(anew.forMulticast),
    moved(from, to) {
      const gone = `${from.address} is gone from interface ${from.name}, which has ${to.address} now`;
      if (opened.isByName) handlers.moved(gone);
      else reporter.report('moved', `${gone}: others cannot reach this node; start it anew`);
    },
  });
  const receive = [membership.receiveBufferBytes, setBuffer(unicast, 'Recv')] as const;
  const sendBufferBytes = setBuffer(unicast, 'Send');
  const receiveBufferBytes = Math.min(...receive);
  const out = sendOver({
    socket: unicast,
    address,
    wrap: keyring !== undefined ? encrypted : isSealed ? (bytes) => [bytes, sealOf(bytes)] : undefined,
    reporter,
    tooLarge: () => handlers.tooLarge(),
    refused(host) {
      if (host === multicast.host) membership.suspect();
    },
  });
  const own: Endpoint = { host: ownHost, port: ownPort, family: on.family };
  const sealed =
    keyring === undefined
      ? null
      : new SealedDatagrams({
          keyring,
          domain: opened.domain,
          own,
          send(pieces, to) {
            if (!closing && (to === null || to.family === on.family)) out.sendPieces(pieces, to ?? multicast);
          },
        });
  const streams = createStreams({
    server: opened.server,
    address,
    domain: opened.domain,
    keyring,
    handlers,
    reporter,
    localAddress: ownHost,
    peersAreWhereTheySay: true,
  });
  let closing = false;
  let closed: Promise<void> | undefined;

  function onMulticast(bytes: Buffer, from: RemoteInfo): void {
    if (from.port === ownPort && from.address === ownHost) return;
    // Linux gives a socket what came for its group over any interface on which some process has joined it
    if (on.loopback && from.address !== ownHost && !isLoopback(from.address)) {
      counts.foreign += 1;
      reporter.report('outside', `multicast from ${from.address}: not from this machine; dropped`);
      return;
    }
    onDatagram(bytes, from);
  }

  function onDatagram(bytes: Buffer, from: RemoteInfo): void {
    if (closing) return;
    if (sealed !== null) {
      openSealed(sealed, bytes, from);
      return;
    }
    // Node allocates each datagram's memory anew: it is the receiver's. As a plain Uint8Array, because on a Buffer
    // `slice` means something else.
    const all = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const plain = isSealed ? unseal(all) : all;
    const source = nameOf(from.address, from.port);
    if (plain !== null) {
      handlers.datagram(plain, source);
      return;
    }
    counts.damaged += 1;
    reporter.report('damaged', `datagram from ${source}: it was damaged on its way, or is not ours; dropped`);
  }

  function encrypted(bytes: Uint8Array, to: Endpoint): readonly Uint8Array[] {
    if (sealed === null) return [bytes];
    return to === multicast ? sealed.sealMulticast(bytes) : sealed.sealUnicast(bytes);
  }

  function openSealed(under: SealedDatagrams, bytes: Buffer, from: RemoteInfo): void {
    const opened = under.open(bytes);
    if (opened.kind === 'datagram') handlers.datagram(opened.bytes, opened.from);
    if (opened.kind !== 'refused') return;
    counts[opened.why] += 1;
    if (opened.why !== 'not authentic') return;
    const source = formatAddress(from.address, from.port);
    reporter.report('not-authentic', `datagram from ${source}: damaged, or under no key of this domain; dropped`);
  }

  function checkSize(bytes: Uint8Array): void {
    if (bytes.length > datagramBytesMax) {
      throw new RangeError(`a datagram has ${bytes.length} bytes; the limit is ${datagramBytesMax}`);
    }
  }

  function endpointOf(to: string): Endpoint | null {
    const known = endpoints.get(to);
    if (known !== undefined) return known;
    if (endpoints.size >= knownAddressesMax) endpoints.clear();
    let endpoint: Endpoint | null = null;
    try {
      endpoint = parseAddress(to);
      if (endpoint.family !== on.family) endpoint = null;
    } catch {
      // an address may have come over the network: no reason to fail
    }
    endpoints.set(to, endpoint);
    return endpoint;
  }

  async function close(): Promise<void> {
    closing = true;
    reporter.close();
    await Promise.all([out.close(), streams.close()]);
    await Promise.all([membership.close(), closeSocket(unicast)]);
  }

  sealed?.greet();
  unicast.on('message', onDatagram);
  unicast.on('error', (error) => reporter.report(`unicast-${codeOf(error)}`, `unicast socket: ${error.message}`));

  return {
    address,
    isLocal: on.loopback,
    isLoopback: on.loopback,
    isProtected: keyring !== undefined,
    datagramBytesMax,
    receiveBufferBytes,
    description:
      `UDP multicast ${formatAddress(multicast.host, multicast.port)} ttl ${opened.ttl} on ${ownHost} (${on.name}), ` +
      `unicast and streams ${address}, ${keyring === undefined ? '' : 'encrypted '}datagrams up to ${datagramBytesMax} B, buffers asked ${bufferBytesWanted} B, ` +
      `granted: multicast receive ${receive[0]} B, unicast receive ${receive[1]} B, send ${sendBufferBytes} B`,
    multicast(bytes) {
      checkSize(bytes);
      return closing || out.send(bytes, multicast);
    },
    unicast(to, bytes) {
      checkSize(bytes);
      if (closing) return;
      if (sealed !== null && to === address) {
        // what it sealed itself a node does not open: it could be a reflection
        setImmediate(() => {
          if (!closing) handlers.datagram(bytes.slice(), address);
        });
        return;
      }
      const endpoint = endpointOf(to);
      if (endpoint !== null) out.send(bytes, endpoint);
      else reporter.report('unicast-address', `unicast to '${to}': not an IPv${on.family} address with a port`);
    },
    stream: (to, bytes) => streams.write(to, bytes),
    tether: (to) => streams.tether(to),
    probe: (to) => streams.probe(to),
    streamBacklog: (to) => streams.backlog(to),
    // a multicast reaches them wherever they are
    setNodes: () => {},
    get datagramsPending() {
      return closing ? 0 : out.pending;
    },
    statistics: () => ({
      datagramsRefused: out.counts.refused,
      datagramsDropped: out.counts.dropped,
      datagramsDamaged: counts.damaged,
      datagramsForeign: counts.foreign,
      datagramsNotAuthentic: counts['not authentic'],
      datagramsSeenBefore: counts['seen before'],
      datagramsNotProven: counts['not proven yet'],
      sendersProven: sealed?.provenCount ?? 0,
      multicastRejoined: membership.rejoined,
    }),
    close: () => (closed ??= close()),
  };
}

/** Makes "host:port" of a source, the same string object each time: as a key it is hashed once, not once a datagram. */
function createNames(): (host: string, port: number) => string {
  const known = new Map<number, { host: string; name: string }>();
  return (host, port) => {
    const entry = known.get(port);
    if (entry !== undefined && entry.host === host) return entry.name;
    if (known.size >= knownAddressesMax) known.clear();
    const name = formatAddress(host, port);
    known.set(port, { host, name });
    return name;
  };
}
