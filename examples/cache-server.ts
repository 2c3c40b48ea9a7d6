/**
 * A replicated cache beside an HTTP server: every process answers reads from its own memory, and has each write agreed by all
 * before it says so. Kill any of them, and no write that was acknowledged is lost.
 *
 *     PORT=8080 node cache-server.js          start it several times, with different ports
 *     curl -X PUT -d hello localhost:8080/greeting
 *     curl localhost:8081/greeting
 *
 * On one machine it needs nothing else. Elsewhere it takes from its environment how to find the others: SEEDS or DNS, LISTEN,
 * ADVERTISE, and NACT_GROUPS_KEY_FILE.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { start } from 'nact';
import { groups, leaveDomain, multicast, read, spawnReplicated, status, tcp, type GroupStatus } from 'nact-groups';

const { DOMAIN = 'cache', NAME, PORT = '8080', MINIMUM_NODES = '1' } = process.env;
const { SEEDS, DNS, LISTEN = '0.0.0.0:7000', ADVERTISE } = process.env;

const system = start(
  groups({
    domain: DOMAIN,
    minimumNodes: Number(MINIMUM_NODES),
    ...(NAME === undefined ? {} : { name: NAME }),
    ...(SEEDS === undefined && DNS === undefined
      ? {}
      : {
          transport: tcp({
            listen: LISTEN,
            ...(ADVERTISE === undefined ? {} : { advertise: ADVERTISE }),
            ...(SEEDS === undefined ? {} : { seeds: SEEDS.split(',') }),
            ...(DNS === undefined ? {} : { dns: DNS }),
          }),
        }),
  }),
);

type Cache = Map<string, string>;
type Write = { readonly key: string; readonly value: string | null };

const cache = spawnReplicated(
  system,
  (entries: Cache, { key, value }: Write) => {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
    return entries;
  },
  'cache',
  { initialStateFunc: () => new Map() as Cache },
);

let standing: GroupStatus = 'joining';
status(cache).subscribe((now) => (standing = now));

/** What is answered: a status code of HTTP and a text. */
type Answer = readonly [code: number, body: string];

async function write(key: string, value: string | null): Promise<Answer> {
  try {
    // uniform: delivered only once every replica has received it, so it survives whoever dies now
    await multicast(cache, { key, value }, { uniform: true }).delivered;
    return [204, ''];
  } catch (error) {
    // cut off, or the queue is full, or this node was excluded meanwhile: nothing is promised, so the client is told
    return [503, `${error instanceof Error ? error.message : String(error)}\n`];
  }
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const { method, url = '/' } = request;
  const key = url.slice(1);
  if (key === 'healthz') return [standing === 'active' || standing === 'changing' ? 200 : 503, `${standing}\n`];
  if (method === 'PUT') return write(key, await text(request));
  if (method === 'DELETE') return write(key, null);
  if (method !== 'GET') return [405, 'GET, PUT or DELETE\n'];
  if (standing === 'joining' || standing === 'transferring') return [503, `${standing}\n`];
  const value = await read(cache, (entries) => entries.get(key));
  return value === undefined ? [404, `no ${key}\n`] : [200, value];
}

const server = createServer((request, response) => {
  answer(request).then(
    ([code, body]) => response.writeHead(code).end(body),
    (error: unknown) => response.writeHead(503).end(`${String(error)}\n`),
  );
});
server.listen(Number(PORT), () => console.log(`listening on ${(server.address() as AddressInfo).port}`));

process.once('SIGTERM', () => {
  // no new requests, then what is under way, then the domain: the others need not find out that this one has gone
  server.close(() => void leaveDomain(system));
  server.closeIdleConnections();
});
