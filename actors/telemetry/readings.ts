/**
 * What a node's counters and gauges show now.
 *
 * A node begins a new life with new counters; here they go on from where they were, so that they only ever rise.
 */
import { holding, lack } from '../../lib/inspect.js';
import { statisticsOf } from '../api.js';
import type { Host, Member } from '../host.js';
import { queuedBytes } from '../receipts.js';
import { metrics, type Attributes, type Metric } from './metrics.js';
import { observe, type Counted, type Observe, type Tally } from './tally.js';

/** One value of one series. */
export interface Reading {
  readonly metric: Metric;
  readonly value: number;
  readonly attributes: Attributes;
}

/** Makes a counter that begins anew one that goes on. */
class Rising {
  #before = 0;
  #last = 0;

  /** Undefined: there is nothing to read now. */
  at(value = this.#last): number {
    if (value < this.#last) this.#before += this.#last;
    this.#last = value;
    return this.#before + value;
  }
}

/** Reads one node's metrics. */
export class Readings {
  readonly #host: Host;
  readonly #tally: Tally;
  readonly #rising = new Map<string, Rising>();
  /** No longer counts for this reader. */
  readonly stop: () => void;

  /** `take` is given what histograms are made of, as it comes. */
  constructor(host: Host, take: Observe) {
    const { tally, stop } = observe(host, take);
    this.#host = host;
    this.#tally = tally;
    this.stop = stop;
  }

  /** Counters and gauges. */
  now(): Reading[] {
    const groups = [...this.#tally.groups].flatMap(([group, counted]) => this.#ofGroup(group, counted));
    const members = [...this.#host.members.values()].flatMap((member) => this.#ofMember(member));
    return [...this.#ofNode(), ...groups, ...members];
  }

  #ofNode(): Reading[] {
    const host = this.#host;
    const domain: Attributes = { 'nact_groups.domain': host.options.domain };
    const all = statisticsOf(host);
    const gauge = (metric: Metric, value: number): Reading => ({ metric, value, attributes: domain });
    const counter = (metric: Metric, key: string, attributes = domain): Reading => ({
      metric,
      value: this.#risen(key, all[key]),
      attributes,
    });
    const { core } = host.life;
    return [
      gauge(metrics.nodes, all['nodes'] ?? 0),
      gauge(metrics.suspected, all['suspected'] ?? 0),
      gauge(metrics.wedged, core && lack(core) !== null ? 1 : 0),
      gauge(metrics.credit, all['creditBytes'] ?? 0),
      gauge(metrics.requests, host.life.requests.open.size),
      gauge(metrics.lag, host.lag / 1000),
      counter(metrics.suspicions, 'suspicions'),
      counter(metrics.retransmissions, 'framesResent'),
      counter(metrics.packets, 'packetsOut', { ...domain, 'network.io.direction': 'transmit' }),
      counter(metrics.packets, 'packetsIn', { ...domain, 'network.io.direction': 'receive' }),
      counter(metrics.io, 'bytesOut', { ...domain, 'network.io.direction': 'transmit' }),
      counter(metrics.droppedPackets, 'droppedMalformed', { ...domain, 'nact_groups.reason': 'malformed' }),
      counter(metrics.droppedPackets, 'droppedForeign', { ...domain, 'nact_groups.reason': 'foreign' }),
      counter(metrics.droppedPackets, 'droppedUnknown', { ...domain, 'nact_groups.reason': 'unknown' }),
      counter(metrics.deadLetters, 'deadLetters'),
    ];
  }

  #ofGroup(group: string, { attributes, viewChanges, multicasts, deliveries }: Counted): Reading[] {
    const dropped = this.#host.members.get(group)?.dropped;
    return [
      { metric: metrics.viewChanges, value: viewChanges, attributes },
      { metric: metrics.multicasts, value: multicasts, attributes },
      { metric: metrics.deliveries, value: deliveries, attributes },
      { metric: metrics.droppedMessages, value: this.#risen(`dropped ${group}`, dropped), attributes },
    ];
  }

  #ofMember({ host, group, outbox, mailbox, view }: Member): Reading[] {
    const attributes: Attributes = { 'nact_groups.domain': host.options.domain, 'nact_groups.group': group };
    const { core } = host.life;
    const { unstableBytes, behind } = core ? holding(core, group) : { unstableBytes: 0, behind: 0 };
    return [
      { metric: metrics.members, value: view?.members.length ?? 0, attributes },
      { metric: metrics.behind, value: behind, attributes },
      { metric: metrics.queueLength, value: outbox.last - outbox.accepted, attributes },
      { metric: metrics.queueSize, value: queuedBytes(outbox), attributes },
      { metric: metrics.mailbox, value: mailbox.length, attributes },
      { metric: metrics.unstable, value: unstableBytes, attributes },
    ];
  }

  #risen(key: string, value: number | undefined): number {
    let rising = this.#rising.get(key);
    if (!rising) this.#rising.set(key, (rising = new Rising()));
    return rising.at(value);
  }
}
