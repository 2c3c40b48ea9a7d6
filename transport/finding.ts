/**
 * Where peers may be: a fixed list, names that are looked up, DNS records, a file. All but the list may change while a node
 * runs, so they are read again and again; what cannot be read just now is what it was.
 */
import { lookup, Resolver } from 'node:dns/promises';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { endpointsMax } from '../lib/limits.js';
import { parseAddress, parseHostPort, type Endpoint } from './addresses.js';
import { codeOf } from './errors.js';
import type { Reporter } from './reporter.js';

/** DNS records that say where peers are. */
export interface DnsOptions {
  /**
   * A full name: the resolver is asked itself, so the host's file of names and its search list do not count. With a
   * port its A and AAAA records are asked for, without one its SRV records.
   */
  readonly name: string;
  /** The port that peers listen on; default: what the SRV records say. */
  readonly port?: number;
  /** Name servers, 'host' or 'host:port'; default: the system's. */
  readonly servers?: readonly string[];
}

/** Where to look. */
export interface FindingOptions {
  /** 'host:port' each. */
  readonly seeds: readonly string[];
  readonly dns: DnsOptions | undefined;
  /** A file with one 'host:port' a line. */
  readonly file: string | undefined;
  /** How often names and records are asked for again, in milliseconds. */
  readonly refreshMillis: number;
  readonly reporter: Reporter;
  /** Told at the beginning and when something has changed. */
  readonly found: (endpoints: readonly Endpoint[]) => void;
}

/** Keeps looking. */
export interface Finding {
  /** Resolves when everything was read or tried once. */
  readonly first: Promise<void>;
  stop(): void;
}

/** What found nobody is asked again sooner: a service that comes up has no records yet. */
const soonMillis = 500;

/** How often a file is looked at. */
const fileMillis = 500;

/** So many of the longest names with their ports, twice over: a larger file is no list of addresses. */
const fileBytesMax = 2 * endpointsMax * 264;

interface Source {
  readonly what: string;
  readonly millis: number;
  /**
   * Rejects if it cannot be told now; what was found before then holds. What is found while the rest is waited for, `soFar` is
   * told.
   */
  readonly read: (soFar: (found: readonly Endpoint[]) => void) => Promise<readonly Endpoint[]>;
}

