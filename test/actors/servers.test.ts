/** The examples that serve HTTP, each in several processes of which one is killed. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { run, runWith, shows, type Running } from './running.js';
import { eventually, freshDomain } from './systems.js';

const urlOf = ({ output }: Running) => `http://127.0.0.1:${/listening on (\d+)/.exec(output)?.[1] ?? 0}/`;

/** Three of the cache's servers, connected over TCP under a key, as they would be on three machines. */
async function caches(t: ExecutionContext): Promise<readonly Running[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'cache-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const key = path.join(directory, 'key');
  writeFileSync(key, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  const domain = freshDomain();
  const addresses = await Promise.all(['a', 'b', 'c'].map(freeAddress));
  return addresses.map((address, i) =>
    runWith(t, 'cache-server', {
      DOMAIN: domain,
      NAME: `cache-${i}`,
      PORT: '0',
      MINIMUM_NODES: '2',
      NACT_GROUPS_KEY_FILE: key,
      LISTEN: address,
      SEEDS: addresses.join(','),
    }),
  );
}

async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

/** Writes keys of its own to one server after the other, until it is told to end, and notes those that were acknowledged. */
async function load(urls: readonly string[], name: string, acknowledged: string[], signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const key = `${name}-${i}`;
    try {
      const { ok } = await fetch(`${urls[i % urls.length] ?? ''}${key}`, { method: 'PUT', body: `value of ${key}` });
      if (ok) acknowledged.push(key);
    } catch {
      // that one is dead: nothing was promised
    }
  }
}

test.serial('the cache: what was acknowledged is with the others when one of three is killed under load', async (t) => {
  const servers = await caches(t);
  for (const server of servers) await shows(server, /listening on \d+\n/);
  const urls = servers.map(urlOf);
  const [, second = '', third = ''] = urls;
  const isReady = async (url: string) => (await fetch(`${url}healthz`)).ok;
  for (const url of urls)
    await eventually(
      () => isReady(url),
      () => `${url} is not ready`,
    );

  const over = new AbortController();
  const keys: string[] = [];
  const loads = ['x', 'y', 'z'].map((name) => load(urls, name, keys, over.signal));
  const written = (count: number) =>
    eventually(
      () => keys.length >= count,
      () => `${count} writes: ${keys.length}`,
    );
  await written(100);
  servers[0]?.child.kill('SIGKILL');
  await written(keys.length + 200);
  over.abort();
  await Promise.all(loads);

  for (const url of urls.slice(1)) {
    const values = await Promise.all(keys.map(async (key) => (await fetch(`${url}${key}`)).text()));
    t.deepEqual(
      values,
      keys.map((key) => `value of ${key}`),
    );
  }
  t.is((await fetch(`${second}x-0`, { method: 'DELETE' })).status, 204);
  t.is((await fetch(`${third}x-0`, { method: 'GET' })).status, 404);
  for (const { child } of servers) child.kill('SIGTERM');
});

/** The events of a departure board, as they come. */
async function* eventsOf(url: string, signal: AbortSignal): AsyncGenerator<{ kind: string; data: unknown }> {
  const { body } = await fetch(`${url}events`, { signal });
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (text += chunk).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, kind = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      yield { kind, data: JSON.parse(data) };
    }
  }
}

interface Board {
  readonly total: number;
  readonly last: readonly { readonly number: number; readonly by: string }[];
}

test.serial(
  'the departure board: a page finds the other replicas, and the board goes on without one of four',
  async (t) => {
    const domain = freshDomain();
    const replicas = ['north', 'east', 'south', 'west'].map((name) => run(t, 'departure-board', domain, name));
    for (const replica of replicas) await shows(replica, /one of (\w+, ){3}\w+\n/);
    const over = new AbortController();
    t.teardown(() => over.abort());
    const urls = replicas.map(({ output }) => /http:\S+/.exec(output)?.[0] ?? '');
    const [first = '', second = ''] = urls;

    t.regex(await (await fetch(first)).text(), /<title>Departures</);
    const airports = (await (await fetch(`${first}airports`)).json()) as unknown[];
    t.true(airports.length > 3000);

    let named: unknown;
    for await (const { kind, data } of eventsOf(first, over.signal)) {
      if (kind === 'urls') named = data;
      if (kind === 'board') break;
    }
    t.deepEqual((named as string[]).sort(), [...urls].sort());

    replicas[0]?.child.kill('SIGKILL');
    await shows(replicas[1] as Running, /one of \w+, \w+, \w+\n/);
    let numbers: number[] = [];
    for await (const { kind, data } of eventsOf(second, over.signal)) {
      if (kind !== 'board') continue;
      const { total, last } = data as Board;
      numbers = last.map(({ number }) => number);
      t.is(numbers[0], total);
      if (new Set(last.map(({ by }) => by)).size === 3 && !last.some(({ by }) => by === 'north')) break;
    }
    t.deepEqual(
      numbers,
      numbers.map((_, i) => (numbers[0] ?? 0) - i),
    );
    for (const { child } of replicas) child.kill('SIGTERM');
  },
);
