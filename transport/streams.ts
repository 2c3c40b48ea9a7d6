/**
 * Reliable message streams over TCP: messages to an address arrive whole and in order as long as its stream lasts.
 *
 * Each node opens its own connection to each address it writes to and only ever writes on it; what it reads comes on
 * the connections that others opened to it. So no two nodes ever argue about who connects to whom.
 *
 * Invariants:
 * - At most one outgoing connection per address, and at most one incoming one that is taken for that address's.
 * - A break is told once. The other direction's connection, which a crash breaks too, is marked as told about; the mark
 *   goes when a new outgoing connection is established, for then the peer lives.
 * - An incoming connection of which the break has been told is still read to its end: a peer that closes in good
 *   order may have said its last words there.
 * - A tether is an outgoing connection like any other, opened before anything is to be written and again after it broke.
 * - Under a key nothing is written, and no connection is one, until both ends have proven that they have it.
 * - After a break is found inside a call, what is written before the handler has heard of it is lost with the rest:
 *   nothing written after lost messages arrives before the loss is known.
 */
import { connect } from 'node:net';
import type { Server, Socket } from 'node:net';
import { streamBacklogBytesMax, streamMessageBytesMax } from '../lib/limits.js';
import type { Found } from '../lib/events.js';
import { addressFault, domainTag, parseAddress } from './addresses.js';
import type { Endpoint } from './addresses.js';
import { openDoor } from './door.js';
import { codeOf, reasonOf } from './errors.js';
import { encodeGreeting, GreetingReader, messageHeaderBytes } from './framing.js';
import { MessageReader, streamsMagic, writeMessages, type Records } from './framing.js';
import { writeAll } from './connection.js';
import type { Keyring } from './keyring.js';
import { afterAwake } from './patience.js';
import { from, isToItself, probeAt } from './probe.js';
import type { Reporter } from './reporter.js';
import { GreetingBudget } from './greeting-budget.js';
import { AcceptingHandshake, ConnectingHandshake } from './sealed-greeting.js';
import type { TransportHandlers } from './transport.js';

/** A connection that is not up by then is given up: two retransmissions of its first packet have been lost. */
const connectMillisMax = 2000;

/** A tether that could not be opened is tried again after so long, */
const tetherMillis = 100;
/** and after twice as long each time, up to this. */
const tetherMillisMax = 5000;

/**
 * A connection that takes none of its backlog for so long is given up. Else the system would hold the bytes for a
 * quarter of an hour. Much longer than any failure detector waits, so it only ever cleans up.
 */
const stallMillisMax = 30_000;

/** An idle connection is probed after this time, so that one whose peer's machine is gone does not stay for ever. */
const keepAliveMillis = 5000;

/**
 * Writing the last bytes and closing may take so long; then what is left is dropped. A few megabytes take some tens of
 * turns of the event loop, which are long in a process that is busy.
 */
const closeMillisMax = 5000;

/** What streams need from their transport. */
export interface StreamsOptions {
  /** Listens on `address`; the streams take its connections and close it. */
  readonly server: Server;
  /** What this node says it is. */
  readonly address: string;
  readonly domain: string;
  /** The keys under which it connects; undefined: none. */
  readonly keyring: Keyring | undefined;
  readonly handlers: Pick<TransportHandlers, 'stream' | 'streamDown'>;
  readonly reporter: Reporter;
  /** The local address that outgoing connections come from; undefined: the system's choice. */
  readonly localAddress: string | undefined;
  /** Whether a peer must come from the host that it says it is. Not where addresses are translated. */
  readonly peersAreWhereTheySay: boolean;
}

/** Message streams to and from any number of addresses. */
export interface Streams {
  /** Sends a message on the stream to this address, which is opened when needed. Throws if it is over 1 MiB. */
  write(to: string, bytes: Uint8Array): void;
  /** Keeps connections to these addresses, and to no others that nothing is written to. */
  tether(to: readonly string[]): void;
  /** Whether anybody listens there. */
  probe(to: string): Promise<Found>;
  /** Bytes written to this address that the system has not taken yet. */
  backlog(to: string): number;
  /** Writes what is left, then closes everything. No handler is called from the moment of the call. */
  close(): Promise<void>;
}

