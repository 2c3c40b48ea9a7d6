/** The command line says what is wrong, exits with a status that shows it, and lets nothing else be disturbed. */
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { domainMulticast } from '../../transport/addresses.js';
import { freshDomain, runCli, startMember } from './member-process.js';

function file(t: ExecutionContext, name: string, text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const target = path.join(folder, name);
  writeFileSync(target, text);
  return target;
}

test.serial('help of the whole and of each command; the status is 0', async (t) => {
  for (const command of [[], ['demo'], ['member'], ['check']]) {
    const { code, stdout } = await runCli(...command, '--help');
    t.is(code, 0);
    t.regex(stdout, /Usage: nact-groups/);
  }
  const { stdout } = await runCli('member', '--help');
  t.regex(stdout, /send N \[--size B\]/);
  t.regex(stdout.replace(/\s+/g, ' '), /more than 16 MiB of deliveries.*the oldest member never goes/);
});

test.serial('bench: the benchmarks get the arguments as they are, and their exit status is its own', async (t) => {
  const commands = await runCli('bench', '--help');
  t.is(commands.code, 0);
  t.regex(commands.stdout, /^ {2}rates /m);
  const options = await runCli('bench', 'rates', '--help');
  t.is(options.code, 0);
  t.regex(options.stdout, /--sizes 100,1k,10k/);
  const dance = await runCli('bench', 'dance', '--quick');
  t.is(dance.code, 2);
  t.regex(dance.stderr, /no command dance: give any of rates/);
  const rounds = await runCli('bench', '--quick', '--rounds', '0');
  t.is(rounds.code, 2);
  t.regex(rounds.stderr, /--rounds 0: give a whole number from 1 to 100/);
});

test.serial('what is not understood is refused with status 2 and a word why', async (t) => {
  const cases: [string[], RegExp][] = [
    [['dance'], /unknown command 'dance'/],
    [['member', '--domain', 'd', '--group', 'g', '--colour'], /unknown option '--colour'/],
    [['member', '--group', 'g'], /--domain/],
    [['member', '--domain', 'd', '--group', 'g', '--transport', 'pigeon'], /pigeon.*Allowed choices are udp/],
    [['member', '--domain', 'd', '--group', 'g', '--multicast', 'nowhere'], /ADDR:PORT/],
    [['demo', '--nodes', '2'], /whole number from 3/],
    [['check'], /missing required argument/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await runCli(...args);
    t.is(code, 2, args.join(' '));
    t.regex(stderr, message);
  }
});

test.serial('an interface that does not exist, and an address that is not multicast', async (t) => {
  for (const [flags, message] of [
    [['--interface', '192.0.2.1'], /192\.0\.2\.1/],
    [['--multicast', '10.0.0.1:5000'], /10\.0\.0\.1/],
  ] as const) {
    const { code, stderr } = await runCli('member', '--domain', freshDomain(), '--group', 'g', ...flags);
    t.is(code, 1);
    t.regex(stderr, message);
  }
});

const outer = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal);

(outer ? test.serial : test.serial.skip)('an interface but loopback needs --insecure', async (t) => {
  const flags = ['--interface', outer?.address as string];
  const { code, stderr } = await runCli('member', '--domain', freshDomain(), '--group', 'g', ...flags);
  t.is(code, 1);
  t.regex(stderr, /--insecure/);
  const trusting = startMember(t, 'a', freshDomain(), ...flags, '--insecure');
  await trusting.view(['a']);
  trusting.command('exit');
  t.is(await trusting.exited, 0);
});

test.serial('input that is not JSON lines: the error names the line', async (t) => {
  const input = file(t, 'events.jsonl', '{"origin":"SFO","delay":1}\n{"origin":\n');
  const { code, stderr } = await runCli('demo', '--input', input);
  t.is(code, 1);
  t.regex(stderr, /events\.jsonl:2: not JSON/);
  t.is((await runCli('demo', '--input', '/nowhere.jsonl')).code, 1);
});

test.serial('check: a trace with a violation, a file that is none, a file that is not there', async (t) => {
  const view = (p: string, m: string[]) =>
    JSON.stringify({
      t: 1,
      p,
      e: 'view',
      g: 'g',
      v: '5',
      k: 5,
      m,
      primary: true,
      prev: null,
      joined: [],
      left: [],
      dom: 'x#1',
    });
  const start = (p: string) => JSON.stringify({ t: 0, p, e: 'start', domain: 'd', protocol: 1 });
  const bad = file(
    t,
    'bad.jsonl',
    [start('a#1'), view('a#1', ['a#1', 'b#1']), start('b#1'), view('b#1', ['b#1']), ''].join('\n'),
  );
  const violated = await runCli('check', bad);
  t.is(violated.code, 1);
  t.regex(violated.stdout, /VIEW-AGREE/);
  const none = await runCli('check', file(t, 'none.jsonl', 'hello\nworld\n'));
  t.is(none.code, 1);
  t.regex(none.stderr, /none\.jsonl:1/);
  t.is((await runCli('check', '/nowhere.jsonl')).code, 1);
});

