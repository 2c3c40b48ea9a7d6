/**
 * A departure board on a map, in the browser: replicas hold the board, each serves the page and sends it what it delivers
 * (server-sent events). Kill the one that a page is connected to, and the page goes on with another.
 *
 *     node departure-board.js NAME [PORT]     start it four times, with different names, and open one of the addresses
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { dispatch, start } from 'nact';
import { deliveries, domain, groups, leaveDomain, read, spawnReplicated, views } from 'nact-groups';

type Flight = { readonly number: number; readonly from: number; readonly to: number; readonly by: string };
type Departure = Pick<Flight, 'from' | 'to'>;
type Board = { readonly total: number; readonly last: readonly Flight[] };

const [name = 'board', port = '0'] = process.argv.slice(2);
const page = readFileSync(new URL('../../examples/departure-board.html', import.meta.url));
const airports = readAirports();

const server = createServer((request, response) => {
  if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
  else if (request.url === '/airports') response.end(JSON.stringify(airports));
  else if (request.url === '/events') void follow(request, response);
  else response.writeHead(404).end();
});
await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

// each node says where its page is, and so every page knows where else to go
const system = start(groups({ domain: process.env['DOMAIN'] ?? 'departures', name, metadata: { url } }));

const board = spawnReplicated(
  system,
  ({ total, last }: Board, { from, to }: Departure, ctx) => ({
    total: total + 1,
    last: [{ number: total + 1, from, to, by: ctx.from.name }, ...last].slice(0, 12),
  }),
  'board',
  { initialState: { total: 0, last: [] } },
);
views(board).subscribe(({ members }) =>
  console.log(`${url} one of ${members.map((member) => member.name).join(', ')}`),
);

/** A page that looks at this replica, until it goes. */
async function follow(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // a page of another replica comes here when that has died
  response.writeHead(200, { 'content-type': 'text/event-stream', 'access-control-allow-origin': '*' });
  const send = (event: string, data: unknown) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const subscriptions = [
    domain(system).views.subscribe(({ nodes }) =>
      send(
        'urls',
        nodes.map(({ metadata }) => metadata['url']),
      ),
    ),
    views(board).subscribe(({ members, cause }) => send('view', { name, cause, members: members.map((m) => m.name) })),
    deliveries(board).subscribe(() => void read(board, (state) => send('board', state)).catch(() => response.end())),
  ];
  request.once('close', () => subscriptions.forEach((subscription) => subscription.unsubscribe()));
}

// planes leave from all replicas; what is drawn here is sent, so that it may come from anywhere
const any = () => Math.floor(Math.random() * airports.length);
const planes = setInterval(() => dispatch(board, { from: any(), to: any() }), 250);

process.once('SIGTERM', () => {
  clearInterval(planes);
  server.close();
  server.closeAllConnections();
  void leaveDomain(system);
});

/** Those of the 48 states, as code, city, longitude and latitude. */
function readAirports(): readonly (readonly [code: string, city: string, longitude: number, latitude: number])[] {
  // its data is not exported, so it is found beside its main file
  const main = createRequire(import.meta.url).resolve('vega-datasets');
  const text = readFileSync(path.join(path.dirname(main), '..', 'data', 'airports.csv'), 'utf8');
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
    .map(
      ([iata = '', , city = '', , , latitude, longitude]) => [iata, city, Number(longitude), Number(latitude)] as const,
    )
    .filter(([, , longitude, latitude]) => longitude > -125 && longitude < -66 && latitude > 24 && latitude < 50);
}