interface Outgoing {
  readonly to: string;
  /** Null if it could not even be tried. */
  readonly socket: Socket | null;
  /** Written in this turn of the event loop, not yet given to the socket. */
  queue: Uint8Array[];
  queuedBytes: number;
  /** Whether the connection was ever established; under a key, with who has one. */
  up: boolean;
  /** How to write under a key, once that is known. */
  records: Records | undefined;
  /** Whether there is something that may be lost with it. */
  wrote: boolean;
  /** Found broken inside a call; the handler is about to be told. */
  doomed: boolean;
}

interface Incoming {
  readonly from: string;
  readonly socket: Socket;
  /** The break of the peer's connections was told before this one ended, */
  told: boolean;
  /** and not merely that none could be opened to it. */
  toldUp: boolean;
}

interface Tether {
  /** Attempts in vain, in a row. */
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

function outgoingTo(to: string, socket: Socket | null): Outgoing {
  return { to, socket, queue: [], queuedBytes: 0, up: false, records: undefined, wrote: false, doomed: false };
}

function sameHost(host: string, remote: string | undefined): boolean {
  return remote !== undefined && (remote === host || remote === `::ffff:${host}`);
}

/** Takes over a listening server and opens connections as they are needed. */
export function createStreams(options: StreamsOptions): Streams {
  const { server, handlers, reporter } = options;
  const tag = domainTag(options.domain);
  const greeting = encodeGreeting(tag, options.address);
  const { keyring } = options;
  const sealing = keyring === undefined ? null : { keyring, tag, address: options.address, magic: streamsMagic };
  const outgoing = new Map<string, Outgoing>();
  const incoming = new Map<string, Incoming>();
  const sockets = new Set<Socket>();
  const tethers = new Map<string, Tether>();
  let dirty: Outgoing[] = [];
  let closing = false;
  let closed: Promise<void> | undefined;

  function down(to: string, why: string, wasUp: boolean): void {
    const out = outgoing.get(to);
    outgoing.delete(to);
    out?.socket?.destroy();
    const peer = incoming.get(to);
    if (peer !== undefined) {
      peer.told = true;
      peer.toldUp = wasUp;
    }
    if (closing) return;
    if (tethers.has(to)) tetherAgain(to);
    if (wasUp || out === undefined || out.wrote) handlers.streamDown(to, why, wasUp);
  }

  function outgoingBroke(out: Outgoing, why: string): void {
    if (outgoing.get(out.to) === out && !out.doomed) down(out.to, why, out.up);
  }

  function tether(to: readonly string[]): void {
    for (const [address, { timer }] of tethers) {
      if (to.includes(address)) continue;
      clearTimeout(timer);
      tethers.delete(address);
    }
    for (const address of to) {
      if (closing || tethers.has(address)) continue;
      tethers.set(address, { failures: 0, timer: undefined });
      if (!outgoing.has(address)) open(address);
    }
  }

  function tetherAgain(to: string): void {
    const each = tethers.get(to);
    if (each === undefined) return;
    clearTimeout(each.timer);
    const delay = Math.min(tetherMillis * 2 ** Math.min(each.failures, 10), tetherMillisMax);
    each.failures += 1;
    each.timer = setTimeout(() => {
      if (!outgoing.has(to)) open(to);
    }, delay);
  }

  /** For breaks found inside a call: handlers are only called from the event loop. */
  function doom(out: Outgoing, why: string): void {
    out.doomed = true;
    out.queue = [];
    out.queuedBytes = 0;
    out.socket?.destroy();
    setImmediate(() => {
      if (outgoing.get(out.to) === out) down(out.to, why, out.up);
    });
  }

  function open(to: string): Outgoing {
    let endpoint: Endpoint;
    try {
      endpoint = parseAddress(to);
    } catch (error) {
      const out = outgoingTo(to, null);
      outgoing.set(to, out);
      doom(out, error instanceof Error ? error.message : 'bad address');
      return out;
    }
    const socket = connect({
      ...from(endpoint, options.localAddress),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMillis,
    });
    const out = outgoingTo(to, socket);
    outgoing.set(to, out);
    const sealed = sealing === null ? null : new ConnectingHandshake(sealing);
    watchOutgoing(out, socket, sealed);
    socket.write(sealed?.greeting ?? greeting);
    return out;
  }

  function watchOutgoing(out: Outgoing, socket: Socket, handshake: ConnectingHandshake | null): void {
    sockets.add(socket);
    const patience = afterAwake(connectMillisMax, () =>
      outgoingBroke(out, `no connection within ${connectMillisMax} ms`),
    );
    const established = (): void => {
      patience.clear();
      out.up = true;
      const tethered = tethers.get(out.to);
      if (tethered !== undefined) tethered.failures = 0;
      const peer = incoming.get(out.to);
      if (peer !== undefined) peer.told = false;
    };
    let stalled = false;
    let why = 'closed by the peer';
    socket.once('connect', () => {
      if (isToItself(socket) && !isSelf(out.to)) {
        outgoingBroke(out, 'nobody listens there (connected to itself)');
        return;
      }
      if (handshake === null) established();
      socket.setTimeout(stallMillisMax / 2);
    });
    // told only after the whole time without any progress; twice in a row, for the first may be due to this process' own sleep
    socket.on('timeout', () => {
      const waiting = socket.writableLength > 0;
      if (waiting && stalled) outgoingBroke(out, `took nothing for ${stallMillisMax} ms`);
      stalled = waiting;
      socket.setTimeout(stallMillisMax / 2);
    });
    socket.on('drain', () => {
      stalled = false;
    });
    socket.on('data', (chunk: Buffer) => {
      if (handshake === null || out.up) {
        outgoingBroke(out, 'it does not speak this protocol');
        return;
      }
      const result = handshake.push(chunk);
      if (result.kind === 'more') return;
      if (result.kind === 'bad' || result.address !== out.to) {
        outgoingBroke(out, result.kind === 'bad' ? result.reason : `${result.address} answers there`);
        return;
      }
      if (result.answer !== undefined) socket.write(result.answer);
      out.records = result.records;
      established();
      flush(out);
      if (closing) finish(socket);
    });
    socket.on('end', () => outgoingBroke(out, why));
    socket.on('error', (error) => {
      why = reasonOf(error);
      // what was refused is no connection, what was reset was one, if only for a moment
      if (codeOf(error) === 'ECONNRESET' && handshake === null) out.up = true;
      outgoingBroke(out, why);
    });
    socket.on('close', () => {
      patience.clear();
      sockets.delete(socket);
      outgoingBroke(out, why);
    });
  }

  function isSelf(to: string): boolean {
    return to === options.address;
  }

  function write(to: string, bytes: Uint8Array): void {
    if (bytes.length > streamMessageBytesMax) {
      throw new RangeError(`a stream message has ${bytes.length} bytes; the limit is ${streamMessageBytesMax}`);
    }
    if (closing) return;
    const out = outgoing.get(to) ?? open(to);
    if (out.doomed || out.socket === null) {
      out.wrote = true;
      return;
    }
    if (out.queuedBytes + out.socket.writableLength + bytes.length > streamBacklogBytesMax) {
      out.wrote = true;
      doom(out, `more than ${streamBacklogBytesMax} bytes are waiting to be written to it`);
      return;
    }
    if (out.queue.length === 0) {
      if (dirty.length === 0) process.nextTick(flushAll);
      dirty.push(out);
    }
    out.wrote = true;
    out.queue.push(bytes);
    out.queuedBytes += messageHeaderBytes + bytes.length;
  }

  /** Once per turn: everything that was written in it goes to the system in one call per connection. */
  function flushAll(): void {
    const turn = dirty;
    dirty = [];
    for (const out of turn) if (sealing === null || out.up) flush(out);
  }

  function flush(out: Outgoing): void {
    const { queue, socket, records } = out;
    out.queue = [];
    out.queuedBytes = 0;
    if (socket === null || socket.destroyed) return;
    socket.cork();
    writeMessages(queue, (bytes) => {
      if (records === undefined) socket.write(bytes);
      else for (const piece of records.writer.seal(bytes)) socket.write(piece);
    });
    socket.uncork();
  }

  function backlog(to: string): number {
    const out = outgoing.get(to);
    if (out === undefined || out.doomed || out.socket === null) return 0;
    return out.queuedBytes + out.socket.writableLength;
  }

  /** Why a peer with this address is not let in, or null. */
  function objection(socket: Socket, address: string): string | null {
    const fault = addressFault(address);
    if (fault !== null) return fault;
    const isThere = !options.peersAreWhereTheySay || sameHost(parseAddress(address).host, socket.remoteAddress);
    return isThere ? null : `it says it is ${address}`;
  }

  function greeted(socket: Socket, from: string, rest: Uint8Array, records: Records | undefined): void {
    const peer: Incoming = { from, socket, told: false, toldUp: false };
    // the peer opens a second one only when it knows that its first is broken
    const former = incoming.get(from);
    incoming.set(from, peer);
    former?.socket.destroy();
    let why = 'closed by the peer';
    const ended = (): void => {
      if (incoming.get(from) !== peer) return;
      incoming.delete(from);
      if (!peer.told || !peer.toldUp) down(from, why, true);
    };
    const reader = new MessageReader();
    const take = (message: Uint8Array): void => {
      if (!closing) handlers.stream(message, from);
    };
    const readPlain = (chunk: Uint8Array): string | null => reader.push(chunk, take);
    const readSealed = (chunk: Uint8Array): string | null => {
      let reason: string | null = null;
      const bad = records?.reader.push(chunk, (bytes) => (reason ??= readPlain(bytes)));
      return bad ?? reason;
    };
    const read = (chunk: Uint8Array, open = records === undefined ? readPlain : readSealed): void => {
      const reason = open(chunk);
      if (reason === null) return;
      why = `it broke the protocol: ${reason}`;
      socket.off('data', onData);
      door.hangUp(socket, 'message-bad', reason);
    };
    const onData = (chunk: Buffer): void => read(chunk);
    socket.on('data', onData);
    socket.on('error', (error) => {
      why = reasonOf(error);
    });
    socket.on('end', ended);
    socket.on('close', ended);
    read(rest, readPlain);
  }

  /** Ends an outgoing connection when the system has everything that was written on it. */
  function finish(socket: Socket): void {
    if (socket.destroyed) return;
    socket.end(() => socket.destroy());
  }

  async function closeAll(): Promise<void> {
    flushAll();
    closing = true;
    tether([]);
    const serverClosed = door.close();
    const finishing: Promise<void>[] = [];
    unwatch?.();
    for (const { socket, up, queue } of outgoing.values()) {
      if (socket === null || socket.destroyed) continue;
      finishing.push(new Promise((resolve) => socket.once('close', () => resolve())));
      if (sealing === null || up) finish(socket);
      else if (queue.length === 0) socket.destroy();
    }
    const deadline = afterAwake(closeMillisMax, () => sockets.forEach((socket) => socket.destroy()));
    await Promise.all(finishing);
    for (const socket of [...sockets, ...door.sockets]) socket.destroy();
    await serverClosed;
    deadline.clear();
    outgoing.clear();
    incoming.clear();
  }

  const greetings = new GreetingBudget();
  const door = openDoor({
    server,
    address: options.address,
    reporter,
    handshake: (remote) =>
      sealing === null ? new GreetingReader(tag) : new AcceptingHandshake(sealing, () => greetings.take(remote)),
    objection,
    greeted,
  });
  const unwatch = keyring?.watch(() => {
    for (const { socket, records } of outgoing.values()) {
      if (socket !== null && records !== undefined) writeAll(socket, records.writer.rekey());
    }
  });
  return {
    write,
    tether,
    probe: (to) => probeAt(to, options.localAddress, sockets),
    backlog,
    close: () => (closed ??= closeAll()),
  };
}