test.serial('a member: bad commands, messages that are too large, garbage datagrams; it goes on', async (t) => {
  const domain = freshDomain();
  const a = startMember(t, 'a', domain);
  const b = startMember(t, 'b', domain);
  await Promise.all([a.view(['a', 'b']), b.view(['a', 'b'])]);
  for (const line of ['frobnicate', 'send', 'send 5 --order sideways', 'slow fast', 'set x']) {
    t.false((await a.run(line))['ok'], line);
  }
  const large = await a.run(`send 1 --size ${17 * 1024 * 1024}`);
  t.false(large['ok']);
  t.regex(large['error'] as string, /limit/);

  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  const { address, port } = domainMulticast(domain);
  for (let length = 0; length < 200; length++) {
    const garbage = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
    await new Promise((resolve) => socket.send(garbage, port, address, resolve));
  }
  const sent = await a.run('send 500 --size 300 --order total --uniform');
  t.like(sent, { ok: true, sent: 500, stable: 500, failed: 0 });
  t.true((await b.run('set color green'))['ok']);
  t.is((await a.run('get color'))['value'], 'green');
  const [da, db] = await Promise.all([a.run('digest'), b.run('digest')]);
  t.is(da['digest'], db['digest']);
  t.is(da['position'], 501);
  a.command('say hello there');
  t.like(await b.line((line) => line.event === 'say', 'say'), { from: 'a', text: 'hello there' });
  const asked = await a.run('ask all who is there');
  t.like(asked, { ok: true, missing: [] });
  t.deepEqual(
    (asked['replies'] as { member: string; value: string }[]).map(({ member, value }) => [member, value]).sort(),
    [
      ['a', 'a: who is there'],
      ['b', 'b: who is there'],
    ],
  );
  t.is(((await b.run('ask one x'))['replies'] as unknown[]).length, 1);
  t.false((await b.run('ask nobody x'))['ok']);
  const stat = await a.run('stat');
  for (const counter of ['unstable', 'unstableBytes', 'queued', 'reorder', 'reassembly', 'mailbox', 'rss', 'lagMs']) {
    t.is(typeof stat[counter], 'number', counter);
  }
  t.deepEqual(Object.keys(stat['own'] as object).sort(), ['mailbox', 'queued', 'unstable']);
  t.true((stat['droppedMalformed'] as number) + (stat['droppedForeign'] as number) > 0, 'garbage is counted');

  const mark = a.lines.length;
  await b.run('leave');
  const alone = await a.view(['a'], mark);
  t.is(alone['cause'], 'left: b');
  await b.run('join');
  await a.line(
    (line) => line['cause'] === 'joined: b' && Number(line['id']) > Number(alone['id']),
    'view with b again',
  );
  t.is((await b.run('get color'))['value'], 'green');
  const joined = await b.run('digest');
  t.is(joined['digest'], (await a.run('digest'))['digest']);
  t.is(joined['position'], 504, 'a joiner knows where in the order its state is');
  a.command('exit');
  t.is(await a.exited, 0);
  b.child.kill('SIGTERM');
  t.is(await b.exited, 0);
});

test.serial('a member: flags of a transport that do not belong together or make no sense are refused', async (t) => {
  const member = (...flags: string[]) => runCli('member', '--domain', 'd', '--group', 'g', ...flags);
  for (const [flags, status, words] of [
    [['--seeds', '127.0.0.1:7000'], 2, /--seeds is for --transport tcp/],
    [['--transport', 'tcp', '--interface', '127.0.0.1'], 2, /--interface is for --transport udp/],
    [['--transport', 'sctp'], 2, /udp, tcp/],
    [['--transport', 'tcp', '--listen', '7000'], 1, /'7000' is not an address: write host:port/],
    [['--transport', 'tcp', '--seeds', '127.0.0.1:1,10.0.0.1'], 1, /'10\.0\.0\.1' is not an address/],
    [['--transport', 'tcp', '--listen', '0.0.0.0:0', '--advertise', '10.0.0.1'], 1, /--insecure/],
  ] as const) {
    const { code, stderr } = await member(...flags);
    t.is(code, status, flags.join(' '));
    t.regex(stderr, words);
  }
});

test.serial('a member that is told to end before it is in its group, cut off, or slow leaves quietly', async (t) => {
  t.timeout(90_000);
  const early = startMember(t, 'early', freshDomain(), '--minimum-nodes', '2');
  // until it can take signals
  await early.run('slow 0');
  early.child.kill('SIGTERM');
  t.is(await early.exited, 0);
  t.deepEqual(
    early.errors.filter((line) => line.includes('error')),
    [],
  );

  const domain = freshDomain();
  const a = startMember(t, 'a', domain, '--quorum', 'majority');
  await a.view(['a']);
  const b = startMember(t, 'b', domain, '--quorum', 'majority');
  await Promise.all([a.view(['a', 'b']), b.view(['a', 'b'])]);
  a.child.kill('SIGKILL');
  await b.line(({ event, status }) => event === 'status' && status === 'wedged', 'word that it is wedged');
  b.child.kill('SIGTERM');
  const slow = startMember(t, 'slow', freshDomain());
  await slow.view(['slow']);
  await slow.run('slow 100');
  slow.command('send 260');
  await new Promise((resolve) => setTimeout(resolve, 500));
  slow.child.kill('SIGTERM');
  t.deepEqual(await Promise.all([b.exited, slow.exited]), [0, 0]);
  t.regex(slow.errors.join('\n'), /'g' is left with \d+ messages not applied here/);
  t.notRegex([...b.errors, ...slow.errors].join('\n'), /error: /);
});

test.serial('a name that is taken: the second process says so and exits', async (t) => {
  const domain = freshDomain();
  const one = startMember(t, 'twin', domain);
  await one.view(['twin']);
  const two = startMember(t, 'twin', domain);
  t.is(await two.exited, 1);
  t.regex(two.errors.join('\n'), /twin/);
  t.true((await one.run('set still here'))['ok']);
});
