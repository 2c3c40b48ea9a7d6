/**
 * nact-groups/prometheus: metrics of a node in a registry of prom-client, read when it is scraped. Takes `prom-client`, 15 or later.
 *
 * @module nact-groups/prometheus
 */
import type { Ref } from 'nact';
import { Counter, Gauge, Histogram, register, type Registry } from 'prom-client';
import { hostOf, type Host } from '../host.js';
import { metrics, type Attributes, type Metric } from './metrics.js';
import { Readings, type Reading } from './readings.js';

/**
 * Puts a node's metrics into a registry: those of docs/metrics.md, under Prometheus' names for them (`nact_groups_view_changes_total`).
 * Several nodes may be put into one; they are told apart by `labels`, which are the same names for all of them. Ends with the node,
 * or when the result is called.
 *
 * Throws `NotInDomain` if the system was not started with `groups`, and prom-client's error if the registry has a metric of one of the names from elsewhere.
 *
 * @example
 * ```ts
 * const system = start(groups({ domain: 'shop' }));
 * registerMetrics(system);
 * ```
 */
export function registerMetrics(
  system: Ref<never>,
  registry: Registry = register,
  labels: Readonly<Record<string, string>> = {},
): () => void {
  const host = hostOf(system);
  let board = boards.get(registry);
  if (!board) boards.set(registry, (board = new Board(registry, Object.keys(labels))));
  const end = board.add(new Source(host, labels, board));
  host.left.promise.then(end, end);
  return end;
}

/** What was made of each registry. */
const boards = new WeakMap<Registry, Board>();

/** One node. */
class Source {
  readonly readings: Readings;

  constructor(
    host: Host,
    readonly labels: Readonly<Record<string, string>>,
    board: Board,
  ) {
    this.readings = new Readings(host, (metric, value, attributes) => {
      board.histograms.get(metric)?.observe(this.labelled(attributes), value);
    });
  }

  labelled(attributes: Attributes): Record<string, string> {
    const labels: Record<string, string> = { ...this.labels };
    for (const [name, value] of Object.entries(attributes)) if (value !== undefined) labels[plain(name)] = value;
    return labels;
  }
}

/** The metrics in one registry, and the nodes they are of. Hides that a scrape reads each node once, not once for each metric. */
class Board {
  readonly histograms = new Map<Metric, Histogram>();
  readonly #sources = new Set<Source>();
  readonly #registry: Registry;
  #read: ReadonlyMap<Metric, readonly Labelled[]> | undefined;

  constructor(registry: Registry, labelNames: readonly string[]) {
    this.#registry = registry;
    for (const metric of Object.values<Metric>(metrics)) this.#register(metric, labelNames);
  }

  /** Shows one more node; call the result to end that. */
  add(source: Source): () => void {
    this.#sources.add(source);
    return () => {
      source.readings.stop();
      if (!this.#sources.delete(source) || this.#sources.size > 0) return;
      for (const metric of Object.values<Metric>(metrics)) this.#registry.removeSingleMetric(prometheusName(metric));
      boards.delete(this.#registry);
    };
  }

  #register(metric: Metric, extra: readonly string[]): void {
    const config = {
      name: prometheusName(metric),
      help: metric.description,
      labelNames: [...extra, 'nact_groups_domain', ...(metric.by === undefined ? [] : [plain(metric.by)])],
      registers: [this.#registry],
    };
    const read = () => this.#of(metric);
    if (metric.kind === 'histogram')
      this.histograms.set(metric, new Histogram({ ...config, buckets: [...(metric.bounds ?? [])] }));
    else if (metric.kind === 'counter') {
      new Counter({
        ...config,
        collect() {
          this.reset();
          for (const { labels, value } of read()) this.inc(labels, value);
        },
      });
    } else {
      new Gauge({
        ...config,
        collect() {
          this.reset();
          for (const { labels, value } of read()) this.set(labels, value);
        },
      });
    }
  }

  #of(metric: Metric): readonly Labelled[] {
    if (!this.#read) {
      this.#read = this.#readAll();
      // a scrape asks for all metrics in one go
      queueMicrotask(() => (this.#read = undefined));
    }
    return this.#read.get(metric) ?? [];
  }

  #readAll(): ReadonlyMap<Metric, readonly Labelled[]> {
    const all = new Map<Metric, Labelled[]>();
    for (const source of this.#sources) {
      for (const { metric, value, attributes } of source.readings.now()) {
        const of = all.get(metric) ?? [];
        of.push({ labels: source.labelled(attributes), value });
        all.set(metric, of);
      }
    }
    return all;
  }
}

/** A value as Prometheus has it. */
interface Labelled extends Pick<Reading, 'value'> {
  readonly labels: Record<string, string>;
}

/** As Prometheus spells names. */
function plain(name: string): string {
  return name.replace(/\W/g, '_');
}

/** By OpenTelemetry's rules for Prometheus: the unit, then `total` for a counter. */
function prometheusName({ name, unit, kind }: Metric): string {
  const units: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };
  return `${plain(name)}${units[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}
