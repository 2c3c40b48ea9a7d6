/**
 * Counting at a node that is metered: per batch of deliveries, not per message.
 *
 * Durations are samples: of each group one multicast at a time is followed, from the call that sends it until it is delivered here and
 * until it is stable. Both ends are on this node's monotonic clock, so no clock of another machine is trusted. The next one sent after that
 * is the next sample.
 */
import type { GroupItem } from '../../lib/events.js';
import type { Host, Member, Meter } from '../host.js';
import type { Outbox } from '../receipts.js';
import { metrics, type Attributes, type Metric } from './metrics.js';

/** Takes what histograms are made of. */
export type Observe = (metric: Metric, value: number, attributes: Attributes) => void;

/** A multicast that is followed. */
interface Sample {
  readonly outbox: Outbox;
  readonly message: number;
  /** Of the monotonic clock, in milliseconds. */
  readonly at: number;
  isDelivered: boolean;
  isStable: boolean;
}

/** What was counted of one group, over all lives of the node. */
export interface Counted {
  readonly attributes: Attributes;
  viewChanges: number;
  multicasts: number;
  deliveries: number;
  sample: Sample | undefined;
}

/** See above. Shared by all that look at the node. */
export class Tally implements Meter {
  /** By group. */
  readonly groups = new Map<string, Counted>();
  readonly observers = new Set<Observe>();

  constructor(private readonly host: Host) {}

  items(member: Member, items: readonly GroupItem[]): void {
    const counted = this.#of(member);
    for (const item of items) {
      if (item.kind === 'deliveries') {
        counted.deliveries += item.count;
        this.#observe(metrics.batch, item.count, counted);
        const { sample } = counted;
        const isOwn = sample?.isDelivered === false && item.from.id === sample.outbox.node;
        if (isOwn && sample.message >= item.message && sample.message < item.message + item.count) {
          sample.isDelivered = true;
          this.#observe(metrics.delivery, this.#since(sample), counted);
        }
      } else if (item.kind === 'view') counted.viewChanges += 1;
      else if (item.kind === 'progress') this.#progress(counted, item.stable);
      else if (item.kind === 'failed') counted.sample = undefined;
    }
    const { sample } = counted;
    if (sample?.isDelivered && sample.isStable) counted.sample = undefined;
  }

  sent(member: Member, message: number): void {
    const counted = this.#of(member);
    counted.multicasts += 1;
    // what was followed in an earlier life of the node has no end
    if (counted.sample?.outbox === member.outbox) return;
    const { outbox } = member;
    counted.sample = { outbox, message, at: this.host.runtime.now(), isDelivered: false, isStable: false };
  }

  #progress(counted: Counted, stable: number): void {
    const { sample } = counted;
    if (!sample || sample.isStable || stable < sample.message) return;
    sample.isStable = true;
    this.#observe(metrics.stability, this.#since(sample), counted);
  }

  #of({ group }: Member): Counted {
    let counted = this.groups.get(group);
    if (!counted) {
      const attributes = { 'nact_groups.domain': this.host.options.domain, 'nact_groups.group': group };
      counted = { attributes, viewChanges: 0, multicasts: 0, deliveries: 0, sample: undefined };
      this.groups.set(group, counted);
    }
    return counted;
  }

  #since({ at }: Sample): number {
    return (this.host.runtime.now() - at) / 1000;
  }

  #observe(metric: Metric, value: number, { attributes }: Counted): void {
    for (const observe of this.observers) observe(metric, value, attributes);
  }
}

/** Has a node count. Call the result when it is enough. */
export function observe(host: Host, observer: Observe): { readonly tally: Tally; readonly stop: () => void } {
  const tally = host.meter instanceof Tally ? host.meter : new Tally(host);
  host.meter = tally;
  tally.observers.add(observer);
  const stop = (): void => {
    tally.observers.delete(observer);
    if (tally.observers.size === 0 && host.meter === tally) host.meter = undefined;
  };
  return { tally, stop };
}
