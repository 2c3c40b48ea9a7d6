/**
 * Where chaos is made: members under load, on this machine's loopback or one on each host, each of whose lives is traced; and
 * what is measured there afterwards, all of it from the traces.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from './hosts.js';
import { isActive, isViewOf, startMember, type Event, type MemberProcess } from '../trials/member-process.js';
import { run } from '../trials/run.js';
import { watchStalls, type Stalls } from './stalls.js';
import { cli, freshDomain, monotonic, type Stage } from '../trials/stage.js';

/** Multicasts a second of each member, half of them in total order and half in fifo. */
const rate = 40;
const load = [
  `send 10000000 --size 128 --order total --rate ${rate / 2}`,
  `send 10000000 --size 128 --order fifo --rate ${rate / 2}`,
];
/** Whatever happens, members are together again in this time, in milliseconds. */
const patience = 90_000;
const checkMillisMax = 10 * 60 * 1000;
/** Where members listen, one on each host. */
export const tcpPort = 7400;
/** A process takes what it needs for its code in its first seconds; growth can be told in lives that last longer than both. */
const warmUp = 20_000;
const tellingMillis = 30_000;

/** How members on hosts reach each other: UDP multicast over IPv4 or IPv6, or a mesh of TCP connections. */
export type Way = 'udp' | 'udp6' | 'tcp';

/** Members of one group. */
export interface Ground {
  readonly stage: Stage;
  readonly members: Map<string, MemberProcess>;
  /** Starts a member, once more if it was there before. What is put before its command says where or how it runs. */
  readonly start: (name: string, prefix?: readonly string[]) => MemberProcess;
  /** Starts a member's load. */
  readonly load: (name: string) => void;
  /** Starts the load anew of those who were excluded, and whose sends have ended by that. */
  reload(): void;
  /** SIGKILL. */
  readonly kill: (name: string) => Promise<void>;
  /** Waits until exactly these are each other's view, wherever they are, with the state. */
  together(names: readonly string[], from?: number): Promise<void>;
  /** Waits until one of these says that it has wedged, or is excluded. */
  cutOff(names: readonly string[], from: number): Promise<void>;
  /** What happens from here on until the end that is returned; these are in the primary view all the while. */
  episode(survivors: readonly string[]): () => void;
  /** From that time on, survivors are to have views without a member that was killed then. */
  missed(name: string, survivors: readonly string[], at: number): void;
  /** The time from then until now counts as silence. */
  took(from: number): void;
  /** Ends the load, compares digests, ends all members, and reads the traces. */
  conclude(): Promise<Outcome>;
}

/** What a run came to. */
export interface Outcome {
  /** The longest time in which a survivor delivered nothing in total order, of each episode. */
  readonly silences: readonly Span[];
  /** How long until all survivors had a view without who was killed. */
  readonly views: readonly Span[];
  /** What the checker found, and what else is wrong; empty if all is well. */
  readonly violations: readonly string[];
  /** The most memory that one member had, in bytes. */
  readonly memory: number;
  /** By how much the memory of one life rose, that lasted long enough to tell, from its beginning to its end, in bytes. */
  readonly growth: number;
  /** Total multicasts that were delivered, at all members together. */
  readonly deliveries: number;
  /** Domains that were founded. */
  readonly foundings: number;
}

/** A time, and for how long the machine kept a member waiting meanwhile, in milliseconds. */
export interface Span {
  readonly millis: number;
  readonly stall: number;
}

/** Where and how members run; see `Scenario`. */
export interface Where {
  readonly hosts?: readonly Host[];
  readonly over?: Way;
  readonly seeds?: readonly string[];
  readonly flags?: (name: string) => readonly string[];
  readonly prefix?: readonly string[];
}

interface Missed {
  readonly name: string;
  readonly survivors: readonly MemberProcess[];
  readonly at: number;
}

interface Episode {
  readonly from: number;
  to: number;
  readonly survivors: readonly MemberProcess[];
}

