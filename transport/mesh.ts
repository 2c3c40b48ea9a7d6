/**
 * A mesh: one connection to each peer, over which everything goes, datagrams and stream messages, in both directions.
 *
 * A peer is known by its address, which it tells in its greeting; where it was connected to (a seed, a name's address, a
 * port that is forwarded) may be another. Whoever connects decides whether the connection is used, when it knows who
 * answered:
 *
 *   greeting →   ← greeting, reply(has)   go →
 *
 * Invariants:
 * - At most one connection to a peer is in use. Nothing is lost by choosing it: nothing is written on one before it is.
 * - If two connect to each other at once, the one with the smaller address says go; the other waits for that. If `has` says
 *   that a go is already on its way, even the smaller waits for it.
 * - A go while there is a connection means that the peer has lost that one: its break is told, then the new one is used.
 * - A break is told once, after everything that came over the connection; what waited for it is gone with it. An attempt
 *   that fails is told if stream messages waited for it, once.
 */
import { connect, type Server, type Socket } from 'node:net';
import {
  connectingBytesMax,
  datagramBacklogBytesMax,
  seedDialsMax,
  streamBacklogBytesMax,
  streamMessageBytesMax,
} from '../lib/limits.js';
import type { Found } from '../lib/events.js';
import { addressFault, canonicalAddress, domainTag, isLoopback, parseAddress, type Endpoint } from './addresses.js';
import { Connection } from './connection.js';
import { openDoor } from './door.js';
import { encodeGreeting, GreetingReader, meshMagic, type Records } from './framing.js';
import type { Keyring } from './keyring.js';
import { Kind, Outflow, unitsOf } from './outflow.js';
import { afterAwake, type Patience } from './patience.js';
import { from, isToItself, probeAt } from './probe.js';
import type { Reporter } from './reporter.js';
import { GreetingBudget } from './greeting-budget.js';
import { AcceptingHandshake, ConnectingHandshake } from './sealed-greeting.js';
import type { TransportHandlers } from './transport.js';

/** A connection that is not in use by then is given up: two retransmissions of its first packet have been lost. */
const handshakeMillisMax = 2000;

/** How often it is looked for peers to connect to. */
const lookMillis = 100;

/** A peer that cannot be connected to is tried again after this time, then twice as long, and so on. */
const retryMillisMin = 100;
const retryMillisMax = 1000;

/**
 * Where a node with another address answered, the next connection may reach yet another one, if that is an address of many
 * (a load balancer): it is tried again even though there is a connection, after a time that doubles up to this.
 */
const aliasMillisMax = 5000;

/** An idle connection is probed by the system as well. */
const keepAliveMillis = 5000;

/** Writing the last bytes may take so long; then what is left is dropped. */
const closeMillisMax = 5000;

/** After the last byte the other end gets so long to read it: closing at once would reset the connection. */
const lingerMillisMax = 1000;

/** What a mesh needs from its transport. */
export interface MeshOptions {
  /** Listens; the mesh takes its connections and closes it. */
  readonly server: Server;
  /** What this node says it is. */
  readonly address: string;
  readonly domain: string;
  /** The keys under which it connects; undefined: none. */
  readonly keyring: Keyring | undefined;
  readonly handlers: TransportHandlers;
  readonly reporter: Reporter;
  /** Connects only to this machine, from this address; undefined: to anywhere. */
  readonly localAddress: string | undefined;
}

/** A mesh that is open. */
export interface Mesh {
  /** To every peer that is connected or ought to be. */
  multicast(bytes: Uint8Array): void;
  unicast(to: string, bytes: Uint8Array): void;
  stream(to: string, bytes: Uint8Array): void;
  streamBacklog(to: string): number;
  readonly datagramsPending: number;
  /** Datagrams that no peer has got. */
  readonly datagramsDropped: number;
  /** Where peers may be, as known by now: replaces what was said before. */
  setSeeds(seeds: readonly Endpoint[]): void;
  /** Who is in the domain: replaces what was said before. */
  setNodes(addresses: readonly string[]): void;
  /** To whom connections are to be kept besides: replaces what was said before. */
  tether(to: readonly string[]): void;
  probe(to: string): Promise<Found>;
  /** Resolves when no attempt to connect is under way. */
  settled(): Promise<void>;
  /** Writes what is left, then closes everything. No handler is called from the moment of the call. */
  close(): Promise<void>;
}

