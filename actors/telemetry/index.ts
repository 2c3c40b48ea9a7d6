/**
 * nact-groups/telemetry: metrics of a node, and traces across nodes, by OpenTelemetry. Takes `@opentelemetry/api`, and for anything to be
 * seen an SDK that the program has set up. Who does not import this pays nothing for it.
 *
 * @module nact-groups/telemetry
 */
import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import type { Ref } from 'nact';
import { optionsFault } from '../../transport/options.js';
import { InvalidOption } from '../errors.js';
import { hostOf } from '../host.js';
import { offerMetrics } from './open-telemetry.js';
import { traceMessages } from './tracing.js';

/** Options of {@link instrument}. */
export interface TelemetryOptions {
  /** Where metrics go; default: the global one, as it is then. */
  readonly meterProvider?: MeterProvider;
  /** Where spans go; default: the global one. */
  readonly tracerProvider?: TracerProvider;
  /** Whether there are metrics; default: true. */
  readonly metrics?: boolean;
  /** Whether there are spans; default: true. */
  readonly traces?: boolean;
  /** Attributes for all metrics, such as the node's name where a process runs several nodes. Keep their values few. */
  readonly attributes?: Readonly<Record<string, string>>;
}

const known = [
  'meterProvider',
  'tracerProvider',
  'metrics',
  'traces',
  'attributes',
] as const satisfies readonly (keyof TelemetryOptions)[];

/**
 * Shows a node to OpenTelemetry: its metrics, which docs/metrics.md lists, and its messages as spans. A message to a group that is sent
 * within a span takes it along, so that the send and all its deliveries are one trace, whichever nodes they are at. To be called once for a
 * system, after the program's SDK is set up. Ends with the node, or when the result is called.
 *
 * Throws {@link InvalidOption}, and `NotInDomain` if the system was not started with `groups`.
 *
 * @example
 * ```ts
 * const system = start(groups({ domain: 'shop' }));
 * instrument(system);
 * ```
 */
export function instrument(system: Ref<never>, options: TelemetryOptions = {}): () => void {
  const fault = optionsFault('instrument()', options, known);
  if (fault !== null) throw new InvalidOption(fault);
  const host = hostOf(system);
  const ends: (() => void)[] = [];
  if (options.metrics ?? true) ends.push(offerMetrics(host, options.meterProvider, options.attributes ?? {}));
  if (options.traces ?? true) ends.push(traceMessages(host, options.tracerProvider));
  const end = (): void => {
    for (const each of ends.splice(0)) each();
  };
  host.left.promise.then(end, end);
  return end;
}
