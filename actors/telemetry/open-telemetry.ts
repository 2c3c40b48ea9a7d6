/**
 * Metrics of a node as OpenTelemetry's instruments. Counters and gauges are observable: they are read when somebody collects, and cost
 * nothing between. Histograms are fed once per batch of deliveries.
 */
import type { Histogram, Meter, MeterProvider, Observable } from '@opentelemetry/api';
import { metrics as api } from '@opentelemetry/api';
import type { Host } from '../host.js';
import { metrics, type Attributes, type Metric } from './metrics.js';
import { Readings } from './readings.js';

/** The instrumentation scope of all that comes from here. */
export const scope = 'nact-groups';

/** Offers a node's metrics; `extra` attributes are put on all of them. Call the result to end it. */
export function offerMetrics(
  host: Host,
  provider: MeterProvider | undefined,
  extra: Readonly<Record<string, string>>,
): () => void {
  const meter = (provider ?? api).getMeter(scope);
  const observables = new Map<Metric, Observable>();
  const histograms = new Map<Metric, Histogram>();
  for (const metric of Object.values<Metric>(metrics)) {
    if (metric.kind === 'histogram') histograms.set(metric, histogramOf(meter, metric));
    else observables.set(metric, observableOf(meter, metric));
  }
  const attributed = attributesWith(extra);
  const readings = new Readings(host, (metric, value, attributes) => {
    histograms.get(metric)?.record(value, attributed(attributes));
  });
  const collect: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    for (const { metric, value, attributes } of readings.now()) {
      const observable = observables.get(metric);
      if (observable) result.observe(observable, value, attributed(attributes));
    }
  };
  const all = [...observables.values()];
  meter.addBatchObservableCallback(collect, all);
  return () => {
    readings.stop();
    meter.removeBatchObservableCallback(collect, all);
  };
}

function histogramOf(meter: Meter, { name, unit, description, bounds = [] }: Metric): Histogram {
  return meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...bounds] } });
}

function observableOf(meter: Meter, { name, kind, unit, description }: Metric): Observable {
  const options = { unit, description };
  return kind === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options);
}

/** Puts attributes on those of a metric. Those of a group are one object, so what is made of it is kept. */
function attributesWith(extra: Readonly<Record<string, string>>): (attributes: Attributes) => Attributes {
  if (Object.keys(extra).length === 0) return (attributes) => attributes;
  const made = new WeakMap<Attributes, Attributes>();
  return (attributes) => {
    let all = made.get(attributes);
    if (!all) made.set(attributes, (all = { ...extra, ...attributes }));
    return all;
  };
}
