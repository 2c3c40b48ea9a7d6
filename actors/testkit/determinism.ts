/**
 * Whether a replicated actor's function is one of state, message and context, and of nothing else.
 *
 * The same messages are applied over and over, each time with one thing changed that replicas need not have in common: the
 * process, its clock, what the module has seen before, which member it is, that the state came by a transfer, and the order as far as
 * the group's order leaves it open. Where the states come apart, that one thing is what the function depends on.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createRandom, pick, type Random } from '../../transport/simulation/random.js';
import type { GroupOrder } from '../../lib/membership/state.js';
import { encode } from '../encoder.js';
import { noRefs } from '../wire-format.js';
import { Misused, NotDeterministic } from './errors.js';
import type { Load } from './replay-process.js';
import type { Replay, Replayed, Step } from './replay.js';
import { seedOf } from './seeds.js';

/** What {@link expectDeterministic} is to check. */
export interface DeterminismCheck<Msg = unknown> {
  /** The module that exports the function: `new URL('./stock.js', import.meta.url)`. Each process loads it anew. */
  readonly module: URL;
  /** The name of the export; default `default`. */
  readonly name?: string;
  /** Default: undefined, as for an actor. */
  readonly initialState?: unknown;
  /** In an order in which they could be delivered. */
  readonly messages: readonly Msg[];
  /** Who sends a message: `a`, `b` or `c`. Default: one after the other. */
  readonly from?: (message: Msg, index: number) => 'a' | 'b' | 'c';
  /** The group's order; default `total`. */
  readonly order?: GroupOrder;
  /** Of causal order: the indices of messages that this one's sender had been delivered. Default: none but its own. */
  readonly after?: (message: Msg, index: number) => readonly number[];
  /** How many other orders are tried, of `fifo` and `causal`; default 20. */
  readonly orders?: number;
  /** Draws the other orders. Default: `NACT_GROUPS_SEED`, else 1. */
  readonly seed?: number;
  /** Node.js' options for the processes, for modules that take a loader; default: this one's. */
  readonly execArgv?: readonly string[];
}

const members = ['a', 'b', 'c'] as const;
const ordersDefault = 20;
/** `Date.now()` of replays, and of those at another time. */
const clock = 1_700_000_000_000;
const otherClock = clock + 400 * 24 * 60 * 60 * 1000 + 12_345_678;

/**
 * Applies the messages in several processes, and in one of them twice, and compares the states. Rejects with
 * {@link NotDeterministic}, which says what the function depends on; {@link Misused}.
 *
 * @example
 * await expectDeterministic({ module: new URL('./stock.js', import.meta.url), name: 'stock', initialState: {}, messages });
 */
export async function expectDeterministic<Msg>(check: DeterminismCheck<Msg>): Promise<void> {
  const script = new URL('./replay-process.js', import.meta.url);
  if (check.module.protocol === 'file:' && !existsSync(check.module)) {
    throw new Misused(`module: there is no file ${fileURLToPath(check.module)}`);
  }
  const at = (now: number): Replica => new Replica(script, check, now);
  const [one, two, late, joiner] = [at(clock), at(clock), at(otherClock), at(clock)];
  try {
    const steps = stepsOf(check);
    const whole: Replay = {
      steps,
      members,
      rank: 0,
      isTotal: (check.order ?? 'total') === 'total',
      state: encode(check.initialState, noRefs),
      clock,
    };
    const compare = comparisonOf(check.messages, await one.replay(whole));
    compare(
      await two.replay(whole),
      'Two processes that applied the same messages have different states: the function draws at random, or looks at something ' +
        'that differs from process to process (a measured time, the environment, a file).',
    );
    compare(
      await late.replay({ ...whole, clock: otherClock }),
      'At another time the same messages give another state: the function looks at the clock.',
    );
    compare(
      await one.replay(whole),
      'The same messages, applied once more in the same process, give another state: the function keeps something outside of its ' +
        'state (a variable of its module, say), which a replica that joins later does not have.',
    );
    compare(
      await two.replay({ ...whole, rank: 1 }),
      'At another member the same messages give another state: the function puts into the state what differs between members ' +
        '(ctx.me, ctx.rank, ctx.mine).',
    );
    await checkTransfer(check.messages, whole, one, joiner);
    await checkOrders(check, whole, two);
  } finally {
    for (const replica of [one, two, late, joiner]) replica.end();
  }
}

/** The messages by sender, as they stand. */
function stepsOf<Msg>({ messages, from }: DeterminismCheck<Msg>): readonly Step[] {
  if (messages.length === 0) throw new Misused('messages: there are none, so nothing would be checked');
  return messages.map((message, index) => ({
    index,
    from: from?.(message, index) ?? (members[index % members.length] as string),
    message: encode(message, noRefs),
  }));
}

