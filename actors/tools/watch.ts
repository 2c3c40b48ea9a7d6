/**
 * `nact-groups watch`: a domain as it is, in the terminal or in the browser. It joins as a node without a weight and without members: it
 * hears what all hear, and says nothing but that it lives.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { start } from 'nact';
import winston from 'winston';
import { groups, leaveDomain, ready } from '../index.js';
import { hostOf } from '../host.js';
import type { Rates, Snapshot } from '../inspector/format.js';
import { openInspector } from '../inspector/inspector.js';
import { listenAt } from '../inspector/server.js';
import { Watching, type Spectator } from '../inspector/watching.js';
import { nodeOptions, type NodeFlags } from './node-flags.js';
import { paintFor } from './terminal.js';
import { changesBetween } from './watch-changes.js';
import { changeLine, ratesLine, watchScreen } from './watch-screen.js';

/** Options of the command. */
export interface WatchCommand extends Omit<NodeFlags, 'domain'> {
  readonly domain?: string;
  readonly web?: boolean;
  readonly port: number;
  readonly host: string;
  readonly json?: boolean;
}

/** A graceful leave that takes longer will not come to an end, in milliseconds. */
const leaveMillisMax = 15_000;

/** Watches until it is told to end; the exit status. Throws if the options make no sense together. */
export async function runWatch(traces: readonly string[], options: WatchCommand): Promise<number> {
  const { domain, web = false } = options;
  if (traces.length > 0) {
    if (domain !== undefined) throw new Error('either traces or --domain: a page shows the one or the other');
    if (!web) throw new Error('traces are shown in the browser: add --web; nact-groups check reports on them here');
    return showTraces(traces, options);
  }
  if (domain === undefined) throw new Error('--domain is missing: which domain is to be watched?');
  const isScreen = !web && process.stdout.isTTY && options.json !== true;
  // what is logged would be written over the tables; they show it as well
  const quiet = isScreen ? { logger: winston.createLogger({ silent: true }) } : {};
  const system = start(groups({ ...nodeOptions({ ...options, domain }), weights: 0, ...quiet }));
  const ended = untilSignal();
  const open = () => showTerminal(system, isScreen ? screenOutput(ended.end) : lineOutput(options.json ?? false));
  const close = web ? await showPage(system, options) : open();
  let failure = '';
  ready(system).catch((error: unknown) => {
    if (ended.isOver()) return;
    failure = `error: ${error instanceof Error ? error.message : String(error)}\n`;
    ended.end(1);
  });
  const code = await ended.promise;
  close();
  process.stderr.write(failure);
  const timer = setTimeout(() => process.exit(1), leaveMillisMax);
  await leaveDomain(system);
  clearTimeout(timer);
  setImmediate(() => process.exit(process.exitCode ?? code));
  return code;
}

interface Ending {
  readonly promise: Promise<number>;
  readonly end: (code: number) => void;
  readonly isOver: () => boolean;
}

/** Until SIGINT or SIGTERM; a second one ends at once. */
function untilSignal(): Ending {
  let isOver = false;
  let resolve!: (code: number) => void;
  const promise = new Promise<number>((done) => (resolve = done));
  const end = (code: number): void => {
    isOver = true;
    resolve(code);
  };
  const onSignal = (): void => {
    if (isOver) process.exit(130);
    end(0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { promise, end, isOver: () => isOver };
}

/** The page, of traces alone. */
async function showTraces(traces: readonly string[], { port, host, json }: WatchCommand): Promise<number> {
  const files = new Map(traces.map((file) => [path.basename(file), () => readFileSync(file, 'utf8')]));
  if (files.size < traces.length) throw new Error('two of the traces have the same name: the page would show only one');
  for (const read of files.values()) read();
  const listening = await listenAt({ port, host, names: [] }, { files, open: () => () => undefined });
  tellUrl(listening.url, json);
  const ended = untilSignal();
  const keep = setInterval(() => undefined, 2 ** 30);
  const code = await ended.promise;
  clearInterval(keep);
  listening.close();
  return code;
}

function tellUrl(url: string, json = false): void {
  process.stdout.write(json ? `${JSON.stringify({ event: 'listening', url })}\n` : `${url}\n`);
}

async function showPage(system: ReturnType<typeof start>, { port, host, json }: WatchCommand): Promise<() => void> {
  const look = openInspector({ port, host });
  look.show(hostOf(system));
  tellUrl(await look.url, json);
  return look.close;
}

/** Shows it until the result is called. */
function showTerminal(system: ReturnType<typeof start>, show: Output): () => void {
  const watching = new Watching();
  watching.add(hostOf(system));
  const spectator: Spectator = {
    node: null,
    group: null,
    snapshot: (snapshot) => show.snapshot(snapshot),
    rates: (rates) => show.rates(rates),
    records: () => true,
  };
  const close = watching.open(spectator);
  return () => {
    close();
    watching.close();
    show.close();
  };
}

interface Output {
  snapshot(snapshot: Snapshot): boolean;
  rates(rates: Rates): boolean;
  close(): void;
}

function lineOutput(isJson: boolean): Output {
  const paint = paintFor(process.stdout);
  let last: Snapshot | null = null;
  let wasIdle = true;
  return {
    snapshot(snapshot) {
      for (const change of changesBetween(last, snapshot)) {
        const line = isJson ? JSON.stringify(change) : `${timeOfDay()} ${changeLine(change, paint)}`;
        process.stdout.write(`${line}\n`);
      }
      last = snapshot;
      return true;
    },
    rates(rates) {
      // silence is told once
      const isIdle = rates.multicasts === 0;
      if (!isIdle || !wasIdle) {
        const line = isJson ? JSON.stringify({ event: 'rates', ...rates }) : `${timeOfDay()} ${ratesLine(rates)}`;
        process.stdout.write(`${line}\n`);
      }
      wasIdle = isIdle;
      return true;
    },
    close: () => undefined,
  };
}

function timeOfDay(): string {
  return new Date().toLocaleTimeString('en-GB');
}

/** Tables, on the terminal's second screen, so that the first is as it was afterwards. */
function screenOutput(end: (code: number) => void): Output {
  const { stdout, stdin } = process;
  const paint = paintFor(stdout);
  let snapshot: Snapshot | null = null;
  let rates: Rates | null = null;
  const draw = (): boolean => {
    if (snapshot === null) return true;
    const room = { columns: stdout.columns, rows: stdout.rows - 1, paint };
    const lines = watchScreen(snapshot, rates, room).map((line) => `${line}\u001b[K`);
    const help = paint('soft', `${timeOfDay()}  q ends`);
    return stdout.write(`\u001b[H${lines.join('\n')}\n\u001b[J\u001b[${stdout.rows};1H${help}`);
  };
  const onKey = (key: Buffer): void => {
    // in raw mode control-C is a key
    if (key.includes('q') || key.includes('\u0003')) end(0);
  };
  stdout.write('\u001b[?1049h\u001b[?25l');
  stdout.on('resize', draw);
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.on('data', onKey);
  }
  return {
    snapshot: (next) => {
      snapshot = next;
      return draw();
    },
    rates: (next) => {
      rates = next;
      return draw();
    },
    close: () => {
      stdout.off('resize', draw);
      if (stdin.isTTY) {
        stdin.off('data', onKey);
        stdin.setRawMode(false);
        stdin.pause();
      }
      stdout.write('\u001b[?25h\u001b[?1049l');
    },
  };
}
