/** Traces by OpenTelemetry's own SDK: one over all nodes that a message comes to, whatever is between. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import test from 'ava';
import { dispatch, type Ref } from 'nact';
import { NotDecodable } from '../../actors/errors.js';
import {
  ask,
  groupRef,
  memoryHub,
  multicast,
  read,
  ready,
  spawnReplicated,
  type Codec,
  type GroupRef,
} from '../../actors/index.js';
import { instrument } from '../../actors/telemetry/index.js';
import { contextAt, contextBytes, contextIfFits, isTraced, messageAt } from '../../actors/trace-context.js';
import { eventually, system, viewOf } from '../actors/systems.js';

const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = tracerProvider.getTracer('test');
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

type Message = { readonly text: string };

/** Three nodes with a member each, the second of which knows nothing of telemetry, and a client. */
async function domainOf(t: Parameters<typeof system>[0], codec?: Codec) {
  const hub = memoryHub();
  const nodes = ['a', 'b', 'c', 'client'].map((name) => system(t, hub, name));
  await Promise.all(nodes.map((each) => ready(each)));
  const [a, b, c, client] = nodes as [Ref<unknown>, Ref<unknown>, Ref<unknown>, Ref<unknown>];
  for (const each of [a, c, client]) instrument(each, { tracerProvider, metrics: false });
  const active: (string | undefined)[] = [];
  const spawned: GroupRef<Message, readonly string[], number>[] = [];
  for (const each of [a, b, c]) {
    const member = spawnReplicated(
      each,
      (state: readonly string[], { text }: Message, ctx) => {
        active.push(trace.getActiveSpan()?.spanContext().traceId);
        if (text === 'bad') throw new Error('no');
        ctx.reply(state.length);
        return [...state, text];
      },
      'log',
      {
        initialState: [] as readonly string[],
        onCrash: (_msg, _error, ctx) => (ctx as { resume: unknown }).resume as never,
        ...(codec ? { codec } : {}),
      },
    );
    spawned.push(member);
  }
  const members = spawned as [GroupRef<Message>, GroupRef<Message>, GroupRef<Message>];
  await Promise.all(members.map((each) => viewOf(each, 3)));
  return { members, outside: groupRef<Message>(client, 'log', codec ? { codec } : {}), active };
}

/** Runs something within a span, and returns the spans of its trace once there are so many. */
async function traced(run: () => unknown, count: number): Promise<{ root: ReadableSpan; spans: ReadableSpan[] }> {
  const span = tracer.startSpan('root', {}, ROOT_CONTEXT);
  const { traceId } = span.spanContext();
  await context.with(trace.setSpan(ROOT_CONTEXT, span), run);
  span.end();
  const of = () => exporter.getFinishedSpans().filter((each) => each.spanContext().traceId === traceId);
  await eventually(
    () => of().length >= count,
    () =>
      `${count} spans, not ${of()
        .map(({ name }) => name)
        .join(', ')}`,
  );
  const spans = of();
  return { root: spans.find(({ name }) => name === 'root') as ReadableSpan, spans };
}

const named = (spans: readonly ReadableSpan[], name: string) => spans.filter((each) => each.name === name);
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;

test.serial('a multicast and its deliveries are one trace, past a node without telemetry', async (t) => {
  const { members, active } = await domainOf(t);
  const [a, b] = members;
  const { root, spans } = await traced(() => multicast(a, { text: 'one' }).stable, 4);
  const [sent] = named(spans, 'send log');
  t.is(sent?.kind, SpanKind.PRODUCER);
  t.is(parentOf(sent), root.spanContext().spanId);
  const processed = named(spans, 'process log');
  t.deepEqual(processed.map(({ attributes }) => String(attributes['messaging.client.id']).split('#')[0]).sort(), [
    'a',
    'c',
  ]);
  for (const each of processed) {
    t.is(each.kind, SpanKind.CONSUMER);
    t.is(parentOf(each), sent?.spanContext().spanId);
    t.is(each.attributes['messaging.message.id'], sent?.attributes['messaging.message.id']);
    t.is(each.attributes['messaging.destination.name'], 'log');
    t.is(each.attributes['nact_groups.order'], 'total');
  }
  t.deepEqual(await read(b as GroupRef<never, readonly string[]>, (state) => state), ['one']);
  const { traceId } = root.spanContext();
  t.deepEqual(active.sort(), [traceId, traceId, undefined].sort());

  // nact's dispatch; the function that throws is seen; what is sent outside of a span is in none, though a span has woken the node
  const second = await traced(async () => {
    dispatch(a as Ref<Message>, { text: 'bad' });
    await context.with(ROOT_CONTEXT, () => multicast(a, { text: 'untraced' }).stable);
  }, 4);
  t.is(second.spans.length, 4);
  for (const each of named(second.spans, 'process log')) {
    t.deepEqual(
      [each.status.code, each.status.message, each.events[0]?.name],
      [SpanStatusCode.ERROR, 'no', 'exception'],
    );
  }
  await eventually(() => active.length === 9, 'all deliveries');
  t.is(active.filter((each) => each === undefined).length, 5);
});