/** Compares replays of the same steps, those from `first` on, with the first of all. */
function comparisonOf(messages: readonly unknown[], one: Replayed) {
  return (other: Replayed, because: string, first = 0): void => {
    const at = other.digests.findIndex((digest, i) => digest !== one.digests[first + i]);
    if (at < 0) return;
    const states = [one.shown[first + at] as string, other.shown[at] as string] as const;
    throw new NotDeterministic(because, first + at, messages[first + at], states);
  };
}

/** A joiner gets the state in the middle, and goes on from there. */
async function checkTransfer(
  messages: readonly unknown[],
  whole: Replay,
  one: Replica,
  joiner: Replica,
): Promise<void> {
  const middle = Math.ceil(whole.steps.length / 2);
  const before = await one.replay({ ...whole, steps: whole.steps.slice(0, middle) });
  if (before.state === null) {
    throw new NotDeterministic(
      `The state cannot be sent to a joiner: ${before.why}. Give the actor a 'snapshot' and a 'restore', or keep plain values.`,
      middle - 1,
      messages[middle - 1],
      [before.shown.at(-1) as string, 'none'],
    );
  }
  const { state } = before;
  comparisonOf(messages, await one.replay(whole))(
    await joiner.replay({ ...whole, steps: whole.steps.slice(middle), state, rank: 2 }),
    'A replica that joined in the middle and was given the state has another one than those of before: the function keeps something ' +
      'outside of its state, or the state does not survive being sent (an instance of a class, say, comes as a plain object).',
    middle,
  );
}

/** Other orders that the group's order allows have to come to the same end. */
async function checkOrders<Msg>(check: DeterminismCheck<Msg>, whole: Replay, replica: Replica): Promise<void> {
  const { messages, order = 'total', orders = ordersDefault } = check;
  if (order === 'total') return;
  const random = createRandom(seedOf(check.seed));
  const first = await replica.replay(whole);
  for (let i = 0; i < orders; i += 1) {
    const steps = reordered(whole.steps, (index) => check.after?.(messages[index] as Msg, index) ?? [], random, order);
    const other = await replica.replay({ ...whole, steps });
    if (other.digests.at(-1) === first.digests.at(-1)) continue;
    const spelled = steps.map(({ index }) => index).join(', ');
    throw new NotDeterministic(
      `'${order}' order leaves it open how messages of different senders come, and in the order ${spelled} they give another state ` +
        'in the end. Take total order, or a function that does not mind (what is compared includes the order of a Map and a Set).',
      messages.length - 1,
      messages.at(-1),
      [first.shown.at(-1) as string, other.shown.at(-1) as string],
    );
  }
}

/** Another order in which each message comes after what it has to come after. */
function reordered(
  steps: readonly Step[],
  after: (index: number) => readonly number[],
  random: Random,
  order: GroupOrder,
): readonly Step[] {
  const waiting = [...steps];
  const done = new Set<number>();
  const result: Step[] = [];
  while (waiting.length > 0) {
    const heads = waiting.filter(({ from }, i) => waiting.findIndex((other) => other.from === from) === i);
    const free =
      order === 'causal' ? heads.filter(({ index }) => after(index).every((other) => done.has(other))) : heads;
    if (free.length === 0) throw new Misused('after: some messages wait for each other, or for one that there is not');
    const next = pick(random, free);
    waiting.splice(waiting.indexOf(next), 1);
    done.add(next.index);
    result.push(next);
  }
  return result;
}

/** A process with the function, started when it is first needed. */
class Replica {
  #running: { readonly child: ChildProcess; readonly ended: Promise<never> } | undefined;

  constructor(
    private readonly script: URL,
    private readonly check: Pick<DeterminismCheck, 'module' | 'name' | 'execArgv'>,
    /** `Date.now()` while the module is loaded. */
    private readonly clock: number,
  ) {}

  async replay(what: Replay): Promise<Replayed> {
    this.#running ??= this.#start();
    const { child, ended } = this.#running;
    const answer = once(child, 'message') as Promise<[Replayed | { readonly error: string }]>;
    child.send(what);
    const [replayed] = await Promise.race([answer, ended]);
    if ('error' in replayed) throw new Misused(replayed.error);
    return replayed;
  }

  #start(): { readonly child: ChildProcess; readonly ended: Promise<never> } {
    const { module, name = 'default', execArgv = process.execArgv } = this.check;
    const child = fork(this.script, [], { serialization: 'advanced', execArgv: [...execArgv] });
    const ended = once(child, 'exit').then(([code]): never => {
      throw new Misused(`the process with the function has ended (${String(code)}): its output says why`);
    });
    ended.catch(() => undefined);
    const load: Load = { module: module.href, name, clock: this.clock };
    child.send(load);
    return { child, ended };
  }

  end(): void {
    this.#running?.child.kill();
  }
}
