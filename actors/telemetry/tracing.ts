/**
 * Traces by OpenTelemetry: a multicast and its deliveries are one.
 *
 * After the semantic conventions for messaging: a producer's span where something is sent, and at each member a consumer's span around its
 * function. The producer is the consumers' parent, not a link of theirs: each multicast is taken by itself, by all members at about
 * the same time, and what one wants to see is one trace with a branch for each. A link is for batches that are taken as one.
 *
 * Nothing here begins a trace. Without a span that is recorded where something is sent nothing is made and no byte is added.
 */
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  context as contexts,
  isSpanContextValid,
  trace,
  type Span,
  type SpanContext,
  type TracerProvider,
} from '@opentelemetry/api';
import { inspect } from 'node:util';
import type { Delivery } from '../../lib/events.js';
import { isPromise } from '../context.js';
import type { Host, Member, Sending, Tracing } from '../host.js';
import { contextBytes } from '../trace-context.js';
import { scope } from './open-telemetry.js';

/** Has a node make spans. Call the result to end it. */
export function traceMessages(host: Host, provider: TracerProvider | undefined): () => void {
  const tracer = (provider ?? trace).getTracer(scope);
  const tracing: Tracing = {
    begin(group, operation): Sending | undefined {
      const active = trace.getActiveSpan();
      if (!active?.isRecording()) return undefined;
      const attributes = { ...common(host, group), ...operationOf(operation, 'send') };
      const span = tracer.startSpan(`${operation} ${group}`, { kind: SpanKind.PRODUCER, attributes });
      return {
        context: packed(span.spanContext()),
        sent: (id) => void span.setAttribute('messaging.message.id', id),
        end: (error) => end(span, error),
      };
    },
    process(member, item, context, run): unknown {
      const sender = unpacked(context);
      if (!isSpanContextValid(sender)) return run();
      const parent = trace.setSpanContext(ROOT_CONTEXT, sender);
      const options = { kind: SpanKind.CONSUMER, attributes: attributesOf(member, item) };
      const span = tracer.startSpan(`process ${member.group}`, options, parent);
      return runIn(span, () => contexts.with(trace.setSpan(parent, span), run));
    },
    apart: (run) => contexts.with(ROOT_CONTEXT, run),
  };
  host.tracing = tracing;
  return () => {
    if (host.tracing === tracing) host.tracing = undefined;
  };
}

function common(host: Host, group: string) {
  return {
    'messaging.system': 'nact_groups',
    'messaging.destination.name': group,
    'messaging.client.id': host.life.id,
    'nact_groups.domain': host.options.domain,
  };
}

function operationOf(name: string, type: 'send' | 'process') {
  return { 'messaging.operation.name': name, 'messaging.operation.type': type };
}

function attributesOf({ host, group }: Member, { from, message, order, position, request, view }: Delivery) {
  // a request has the name that its client knows it by
  const id = request && request.client !== from.id ? `${request.client}:${request.number}` : `${from.id}:${message}`;
  return {
    ...common(host, group),
    ...operationOf('process', 'process'),
    'messaging.message.id': id,
    'nact_groups.order': order,
    'nact_groups.position': position,
    'nact_groups.view': String(view.id),
    'nact_groups.sender': from.id,
  };
}

/** Runs a function, which may turn out to be asynchronous, and ends its span with it. */
function runIn(span: Span, run: () => unknown): unknown {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    end(span, error ?? new Error('thrown without an error'));
    throw error;
  }
  if (!isPromise(result)) end(span);
  else
    result.then(
      () => end(span),
      (error: unknown) => end(span, error ?? new Error('rejected without an error')),
    );
  return result;
}

function end(span: Span, error?: unknown): void {
  if (error !== undefined) {
    const failure = error instanceof Error ? error : new Error(inspect(error));
    span.recordException(failure);
    span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
  }
  span.end();
}

function packed({ traceId, spanId, traceFlags }: SpanContext): Uint8Array {
  const bytes = new Uint8Array(contextBytes);
  bytes.set(Buffer.from(traceId + spanId, 'hex'));
  bytes[contextBytes - 1] = traceFlags;
  return bytes;
}

function unpacked(bytes: Uint8Array): SpanContext {
  const hex = Buffer.from(bytes).toString('hex');
  const traceFlags = (bytes[contextBytes - 1] as number) & TraceFlags.SAMPLED;
  return { traceId: hex.slice(0, 32), spanId: hex.slice(32, 48), traceFlags, isRemote: true };
}
