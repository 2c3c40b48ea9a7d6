/**
 * Where peers may be: a fixed list, names that are looked up, DNS records, a file. All but the list may change while a node
 * runs, so they are read again and again; what cannot be read just now is what it was.
 */
import { lookup, Resolver } from 'node:dns/promises';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
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

/** More than the largest domain: what is beyond is left out. */
const endpointsMax = 4096;

/** So many of the longest names with their ports, twice over: a larger file is no list of addresses. */
const fileBytesMax = 2 * endpointsMax * 264;

interface Source {
  readonly what: string;
  readonly millis: number;
  /** Rejects if it cannot be told now; what was found before then holds. */
  readonly read: () => Promise<readonly Endpoint[]>;
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
        const found = await source.read();
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
  if (dns !== undefined) {
    const resolver = new Resolver({ timeout: 1000, tries: 2 });
    if (dns.servers !== undefined) resolver.setServers(dns.servers);
    const { name, port } = dns;
    sources.push({
      what: `DNS ${name}`,
      millis: refreshMillis,
      read: () => (port === undefined ? services(resolver, name) : hosts(resolver, name, port)),
    });
  }
  if (file !== undefined) sources.push(fileSource(file, refreshMillis, reporter));
  return sources;
}

/**
 * A file: read again each time, for that costs less than to know for sure whether it has changed. Names in it are looked up as seldom
 * as others; one that cannot be just now leads to where it did.
 */
function fileSource(file: string, refreshMillis: number, reporter: Reporter): Source {
  let known = '';
  let names = new Map<string, Named>();
  return {
    what: `file ${file}`,
    millis: fileMillis,
    async read() {
      const text = await readList(file);
      const found: Endpoint[] = [];
      const seen = new Map<string, Named>();
      for (const [i, line] of text.split(/\r?\n/).entries()) {
        const address = line.replace(/#.*/, '').trim();
        if (address === '') continue;
        const named = seen.get(address) ?? (await lookAgain(address, names.get(address), refreshMillis));
        if (named.fault !== '' && (text !== known || named.fault !== names.get(address)?.fault)) {
          const what = named.endpoints.length > 0 ? 'what was known before holds' : 'left out';
          reporter.report('finding', `${file}:${i + 1}: ${named.fault}; ${what}`);
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

/** What a line of a file leads to. */
interface Named {
  readonly endpoints: readonly Endpoint[];
  /** Why it could not be looked up last, or empty. */
  readonly fault: string;
  readonly at: number;
}

async function lookAgain(address: string, former: Named | undefined, refreshMillis: number): Promise<Named> {
  const at = performance.now();
  // as for all that finds nobody: sooner
  const rest = former === undefined || former.fault === '' ? refreshMillis : Math.min(soonMillis, refreshMillis);
  if (former !== undefined && at - former.at < rest) return former;
  try {
    return { endpoints: await resolve(address), fault: '', at };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { endpoints: former?.endpoints ?? [], fault, at };
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

/** A and AAAA records. Sorted: servers answer in turns, and a change of order is none. */
async function hosts(resolver: Resolver, name: string, port: number): Promise<Endpoint[]> {
  const [four, six] = await Promise.all([orNone(resolver.resolve4(name)), orNone(resolver.resolve6(name))]);
  return [
    ...four.sort().map((host): Endpoint => ({ host, port, family: 4 })),
    ...six.sort().map((host): Endpoint => ({ host, port, family: 6 })),
  ];
}

/** SRV records, and the hosts that they name. */
async function services(resolver: Resolver, name: string): Promise<Endpoint[]> {
  const records = await orNone(resolver.resolveSrv(name));
  const sorted = records.sort((a, b) => (a.name === b.name ? a.port - b.port : a.name < b.name ? -1 : 1));
  const found = await Promise.all(sorted.map((record) => hosts(resolver, record.name, record.port)));
  return found.flat();
}
