/** `nact-groups watch` on a real domain: changes as lines, a page, and a way out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { runWatch, type WatchCommand } from '../../actors/tools/watch.js';
import { eventually } from '../actors/systems.js';
import { cli, freshDomain, runCli, startMember } from './member-process.js';

/** Starts it; its lines, and the signal that ends it. */
function watch(t: ExecutionContext, ...args: string[]) {
  const child = spawn(process.execPath, [cli, 'watch', ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
  });
  const saw = (what: string, fits: (line: Record<string, unknown>) => boolean) =>
    eventually(
      () => lines.some(fits),
      () => `${what}: ${lines.map((line) => JSON.stringify(line)).join('\n')}`,
    );
  const end = async () => {
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  };
  return { saw, end, lines };
}

test.serial('a domain is watched: nodes, views with their causes, rates; then it leaves', async (t) => {
  const domain = freshDomain();
  const a = startMember(t, 'a', domain);
  await a.view(['a']);
  const watching = watch(t, '--domain', domain, '--name', 'w');
  const isView = (members: string) => (line: Record<string, unknown>) =>
    line['event'] === 'view' && (line['members'] as string[]).map((id) => id[0]).join('') === members;
  await watching.saw('view of a', isView('a'));
  const b = startMember(t, 'b', domain);
  await watching.saw('view of both', (line) => isView('ab')(line) && line['cause'] === 'joined: b');
  a.command('send 100000 --rate 200');
  await watching.saw('rates', (line) => line['event'] === 'rates' && (line['multicasts'] as number) > 20);
  b.child.kill('SIGKILL');
  await watching.saw('b gone', (line) => line['event'] === 'node' && line['change'] === 'gone');
  await watching.saw('view of a alone', (line) => isView('a')(line) && line['cause'] === 'gone: b');
  const from = a.lines.length;
  t.is(await watching.end(), 0);
  a.command('stop');
  // it has left: nobody suspects it, and no view changes for it
  const stat = await a.run('stat');
  t.is(stat['nodes'], 1);
  t.false(a.lines.slice(from).some(({ event }) => event === 'view'));
});

test.serial('a page of a domain that is watched', async (t) => {
  const domain = freshDomain();
  const a = startMember(t, 'a', domain);
  await a.view(['a']);
  const watching = watch(t, '--domain', domain, '--web');
  await watching.saw('its address', ({ event }) => event === 'listening');
  const url = String(watching.lines[0]?.['url']);
  t.regex(await (await fetch(url)).text(), /<title>nact-groups inspector/);
  const events = await fetch(`${url}events`);
  const reader = (events.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  // it is no member, and yet the picture begins with the view that stands
  const isWhole = () => /event: snapshot\ndata: .*"name":"g"/.test(text) && /"e":"view","g":"g"/.test(text);
  while (!isWhole()) text += (await reader.read()).value ?? t.fail('it ended');
  await reader.cancel();
  t.is(await watching.end(), 0);
});

test.serial('what does not go together is refused with a word what would', async (t) => {
  const flags = { transport: 'udp', minimumWeight: 0, port: 0, host: '127.0.0.1' } as const;
  const cases: [string[], Partial<WatchCommand>, RegExp][] = [
    [[], {}, /--domain is missing/],
    [['a.jsonl'], {}, /--web.*nact-groups check/],
    [['a.jsonl'], { web: true, domain: 'd' }, /either traces or --domain/],
    [['a.jsonl', 'b/a.jsonl'], { web: true }, /the same name/],
    [['/nowhere.jsonl'], { web: true }, /ENOENT.*nowhere/],
  ];
  for (const [traces, options, message] of cases) {
    await t.throwsAsync(runWatch(traces, { ...flags, ...options }), { message });
  }
  const [refused, script] = await Promise.all([runCli('watch', '--port', '70000'), runCli('completion', 'bash')]);
  t.is(refused.code, 2);
  t.is(script.code, 0);
  t.regex(script.stdout, /'watch'\) words='[^']*--web/);
});
