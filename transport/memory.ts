/**
 * A network inside one process, for tests and for examples on one page: the same seam as a real one, without sockets.
 *
 * Delivery is asynchronous and in the order of sending; each receiver gets bytes of its own. Faults are not a part of
 * the network: a rule beside it looks at each packet and gives a verdict.
 */
import { streamBacklogBytesMax, streamMessageBytesMax } from '../lib/limits.js';
import { TransportError } from './errors.js';
import { createReporter } from './reporter.js';
import type { Reporter } from './reporter.js';
import type { Transport, TransportFactory, TransportHandlers } from './transport.js';

/** A packet on its way from one node to one other; a multicast is a packet to each. */
export interface Packet {
  readonly kind: 'multicast' | 'unicast' | 'stream';
  readonly domain: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/**
 * What becomes of a packet. A stream has no loss: `drop` breaks it, `delay` holds up what follows on it too,
 * `duplicate` does nothing.
 */
export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'delay'; readonly millis: number }
  /** Arrives `copies` times in all. */
  | { readonly kind: 'duplicate'; readonly copies: number };

/** Decides about each packet. Must not change its bytes. */
export type Rule = (packet: Packet) => Verdict;

/** The verdict of a network without faults. */
export const pass: Verdict = { kind: 'pass' };

/** A network. Opaque: hand it to {@link memory}. */
export class MemoryHub {
  /** @internal */
  readonly endpoints = new Map<string, Endpoint>();
  /** @internal */
  lastPort = 0;
  /** @internal */
  readonly rule: Rule;
  #due: (() => void)[] = [];

  /** @internal */
  constructor(rule: Rule) {
    this.rule = rule;
  }

