/**
 * `inspector({ port })`: a page in the browser that shows what goes on in a node's domain. A nact plugin like `groups`, given after it.
 */
import type { Plugin } from 'nact';
import { inspect } from 'node:util';
import { optionsFault } from '../../transport/options.js';
import { InvalidOption } from '../errors.js';
import { hosts, type Host } from '../host.js';
import type { NactSystem } from '../nact-internals.js';
import { listenAt, type Listening, type Viewer } from './server.js';
import { Watching } from './watching.js';

/** Options of {@link inspector}. */
export interface InspectorOptions {
  /** Where it listens; default 0: a port that is free, see `url`. */
  readonly port?: number;
  /**
   * The address to listen at; default 127.0.0.1. Whoever reaches another one sees the names of nodes and groups, who waits for whom and what
   * nodes say of themselves, though no message: there is no password.
   */
  readonly host?: string;
  /** Names by which browsers may call it, beside `localhost` and addresses; for a proxy before it. */
  readonly names?: readonly string[];
}

/** What {@link inspector} returns: a plugin for `start`, and where the page is. */
export interface Inspector extends Plugin {
  /** The page's address, once it can be opened. Rejects with {@link InvalidOption} if the port cannot be had. */
  readonly url: Promise<string>;
  /** Shows nothing any more. It ends by itself when its systems have left their domains. */
  readonly close: () => void;
}

const known = ['port', 'host', 'names'] as const satisfies readonly (keyof InspectorOptions)[];

/**
 * A page in the browser that shows a node's domain: nodes and their health, groups and views, who has received what, who waits
 * for whom, rates and latencies, and what is sent to whom, as it happens. Given to several systems of a process, it shows all.
 *
 * It is read-only, and costs nothing while no page is open. Throws {@link InvalidOption}; `start` throws it if `groups` was not
 * given before.
 *
 * @example
 * ```ts
 * const look = inspector({ port: 8080 });
 * const system = start(groups({ domain: 'shop' }), look);
 * console.log(await look.url);
 * ```
 */
export function inspector(options: InspectorOptions = {}): Inspector {
  const { url, show, close } = openInspector(options);
  const plugin = (system: unknown): void => {
    const host = hostOfSystem(system as NactSystem);
    show(host);
    url.then(
      (address) => host.log.info(`the inspector is at ${address}`),
      (error: unknown) => host.log.error(error instanceof Error ? error.message : String(error)),
    );
  };
  return Object.assign(plugin, { url, close });
}

/** An inspector that was opened. */
export interface OpenInspector {
  /** See {@link Inspector}. */
  readonly url: Promise<string>;
  /** Shows a node as well. Throws {@link InvalidOption} if another inspector does, or if this one is closed. */
  readonly show: (host: Host) => void;
  readonly close: () => void;
}

/** Opens the page, with nothing to show yet. Throws {@link InvalidOption}. */
export function openInspector(options: InspectorOptions): OpenInspector {
  let listening: Listening | undefined;
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
    watching.close();
    listening?.close();
  };
  const watching = new Watching(close);
  const open = ({ node, group, send }: Viewer): (() => void) =>
    watching.open({
      ...{ node, group },
      snapshot: (snapshot) => send('snapshot', snapshot),
      rates: (rates) => send('rates', rates),
      records: (records) => send('records', records),
    });
  const url = listenAt(checked(options), { files: new Map(), open }).then((server) => {
    listening = server;
    if (isClosed) server.close();
    return server.url;
  });
  // whoever wants to know asks for it
  url.catch(() => undefined);
  const show = (host: Host): void => {
    if (isClosed) throw new InvalidOption('this inspector was closed, or its systems have left: make another one');
    watching.add(host);
  };
  return { url, show, close };
}

function hostOfSystem(system: NactSystem): Host {
  const host = hosts.get(system.name);
  if (host?.system !== system) {
    throw new InvalidOption('the inspector shows a node of a domain: start(groups({ domain }), inspector({ port }))');
  }
  return host;
}

function checked(options: InspectorOptions): Required<InspectorOptions> {
  const fault = optionsFault('inspector()', options, known);
  if (fault !== null) throw new InvalidOption(fault);
  const { port = 0, host = '127.0.0.1', names = [] } = options;
  if (!Number.isSafeInteger(port) || port < 0 || port > 65_535) {
    throw new InvalidOption(`port must be a whole number from 0 to 65535, not ${inspect(port, { depth: 0 })}`);
  }
  if (typeof host !== 'string' || host === '') {
    throw new InvalidOption(`host must be an address to listen at, not ${inspect(host, { depth: 0 })}`);
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw new InvalidOption(`names must be a list of host names, not ${inspect(names, { depth: 1 })}`);
  }
  return { port, host, names };
}