/** Begins to look. */
export function startFinding(options: FindingOptions): Finding {
  const { reporter } = options;
  const results = new Map<Source, readonly Endpoint[]>();
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  let told = '';

  function tell(): void {
    const all = [...results.values()].flat().slice(0, endpointsMax);
    const text = all.map(({ host, port }) => `${host} ${port}`).join('\n');
    if (text === told || stopped) return;
    told = text;
    options.found(all);
  }

  async function follow(source: Source): Promise<void> {
    let faulty = '';
    for (;;) {
      let isComplete = false;
      try {
        const found = await source.read((some) => {
          results.set(source, some);
          tell();
        });
        results.set(source, found);
        isComplete = found.length > 0;
        faulty = '';
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (why !== faulty && !stopped)
          reporter.report('finding', `${source.what}: ${why}; what was known before holds`);
        faulty = why;
      }
      if (stopped) return;
      tell();
      firstOf.get(source)?.();
      if (source.millis === Infinity) return;
      await new Promise<void>((resolve) => {
        const wait = isComplete ? source.millis : Math.min(soonMillis, source.millis);
        const timer = setTimeout(() => {
          timers.delete(timer);
          resolve();
        }, wait).unref();
        timers.add(timer);
      });
    }
  }

  const sources = sourcesOf(options);
  const firstOf = new Map<Source, () => void>();
  const first = Promise.all(sources.map((source) => new Promise<void>((resolve) => firstOf.set(source, resolve))));
  for (const source of sources) void follow(source);
  return {
    first: first.then(() => undefined),
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function sourcesOf({ seeds, dns, file, refreshMillis, reporter }: FindingOptions): Source[] {
  const sources: Source[] = seeds.map((seed) => ({
    what: `seed ${seed}`,
    millis: isIP(parseHostPort(seed).host) === 0 ? refreshMillis : Infinity,
    read: () => resolve(seed),
  }));
  if (dns !== undefined) sources.push(dnsSource(dns, refreshMillis, reporter));
  if (file !== undefined) sources.push(fileSource(file, refreshMillis, reporter));
  return sources;
}

/**
 * DNS records. Each question (A and AAAA records of each host) is on its own: one that has no answer just now leads to where it
 * did, and keeps nothing back of what the others tell. Each fault is told once.
 */
function dnsSource(dns: DnsOptions, millis: number, reporter: Reporter): Source {
  const { name, port } = dns;
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  if (dns.servers !== undefined) resolver.setServers(dns.servers);
  let known = new Map<string, readonly Endpoint[]>();
  let faulty = new Map<string, string>();
  return {
    what: `DNS ${name}`,
    millis,
    async read(soFar) {
      const places = port === undefined ? await services(resolver, name) : [{ name, port }];
      const questions = places.flatMap((place) => [
        { what: `A of ${place.name}:${place.port}`, ask: () => hosts(resolver, place.name, place.port, 4) },
        { what: `AAAA of ${place.name}:${place.port}`, ask: () => hosts(resolver, place.name, place.port, 6) },
      ]);
      const answers = new Map<string, readonly Endpoint[]>();
      const faults = new Map<string, string>();
      const found = () => questions.flatMap(({ what }) => answers.get(what) ?? known.get(what) ?? []);
      await Promise.all(
        questions.map(async ({ what, ask }) => {
          try {
            answers.set(what, await ask());
            soFar(found());
          } catch (error) {
            faults.set(what, error instanceof Error ? error.message : String(error));
          }
        }),
      );
      const [first] = faults;
      if (first !== undefined && answers.size === 0) throw new Error(first[1]);
      for (const [what, fault] of faults) {
        if (faulty.get(what) === fault) continue;
        const then = known.get(what)?.length ? 'what was known before holds' : 'left out';
        reporter.report('finding', `DNS ${name}: ${what}: ${fault}; ${then}`);
      }
      faulty = faults;
      known = new Map(questions.map(({ what }) => [what, answers.get(what) ?? known.get(what) ?? []]));
      return found();
    },
  };
}

/**
 * A file: read again each time, for that costs less than to know for sure whether it has changed. Names in it are looked up as seldom
 * as others; one that cannot be just now leads to where it did. What has not changed is not parsed again.
 */
function fileSource(file: string, refreshMillis: number, reporter: Reporter): Source {
  let known: string | undefined;
  let lines: readonly Line[] = [];
  let names = new Map<string, Named>();
  return {
    what: `file ${file}`,
    millis: fileMillis,
    async read() {
      const text = await readList(file);
      const isNew = text !== known;
      if (isNew) {
        const parsed = linesOf(text);
        lines = parsed.lines;
        if (parsed.isMore) {
          reporter.report(
            'finding-many',
            `${file}: it has more than ${endpointsMax} addresses, the most that are tried; those after line ` +
              `${lines.at(-1)?.number ?? 0} are left out`,
          );
        }
      }
      const found: Endpoint[] = [];
      const seen = new Map<string, Named>();
      for (const { number, address } of lines) {
        let named = seen.get(address) ?? names.get(address);
        if (named === undefined || isDue(named, refreshMillis)) {
          const former = named;
          named = await lookUp(address, former);
          if (named.fault !== '' && named.fault !== former?.fault) {
            const what = named.endpoints.length > 0 ? 'what was known before holds' : 'left out';
            reporter.report('finding', `${file}:${number}: ${named.fault}; ${what}`);
          }
        }
        seen.set(address, named);
        found.push(...named.endpoints);
      }
      known = text;
      names = seen;
      return found;
    },
  };
}

interface Line {
  readonly number: number;
  readonly address: string;
}

/** The lines of a file that name somebody, up to the limit: the rest is not even looked at. */
function linesOf(text: string): { readonly lines: readonly Line[]; readonly isMore: boolean } {
  const lines: Line[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const comment = line.indexOf('#');
    const address = (comment < 0 ? line : line.slice(0, comment)).trim();
    if (address === '') continue;
    if (lines.length === endpointsMax) return { lines, isMore: true };
    lines.push({ number: i + 1, address });
  }
  return { lines, isMore: false };
}

/** What a line of a file leads to. */
interface Named {
  readonly endpoints: readonly Endpoint[];
  /** Why it could not be looked up last, or empty. */
  readonly fault: string;
  /** When it was looked up; Infinity: it leads there for good. */
  readonly at: number;
}

function isDue({ fault, at }: Named, refreshMillis: number): boolean {
  // as for all that finds nobody: sooner
  return performance.now() - at >= (fault === '' ? refreshMillis : Math.min(soonMillis, refreshMillis));
}

async function lookUp(address: string, former: Named | undefined): Promise<Named> {
  let isName = false;
  try {
    const { host } = parseHostPort(address);
    isName = isIP(host) === 0;
    const endpoints = isName ? await resolve(address) : [parseAddress(address)];
    return { endpoints, fault: '', at: isName ? performance.now() : Infinity };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { endpoints: former?.endpoints ?? [], fault, at: isName ? performance.now() : Infinity };
  }
}

/** The text of a list of addresses. Looks before it reads: what is read is in memory at once. */
async function readList(file: string): Promise<string> {
  const { size, isFile } = await stat(file).then((found) => ({ size: found.size, isFile: found.isFile() }));
  if (!isFile) throw new Error("it is no file: name one with a 'host:port' a line");
  if (size > fileBytesMax) {
    throw new Error(
      `it has ${size} bytes, more than the ${fileBytesMax} of a list of addresses: name a file with a 'host:port' a line, ` +
        `of which the first ${endpointsMax} count`,
    );
  }
  return readFile(file, 'utf8');
}

/** The endpoints of a 'host:port' whose host may be a name. */
export async function resolve(text: string): Promise<readonly Endpoint[]> {
  const { host, port } = parseHostPort(text, 0);
  if (isIP(host) !== 0) return [parseAddress(text, 0)];
  const found = await lookup(host, { all: true });
  return found.map((each) => ({ host: each.address, port, family: each.family === 6 ? 6 : 4 }));
}

/** Whether an answer says that there is no such name or record: then nobody is there, which is an answer. */
function saysNone(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

async function orNone<T>(records: Promise<T[]>): Promise<T[]> {
  try {
    return await records;
  } catch (error) {
    if (saysNone(error)) return [];
    throw error;
  }
}

/** The records of one family. Sorted: servers answer in turns, and a change of order is none. */
async function hosts(resolver: Resolver, name: string, port: number, family: 4 | 6): Promise<Endpoint[]> {
  const found = await orNone(family === 4 ? resolver.resolve4(name) : resolver.resolve6(name));
  return found.sort().map((host) => ({ host, port, family }));
}

/** SRV records: hosts and their ports. */
async function services(resolver: Resolver, name: string): Promise<{ readonly name: string; readonly port: number }[]> {
  const records = await orNone(resolver.resolveSrv(name));
  return records.sort((a, b) => (a.name === b.name ? a.port - b.port : a.name < b.name ? -1 : 1));
}
