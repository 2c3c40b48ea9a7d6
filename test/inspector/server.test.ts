/** The inspector's server answers whom it should, with what it should, and shows nothing to others. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { request } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { start } from 'nact';
import { groups, inspector, InvalidOption, leaveDomain, memory, memoryHub } from '../../actors/index.js';
import { hosts } from '../../actors/host.js';
import { outside } from '../../actors/nact-internals.js';
import { isOwnName, listenAt, type Viewer } from '../../actors/inspector/server.js';
import { rememberingLogger } from '../actors/systems.js';

async function server(t: ExecutionContext) {
  const viewers: Viewer[] = [];
  let closed = 0;
  const open = (viewer: Viewer) => {
    viewers.push(viewer);
    return () => (closed += 1);
  };
  const files = new Map([['a.jsonl', () => 'text\n']]);
  const { url, close } = await listenAt({ port: 0, host: '127.0.0.1', names: ['look.example'] }, { files, open });
  t.teardown(close);
  return { url, viewers, closed: () => closed };
}

function get(url: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
    const asked = request(url, { headers, method }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('whose Host header is no address and none of its names is turned away, whatever it asks for', async (t) => {
  const { url } = await server(t);
  for (const path of ['', 'events', 'page.css', 'files']) {
    const { status, body } = await get(`${url}${path}`, { host: 'evil.example' });
    t.is(status, 421);
    t.notRegex(body, /<html/);
  }
  t.is((await get(url, { host: 'look.example:99' })).status, 200);
  for (const host of ['localhost:8080', '127.0.0.1', '[::1]:9', '10.1.2.3:80']) {
    t.true(isOwnName({ host: '127.0.0.1', names: [] }, host), host);
  }
  for (const host of [
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '1.2.3:4:5',
    '[x]',
  ]) {
    t.false(isOwnName({ host: '127.0.0.1', names: [] }, host), String(host));
  }
});

test('every answer forbids what is inline, elsewhere or framed, and sets no cookie', async (t) => {
  const { url } = await server(t);
  for (const path of ['', 'nowhere', 'page.css', 'actors/inspector/page/main.js']) {
    const { headers } = await get(`${url}${path}`);
    const policy = String(headers['content-security-policy']);
    t.regex(policy, /default-src 'none'/);
    t.notRegex(policy, /unsafe|https?:|\*/);
    t.regex(policy, /frame-ancestors 'none'/);
    t.is(headers['set-cookie'], undefined);
    t.is(headers['access-control-allow-origin'], undefined);
    t.is(headers['x-content-type-options'], 'nosniff');
  }
});

test('only what belongs to the page is served, and nothing but GET and HEAD is answered', async (t) => {
  const { url } = await server(t);
  for (const path of [
    '',
    'page.css',
    'icon.svg',
    'uplot.js',
    'uplot.css',
    'lib/trace/check.js',
    'actors/inspector/page/main.js',
  ]) {
    t.is((await get(`${url}${path}`)).status, 200, path);
  }
  for (const path of [
    'package.json',
    'actors/index.js',
    'actors/inspector/page/main.js.map',
    'lib/../package.json',
    'lib/%2e%2e/package.json',
    'lib/..%2f..%2fpackage.js',
    'actors/inspector/page/../server.js',
  ]) {
    const { status } = await get(`${url}${path}`);
    t.is(status, 404, path);
  }
  // as it stands, without a client that tidies it up
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end('GET /lib/../../package.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.regex(String(answer), /^HTTP\/1\.1 404/);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) t.is((await get(url, {}, method)).status, 405, method);
  t.is((await get(`${url}files`)).body, '["a.jsonl"]');
  t.is((await get(`${url}file?name=a.jsonl`)).body, 'text\n');
  t.is((await get(`${url}file?name=/etc/passwd`)).status, 404);
});

test('pages beyond so many are turned away; one that takes nothing is not written to without end', async (t) => {
  const { url, viewers, closed } = await server(t);
  const sockets = Array.from({ length: 16 }, () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /events?group=g HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return socket;
  });
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, 'readable')));
  t.is(viewers.length, 16);
  t.is(viewers[0]?.group, 'g');
  t.is((await get(`${url}events`)).status, 503);
  // none of them reads on: what waits has a bound
  const text = 'x'.repeat(100_000);
  let taken = 0;
  for (let i = 0; i < 1000; i++) if (viewers[0]?.send('snapshot', text)) taken += 1;
  t.true(taken >= 1 && taken < 200, `${taken}`);
  for (const socket of sockets) socket.destroy();
  while (closed() < 16) await new Promise((resolve) => setImmediate(resolve));
  t.pass();
});

test('options that make no sense, a port that is taken, a system without a domain: an error that says so', async (t) => {
  const { url } = await server(t);
  t.throws(() => inspector({ port: -1 }), { instanceOf: InvalidOption, message: /port.*-1/ });
  t.throws(() => inspector({ host: '' }), { instanceOf: InvalidOption, message: /host/ });
  t.throws(() => inspector({ colour: 'red' } as never), { instanceOf: InvalidOption, message: /no option 'colour'/ });
  const second = inspector({ port: Number(new URL(url).port) });
  await t.throwsAsync(second.url, { instanceOf: InvalidOption, message: /EADDRINUSE.*port 0/ });
  const alone = inspector();
  t.teardown(alone.close);
  t.throws(() => start({ name: 'no-domain' }, alone), { instanceOf: InvalidOption, message: /start\(groups/ });
  const { logger } = rememberingLogger();
  const late = inspector();
  late.close();
  const tooLate = () => start({ name: 'late' }, groups({ domain: 'd', transport: memory(memoryHub()), logger }), late);
  t.throws(tooLate, { instanceOf: InvalidOption, message: /was closed.*another/ });
  await leaveDomain(outside(hosts.get('late')!.system.reference));
  const more = inspector();
  t.teardown(more.close);
  const twice = () =>
    start({ name: 'twice' }, groups({ domain: 'd', transport: memory(memoryHub()), logger }), alone, more);
  t.throws(twice, { instanceOf: InvalidOption, message: /has an inspector already/ });
  // nact has no ref for a system that did not start, though it runs
  await leaveDomain(outside(hosts.get('twice')!.system.reference));
});
