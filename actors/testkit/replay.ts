/**
 * Applies messages to a function as one replica does, and takes a digest of the state after each: the part of
 * `expectDeterministic` that runs in a process of its own.
 *
 * That process's `Date` stands still at the time that a replay is given. So what looks at the clock gives the same in two replays
 * of one time and something else at another, and is told from what draws at random.
 */
import { Nobody, type ActorPath, type Logger, type Ref } from 'nact';
import { decode } from '../decoder.js';
import { digestWith } from '../digest.js';
import { encode } from '../encoder.js';
import { createRandom } from '../random.js';
import type { Context, Member, View } from '../types.js';
import { noRefs } from '../wire-format.js';
import { show } from './errors.js';

/** A message of a replay. What it is about its place is the same wherever it is applied. */
export interface Step {
  /** Its index among all messages. */
  readonly index: number;
  readonly from: string;
  readonly message: Uint8Array;
}

/** One replay. */
export interface Replay {
  readonly steps: readonly Step[];
  /** Members' names, oldest first. */
  readonly members: readonly string[];
  /** The replica that this is. */
  readonly rank: number;
  readonly isTotal: boolean;
  /** The encoded state before the first step. */
  readonly state: Uint8Array;
  /** `Date.now()` all the while. */
  readonly clock: number;
}

/** What came of one. */
export interface Replayed {
  /** After each step. */
  readonly digests: readonly string[];
  /** The same states as text. */
  readonly shown: readonly string[];
  /** The last one, encoded; null if it cannot be sent, and why. */
  readonly state: Uint8Array | null;
  readonly why: string;
}

/** A function as a user writes it. */
export type Reducer = (state: unknown, message: unknown, ctx: Context) => unknown;

/** The agreed time of the first message, and from one to the next, in milliseconds. */
const timeOfFirst = 1_700_000_000_000;
const timeStep = 1000;

let clock: number | undefined;

/** Has `Date` stand still at the time of the replay from here on. To be called before the module with the function is loaded. */
export function holdClock(at: number): void {
  clock = at;
  const now = (): number => clock ?? at;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args: unknown[], self) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, self) as object,
    apply: (target) => new target(now()).toString(),
    get: (target, key) => (key === 'now' ? now : (Reflect.get(target, key) as unknown)),
  });
}

/** Applies all messages. A message that makes the function throw leaves the state as it was. */
export async function replay(
  f: Reducer,
  { steps, members, rank, isTotal, state, clock: at }: Replay,
): Promise<Replayed> {
  clock = at;
  const view = viewOf(members, rank);
  const digests: string[] = [];
  const shown: string[] = [];
  let now = decode(state, noRefs);
  for (const [place, { index, from, message }] of steps.entries()) {
    const position = isTotal ? index + 1 : 0;
    const ctx = contextOf(view, from, index, position, timeOfFirst + timeStep * (isTotal ? index : place));
    try {
      now = await f.call(ctx, now, decode(message, noRefs), ctx);
      digests.push(digestWith(noRefs, now));
      shown.push(show(now));
    } catch (error) {
      digests.push(`threw ${String(error)}`);
      shown.push(`it threw ${String(error)}; state ${show(now)}`);
    }
  }
  try {
    return { digests, shown, state: encode(now, noRefs), why: '' };
  } catch (error) {
    return { digests, shown, state: null, why: String(error) };
  }
}

function viewOf(names: readonly string[], rank: number): View {
  const members = names.map((name): Member => ({ name, id: `${name}#1`, ref: new Nobody() }));
  return Object.freeze({
    id: '1',
    group: 'checked',
    members,
    rank,
    coordinator: members[0] as Member,
    joined: members,
    left: [],
    cause: 'founded',
    primary: true,
    previous: null,
  });
}

const silent = Object.fromEntries(
  ['trace', 'debug', 'info', 'warn', 'error', 'critical', 'event', 'exception', 'metric'].map((name) => [
    name,
    () => undefined,
  ]),
) as unknown as Logger;

function contextOf(view: View, from: string, index: number, position: number, time: number): Context {
  const nobody = new Nobody() as Ref<unknown>;
  return {
    parent: nobody,
    path: { parts: ['checked'], system: 'checked' } as unknown as ActorPath,
    self: nobody,
    name: view.group,
    children: new Map(),
    sender: nobody,
    log: silent,
    view,
    from: view.members.find(({ name }) => name === from) as Member,
    client: null,
    position,
    time,
    random: createRandom(`checked ${index}`),
    rank: view.rank,
    me: view.members[view.rank] as Member,
    mine: view.members[view.rank]?.name === from,
    reply: () => undefined,
  };
}
