/** However a member or a system ends, its groups are left gracefully, and a silent one is lost to the others. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { dispatch, spawn, stop, type Ref } from 'nact';
import {
  leave,
  leaveDomain,
  memoryHub,
  multicast,
  MulticastFailed,
  NotAMember,
  read,
  ready,
  spawnReplicated,
  status,
  views,
  type GroupRef,
} from '../../actors/index.js';
import type { Packet } from '../../transport/memory.js';
import { append, eventually, first, rememberingLogger, system, viewOf } from './systems.js';

test.serial(
  'leave, stop of the actor, of its parent, of its grandparent and of the system all leave the group',
  async (t) => {
    const hub = memoryHub();
    const stays = spawnReplicated(system(t, hub, 'stays'), append, 'g', { initialState: [] });
    await viewOf(stays, 1);
    for (const way of ['leave', 'stop', 'parent', 'grandparent', 'system', 'domain'] as const) {
      const node = system(t, hub, way);
      let stopped: unknown;
      let ref: GroupRef<number, readonly number[]> | undefined;
      const grandparent = spawn(
        node,
        (state: number, _message: string, ctx) => {
          const parent = spawn(
            ctx.self as Ref<never>,
            (inner: number, _m: string, { self }) => {
              ref = spawnReplicated(self as Ref<never>, append, 'g', {
                initialState: [],
                afterStop: (last) => {
                  stopped = last;
                },
              });
              return inner;
            },
            'parent',
          );
          dispatch(parent, 'go');
          parents.push(parent);
          return state;
        },
        'grandparent',
      );
      const parents: Ref<never>[] = [];
      dispatch(grandparent, 'go');
      await eventually(() => ref !== undefined, 'the member');
      const member = ref as unknown as GroupRef<number, readonly number[]>;
      await viewOf(stays, 2);
      const number = (await read(stays, (state) => state.length)) + 1;
      dispatch(member, number);
      if (way === 'leave') await leave(member);
      else if (way === 'stop') stop(member);
      else if (way === 'parent') stop(parents[0] as Ref<never>);
      else if (way === 'grandparent') stop(grandparent);
      else if (way === 'system') stop(node);
      else await leaveDomain(node);
      const view = await first(views(stays), ({ left }) => left.some(({ name }) => name === way));
      t.is(view.left[0]?.cause, 'left', way);
      await eventually(() => stopped !== undefined, `afterStop by ${way}`);
      t.is((stopped as number[]).at(-1), number, 'its last multicast was delivered, to itself too');
      t.is(await read(stays, (state) => state.at(-1)), number);
    }
  },
);

test.serial(
  'with shutdownAfter a member leaves that hears nothing for so long, and not while messages come',
  async (t) => {
    const hub = memoryHub();
    const stays = spawnReplicated(system(t, hub, 'stays'), append, 'g', { initialState: [] });
    await viewOf(stays, 1);
    const idle = spawnReplicated(system(t, hub, 'idle'), append, 'g', { initialState: [], shutdownAfter: 1000 });
    await viewOf(stays, 2);
    for (let i = 0; i < 15; i++) {
      multicast(stays, i);
      await sleep(100);
    }
    t.is(await read(idle, (state) => state.length), 15);
    t.deepEqual((await first(views(stays), ({ left }) => left.length > 0)).left[0]?.cause, 'left');
  },
);

test.serial('a name is free as soon as its member is stopped; the successor has the state', async (t) => {
  const hub = memoryHub();
  const other = spawnReplicated(system(t, hub, 'other'), append, 'g', { initialState: [] });
  const node = system(t, hub, 'a');
  const one = spawnReplicated(node, append, 'g', { initialState: [] });
  await viewOf(other, 2);
  await multicast(one, 1).stable;
  stop(one);
  const two = spawnReplicated(node, append, 'g', { initialState: [] });
  dispatch(two, 2);
  t.deepEqual(await read(two, (state) => state), [1, 2]);
  await viewOf(two, 2);
  t.throws(() => multicast(one, 3));
  t.is(await first(status(one), () => true), 'left');
});

test.serial(
  'a node that nobody hears is lost to the others, wedges, and comes back as a new life with the state',
  async (t) => {
    let isolated = '';
    const hub = memoryHub(({ from, to }: Packet) => ({
      kind: isolated !== '' && (from === isolated) !== (to === isolated) ? 'drop' : 'pass',
    }));
    const nodes = [];
    for (const name of ['a', 'b', 'c']) {
      const node = system(t, hub, name);
      await ready(node);
      nodes.push(node);
    }
    const refs = nodes.map((node) => spawnReplicated(node, append, 'g', { initialState: [] }));
    const [a, , c] = refs as [GroupRef<number, readonly number[]>, unknown, GroupRef<number, readonly number[]>];
    await Promise.all(refs.map((ref) => viewOf(ref, 3)));
    await multicast(c, 1).stable;
    isolated = 'memory:3';
    const lost = multicast(c, 666);
    const failing = t.throwsAsync(lost.stable, { instanceOf: MulticastFailed });
    t.is((await viewOf(a, 2)).cause, 'failed: c');
    await first(status(c), (value) => value === 'wedged' || value === 'excluded');
    await multicast(a, 2).stable;
    isolated = '';
    await failing;
    await viewOf(a, 3);
    await multicast(c, 3).stable;
    const states = await Promise.all([a, c].map((ref) => read(ref, (state) => state)));
    t.deepEqual(states[1], states[0]);
    t.deepEqual(states[0], [1, 2, 3]);
  },
);

test.serial('with rejoin: false an excluded node stays out, and says so', async (t) => {
  let isolated = '';
  const hub = memoryHub(({ from, to }: Packet) => ({
    kind: isolated !== '' && (from === isolated) !== (to === isolated) ? 'drop' : 'pass',
  }));
  const nodes = [];
  for (const name of ['a', 'b', 'c']) {
    const node = system(t, hub, name, { rejoin: false });
    await ready(node);
    nodes.push(node);
  }
  const refs = nodes.map((node) => spawnReplicated(node, append, 'g', { initialState: [] }));
  await Promise.all(refs.map((ref) => viewOf(ref, 3)));
  isolated = 'memory:3';
  await viewOf(refs[0] as GroupRef<number>, 2);
  const ends = first(status(refs[2] as GroupRef<number>), (value) => value === 'excluded');
  isolated = '';
  t.is(await ends, 'excluded');
  await t.throwsAsync(read(refs[2] as GroupRef<never>, (state) => state));
});

test.serial(
  'an exclusion between a stop and its end: the successor joins once, with numbers of the new life',
  async (t) => {
    let isolated = '';
    const hub = memoryHub(({ from, to }: Packet) => ({
      kind: isolated !== '' && (from === isolated) !== (to === isolated) ? 'drop' : 'pass',
    }));
    const remembered = rememberingLogger();
    const nodes = [];
    for (const name of ['a', 'b', 'c']) {
      const node = system(t, hub, name, name === 'c' ? { logger: remembered.logger } : {});
      await ready(node);
      nodes.push(node);
    }
    const refs = nodes.map((node) => spawnReplicated(node, append, 'g', { initialState: [] }));
    const [a, , c] = refs as [GroupRef<number, readonly number[]>, unknown, GroupRef<number, readonly number[]>];
    await Promise.all(refs.map((ref) => viewOf(ref, 3)));
    await multicast(c, 1).stable;
    isolated = 'memory:3';
    stop(c);
    const next = spawnReplicated(nodes[2] as Ref<unknown>, append, 'g', { initialState: [] });
    const failing = t.throwsAsync(multicast(next, 666).stable, { instanceOf: MulticastFailed });
    t.is((await viewOf(a, 2)).cause, 'failed: c');
    isolated = '';
    await failing;
    await viewOf(a, 3);
    await multicast(next, 2).stable;
    t.deepEqual(await read(next, (state) => state), [1, 2]);
    t.deepEqual(await read(a, (state) => state), [1, 2]);
    t.deepEqual(
      remembered.lines.filter((line) => line.startsWith('error')),
      [],
    );
    t.is(remembered.lines.filter((line) => line.includes('starts anew')).length, 1);
  },
);

test.serial(
  'a node whose members cannot get through with their messages leaves all the same within 10 s',
  async (t) => {
    t.timeout(60_000);
    const hub = memoryHub();
    const stays = spawnReplicated(system(t, hub, 'stays'), append, 'slow', { initialState: [] });
    const remembered = rememberingLogger();
    const node = system(t, hub, 'goes', { logger: remembered.logger });
    const stuck = spawnReplicated(node, () => new Promise<number>(() => undefined), 'stuck', { initialState: 0 });
    const slowly = (state: readonly number[], message: number) =>
      new Promise<readonly number[]>((resolve) => setTimeout(resolve, 100, append(state, message)));
    const slow = spawnReplicated(node, slowly, 'slow', { initialState: [] });
    await Promise.all([viewOf(stays, 2), viewOf(stuck, 1)]);
    const one = multicast(stuck, 1);
    multicast(stuck, 2);
    const receipts = Array.from({ length: 260 }, (_, number) => multicast(slow, number));
    const last = receipts.at(-1) as (typeof receipts)[number];
    const early = receipts[0] as (typeof receipts)[number];
    const [failing, stuckFailing] = [last, one].map(({ delivered }) =>
      t.throwsAsync(delivered, { instanceOf: MulticastFailed, message: /before its own member had applied it/ }),
    );
    const reading = t.throwsAsync(
      read(slow, (state) => state, { linearizable: true }),
      { instanceOf: NotAMember },
    );
    await early.delivered;
    const from = performance.now();
    await leaveDomain(node);
    const millis = performance.now() - from;
    t.true(millis > 5000 && millis < 11_000, `it took ${millis} ms`);
    await Promise.all([failing, stuckFailing, reading, one.stable, last.stable, last.accepted]);
    await t.throwsAsync(last.delivered, { instanceOf: MulticastFailed });
    const warnings = remembered.lines.filter((line) => line.startsWith('warn'));
    t.true(warnings.some((line) => /'stuck' is left with 1 messages not applied here.*one more/.test(line)));
    const [, count] = /'slow' is left with (\d+) messages not applied here/.exec(warnings.join('\n')) ?? [];
    t.true(Number(count) > 100 && Number(count) < 260, warnings.join('\n'));
    t.is(await read(stays, (state) => state.length), 260, 'the others have all of them');
    t.is(await first(status(stuck), () => true), 'left');
  },
);
