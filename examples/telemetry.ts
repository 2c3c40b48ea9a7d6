/**
 * Metrics and traces by OpenTelemetry, printed to the console: what goes to a collector in earnest. One order is sent within a span, and
 * each process shows its part of the same trace.
 *
 *     node telemetry.js NAME [MEMBERS]
 *
 * Start it MEMBERS times (2 if not said) with different names. The oldest sends the order once all are there; with SIGTERM each prints its
 * metrics and goes.
 */
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ConsoleMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { start } from 'nact';
import { groups, leaveDomain, multicast, spawnReplicated, views } from 'nact-groups';
import { instrument } from 'nact-groups/telemetry';

type Order = { readonly sku: string; readonly n: number };

const [name = 'anonymous', members = '2'] = process.argv.slice(2);

// in earnest: @opentelemetry/sdk-node, which does this and more, with an exporter to the collector
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())],
});
const reader = new PeriodicExportingMetricReader({ exporter: new ConsoleMetricExporter() });
const meterProvider = new MeterProvider({ readers: [reader] });
const tracer = tracerProvider.getTracer('shop');

const system = start(groups({ domain: process.env['DOMAIN'] ?? 'shop', name }));
instrument(system, { tracerProvider, meterProvider });

const stock = spawnReplicated(
  system,
  (state: Record<string, number>, { sku, n }: Order) => {
    // what is sent from here, or to a database, would be part of the trace as well
    console.log(`${name} applies ${n} ${sku} in trace ${String(trace.getActiveSpan()?.spanContext().traceId)}`);
    return { ...state, [sku]: (state[sku] ?? 0) + n };
  },
  'stock',
  { initialState: {} },
);

let isSent = false;
views(stock).subscribe((view) => {
  if (isSent || view.rank > 0 || view.members.length < Number(members)) return;
  isSent = true;
  tracer.startActiveSpan('POST /orders', (span) => {
    multicast(stock, { sku: 'tea', n: 5 })
      .stable.then(() => console.log('sent'), console.error)
      .finally(() => span.end());
  });
});

process.once('SIGTERM', () => {
  meterProvider
    .shutdown()
    .then(() => leaveDomain(system))
    .catch(console.error);
});
