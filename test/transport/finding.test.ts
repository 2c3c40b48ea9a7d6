/** Peers are found by DNS records and by files, which change; what cannot be read just now is what it was. */
import { createSocket } from 'node:dgram';
import dns from 'node:dns/promises';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { formatAddress, type Endpoint } from '../../transport/addresses.js';
import { startFinding, type FindingOptions } from '../../transport/finding.js';

/** Answers from a table; `dead`: not at all. `failing`: it has failed for these, by 'type name'. */
interface NameServer {
  readonly address: string;
  readonly a: Map<string, string[]>;
  readonly aaaa: Map<string, string[]>;
  readonly srv: Map<string, { readonly port: number; readonly name: string }[]>;
  readonly failing: Set<string>;
  dead: boolean;
}

const types = { a: 1, aaaa: 28, srv: 33 } as const;

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}

function sixBytes(host: string): Buffer {
  const [head = '', tail = ''] = host.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((each) => Number.parseInt(each, 16)));
  const [front, back] = [groups(head), groups(tail)];
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Buffer.concat(all.map((each) => Buffer.of(each >> 8, each & 0xff)));
}

/** A name server on loopback, as small as one can be. */
async function nameServer(t: ExecutionContext): Promise<NameServer> {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (query, from) => {
    if (server.dead) return;
    let at = 12;
    const labels: string[] = [];
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const end = at + 5;
    const type = query.readUInt16BE(at + 1);
    const name = labels.join('.');
    const data =
      type === types.a
        ? (server.a.get(name) ?? []).map((host) => Buffer.from(host.split('.').map(Number)))
        : type === types.aaaa
          ? (server.aaaa.get(name) ?? []).map(sixBytes)
          : (server.srv.get(name) ?? []).map((each) =>
              Buffer.concat([Buffer.of(0, 0, 0, 0, each.port >> 8, each.port & 0xff), nameBytes(each.name)]),
            );
    const isKnown = server.a.has(name) || server.aaaa.has(name) || server.srv.has(name);
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    const isFailing = server.failing.has(`${type} ${name}`);
    header.writeUInt16BE(0x8180 | (isFailing ? 2 : isKnown ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    if (isFailing) data.length = 0;
    header.writeUInt16BE(data.length, 6);
    const answers = data.map((each) =>
      Buffer.concat([Buffer.of(0xc0, 12, 0, type, 0, 1, 0, 0, 0, 1, each.length >> 8, each.length & 0xff), each]),
    );
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const server: NameServer = {
    address: `127.0.0.1:${socket.address().port}`,
    a: new Map(),
    aaaa: new Map(),
    srv: new Map(),
    failing: new Set(),
    dead: false,
  };
  return server;
}

/** Looks, and waits for what is found or complained about. */
function follow(t: ExecutionContext, options: Partial<FindingOptions>) {
  let last: string[] = [];
  const faults: string[] = [];
  let waiting: (() => void)[] = [];
  const told = (): void => {
    const now = waiting;
    waiting = [];
    for (const wake of now) wake();
  };
  const finding = startFinding({
    seeds: [],
    dns: undefined,
    file: undefined,
    refreshMillis: 100,
    reporter: {
      report(_, message) {
        faults.push(message);
        told();
      },
      close: () => {},
    },
    found(endpoints: readonly Endpoint[]) {
      last = endpoints.map(({ host, port }) => formatAddress(host, port)).sort();
      told();
    },
    ...options,
  });
  // what looks keeps no process alive
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => {
    clearInterval(alive);
    finding.stop();
  });
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return {
    first: finding.first,
    faults,
    fault: (words: RegExp) => until(() => faults.some((each) => words.test(each))),
    found: (...expected: string[]) => until(() => last.join() === expected.sort().join()),
  };
}

test('A and AAAA records are asked for again, and what goes is forgotten', async (t) => {
  const server = await nameServer(t);
  const name = 'groups.example.internal';
  const found = follow(t, { dns: { name, port: 7000, servers: [server.address] } });
  await found.first;
  server.a.set(name, ['10.0.0.1', '10.0.0.2']);
  server.aaaa.set(name, ['fd00::7']);
  await found.found('10.0.0.1:7000', '10.0.0.2:7000', '[fd00::7]:7000');
  server.a.set(name, ['10.0.0.2', '10.0.0.3']);
  server.aaaa.delete(name);
  await found.found('10.0.0.2:7000', '10.0.0.3:7000');
  server.a.delete(name);
  await found.found();
  t.deepEqual(found.faults, []);
});

test('SRV records tell hosts and ports', async (t) => {
  const server = await nameServer(t);
  const name = '_groups._tcp.example.internal';
  server.srv.set(name, [
    { port: 7001, name: 'one.example.internal' },
    { port: 7002, name: 'two.example.internal' },
  ]);
  server.a.set('one.example.internal', ['10.0.0.1']);
  server.aaaa.set('two.example.internal', ['fd00::2']);
  await follow(t, { dns: { name, servers: [server.address] } }).found('10.0.0.1:7001', '[fd00::2]:7002');
  t.pass();
});

test('while a name server does not answer, what was known before holds', async (t) => {
  t.timeout(30_000);
  const server = await nameServer(t);
  const name = 'groups.example.internal';
  server.a.set(name, ['10.0.0.1']);
  const found = follow(t, { dns: { name, port: 7000, servers: [server.address] } });
  await found.found('10.0.0.1:7000');
  server.dead = true;
  await found.fault(/^DNS groups\.example\.internal: .*; what was known before holds$/);
  await found.found('10.0.0.1:7000');
  server.a.set(name, ['10.0.0.9']);
  server.dead = false;
  await found.found('10.0.0.9:7000');
  t.is(found.faults.length, 1);
});

test('a record type that fails keeps back nothing of the other; it is told once, and what it told before holds', async (t) => {
  const server = await nameServer(t);
  const name = 'groups.example.internal';
  server.a.set(name, ['10.0.0.1']);
  server.aaaa.set(name, ['fd00::7']);
  server.failing.add(`${types.aaaa} ${name}`);
  const found = follow(t, { dns: { name, port: 7000, servers: [server.address] } });
  await found.found('10.0.0.1:7000');
  await found.fault(/^DNS groups\.example\.internal: AAAA of groups.*SERVFAIL.*; left out$/);
  server.failing.clear();
  await found.found('10.0.0.1:7000', '[fd00::7]:7000');
  server.failing.add(`${types.a} ${name}`);
  server.aaaa.set(name, ['fd00::8']);
  await found.found('10.0.0.1:7000', '[fd00::8]:7000');
  await found.fault(/A of groups.*SERVFAIL.*; what was known before holds$/);
  server.aaaa.set(name, ['fd00::9']);
  await found.found('10.0.0.1:7000', '[fd00::9]:7000');
  t.is(found.faults.length, 2);
});

test('a target of SRV records that cannot be looked up keeps back none of the others', async (t) => {
  const server = await nameServer(t);
  const name = '_groups._tcp.example.internal';
  server.srv.set(name, [
    { port: 7001, name: 'bad.example.internal' },
    { port: 7002, name: 'good.example.internal' },
  ]);
  server.failing.add(`${types.a} bad.example.internal`).add(`${types.aaaa} bad.example.internal`);
  server.a.set('good.example.internal', ['10.0.0.2']);
  const found = follow(t, { dns: { name, servers: [server.address] } });
  await found.found('10.0.0.2:7002');
  await found.fault(/AAAA of bad\.example\.internal:7001: .*SERVFAIL/);
  t.is(found.faults.length, 2);
});

test('a file is read again when it has changed; what is wrong in it is told by line, once', async (t) => {
  const file = freshFile(t);
  const found = follow(t, { file });
  await found.fault(/^file .*nodes: ENOENT.*what was known before holds$/);
  writeFileSync(file, '# ours\n10.0.0.1:7000\r\n\n[fd00::1]:7000   # the second\n');
  await found.found('10.0.0.1:7000', '[fd00::1]:7000');
  writeFileSync(file, '10.0.0.1:7000\n10.0.0.2\n10.0.0.3:7000');
  await found.found('10.0.0.1:7000', '10.0.0.3:7000');
  await found.fault(/nodes:2: '10\.0\.0\.2' is not an address: write host:port.*; left out$/);
  writeFileSync(file, '10.0.0.4:7000');
  await found.found('10.0.0.4:7000');
  t.is(found.faults.length, 2);
});

/** Names are looked up in this table, until the test ends; what is not in it is nowhere. */
function lookUpIn(t: ExecutionContext, table: ReadonlyMap<string, string>): string[] {
  const asked: string[] = [];
  const { lookup } = dns;
  const set = (to: unknown): void => {
    (dns as { lookup: unknown }).lookup = to;
    syncBuiltinESMExports();
  };
  set((name: string) => {
    asked.push(name);
    const address = table.get(name);
    return address === undefined
      ? Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`))
      : Promise.resolve([{ address, family: 4 }]);
  });
  t.teardown(() => set(lookup));
  return asked;
}

/** A file that is gone when the test ends. */
function freshFile(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'nodes');
}

test.serial('names in a file are looked up no more often than others, though it is read again and again', async (t) => {
  const file = freshFile(t);
  const table = new Map([['one.internal', '10.0.0.1']]);
  const asked = lookUpIn(t, table);
  writeFileSync(file, 'one.internal:7000\none.internal:7000\n');
  const found = follow(t, { file, refreshMillis: 60_000 });
  await found.found('10.0.0.1:7000', '10.0.0.1:7000');
  table.set('one.internal', '10.0.0.2');
  for (const more of ['10.0.0.3:7000', '10.0.0.4:7000']) {
    writeFileSync(file, `one.internal:7000\n${more}\n`);
    await found.found('10.0.0.1:7000', more);
  }
  t.deepEqual(asked, ['one.internal']);
});

test.serial('a name in a file is looked up again; while it cannot be, it leads to where it did', async (t) => {
  const file = freshFile(t);
  const table = new Map([['one.internal', '10.0.0.1']]);
  lookUpIn(t, table);
  writeFileSync(file, 'one.internal:7000\n');
  const found = follow(t, { file });
  await found.found('10.0.0.1:7000');
  table.delete('one.internal');
  await found.fault(/nodes:1: getaddrinfo ENOTFOUND one\.internal; what was known before holds$/);
  writeFileSync(file, 'one.internal:7000\n10.0.0.2:7000\n');
  await found.found('10.0.0.1:7000', '10.0.0.2:7000');
  table.set('one.internal', '10.0.0.9');
  await found.found('10.0.0.2:7000', '10.0.0.9:7000');
  t.true(found.faults.length <= 2);
});

test('a file that is too large, or none, is told with its name and what to do, and not read', async (t) => {
  const file = freshFile(t);
  writeFileSync(file, '10.0.0.1:7000\n');
  const found = follow(t, { file });
  await found.found('10.0.0.1:7000');
  // a terabyte, of which nothing is written
  truncateSync(file, 2 ** 40);
  await found.fault(/^file .*nodes: it has 1099511627776 bytes, more than.*name a file.*what was known before holds$/);
  await found.found('10.0.0.1:7000');
  rmSync(file);
  mkdirSync(file);
  await found.fault(/^file .*nodes: it is no file: name one with.*what was known before holds$/);
  rmSync(file, { recursive: true });
  writeFileSync(file, '10.0.0.2:7000\n');
  await found.found('10.0.0.2:7000');
  t.is(found.faults.filter((each) => !each.includes('ENOENT')).length, 2);
});

test.serial('of a file of many lines only so many as are tried are looked up; the rest is told once', async (t) => {
  const file = freshFile(t);
  const asked = lookUpIn(t, new Map([['late.internal', '10.9.9.9']]));
  const lines = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:1`);
  writeFileSync(file, [...lines, 'late.internal:7000'].join('\n'));
  const found = follow(t, { file });
  await found.found(...lines.slice(0, 4096).map((line) => formatAddress(line.slice(0, -2), 1)));
  await found.fault(/nodes: it has more than 4096 addresses.*those after line 4096 are left out$/);
  writeFileSync(file, '10.0.0.1:7000');
  await found.found('10.0.0.1:7000');
  t.is(found.faults.length, 1);
  t.deepEqual(asked, []);
});

test('names of seeds are looked up; one that cannot be is told, the others are found', async (t) => {
  const found = follow(t, { seeds: ['localhost:7000', 'nobody.invalid:7000', '10.0.0.1:7000'] });
  await found.fault(/^seed nobody\.invalid:7000: .*; what was known before holds$/);
  await found.first;
  t.is(found.faults.length, 1);
});
