/** A node whose address is gone while it has another: it begins a new life there once the domain has gone on without it, not before. */
import test from 'ava';
import { domain, leaveDomain, memory, multicast, read, spawnReplicated, type MemoryHub } from '../../actors/index.js';
import type { TransportFactory, TransportHandlers } from '../../transport/transport.js';
import { append, cuttable, eventually, rememberingLogger, system, viewOf } from './systems.js';

/** Transports on a hub, and what they tell and were told. */
function watched(hub: MemoryHub) {
  const opened: TransportHandlers[] = [];
  let closed = 0;
  const transport: TransportFactory = async (name, handlers) => {
    const inner = await memory(hub)(name, handlers);
    opened.push(handlers);
    const close = inner.close.bind(inner);
    let isClosed = false;
    return Object.assign(inner, {
      close: () => {
        if (!isClosed) closed += 1;
        isClosed = true;
        return close();
      },
    });
  };
  return { transport, opened, closed: () => closed };
}

test('a node that has moved begins a new life when it hears that the others have gone on', async (t) => {
  const { hub, cut } = cuttable(t);
  const { transport, opened, closed } = watched(hub);
  const { logger, lines } = rememberingLogger();
  const nodes = [system(t, hub, 'a'), system(t, hub, 'b'), system(t, hub, 'c', { transport, logger })];
  const refs = nodes.map((node) => spawnReplicated(node, append, 'g', { initialState: [] }));
  await Promise.all(refs.map((ref) => viewOf(ref, 3)));
  const [a, , c] = refs as [(typeof refs)[0], unknown, (typeof refs)[0]];
  await multicast(a, 1).stable;
  const former = domain(nodes[2] as (typeof nodes)[0]).self;
  cut(nodes[2] as (typeof nodes)[0]);
  opened[0]?.moved('10.0.0.1 is gone from eth0, which has 10.0.0.2 now');
  // as it does at each look
  opened[0]?.moved('10.0.0.1 is gone from eth0, which has 10.0.0.2 now');
  await viewOf(a, 2);
  await Promise.all([a, c].map((ref) => viewOf(ref, 3)));
  t.not(domain(nodes[2] as (typeof nodes)[0]).self, former);
  await multicast(c, 2).stable;
  await eventually(async () => (await read(c, (state) => state.length)) === 2, 'the state at its new address');
  t.is(opened.length, 2);
  t.is(closed(), 1);
  t.true(lines.some((line) => /^warn .*10\.0\.0\.2 now: c#\d+ waits to hear from the others at/.test(line)));
});

test('a node that moves again after a new life began moves as the first time', async (t) => {
  const { hub, cut } = cuttable(t);
  const { transport, opened, closed } = watched(hub);
  const { logger, lines } = rememberingLogger();
  const nodes = [system(t, hub, 'a'), system(t, hub, 'b'), system(t, hub, 'c', { transport, logger })];
  const refs = nodes.map((node) => spawnReplicated(node, append, 'g', { initialState: [] }));
  await Promise.all(refs.map((ref) => viewOf(ref, 3)));
  const [a, , c] = refs as [(typeof refs)[0], unknown, (typeof refs)[0]];
  for (const [at, why] of ['its first address is gone', 'its second address is gone'].entries()) {
    cut(nodes[2] as (typeof nodes)[0]);
    opened[at]?.moved(why);
    await eventually(() => Promise.resolve(opened.length === at + 2), 'another transport');
    // as it does at each look
    opened[at]?.moved(why);
    opened[at]?.moved(why);
    await viewOf(a, 2);
    await Promise.all([a, c].map((ref) => viewOf(ref, 3)));
    t.true(lines.some((line) => line.includes(`starts anew as ${domain(nodes[2] as (typeof nodes)[0]).self}: ${why}`)));
  }
  await multicast(c, 1).stable;
  t.is(opened.length, 3);
  t.is(closed(), 2);
});

test('a node that has moved and hears nobody keeps its life and its state, and leaves both addresses', async (t) => {
  const { hub } = cuttable(t);
  const { transport, opened, closed } = watched(hub);
  const { logger, lines } = rememberingLogger();
  const node = system(t, hub, 'a', { transport, logger });
  const ref = spawnReplicated(node, append, 'g', { initialState: [] });
  await multicast(ref, 1).stable;
  const { self } = domain(node);
  opened[0]?.moved('its address is gone');
  await eventually(() => Promise.resolve(lines.some((line) => /waits to hear/.test(line))), 'word of it');
  // what is no packet, and what is of nobody in a later state
  opened[1]?.datagram(new Uint8Array(5), 'memory-9');
  await multicast(ref, 2).stable;
  t.is(domain(node).self, self);
  t.deepEqual(await read(ref, (state) => state), [1, 2]);
  await leaveDomain(node);
  t.is(closed(), 2);
});

test('a transport that cannot be opened at the new address is tried again when that is told again', async (t) => {
  const { hub } = cuttable(t);
  const { transport, opened } = watched(hub);
  const { logger, lines } = rememberingLogger();
  let isBroken = false;
  const node = system(t, hub, 'a', {
    transport: (name, handlers) =>
      isBroken ? Promise.reject(new Error('no such interface')) : transport(name, handlers),
    logger,
  });
  const ref = spawnReplicated(node, append, 'g', { initialState: [] });
  await multicast(ref, 1).stable;
  isBroken = true;
  opened[0]?.moved('its address is gone');
  await eventually(
    () => Promise.resolve(lines.some((line) => /no such interface; it is tried again/.test(line))),
    'word',
  );
  isBroken = false;
  opened[0]?.moved('its address is gone');
  await eventually(() => Promise.resolve(lines.some((line) => /waits to hear/.test(line))), 'word of it');
  t.is(opened.length, 2);
});
