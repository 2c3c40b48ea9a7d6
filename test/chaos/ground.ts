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
import { cli, freshDomain, monotonic, type Stage } from '../trials/stage.js';

/** Multicasts a second of each member, half of them in total order and half in fifo. */
const rate = 40;
const load = [
  `send 10000000 --size 128 --order total --rate ${rate / 2}`,
  `send 10000000 --size 128 --order fifo --rate ${rate / 2}`,
];
/** Whatever happens, members are together again in this time, in milliseconds. */
const patience = 45_000;
const checkMillisMax = 10 * 60 * 1000;

/** How members on hosts reach each other: UDP multicast over IPv4 or IPv6, or a mesh of TCP connections. */
export type Way = 'udp' | 'udp6' | 'tcp';

/** The port of each member where it has to be known. */
const port = 7000;

function wayOf({ address, address6 }: Host, hosts: readonly Host[], way: Way): string[] {
  if (way !== 'tcp') return ['--interface', way === 'udp' ? address : address6];
  const seeds = hosts.map((each) => `${each.address}:${port}`).join();
  return ['--transport', 'tcp', '--listen', `${address}:${port}`, '--seeds', seeds];
}

/** Members of one group. */
export interface Ground {
  readonly stage: Stage;
  readonly members: Map<string, MemberProcess>;
  /** Starts a member, once more if it was there before. What is put before its command says where or how it runs. */
  readonly start: (name: string, prefix?: readonly string[]) => MemberProcess;
  /** Starts a member's load. */
  readonly load: (name: string) => void;
  /** SIGKILL. */
  readonly kill: (name: string) => Promise<void>;
  /** Waits until exactly these are each other's view, wherever they are, with the state. */
  together(names: readonly string[], from?: number): Promise<void>;
  /** Waits until one of these says that it has wedged, or is excluded. */
  cutOff(names: readonly string[], from: number): Promise<void>;
  /** What happens from here on until the end that is returned; these are in the primary view all the while. */
  episode(survivors: readonly string[]): () => void;
  /** A time that counts as silence. */
  took(millis: number): void;
  /** Ends the load, compares digests, ends all members, and reads the traces. */
  conclude(): Promise<Outcome>;
}

/** What a run came to. */
export interface Outcome {
  /** The longest time in which a survivor delivered nothing in total order, of each episode, in milliseconds. */
  readonly silences: readonly number[];
  /** What the checker found, and what else is wrong; empty if all is well. */
  readonly violations: readonly string[];
  /** The most memory that one member had, in bytes. */
  readonly memory: number;
  /** Total multicasts that were delivered, at all members together. */
  readonly deliveries: number;
}

interface Episode {
  readonly from: number;
  to: number;
  readonly survivors: readonly MemberProcess[];
}

/** Starts members with these names, each on its host if there are hosts, under load, together. */
export async function openGround(
  stage: Stage,
  names: readonly string[],
  where: {
    readonly hosts?: readonly Host[];
    readonly over?: Way;
    readonly flags?: (name: string) => readonly string[];
  } = {},
): Promise<Ground> {
  const domain = freshDomain();
  const members = new Map<string, MemberProcess>();
  const episodes: Episode[] = [];
  const times: number[] = [];
  const start = (name: string, prefix: readonly string[] = []): MemberProcess => {
    const host = where.hosts?.find((each) => each.name === name);
    const flags = ['--trace', path.join(stage.folder, `${name}.jsonl`), ...(where.flags?.(name) ?? [])];
    if (host && !where.flags) {
      flags.push(...wayOf(host, where.hosts ?? [], where.over ?? 'udp'), '--insecure');
    }
    const member = startMember(stage, name, domain, flags, [...(host?.prefix ?? []), ...prefix]);
    members.set(name, member);
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
    load: (name) => load.forEach((line) => get(name).command(line)),
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
    took: (millis) => void times.push(millis),
    conclude: () => conclude(ground, episodes, times),
  };
  names.forEach(ground.load);
  await sleep(500);
  return ground;
}

async function conclude(
  { stage, members }: Ground,
  episodes: readonly Episode[],
  times: readonly number[],
): Promise<Outcome> {
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
  const checked = await run(
    stage,
    'check',
    process.execPath,
    [cli, 'check', '--expect', expected, ...paths],
    checkMillisMax,
  );
  if (checked.code !== 0) violations.push(`${checked.stdout}${checked.stderr}`.trim());
  const lives = paths.map(readLife);
  const silences = episodes.map((episode) => {
    // who came back has had several lives
    const survivors = episode.survivors.map(({ name }) =>
      lives
        .filter((life) => life.name === name && life.startedAt <= episode.from)
        .reduce<Life | undefined>((last, life) => (last && last.startedAt > life.startedAt ? last : life), undefined),
    );
    return Math.max(0, ...survivors.map((life) => (life ? longestGap(life.deliveries, episode) : Infinity)));
  });
  return {
    silences: [...times, ...silences],
    violations,
    memory: Math.max(...lives.map(({ memory }) => memory)),
    deliveries: lives.reduce((sum, { deliveries }) => sum + deliveries.length, 0),
  };
}

interface Life {
  readonly name: string;
  readonly startedAt: number;
  /** When each was delivered that is in total order, in monotonic milliseconds. */
  readonly deliveries: number[];
  readonly memory: number;
}

function readLife(file: string): Life {
  const life = { name: '', startedAt: Infinity, deliveries: [] as number[], memory: 0 };
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    // the last line of a process that was killed may be torn
    if (!line.endsWith('}')) continue;
    const record = JSON.parse(line) as { t: number; p: string; e: string; o?: string; rss?: number };
    // each member delivers fifo multicasts of its own whatever becomes of the others
    if (record.e === 'deliver' && record.o === 'total') life.deliveries.push(record.t / 1e6);
    else if (record.e === 'gauge') life.memory = Math.max(life.memory, record.rss ?? 0);
    else if (record.e === 'start') {
      life.name = record.p.slice(0, record.p.lastIndexOf('#'));
      life.startedAt = Math.min(life.startedAt, record.t / 1e6);
    }
  }
  return life;
}

function longestGap(deliveries: readonly number[], { from, to }: Episode): number {
  const within = deliveries.filter((at) => at >= from && at <= to);
  const ends = [from, ...within, to];
  return Math.max(...ends.slice(1).map((at, index) => at - (ends[index] as number)));
}
