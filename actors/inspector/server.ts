/**
 * The inspector's server: the page, and a stream of server-sent events for each page that is open. Read-only: it answers GET
 * and HEAD, takes no body, sets no cookie.
 *
 * A browser lets any page send requests to 127.0.0.1, and a name can be made to lead there (DNS rebinding). So a request is
 * answered only if its Host header is an address, `localhost` or a name that was said to be this server's; and there is no header that
 * would let another origin read the answer. Scripts and styles come from here and nowhere else, none of them inline.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, type AddressInfo } from 'node:net';
import { InvalidOption } from '../errors.js';
import { pageFile } from './files.js';

/** Where it listens. */
export interface ServerOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly host: string;
  /** Names by which it may be called, beside `localhost`. */
  readonly names: readonly string[];
}

/** A page that is open. */
export interface Viewer {
  /** Which node and which group it looks at, if it says. */
  readonly node: string | null;
  readonly group: string | null;
  /** Tells it something; false if it does not take it fast enough, and this was not sent. */
  readonly send: (event: string, data: unknown) => boolean;
}

/** What the server shows. */
export interface Shown {
  /** A page was opened; the result is called when it is closed. */
  readonly open: (viewer: Viewer) => () => void;
  /** Text files that can be had, by name: traces. */
  readonly files: ReadonlyMap<string, () => string>;
}

/** Pages that may be open at a time. */
const viewersMax = 16;
/** Bytes that may wait for one page. */
const waitingBytesMax = 1024 * 1024;
/** A page that takes nothing for so long is closed, in milliseconds. */
const stuckMillisMax = 15_000;

const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};

/** A server that listens. */
export interface Listening {
  readonly url: string;
  /** Closes it and every page's stream. */
  readonly close: () => void;
}

/** Starts it. Rejects with {@link InvalidOption} if it cannot listen there. It does not keep the process. */
export function listenAt(options: ServerOptions, shown: Shown): Promise<Listening> {
  const { port, host } = options;
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    try {
      answer(options, shown, streams, request, response);
    } catch (error) {
      response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
    }
  });
  server.maxConnections = 4 * viewersMax;
  server.requestTimeout = stuckMillisMax;
  server.on('connection', (socket) => socket.unref());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const advice =
        error.code === 'EADDRINUSE' ? ': another program has that port; port 0 takes one that is free' : '';
      reject(new InvalidOption(`the inspector cannot listen at ${host}, port ${port} (${error.message})${advice}`));
    });
    server.listen(port, host, () => {
      server.unref();
      resolve({
        url: urlOf(server, host),
        close: () => {
          for (const stream of streams) stream.destroy();
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

function urlOf(server: Server, host: string): string {
  const { port, family } = server.address() as AddressInfo;
  const everywhere = host === '0.0.0.0' || host === '::';
  const shown = everywhere ? 'localhost' : family === 'IPv6' ? `[${host}]` : host;
  return `http://${shown}:${port}/`;
}

function answer(
  options: ServerOptions,
  shown: Shown,
  streams: Set<ServerResponse>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
  if (!isOwnName(options, request.headers.host)) {
    return refuse(response, 421, 'This is not a name of the inspector. Open it by its address, or give it this name.');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(response, 405, 'The inspector only shows.');
  }
  const url = new URL(request.url ?? '/', 'http://inspector');
  if (url.pathname === '/events') return openStream(shown, streams, url, request, response);
  if (url.pathname === '/files') return json(response, [...shown.files.keys()]);
  if (url.pathname === '/file') {
    const file = shown.files.get(url.searchParams.get('name') ?? '');
    if (!file) return refuse(response, 404, 'There is no such file.');
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(file());
    return;
  }
  const file = pageFile(url.pathname);
  if (file === null) return refuse(response, 404, 'There is nothing here.');
  response.setHeader('content-type', file.type);
  response.end(file.body);
}

/** Whether a request is meant for this server: see above. */
export function isOwnName({ host, names }: Pick<ServerOptions, 'host' | 'names'>, header: string | undefined): boolean {
  const found = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(header ?? '');
  const name = (found?.[1] ?? found?.[2] ?? '').toLowerCase();
  return name === 'localhost' || isIP(name) > 0 || [host, ...names].some((own) => own.toLowerCase() === name);
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

function openStream(
  shown: Shown,
  streams: Set<ServerResponse>,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (streams.size >= viewersMax) {
    return refuse(response, 503, `${viewersMax} pages are open, and that is as many as there may be.`);
  }
  if (request.method === 'HEAD') return refuse(response, 405, 'A stream of events is to be read.');
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('retry: 1000\n\n');
  streams.add(response);
  let takenAt = performance.now();
  response.on('drain', () => (takenAt = performance.now()));
  const viewer: Viewer = {
    node: url.searchParams.get('node'),
    group: url.searchParams.get('group'),
    send(event, data) {
      if (response.writableLength > waitingBytesMax) {
        if (performance.now() - takenAt > stuckMillisMax) response.destroy();
        return false;
      }
      if (!response.writableNeedDrain) takenAt = performance.now();
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      return true;
    },
  };
  const closed = shown.open(viewer);
  response.on('close', () => {
    streams.delete(response);
    closed();
  });
}
