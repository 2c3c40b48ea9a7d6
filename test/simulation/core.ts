/**
 * The core as the simulator drives it: one value, so that the world can also be tried with a core that is a toy.
 */
import type { Effect, NodeEvent } from '../../lib/events.js';
import type { Millis } from '../../lib/ids.js';
import type { Node } from '../../lib/node.js';
import type { NodeOptions } from '../../lib/options.js';
import type { DomainRecord } from './chains.js';

/** What is buffered in a node; all zero when it is idle. */
export interface Gauge {
  readonly unstable: number;
  readonly unstableBytes: number;
  readonly queued: number;
  readonly reorder: number;
  readonly reassembly: number;
}

export interface Core {
  readonly createNode: (options: NodeOptions, now: Millis) => Node;
  readonly step: (node: Node, event: NodeEvent, now: Millis) => void;
  readonly ready: (node: Node, now: Millis) => readonly Effect[];
  readonly nextTick: (node: Node) => Millis;
  readonly gauge: (node: Node) => Gauge;
  /** The last state of its domain that the node knows, which lacks it if it is departing. */
  readonly lastState: (node: Node) => DomainRecord | null;
  /** The kinds of the sections in a datagram or stream message. */
  readonly describePacket: (bytes: Uint8Array) => readonly string[];
}
