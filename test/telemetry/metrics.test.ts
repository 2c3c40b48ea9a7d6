/** What a node's metrics show, by OpenTelemetry's own SDK and by prom-client's own registry. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type Histogram,
} from '@opentelemetry/sdk-metrics';
import test, { type ExecutionContext } from 'ava';
import type { Ref } from 'nact';
import { Registry } from 'prom-client';
import {
  InvalidOption,
  domain,
  leaveDomain,
  memoryHub,
  multicast,
  ready,
  spawnReplicated,
  type GroupRef,
} from '../../actors/index.js';
import { instrument } from '../../actors/telemetry/index.js';
import { metrics } from '../../actors/telemetry/metrics.js';
import { registerMetrics } from '../../actors/telemetry/prometheus.js';
import { senderForgottenAfter } from '../../lib/limits.js';
import { append, cuttable, eventually, first, system, viewOf } from '../actors/systems.js';

const initialState: readonly number[] = [];

/** The real SDK, and what it would export now. */
function collector(t: ExecutionContext) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  t.teardown(() => meterProvider.shutdown());
  /** The values of a metric at a node, by what else tells its series apart. */
  const collect = async (name: string, node: string): Promise<Map<string, number | Histogram>> => {
    await reader.forceFlush();
    const [scope] = exporter.getMetrics().at(-1)?.scopeMetrics ?? [];
    exporter.reset();
    t.is(scope?.scope.name, 'nact-groups');
    const found = scope?.metrics.find(({ descriptor }) => descriptor.name === name);
    const points = (found?.dataPoints ?? []).filter(({ attributes }) => attributes['node'] === node);
    return new Map(
      points.map(({ attributes, value }) => {
        const { node: _, 'nact_groups.domain': __, ...rest } = attributes;
        return [Object.values(rest).join(' '), value as number | Histogram];
      }),
    );
  };
  const value = async (name: string, node: string, by = '') => (await collect(name, node)).get(by);
  return { meterProvider, collect, value };
}

test('OpenTelemetry: views, traffic, durations and batches; a lost node shows as suspicion, unstable bytes and a wedge', async (t) => {
  const { hub, cut } = cuttable(t);
  const { meterProvider, collect, value } = collector(t);
  const [a, b, c] = [system(t, hub, 'a'), system(t, hub, 'b'), system(t, hub, 'c')];
  instrument(a, { meterProvider, attributes: { node: 'a' } });
  instrument(b, { meterProvider, attributes: { node: 'b' } });
  await Promise.all([ready(a), ready(b), ready(c)]);
  const one = spawnReplicated(a, append, 'list', { initialState, whileWedged: 'queue' });
  await viewOf(one, 1);
  const two = spawnReplicated(b, append, 'list', { initialState });
  await viewOf(one, 2);
  spawnReplicated(c, append, 'list', { initialState });
  await Promise.all([viewOf(one, 3), viewOf(two, 3)]);
  const receipts = Array.from({ length: 50 }, (_, i) => multicast(one, i));
  await Promise.all(receipts.map(({ stable }) => stable));
  await Promise.all(receipts.map(({ delivered }) => delivered));

  t.is(await value('nact_groups.view.changes', 'a', 'list'), 3);
  t.is(await value('nact_groups.members', 'a', 'list'), 3);
  t.is(await value('nact_groups.nodes', 'b'), 3);
  t.true(((await value('nact_groups.multicasts', 'a', 'list')) as number) >= 50);
  t.is((await value('nact_groups.multicasts', 'b', 'list')) ?? 0, 0);
  const deliveries = async () => (await value('nact_groups.deliveries', 'b', 'list')) as number;
  t.true((await deliveries()) >= 50);
  const batches = async () => (await value('nact_groups.delivery.batch.size', 'b', 'list')) as Histogram;
  // the members may say something among themselves meanwhile
  await eventually(async () => (await batches()).sum === (await deliveries()), 'each delivery in a batch');
  t.true((await batches()).count < 50, 'the multicasts of one turn are delivered together');
  for (const name of ['nact_groups.delivery.duration', 'nact_groups.stability.duration']) {
    const { count, sum = -1 } = (await value(name, 'a', 'list')) as Histogram;
    t.true(count >= 1 && sum > 0 && sum < 60, name);
  }
  for (const way of ['transmit', 'receive']) {
    t.true(((await value('nact_groups.network.packets', 'b', way)) as number) > 0, way);
  }
  t.is(await value('nact_groups.suspicions', 'a'), 0);
  t.is(await value('nact_groups.wedged', 'a'), 0);
  t.is(await value('nact_groups.unstable.size', 'a', 'list'), 0);
  // a window that has not been used for so long is no larger the next time
  await sleep(2 * senderForgottenAfter);
  const credit = (await value('nact_groups.credit', 'a')) as number;
  t.true(credit > 0);

  cut(a);
  multicast(one, 50);
  await eventually(
    async () => ((await value('nact_groups.unstable.size', 'a', 'list')) as number) > 0,
    'unstable bytes',
  );
  t.true(((await value('nact_groups.credit', 'a')) as number) < credit);
  await eventually(async () => (await value('nact_groups.wedged', 'a')) === 1, 'a is wedged');
  t.is(await value('nact_groups.suspicions', 'a'), 2);
  t.is(await value('nact_groups.nodes.suspected', 'a'), 2);
  multicast(one, 51);
  await eventually(async () => ((await value('nact_groups.queue.length', 'a', 'list')) as number) > 0, 'a queue');

  // every metric there is, and no series by node or member
  for (const { name, kind } of Object.values(metrics)) {
    const series = [...(await collect(name, 'a')).keys()];
    t.true(series.length > 0, `${kind} ${name}`);
    t.true(
      series.every((each) => ['', 'list', 'transmit', 'receive', 'malformed', 'foreign', 'unknown'].includes(each)),
    );
  }
});