/** A peer, by its own address. */
interface Peer {
  readonly address: string;
  readonly flow: Outflow;
  link: Connection | null;
  /** Connections from it that it has not decided about. */
  readonly arriving: Set<Connection>;
  /** Attempts that have or may have reached it. */
  readonly dials: Set<Dial>;
  /** Found broken inside a call; the handler is about to be told. */
  isDoomed: boolean;
  hasMessages: boolean;
}

/** An address to connect to. */
interface Target {
  readonly endpoint: Endpoint;
  readonly key: string;
  /** Who was there last, maybe this node itself; until somebody has answered, whoever has this address. */
  peer: string;
  dial: Dial | null;
  retryAt: number;
  retryMillis: number;
  /** When somebody else has answered there, it is tried again after this time. */
  aliasMillis: number;
  /** What was reported of it last. */
  fault: string;
  /** It was reported that this node itself is there. */
  isOwnTold: boolean;
}

/** An attempt to connect. */
interface Dial {
  readonly target: Target;
  readonly connection: Connection;
  readonly patience: Patience;
  peer: Peer;
  hasAnswered: boolean;
  /** Waits for what becomes of the peer's own connection. */
  isHeld: boolean;
  /** The peer believed to have a connection already. */
  peerHas: boolean;
}

/** Takes over a listening server, and connects to whom it is told. */
export function createMesh(options: MeshOptions): Mesh {
  const { server, handlers, reporter, address: self } = options;
  const tag = domainTag(options.domain);
  const greeting = encodeGreeting(tag, self, meshMagic);
  const { keyring } = options;
  const sealing = keyring === undefined ? null : { keyring, tag, address: self, magic: meshMagic };
  const peers = new Map<string, Peer>();
  const targets = new Map<string, Target>();
  const sockets = new Set<Socket>();
  const closingSockets = new Set<Socket>();
  let seeds = new Set<string>();
  let nodes = new Set<string>();
  let tethers = new Set<string>();
  let multicasts: Uint8Array[] = [];
  let isFlushDue = false;
  let droppedCount = 0;
  let closing = false;
  let closed: Promise<void> | undefined;
  let settling: (() => void)[] = [];
  let onQuiet: (() => void) | undefined;

  // --- peers ---

  function peerAt(address: string): Peer {
    let peer = peers.get(address);
    if (peer === undefined) {
      const made: Peer = {
        address,
        flow: new Outflow(() => onTaken(made)),
        link: null,
        arriving: new Set(),
        dials: new Set(),
        isDoomed: false,
        hasMessages: false,
      };
      peer = made;
      peers.set(address, peer);
    }
    return peer;
  }

  /** Drops what waits for a peer, and tells of it if that was more than datagrams or if there was a connection. */
  function down(peer: Peer, why: string, wasUp: boolean, mustTell = wasUp): void {
    const tell = mustTell || peer.hasMessages;
    droppedCount += peer.flow.clear();
    peer.hasMessages = false;
    if (tell && !closing) handlers.streamDown(peer.address, why, wasUp);
  }

  function drop(peer: Peer, count: number): void {
    droppedCount += count;
    // of one that is not connected the core knows, and it will be told
    if (peer.link === null) return;
    const what = `${count} datagrams to ${peer.address} dropped: it takes less than it is sent`;
    reporter.report('dropped', `${what}; ${droppedCount} in all`);
  }

  /** Something that might have led to a connection has ended: if nothing else may, what waits for it is lost. */
  function settle(peer: Peer, why: string): void {
    if (peer.link !== null) return;
    if (peer.arriving.size === 0) for (const dial of peer.dials) if (dial.isHeld) decide(dial);
    if (peer.link !== null || peer.arriving.size > 0 || peer.dials.size > 0) return;
    // said before anything is told: a handler may begin anew
    if (peers.get(peer.address) === peer && !peer.isDoomed) peers.delete(peer.address);
    if (!peer.isDoomed) down(peer, why, false);
    noteQuiet();
  }

  /** For breaks found inside a call: handlers are only called from the event loop. Until then nothing more is taken. */
  function doom(peer: Peer, why: string): void {
    peer.isDoomed = true;
    const { link } = peer;
    peer.link = null;
    peer.flow.clear();
    link?.drop();
    setImmediate(() => {
      peer.isDoomed = false;
      down(peer, why, link !== null, true);
      if (link !== null) reporter.report('backlog', `connection to ${peer.address} given up: ${why}`);
      settle(peer, why);
    });
  }

  // --- connections ---

  function inUse(peer: Peer, connection: Connection): void {
    const former = peer.link;
    peer.link = connection;
    connection.watch();
    if (former !== null) {
      former.drop();
      const why = 'the peer has lost it and made a new one';
      // two nodes that say they have one address would take it from each other again and again
      reporter.report(
        'replaced',
        `connection to ${peer.address} replaced: ${why}, or two nodes advertise this address`,
      );
      down(peer, why, true);
    }
    for (const target of targets.values()) if (target.peer === peer.address) noteSuccess(target);
    for (const dial of peer.dials) if (dial.isHeld) abandon(dial);
    peer.flow.pump(connection);
    noteQuiet();
  }

  function noteSuccess(target: Target): void {
    target.retryMillis = retryMillisMin;
    target.fault = '';
  }

  function onMessage(peer: Peer, connection: Connection, kind: number, bytes: Uint8Array): void {
    if (closing) return;
    if (kind === Kind.datagram) handlers.datagram(bytes, peer.address);
    else if (kind === Kind.stream) handlers.stream(bytes, peer.address);
    else if (kind !== Kind.alive) connection.fail('it broke the protocol: a second handshake');
  }

  function onLinkEnd(peer: Peer, connection: Connection, why: string): void {
    if (peer.link !== connection) return;
    peer.link = null;
    // not at once: a peer that hangs up on everybody would be connected to in a loop
    const retryAt = performance.now() + retryMillisMin / 2;
    for (const target of targets.values()) if (target.peer === peer.address) target.retryAt = retryAt;
    down(peer, why, true);
    settle(peer, why);
  }

  // --- connecting to others ---

  function targetAt(endpoint: Endpoint): Target {
    const key = canonicalAddress(endpoint);
    let target = targets.get(key);
    if (target === undefined) {
      const retry = { retryAt: 0, retryMillis: retryMillisMin, aliasMillis: retryMillisMin };
      target = { endpoint, key, peer: key, dial: null, ...retry, fault: '', isOwnTold: false };
      targets.set(key, target);
    }
    return target;
  }

  function dial(target: Target): void {
    const { endpoint } = target;
    if (options.localAddress !== undefined && !isLoopback(endpoint.host)) {
      // the system would refuse it too, with words that help nobody
      fault(target, 'it is not on this machine, and this node listens on the loopback interface only');
      target.retryAt = Infinity;
      const peer = peers.get(target.key);
      if (peer !== undefined) doom(peer, 'not on this machine');
      return;
    }
    const socket = connect({
      ...from(endpoint, options.localAddress),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMillis,
    });
    track(socket);
    const peer = peerAt(target.key);
    const sealed = sealing === null ? null : new ConnectingHandshake(sealing);
    const connection = new Connection(socket, sealed ?? new GreetingReader(tag, meshMagic), {
      greeted: (address) => onAnswer(attempt, address),
      message: (kind, bytes) => {
        if (attempt.peer.link === connection) onMessage(attempt.peer, connection, kind, bytes);
        else onReply(attempt, kind, bytes);
      },
      ended: (why) => {
        if (target.dial === attempt) failed(attempt, why);
        else onLinkEnd(attempt.peer, connection, why);
      },
    });
    const attempt: Dial = {
      target,
      connection,
      patience: afterAwake(handshakeMillisMax, () => connection.fail(`no answer within ${handshakeMillisMax} ms`)),
      peer,
      hasAnswered: false,
      isHeld: false,
      peerHas: false,
    };
    target.dial = attempt;
    peer.dials.add(attempt);
    socket.once('connect', () => {
      if (isToItself(socket)) {
        connection.fail('nobody listens there (connected to itself)');
      } else socket.write(sealed?.greeting ?? greeting);
    });
  }

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      noteQuiet();
    });
  }

  /** The other end says whose it is. */
  function onAnswer(attempt: Dial, address: string): void {
    const { target, connection } = attempt;
    const wrong = addressFault(address);
    if (wrong !== null) {
      connection.fail(wrong);
      return;
    }
    attempt.hasAnswered = true;
    const expected = attempt.peer;
    target.peer = address;
    if (address !== target.key) {
      target.retryAt = performance.now() + target.aliasMillis;
      target.aliasMillis = Math.min(aliasMillisMax, target.aliasMillis * 2);
    }
    if (address === self) {
      abandon(attempt);
      tellOwn(target);
      settle(expected, 'this node itself is there');
      return;
    }
    if (address === expected.address) return;
    expected.dials.delete(attempt);
    attempt.peer = peerAt(address);
    attempt.peer.dials.add(attempt);
    settle(expected, `another node answers there: ${address}`);
  }

  function onReply(attempt: Dial, kind: number, bytes: Uint8Array): void {
    if (kind !== Kind.reply || attempt.isHeld || bytes.length !== 1) {
      attempt.connection.fail('it broke the protocol: no answer to the greeting');
      return;
    }
    attempt.peerHas = bytes[0] !== 0;
    decide(attempt);
  }

  /** Whether this connection is the one of the pair. */
  function decide(attempt: Dial): void {
    const { peer, connection } = attempt;
    if (peer.link !== null) {
      noteSuccess(attempt.target);
      abandon(attempt);
      return;
    }
    attempt.isHeld = peer.arriving.size > 0 && (attempt.peerHas || self > peer.address);
    if (attempt.isHeld) return;
    connection.say(Kind.go, new Uint8Array(0));
    forget(attempt);
    for (const other of [...peer.arriving]) {
      peer.arriving.delete(other);
      other.drop();
    }
    inUse(peer, connection);
  }

  /** An attempt is over, one way or the other. */
  function forget(attempt: Dial): void {
    const { target, peer, patience } = attempt;
    patience.clear();
    peer.dials.delete(attempt);
    if (target.dial === attempt) target.dial = null;
    noteSettled();
  }

  /** An attempt that is not needed. */
  function abandon(attempt: Dial): void {
    attempt.connection.drop();
    forget(attempt);
  }

  function failed(attempt: Dial, why: string): void {
    const { target, peer } = attempt;
    forget(attempt);
    target.retryAt = performance.now() + target.retryMillis;
    target.retryMillis = Math.min(retryMillisMax, target.retryMillis * 2);
    if (peer.link === null && peer.arriving.size === 0) fault(target, why);
    settle(peer, why);
  }

  /** Reports what is wrong with a seed, when that is news. Of nodes the core knows better. */
  function fault(target: Target, why: string): void {
    if (!seeds.has(target.key) || closing || target.fault === why) return;
    target.fault = why;
    reporter.report(`seed-${target.key}`, `seed ${target.key}: ${why}; it is tried again and again`);
  }

  function tellOwn(target: Target): void {
    if (target.isOwnTold || !seeds.has(target.key)) return;
    target.isOwnTold = true;
    const why = 'this node itself answers there; it is tried again now and then, in case that others do, too';
    reporter.report(`seed-${target.key}`, `seed ${target.key}: ${why}`);
  }

  // --- others connect ---

  function onArrival(socket: Socket, address: string, rest: Uint8Array, records: Records | undefined): void {
    if (address === self) {
      // whoever connected learns that it is this node, or has learnt it
      if (records === undefined) socket.end(greeting, () => socket.destroy());
      else socket.destroy();
      return;
    }
    const peer = peerAt(address);
    const connection = new Connection(socket, records, {
      message: (kind, bytes) => {
        if (peer.link === connection) onMessage(peer, connection, kind, bytes);
        else if (kind === Kind.go && peer.arriving.delete(connection)) {
          patience.clear();
          if (peer.isDoomed) connection.fail('the connection before it broke just now');
          else inUse(peer, connection);
        } else connection.fail('it broke the protocol: no go after its greeting');
      },
      ended: (why) => {
        patience.clear();
        if (peer.arriving.delete(connection)) settle(peer, why);
        else onLinkEnd(peer, connection, why);
      },
    });
    const patience = afterAwake(handshakeMillisMax, () => {
      if (peer.arriving.has(connection)) connection.fail(`nothing within ${handshakeMillisMax} ms after its greeting`);
    });
    peer.arriving.add(connection);
    if (records === undefined) socket.write(greeting);
    connection.say(Kind.reply, Uint8Array.of(peer.link === null ? 0 : 1));
    connection.take(rest);
  }

  // --- whom to connect to ---

  function isWanted(key: string): boolean {
    return (seeds.has(key) || nodes.has(key) || tethers.has(key)) && key !== self;
  }

  function isOnlySeed(key: string): boolean {
    return !nodes.has(key) && !tethers.has(key);
  }

  /** Connects to whoever ought to be connected and is not. */
  function look(): void {
    if (closing) return;
    const now = performance.now();
    let seedDials = 0;
    for (const { key, dial } of targets.values()) if (dial !== null && isOnlySeed(key)) seedDials += 1;
    const tried: Target[] = [];
    for (const target of targets.values()) {
      if (target.dial !== null) continue;
      if (!isWanted(target.key)) {
        // one that was connected to by the way is remembered until it may be tried again
        if (now >= target.retryAt || target.retryAt === Infinity) targets.delete(target.key);
      } else if (now >= target.retryAt && (target.peer !== target.key || !peers.get(target.peer)?.link)) {
        if (isOnlySeed(target.key)) {
          if (seedDials >= seedDialsMax) continue;
          seedDials += 1;
          tried.push(target);
        }
        dial(target);
      }
    }
    // it is the others' turn
    for (const target of tried) if (targets.delete(target.key)) targets.set(target.key, target);
    noteSettled();
  }

  function want(addresses: readonly string[]): void {
    for (const address of addresses) {
      if (address !== self && addressFault(address) === null) targetAt(parseAddress(address));
    }
    look();
  }

  function noteSettled(): void {
    if (settling.length === 0) return;
    for (const { dial } of targets.values()) if (dial !== null) return;
    const waiting = settling;
    settling = [];
    for (const resolve of waiting) resolve();
  }

  // --- sending ---

  /** Whether something may be sent to a peer now or soon; connects if need be. */
  function reach(peer: Peer, isUrgent: boolean): boolean {
    if (peer.isDoomed) return false;
    if (peer.link !== null || peer.arriving.size > 0 || peer.dials.size > 0) return true;
    const target = targetAt(parseAddress(peer.address));
    if (!isUrgent && performance.now() < target.retryAt) return false;
    if (target.dial === null) dial(target);
    return !peer.isDoomed;
  }

  function hasRoom(peer: Peer, bytes: number): boolean {
    return peer.flow.datagramBytes + bytes <= (peer.link === null ? connectingBytesMax : datagramBacklogBytesMax);
  }

  function flushSoon(): void {
    if (isFlushDue) return;
    isFlushDue = true;
    process.nextTick(flush);
  }

  /** Once per turn: what was sent in it is encoded once and goes to the system in one call per connection. */
  function flush(): void {
    isFlushDue = false;
    const shared = unitsOf(multicasts, Kind.datagram);
    multicasts = [];
    for (const peer of peers.values()) {
      for (const unit of shared) {
        if (peer.isDoomed) continue;
        if (hasRoom(peer, unit.bytes)) peer.flow.addShared(unit);
        else drop(peer, unit.count);
      }
      if (peer.link !== null) peer.flow.pump(peer.link);
    }
  }

  function onTaken(peer: Peer): void {
    if (peer.link !== null) peer.flow.pump(peer.link);
    noteQuiet();
  }

  function unicast(to: string, bytes: Uint8Array): void {
    if (to === self) {
      setImmediate(() => {
        if (!closing) handlers.datagram(bytes.slice(), self);
      });
      return;
    }
    const known = peers.get(to);
    const wrong = known === undefined ? addressFault(to) : null;
    if (wrong !== null) {
      reporter.report('unicast-address', `unicast to '${to}': ${wrong}`);
      return;
    }
    const peer = known ?? peerAt(to);
    if (!reach(peer, false)) {
      drop(peer, 1);
      prune(peer);
    } else if (!hasRoom(peer, bytes.length)) drop(peer, 1);
    else {
      peer.flow.addDatagram(bytes);
      flushSoon();
    }
  }

  function prune(peer: Peer): void {
    const isIdle = peer.link === null && peer.arriving.size === 0 && peer.dials.size === 0;
    if (isIdle && !peer.isDoomed && peers.get(peer.address) === peer) peers.delete(peer.address);
  }

  function stream(to: string, bytes: Uint8Array): void {
    if (bytes.length > streamMessageBytesMax) {
      throw new RangeError(`a stream message has ${bytes.length} bytes; the limit is ${streamMessageBytesMax}`);
    }
    if (closing) return;
    if (to === self) {
      setImmediate(() => {
        if (!closing) handlers.stream(bytes.slice(), self);
      });
      return;
    }
    const known = peers.get(to);
    const peer = known ?? peerAt(to);
    if (peer.isDoomed) return;
    const wrong = known === undefined ? addressFault(to) : null;
    if (wrong !== null) {
      doom(peer, wrong);
      return;
    }
    if (!reach(peer, true)) return;
    if (peer.flow.streamBytes + bytes.length > streamBacklogBytesMax) {
      doom(peer, `more than ${streamBacklogBytesMax} bytes are waiting to be written to it`);
      return;
    }
    peer.hasMessages = true;
    peer.flow.addMessage(bytes);
    flushSoon();
  }

  // --- the end ---

  /** While it closes: ends what has nothing left to write. */
  function noteQuiet(): void {
    if (!closing) return;
    for (const peer of peers.values()) {
      if (peer.link === null || !peer.flow.isEmpty) continue;
      const { socket } = peer.link;
      peer.link.finish();
      peer.link = null;
      const linger = afterAwake(lingerMillisMax, () => socket.destroy());
      closingSockets.add(socket);
      socket.once('close', () => {
        linger.clear();
        closingSockets.delete(socket);
        noteQuiet();
      });
    }
    for (const { flow, link, dials, arriving } of peers.values()) {
      if (!flow.isEmpty && (link !== null || dials.size + arriving.size > 0)) return;
    }
    if (closingSockets.size === 0) onQuiet?.();
  }

  async function closeAll(): Promise<void> {
    flush();
    closing = true;
    clearInterval(timer);
    unwatch?.();
    const serverClosed = door.close();
    await new Promise<void>((resolve) => {
      const deadline = afterAwake(closeMillisMax, resolve);
      onQuiet = () => {
        deadline.clear();
        resolve();
      };
      noteQuiet();
    });
    onQuiet = undefined;
    for (const { dial } of targets.values()) if (dial !== null) abandon(dial);
    for (const { link } of peers.values()) link?.drop();
    for (const socket of [...sockets, ...door.sockets]) socket.destroy();
    await serverClosed;
    for (const resolve of settling) resolve();
  }

  const greetings = new GreetingBudget();
  const door = openDoor({
    server,
    address: self,
    reporter,
    handshake: (remote) =>
      sealing === null
        ? new GreetingReader(tag, meshMagic)
        : new AcceptingHandshake(sealing, () => greetings.take(remote)),
    ...(sealing === null ? { farewell: greeting } : {}),
    objection: (_, address) => addressFault(address),
    greeted: onArrival,
  });
  const timer = setInterval(look, lookMillis).unref();
  const unwatch = keyring?.watch(() => {
    for (const { link } of peers.values()) link?.rekey();
  });

  return {
    multicast(bytes) {
      if (closing) return;
      multicasts.push(bytes);
      flushSoon();
    },
    unicast(to, bytes) {
      if (!closing) unicast(to, bytes);
    },
    stream,
    streamBacklog: (to) => peers.get(to)?.flow.streamBytes ?? 0,
    get datagramsPending() {
      let sum = 0;
      for (const peer of peers.values()) sum += peer.flow.datagrams;
      return sum;
    },
    get datagramsDropped() {
      return droppedCount;
    },
    setSeeds(endpoints) {
      seeds = new Set(endpoints.map(canonicalAddress));
      for (const endpoint of endpoints) targetAt(endpoint);
      look();
    },
    setNodes(addresses) {
      nodes = new Set(addresses);
      want(addresses);
    },
    tether(to) {
      tethers = new Set(to);
      want(to);
    },
    probe: (to) => probeAt(to, options.localAddress, sockets),
    settled: () =>
      new Promise((resolve) => {
        settling.push(resolve);
        noteSettled();
      }),
    close: () => (closed ??= closeAll()),
  };
}