/** Starts members with these names, each on its host if there are hosts, under load, together. */
export async function openGround(stage: Stage, names: readonly string[], where: Where = {}): Promise<Ground> {
  const domain = freshDomain();
  const members = new Map<string, MemberProcess>();
  const everybody: MemberProcess[] = [];
  /** How many events there were when its load was started. */
  const loadedAt = new Map<MemberProcess, number>();
  const episodes: Episode[] = [];
  const deaths: Missed[] = [];
  const times: Interval[] = [];
  const stalls = watchStalls();
  stage.defer(stalls.end);
  const start = (name: string, prefix: readonly string[] = []): MemberProcess => {
    const host = where.hosts?.find((each) => each.name === name);
    const flags = ['--trace', path.join(stage.folder, `${name}.jsonl`), ...(where.flags?.(name) ?? [])];
    if (host) flags.push('--insecure', ...transportFlags(host, where));
    const before = [...(host?.prefix ?? []), ...(where.prefix ?? []), ...prefix];
    const member = startMember(stage, name, domain, flags, before);
    members.set(name, member);
    everybody.push(member);
    if (member.child.pid !== undefined) stalls.watch(member.child.pid);
    return member;
  };
  const get = (name: string) => members.get(name) as MemberProcess;
  const together = async (wanted: readonly string[], from = 0): Promise<void> => {
    const fits = isViewOf(wanted);
    await Promise.all(
      wanted.map(async (name) => {
        const { events } = get(name);
        // the latest view, from then on, and active
        const until = monotonic() + patience;
        while (monotonic() < until) {
          const view = events.findLast(({ event }) => event === 'view');
          const status = events.findLast(({ event }) => event === 'status');
          if (view && view.at >= from && fits(view) && status && isActive(status)) return;
          await sleep(5);
        }
        const last = events.slice(-4).map((event) => JSON.stringify(event));
        throw new Error(
          `${name} is not in a view of ${wanted.join(', ')} within ${patience} ms; last: ${last.join(' ')}`,
        );
      }),
    );
  };
  names.forEach((name) => start(name));
  await together(names);
  const ground: Ground = {
    stage,
    members,
    start,
    load(name) {
      loadedAt.set(get(name), get(name).events.length);
      for (const line of load) get(name).command(line);
    },
    reload() {
      for (const [name, member] of members) {
        const since = member.events.slice(loadedAt.get(member) ?? Infinity);
        const isOut = since.some(({ event, status }) => event === 'status' && status === 'excluded');
        const ended = since.filter(({ event, command, ok }) => event === 'done' && command === 'send' && ok === false);
        if (isOut && ended.length >= load.length) ground.load(name);
      }
    },
    kill: async (name) => {
      get(name).child.kill('SIGKILL');
      await get(name).exited;
    },
    together,
    cutOff: async (some, from) => {
      const isOut = ({ at, event, status }: Event) =>
        at >= from && event === 'status' && (status === 'wedged' || status === 'excluded');
      await Promise.all(some.map((name) => get(name).event(isOut, 'word of being cut off')));
    },
    episode: (survivors) => {
      const episode: Episode = { from: monotonic(), to: Infinity, survivors: survivors.map(get) };
      episodes.push(episode);
      return () => {
        episode.to = monotonic();
      };
    },
    missed: (name, survivors, at) => void deaths.push({ name, survivors: survivors.map(get), at }),
    took: (from) => void times.push([from, monotonic()]),
    async conclude() {
      const { lives, violations } = await settle(ground);
      return measure(lives, violations, { everybody, episodes, deaths, times, stalls });
    },
  };
  names.forEach(ground.load);
  await sleep(250);
  return ground;
}

/** How a member on a host reaches the others. */
function transportFlags({ address, address6 }: Host, { hosts = [], over = 'udp', seeds = [] }: Where): string[] {
  if (over !== 'tcp') return ['--interface', over === 'udp' ? 'eth0' : address6];
  const all = [...hosts.map((each) => `${each.address}:${tcpPort}`), ...seeds];
  return ['--transport', 'tcp', '--listen', `${address}:${tcpPort}`, '--seeds', all.join()];
}

/** Ends the load and all members; their traces, and what is wrong. */
async function settle({ stage, members }: Ground): Promise<{ lives: Life[]; violations: string[] }> {
  const violations: string[] = [];
  const living = [...members.values()].filter(({ child }) => child.exitCode === null && child.signalCode === null);
  await Promise.all(living.map((member) => member.run('stop')));
  // equal once nothing is under way any more: what waited for a quorum may only now be sent
  const until = monotonic() + patience;
  let digests: string[];
  do {
    await sleep(50);
    digests = await Promise.all(living.map(async (member) => String((await member.run('digest'))['digest'])));
  } while (new Set(digests).size > 1 && monotonic() < until);
  if (new Set(digests).size > 1) violations.push(`digests differ: ${digests.join(', ')}`);
  for (const { child } of living) child.kill('SIGTERM');
  const codes = await Promise.all(living.map(({ exited }) => exited));
  if (codes.some((code) => code !== 0)) violations.push(`exit status ${codes.join(', ')}`);
  const files = readdirSync(stage.folder).filter((file) => file.endsWith('.jsonl'));
  const paths = files.map((file) => path.join(stage.folder, file));
  const expected = 'VIEW-AGREE,VSYNC,FIFO,TOTAL';
  const args = [cli, 'check', '--expect', expected, ...paths];
  const checked = await run(stage, 'check', process.execPath, args, checkMillisMax);
  if (checked.code !== 0) violations.push(`${checked.stdout}${checked.stderr}`.trim());
  return { lives: paths.map(readLife), violations };
}