test('counters go on through the lives of a node', async (t) => {
  let isCut = false;
  const hub = memoryHub(({ from, to }) => ({ kind: isCut && (from === away || to === away) ? 'drop' : 'pass' }));
  let away = '';
  const { meterProvider, value } = collector(t);
  const three = ['a', 'b', 'c'].map((name) => system(t, hub, name));
  const c = three[2] as Ref<unknown>;
  instrument(c, { meterProvider, attributes: { node: 'c' } });
  await Promise.all(three.map((each) => ready(each)));
  const list = three.map((each) => spawnReplicated(each, append, 'list', { initialState }));
  await Promise.all(list.map((each) => viewOf(each, 3)));
  const before = (await value('nact_groups.network.packets', 'c', 'transmit')) as number;
  const views = (await value('nact_groups.view.changes', 'c', 'list')) as number;
  const { nodes } = await first(domain(c).views, () => true);
  away = nodes.find(({ id }) => id === domain(c).self)?.address ?? '';
  isCut = true;
  await viewOf(list[0] as GroupRef<never>, 2);
  isCut = false;
  let last = before;
  await eventually(async () => {
    const now = (await value('nact_groups.network.packets', 'c', 'transmit')) as number;
    t.true(now >= last);
    last = now;
    return ((await value('nact_groups.view.changes', 'c', 'list')) as number) > views;
  }, 'c is back');
  t.true(last > before);
});

test('prom-client: one registry for several nodes, read when it is scraped', async (t) => {
  let isLossy = false;
  let datagrams = 0;
  const hub = memoryHub(({ kind }) => ({
    kind: isLossy && kind !== 'stream' && ++datagrams % 3 === 0 ? 'drop' : 'pass',
  }));
  const registry = new Registry();
  const [a, b] = [system(t, hub, 'a'), system(t, hub, 'b')];
  registerMetrics(a, registry, { node: 'a' });
  const end = registerMetrics(b, registry, { node: 'b' });
  await Promise.all([ready(a), ready(b)]);
  const one = spawnReplicated(a, append, 'list', { initialState });
  const two = spawnReplicated(b, append, 'list', { initialState });
  await Promise.all([viewOf(one, 2), viewOf(two, 2)]);
  let text = '';
  const of = (name: string, labels: string) =>
    Number(new RegExp(`^${name}\\{${labels}\\} (\\S+)$`, 'm').exec(text)?.[1]);
  const atA = 'node="a",nact_groups_domain="d"';
  isLossy = true;
  await eventually(async () => {
    await multicast(one, 1).stable;
    text = await registry.metrics();
    return ['a', 'b'].some(
      (node) => of('nact_groups_retransmissions_total', `node="${node}",nact_groups_domain="d"`) > 0,
    );
  }, 'a retransmission');
  isLossy = false;
  t.is(of('nact_groups_members', `${atA},nact_groups_group="list"`), 2, text);
  t.is(of('nact_groups_nodes', 'node="b",nact_groups_domain="d"'), 2);
  t.true(of('nact_groups_view_changes_total', `${atA},nact_groups_group="list"`) >= 1);
  t.true(of('nact_groups_network_packets_total', `${atA},network_io_direction="transmit"`) > 0);
  t.true(of('nact_groups_network_io_bytes_total', `${atA},network_io_direction="transmit"`) > 0);
  t.true(of('nact_groups_credit_bytes', atA) > 0);
  t.true(of('nact_groups_stability_duration_seconds_count', `${atA},nact_groups_group="list"`) >= 1);
  const sent = of('nact_groups_multicasts_total', `${atA},nact_groups_group="list"`);
  await multicast(one, 20).stable;
  text = await registry.metrics();
  t.is(of('nact_groups_multicasts_total', `${atA},nact_groups_group="list"`), sent + 1);
  end();
  t.notRegex(await registry.getSingleMetricAsString('nact_groups_nodes'), /node="b"/);
  await leaveDomain(a);
  await eventually(() => registry.getMetricsAsArray().length === 0, 'an empty registry');
});

test('who stops it is told nothing more; an option that there is not is refused', async (t) => {
  const { meterProvider, collect, value } = collector(t);
  const a = system(t, memoryHub(), 'a');
  const end = instrument(a, { meterProvider, attributes: { node: 'a' } });
  await ready(a);
  t.is(await value('nact_groups.nodes', 'a'), 1);
  end();
  await viewOf(spawnReplicated(a, append, 'list', { initialState }), 1);
  t.is((await collect('nact_groups.members', 'a')).size, 0);
  t.throws(() => instrument(a, { meter: 1 } as never), { instanceOf: InvalidOption, message: /no option 'meter'/ });
});
