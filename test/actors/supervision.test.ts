/** Supervision as nact has it, item by item, with its meaning for a group. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dispatch, spawn, type Ref } from 'nact';
import {
  memoryHub,
  multicast,
  read,
  spawnMember,
  spawnReplicated,
  status,
  views,
  type Codec,
  type Context,
  type GroupRef,
  type MemoryHub,
  type ReplicatedProps,
} from '../../actors/index.js';
import { append, eventually, first, system, viewOf } from './systems.js';

type Numbers = readonly number[];

/** Throws on 13. */
const fussy = (state: Numbers, message: number): Numbers => {
  if (message === 13) throw new Error('thirteen');
  return [...state, message];
};

function member(
  t: ExecutionContext,
  hub: MemoryHub,
  name: string,
  props: ReplicatedProps<Numbers, number> = {},
  f = fussy,
): GroupRef<number, Numbers> {
  return spawnReplicated(system(t, hub, name), f, 'g', { initialState: [], ...props });
}

test.serial('resume: onCrash sees the one message that threw, and the next goes on', async (t) => {
  const crashes: unknown[] = [];
  const ref = member(t, memoryHub(), 'a', {
    onCrash: (message, error, ctx) => {
      crashes.push([message, (error as Error).message, ctx.mailbox.length]);
      return ctx.resume;
    },
  });
  for (const message of [1, 13, 2, 3]) dispatch(ref, message);
  t.deepEqual(await read(ref, (state) => state), [1, 2, 3]);
  t.is(crashes.length, 1);
  t.deepEqual((crashes[0] as unknown[]).slice(0, 2), [13, 'thirteen']);
});

test.serial(
  'delivered means done with: also for a message that threw, and for one that no codec could read',
  async (t) => {
    const codec: Codec = {
      name: 'one digit',
      encode: (message) => Uint8Array.of(message as number),
      decode: (bytes) => {
        if (bytes[0] === 99) throw new Error('no message');
        return bytes[0];
      },
    };
    const ref = member(t, memoryHub(), 'a', { codec, onCrash: (_message, _error, ctx) => ctx.resume });
    const receipts = [1, 13, 99, 2].map((message) => multicast(ref, message));
    t.deepEqual(await Promise.all(receipts.map(({ delivered }) => delivered)), [1, 2, 3, 4]);
    t.deepEqual(await read(ref, (state) => state), [1, 2]);
  },
);

test.serial('the mailbox of a supervisor holds the messages that wait', async (t) => {
  const mailboxes: (readonly unknown[])[] = [];
  const hub = memoryHub();
  let open = false;
  const ref = member(t, hub, 'a', {
    onView: async () => {
      while (!open) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    onCrash: (_message, _error, ctx) => {
      mailboxes.push(ctx.mailbox);
      return ctx.resume;
    },
  });
  for (const message of [13, 1, 2]) dispatch(ref, message);
  // behind the view that is held up
  await multicast(ref, 3).accepted;
  open = true;
  t.deepEqual(await read(ref, (state) => state), [1, 2, 3]);
  t.deepEqual(mailboxes, [[1, 2, 3]]);
});

test.serial('stop: the replica leaves its group, and the others go on', async (t) => {
  const hub = memoryHub();
  let stopped: unknown;
  const a = member(t, hub, 'a', { onCrash: (_message, _error, ctx) => ctx.resume });
  const b = member(t, hub, 'b', {
    onCrash: (_message, _error, ctx) => ctx.stop,
    afterStop: (state) => {
      stopped = state;
    },
  });
  await viewOf(a, 2);
  await multicast(a, 1).stable;
  await multicast(a, 13).stable;
  const after = await first(views(a), (view) => view.left.length > 0);
  t.is(after.cause, 'left: b');
  await multicast(a, 2).stable;
  t.deepEqual(await read(a, (state) => state), [1, 2]);
  await eventually(() => stopped !== undefined, 'afterStop');
  t.deepEqual(stopped, [1]);
  await t.throwsAsync(read(b, (state) => state));
});

test.serial("nact's default policy stops", async (t) => {
  const log = console.log;
  console.log = () => undefined;
  t.teardown(() => {
    console.log = log;
  });
  const ref = member(t, memoryHub(), 'a');
  dispatch(ref, 13);
  await first(status(ref), (value) => value === 'left');
  t.pass();
});

test.serial('reset: a replica fetches the state anew from the group, and loses no message', async (t) => {
  const hub = memoryHub();
  let poisoned = false;
  const a = member(t, hub, 'a', {}, append);
  const b = member(t, hub, 'b', { onCrash: (_message, _error, ctx) => ctx.reset }, (state, message) => {
    if (message === 13 && !poisoned) {
      poisoned = true;
      throw new Error('once');
    }
    return [...state, message];
  });
  await viewOf(a, 2);
  for (let i = 0; i < 10; i++) dispatch(a, i);
  dispatch(a, 13);
  await viewOf(a, 1);
  await first(status(b), (value) => value === 'joining');
  // sent while it is out: waits
  dispatch(b, 100);
  await viewOf(a, 2);
  await multicast(a, 200).stable;
  const states = await Promise.all([a, b].map((ref) => read(ref, (state) => state)));
  t.deepEqual(states[1], states[0]);
  t.deepEqual(
    [...(states[0] ?? [])].sort((x, y) => x - y),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 100, 200],
  );
});