interface Measured {
  /** All that were ever started. */
  readonly everybody: readonly MemberProcess[];
  readonly episodes: readonly Episode[];
  readonly deaths: readonly Missed[];
  readonly times: readonly Interval[];
  readonly stalls: Stalls;
}

function measure(
  lives: readonly Life[],
  violations: readonly string[],
  { everybody, episodes, deaths, times, stalls }: Measured,
): Outcome {
  // who came back has had several lives
  const lifeAt = (name: string, at: number) =>
    lives
      .filter((life) => life.name === name && life.startedAt <= at)
      .reduce<Life | undefined>((last, life) => (last && last.startedAt > life.startedAt ? last : life), undefined);
  const spanOf = (survivors: readonly MemberProcess[], [from, to]: Interval) => {
    const pids = survivors.flatMap(({ child }) => child.pid ?? []);
    return { millis: to - from, stall: stalls.longest(pids, from, to) };
  };
  const silences = episodes.map(({ from, to, survivors }) => {
    const gaps = survivors.map(({ name }) => longestGap(lifeAt(name, from)?.deliveries ?? [], from, to));
    return spanOf(survivors, gaps.reduce(longer, [from, from]));
  });
  const views = deaths.map(({ name, survivors, at }) => {
    const id = lifeAt(name, at)?.id ?? '';
    const isWithout = ({ at: time, members }: Life['views'][number]) => time >= at && !members.includes(id);
    const seen = survivors.map((survivor) => lifeAt(survivor.name, at)?.views.find(isWithout)?.at ?? Infinity);
    return spanOf(survivors, [at, Math.max(...seen)]);
  });
  return {
    silences: [...times.map((time) => spanOf(everybody, time)), ...silences],
    views,
    violations,
    memory: Math.max(...lives.map(({ memory }) => Math.max(0, ...memory.map(({ bytes }) => bytes)))),
    growth: Math.max(0, ...lives.map(({ memory }) => growthOf(memory))),
    deliveries: lives.reduce((sum, { deliveries }) => sum + deliveries.length, 0),
    foundings: new Set(lives.flatMap(({ foundings }) => [...foundings])).size,
  };
}

/** What one incarnation did; times are monotonic milliseconds. */
interface Life {
  id: string;
  name: string;
  startedAt: number;
  /** When each was delivered that is in total order. */
  readonly deliveries: number[];
  /** The group's. */
  readonly views: { readonly at: number; readonly members: readonly string[] }[];
  readonly memory: Gauge[];
  /** Of the domains that it was in. */
  readonly foundings: Set<string>;
}

interface Gauge {
  readonly at: number;
  readonly bytes: number;
}

interface Line {
  readonly t: number;
  readonly p: string;
  readonly e: string;
  readonly g?: string;
  readonly o?: string;
  readonly m?: readonly string[];
  readonly dom?: string;
  readonly rss?: number;
}

function readLife(file: string): Life {
  const life: Life = {
    id: '',
    name: '',
    startedAt: Infinity,
    deliveries: [],
    views: [],
    memory: [],
    foundings: new Set(),
  };
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    // the last line of a process that was killed may be torn
    if (line.endsWith('}')) take(life, JSON.parse(line) as Line);
  }
  return life;
}

function take(life: Life, { t, p, e, g, o, m, dom, rss }: Line): void {
  const at = t / 1e6;
  // each member delivers fifo multicasts of its own whatever becomes of the others
  if (e === 'deliver' && o === 'total') life.deliveries.push(at);
  else if (e === 'gauge') life.memory.push({ at, bytes: rss ?? 0 });
  else if (e === 'view' && g === '$domain' && dom !== undefined) life.foundings.add(dom);
  else if (e === 'view' && m) life.views.push({ at, members: m });
  else if (e === 'start') {
    life.id = p;
    life.name = p.slice(0, p.lastIndexOf('#'));
    life.startedAt = at;
  }
}

/** How much more memory there is in the last third of a life than in the first, its beginning not counted; 0 if it was short. */
function growthOf(memory: readonly Gauge[]): number {
  const from = (memory[0]?.at ?? 0) + warmUp;
  const to = memory.at(-1)?.at ?? 0;
  if (to - from < tellingMillis) return 0;
  const third = (to - from) / 3;
  const mean = (low: number, high: number) => {
    const within = memory.filter(({ at }) => at >= low && at <= high);
    return within.reduce((sum, { bytes }) => sum + bytes, 0) / within.length;
  };
  return mean(to - third, to) - mean(from, from + third);
}

type Interval = readonly [from: number, to: number];

const longer = (a: Interval, b: Interval) => (b[1] - b[0] > a[1] - a[0] ? b : a);

function longestGap(deliveries: readonly number[], from: number, to: number): Interval {
  const ends = [from, ...deliveries.filter((at) => at >= from && at <= to), to];
  return ends
    .slice(1)
    .map((at, index): Interval => [ends[index] as number, at])
    .reduce(longer);
}