  /** @internal Runs something in the next turn of the event loop, in order. */
  later(run: () => void): void {
    if (this.#due.length === 0) setImmediate(() => this.#turn());
    this.#due.push(run);
  }

  #turn(): void {
    const due = this.#due;
    this.#due = [];
    let done = 0;
    try {
      for (const run of due) {
        done += 1;
        run();
      }
    } finally {
      // a handler that throws takes nothing from the others
      if (done < due.length) {
        if (this.#due.length === 0) setImmediate(() => this.#turn());
        this.#due.unshift(...due.slice(done));
      }
    }
  }
}

/** The most that may be under way to one node, in bytes of datagrams: what a socket would hold. More is lost. */
const receiveBufferBytes = 8 * 1024 * 1024;

/** As on a real network's default. */
const datagramBytesMax = 60_000;

/** Ports are the endpoints' numbers. */
const portMax = 65_535;

interface Endpoint {
  readonly domain: string;
  readonly address: string;
  readonly handlers: TransportHandlers;
  readonly reporter: Reporter;
  /** Datagrams sent to it and not yet delivered. */
  bytesUnderWay: number;
  /** What it sends by stream, by address; an entry exists while a stream is open. */
  readonly streams: Map<string, StreamState>;
  /** To whom streams are kept though nothing is written. */
  tethers: readonly string[];
  /** From whom streams have arrived since it was last told of a break. */
  readonly heard: Set<string>;
  closed: boolean;
}

interface StreamState {
  queue: Uint8Array[];
  backlog: number;
  /** A delivery is due, for the first of the queue at least. */
  scheduled: boolean;
}

/**
 * A network in this process; `rule` decides about faults.
 *
 * @example
 * ```ts
 * const hub = memoryHub(({ from, to }) => ({ kind: isCut(from, to) ? 'drop' : 'pass' }));
 * ```
 */
export function memoryHub(rule: Rule = () => pass): MemoryHub {
  return new MemoryHub(rule);
}

/**
 * A transport over a network in this process.
 *
 * @example
 * ```ts
 * const hub = memoryHub();
 * const [a, b] = ['a', 'b'].map((name) => start({ name }, groups({ domain: 'test', name, transport: memory(hub) })));
 * ```
 */
export function memory(hub: MemoryHub): TransportFactory {
  return async (domain, handlers) => {
    if (hub.lastPort === portMax) {
      throw new TransportError(`this hub has had ${portMax} nodes, which is the limit: make a new one`);
    }
    hub.lastPort += 1;
    const endpoint: Endpoint = {
      domain,
      address: `memory:${hub.lastPort}`,
      handlers,
      reporter: createReporter((error) => handlers.error(error)),
      bytesUnderWay: 0,
      streams: new Map(),
      tethers: [],
      heard: new Set(),
      closed: false,
    };
    hub.endpoints.set(endpoint.address, endpoint);
    return transportOf(hub, endpoint);
  };
}

function transportOf(hub: MemoryHub, own: Endpoint): Transport {
  const checkSize = (bytes: Uint8Array, max: number, what: string): void => {
    if (bytes.length > max) throw new RangeError(`a ${what} has ${bytes.length} bytes; the limit is ${max}`);
  };
  return {
    address: own.address,
    isLocal: true,
    datagramBytesMax,
    receiveBufferBytes,
    description: `memory ${own.address}`,
    multicast(bytes) {
      checkSize(bytes, datagramBytesMax, 'datagram');
      if (own.closed) return true;
      for (const to of hub.endpoints.values()) {
        if (to !== own && to.domain === own.domain) sendDatagram(hub, 'multicast', own, to, bytes);
      }
      return false;
    },
    unicast(to, bytes) {
      checkSize(bytes, datagramBytesMax, 'datagram');
      const target = hub.endpoints.get(to);
      if (!own.closed && target !== undefined) sendDatagram(hub, 'unicast', own, target, bytes);
    },
    stream(to, bytes) {
      checkSize(bytes, streamMessageBytesMax, 'stream message');
      if (!own.closed) writeStream(hub, own, to, bytes);
    },
    tether(to) {
      own.tethers = to;
    },
    probe: (to) => new Promise((resolve) => hub.later(() => resolve(hub.endpoints.has(to) ? 'somebody' : 'nobody'))),
    streamBacklog: (to) => own.streams.get(to)?.backlog ?? 0,
    // a multicast reaches them wherever they are
    setNodes: () => {},
    datagramsPending: 0,
    statistics: () => ({}),
    close: () => close(hub, own),
  };
}

function sendDatagram(
  hub: MemoryHub,
  kind: 'multicast' | 'unicast',
  from: Endpoint,
  to: Endpoint,
  bytes: Uint8Array,
): void {
  const verdict = hub.rule({ kind, domain: from.domain, from: from.address, to: to.address, bytes });
  if (verdict.kind === 'drop') return;
  const copies = verdict.kind === 'duplicate' ? verdict.copies : 1;
  for (let i = 0; i < copies; i++) {
    if (to.bytesUnderWay + bytes.length > receiveBufferBytes) {
      to.reporter.report('full', `datagram from ${from.address} to ${to.address} dropped: the receive buffer is full`);
      continue;
    }
    to.bytesUnderWay += bytes.length;
    const deliver = (): void => {
      to.bytesUnderWay -= bytes.length;
      if (!to.closed) to.handlers.datagram(bytes.slice(), from.address);
    };
    if (verdict.kind === 'delay') setTimeout(deliver, verdict.millis);
    else hub.later(deliver);
  }
}

function writeStream(hub: MemoryHub, from: Endpoint, to: string, bytes: Uint8Array): void {
  let stream = from.streams.get(to);
  if (stream === undefined) {
    stream = { queue: [], backlog: 0, scheduled: false };
    from.streams.set(to, stream);
  }
  stream.queue.push(bytes);
  stream.backlog += bytes.length;
  if (!stream.scheduled) schedule(hub, from, to, stream);
}

/** Makes the next delivery due, after its delay: a delayed message holds up those behind it. */
function schedule(hub: MemoryHub, from: Endpoint, to: string, stream: StreamState): void {
  const bytes = stream.queue[0];
  if (bytes === undefined) return;
  stream.scheduled = true;
  const verdict = hub.rule({ kind: 'stream', domain: from.domain, from: from.address, to, bytes });
  const arrive = (): void => deliverStream(hub, from, to, stream, verdict);
  if (verdict.kind === 'delay') setTimeout(arrive, verdict.millis);
  else hub.later(arrive);
}

/** Delivers the first message, which has its verdict, and those behind it that pass: what one read would bring. */
function deliverStream(hub: MemoryHub, from: Endpoint, to: string, stream: StreamState, first: Verdict): void {
  const queue = stream.queue;
  stream.queue = [];
  let verdict = first;
  for (const [i, bytes] of queue.entries()) {
    if (from.streams.get(to) !== stream) return;
    if (i > 0) verdict = hub.rule({ kind: 'stream', domain: from.domain, from: from.address, to, bytes });
    if (i > 0 && verdict.kind === 'delay') {
      stream.queue = [...queue.slice(i), ...stream.queue];
      setTimeout(deliverStream, verdict.millis, hub, from, to, stream, verdict);
      return;
    }
    const target = hub.endpoints.get(to);
    const why = obstacle(from, target, stream, verdict);
    if (target === undefined || why !== null) {
      const reason = why ?? 'nobody listens there';
      breakStreams(from, to, reason, target !== undefined);
      if (target !== undefined) breakStreams(target, from.address, reason, true);
      return;
    }
    stream.backlog -= bytes.length;
    target.heard.add(from.address);
    if (!target.closed) target.handlers.stream(bytes.slice(), from.address);
  }
  stream.scheduled = false;
  schedule(hub, from, to, stream);
}

/** Why a stream's message does not arrive, or null. */
function obstacle(from: Endpoint, to: Endpoint | undefined, stream: StreamState, verdict: Verdict): string | null {
  if (verdict.kind === 'drop') return 'broken by a rule';
  if (to?.domain !== from.domain) return 'nobody listens there';
  if (stream.backlog > streamBacklogBytesMax)
    return `more than ${streamBacklogBytesMax} bytes are waiting to be written to it`;
  return null;
}

/** Ends what there is between an endpoint and an address, and tells it once if there was anything. */
function breakStreams(endpoint: Endpoint, to: string, why: string, wasUp: boolean, tethered = false): void {
  const wrote = endpoint.streams.delete(to);
  const heard = endpoint.heard.delete(to);
  if ((wrote || heard || tethered) && !endpoint.closed) endpoint.handlers.streamDown(to, why, wasUp);
}

/** What was written before is still delivered, then the others are told. */
async function close(hub: MemoryHub, own: Endpoint): Promise<void> {
  if (own.closed) return;
  own.closed = true;
  own.reporter.close();
  await new Promise<void>((resolve) => {
    const step = (): void => {
      const writing = [...own.streams.values()].some((stream) => stream.backlog > 0);
      if (writing) hub.later(step);
      else resolve();
    };
    step();
  });
  hub.endpoints.delete(own.address);
  const tethered = [...hub.endpoints.values()].filter(
    (other) => own.tethers.includes(other.address) || other.tethers.includes(own.address),
  );
  hub.later(() => {
    for (const other of hub.endpoints.values()) {
      breakStreams(other, own.address, 'closed by the peer', true, tethered.includes(other));
    }
  });
}