test.serial('reset: the last member of a group starts from its initial state', async (t) => {
  const ref = member(t, memoryHub(), 'a', { initialState: [-1], onCrash: (_message, _error, ctx) => ctx.reset });
  for (const message of [1, 13, 2]) dispatch(ref, message);
  t.deepEqual(await read(ref, (state) => state), [-1, 2]);
});

test.serial('reset: a plain member starts from its own initial state', async (t) => {
  const hub = memoryHub();
  const refs = ['a', 'b'].map((name) =>
    spawnMember(system(t, hub, name), fussy, 'g', {
      initialStateFunc: () => [0],
      onCrash: (_message, _error, ctx) => ctx.reset,
    }),
  );
  await viewOf(refs[0] as GroupRef<number>, 2);
  for (const message of [1, 13, 2]) await multicast(refs[0] as GroupRef<number>, message).stable;
  for (const ref of refs) t.deepEqual(await read(ref, (state) => state), [0, 2]);
});

test.serial('escalate: the parent decides', async (t) => {
  for (const decision of ['stop', 'resume', 'resetChild', 'stopChild'] as const) {
    const node = system(t, memoryHub(), 'a');
    let child: GroupRef<number, Numbers> | undefined;
    const seen: unknown[] = [];
    const parent = spawn(
      node,
      (state: number, _message: string, ctx) => {
        child ??= spawnReplicated(ctx.self as Ref<never>, fussy, 'g', {
          initialState: [],
          onCrash: (_m, _error, { escalate }) => escalate,
        });
        return state + 1;
      },
      'parent',
      {
        onCrash: (message: unknown, _error: unknown, ctx: unknown) => {
          seen.push(message);
          return (ctx as Record<string, symbol>)[decision] as unknown as symbol;
        },
      },
    );
    dispatch(parent, 'spawn');
    await eventually(() => child !== undefined, 'the child');
    const ref = child as unknown as GroupRef<number, Numbers>;
    for (const message of [1, 13, 2]) dispatch(ref, message);
    if (decision === 'stop' || decision === 'stopChild') await first(status(ref), (value) => value === 'left');
    else t.deepEqual(await read(ref, (state) => state), decision === 'resume' ? [1, 2] : [2]);
    t.deepEqual(seen, [13], decision);
  }
});

test.serial('stopAll and resetAll reach the siblings', async (t) => {
  const node = system(t, memoryHub(), 'a');
  const one = spawnReplicated(node, fussy, 'one', {
    initialState: [],
    onCrash: (_message, _error, ctx) => ctx.resetAll,
  });
  const two = spawnReplicated(node, append, 'two', { initialState: [7] as Numbers });
  await multicast(two, 1).stable;
  await multicast(one, 13).stable;
  await eventually(async () => (await read(two, (state) => state.length)) === 1, 'the reset of the sibling');
  t.deepEqual(await read(two, (state) => state), [7]);
  const three = spawnReplicated(node, fussy, 'three', {
    initialState: [],
    onCrash: (_message, _error, ctx) => ctx.stopAll,
  });
  dispatch(three, 13);
  await Promise.all([two, three].map((ref) => first(status(ref), (value) => value === 'left')));
});

test.serial('what an asynchronous function, onView or onDirect throws is a crash too', async (t) => {
  const crashes: unknown[] = [];
  const hub = memoryHub();
  let views = 0;
  const ref = spawnReplicated(
    system(t, hub, 'a'),
    async (state: Numbers, message: number, _ctx: Context) => {
      await Promise.resolve();
      return fussy(state, message);
    },
    'g',
    {
      initialState: [],
      onView: () => {
        if (++views === 1) throw new Error('view');
      },
      onDirect: async () => Promise.reject(new Error('direct')),
      onCrash: (message, error, ctx) => {
        crashes.push([message, (error as Error).message]);
        return ctx.resume;
      },
    },
  );
  const view = await first(status(ref), (value) => value === 'active');
  t.is(view, 'active');
  for (const message of [13, 5]) dispatch(ref, message);
  t.deepEqual(await read(ref, (state) => state), [5]);
  await viewOf(spawnReplicated(system(t, hub, 'b'), append, 'g', { initialState: [] }), 2);
  const both = await viewOf(ref, 2);
  dispatch(both.members[0]?.ref as Ref<unknown>, 'x');
  await eventually(() => crashes.length === 3, 'three crashes');
  t.deepEqual(crashes, [
    [undefined, 'view'],
    [13, 'thirteen'],
    ['x', 'direct'],
  ]);
});