test.serial('asks and requests of non-members are in the trace, whoever passes them on', async (t) => {
  const { members, outside } = await domainOf(t);
  const [, , c] = members;
  const own = await traced(() => ask(c, { text: 'q' }, { replies: 'all' }), 4);
  t.is(parentOf(named(own.spans, 'ask log')[0]), own.root.spanContext().spanId);
  t.is(named(own.spans, 'process log').length, 2);
  const asked = await traced(() => ask(outside, { text: 'r' }, { replies: 'all' }), 4);
  const [question] = named(asked.spans, 'ask log');
  for (const each of named(asked.spans, 'process log')) {
    t.is(parentOf(each), question?.spanContext().spanId);
    t.is(each.attributes['messaging.message.id'], question?.attributes['messaging.message.id']);
  }
  t.is(named((await traced(() => multicast(outside, { text: 's' }).delivered, 4)).spans, 'process log').length, 2);
  t.is(named((await traced(() => dispatch(outside as Ref<Message>, { text: 'u' }), 4)).spans, 'process log').length, 2);
});

test.serial("a codec of the user's own may begin a message with any byte, in a trace or not", async (t) => {
  // like a message among members, and like one with its trace
  const codec = (kind: number): Codec => ({
    name: `odd-${kind}`,
    encode: (value) => new Uint8Array([0x1f, kind, ...Buffer.from(JSON.stringify(value))]),
    decode: (bytes) => JSON.parse(Buffer.from(bytes.subarray(2)).toString()) as unknown,
  });
  for (const kind of [1, 5]) {
    const { members, outside } = await domainOf(t, codec(kind));
    const [a] = members;
    t.is(named((await traced(() => multicast(a, { text: 'in' }).stable, 4)).spans, 'process log').length, 2);
    t.is(named((await traced(() => multicast(outside, { text: 'out' }).delivered, 4)).spans, 'process log').length, 2);
    await multicast(outside, { text: 'bare' }).delivered;
    await multicast(a, { text: 'last' }).stable;
    for (const each of members) {
      await eventually(
        async () => (await read(each as GroupRef<never, readonly string[]>, (state) => state)).length === 4,
        'four messages',
      );
    }
  }
});

test('a trace takes 27 bytes, or none; what is no message behind one is refused', (t) => {
  const trace25 = Uint8Array.from({ length: contextBytes }, (_, i) => i + 1);
  const message = Uint8Array.of(0x83, 1, 2, 3);
  const bytes = contextIfFits(trace25, message, 31);
  t.is(bytes.length, message.length + 27);
  t.true(isTraced(bytes, 0));
  t.deepEqual(contextAt(bytes, 0), trace25);
  t.deepEqual(bytes.subarray(messageAt(bytes, 0, bytes.length)), message);
  t.is(contextIfFits(trace25, message, 30), message, 'a message at the limit goes without');
  t.is(messageAt(message, 0, message.length), 0);
  const twice = contextIfFits(trace25, bytes, 1000);
  for (const bad of [bytes.subarray(0, 2), bytes.subarray(0, 26), bytes.subarray(0, 27), twice]) {
    t.throws(() => messageAt(bad, 0, bad.length), { instanceOf: NotDecodable });
  }
});
