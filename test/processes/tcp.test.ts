/**
 * Members over TCP, in processes of their own: started at once with the same list of seeds they found one domain; one is
 * killed, one joins late, connections are reset and fall silent between them, and no property is violated.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { freePort, openProxy } from '../transport/proxy.js';
import { freshDomain, runCli, startMember, type MemberProcess } from './member-process.js';

const names = ['a', 'b', 'c', 'd'];
/** What such a run must have put to the test. */
const atStake = 'VIEW-AGREE,PRIMARY-UNIQ,PRIMARY-CHAIN,NO-DUP,NO-CREATE,VSYNC,SELF-DEL,FIFO,CAUSAL,TOTAL,UNIFORM,STATE';

const load = ['--order total --rate 100', '--order fifo --rate 100', '--order total --uniform --rate 50'];

/** How many sends each has begun. Those of one that is excluded end by themselves. */
const begun = new Map<MemberProcess, number>();

function begin(member: MemberProcess): void {
  for (const flags of load) member.command(`send 1000000 --size 256 ${flags}`);
  begun.set(member, (begun.get(member) ?? 0) + load.length);
}

function hasEnded(member: MemberProcess): boolean {
  return member.lines.filter((line) => line['command'] === 'send').length === begun.get(member);
}

/** Ends the load and compares; then every process has said the same. */
async function compare(t: ExecutionContext, members: readonly MemberProcess[]): Promise<void> {
  await Promise.all(
    members.map(async (member) => {
      member.command('stop');
      await member.line(() => hasEnded(member), 'end of its sends');
    }),
  );
  await members[0]?.run('set last word');
  const digests = await Promise.all(
    members.map(async (member) => {
      for (;;) {
        const { value } = await member.run('get last');
        if (value === 'word') return (await member.run('digest'))['digest'] as string;
      }
    }),
  );
  t.is(new Set(digests).size, 1, digests.join());
}

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function checked(t: ExecutionContext, folder: string): Promise<void> {
  const traces = readdirSync(folder)
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => path.join(folder, file));
  const { code, stdout } = await runCli('check', '--expect', atStake, ...traces);
  t.is(code, 0, stdout);
}

test.serial('tcp: four start at once, one is killed and one joins, and no property is violated', async (t) => {
  t.timeout(90_000);
  const folder = folderOf(t);
  const domain = freshDomain();
  const ports = await Promise.all([...names, 'e'].map(freePort));
  const seeds = ports.slice(0, 4).map((port) => `127.0.0.1:${port}`);
  const start = (name: string, port = 0, ...flags: string[]) =>
    startMember(
      t,
      name,
      domain,
      ...['--transport', 'tcp', '--listen', `127.0.0.1:${port}`, '--trace', path.join(folder, `${name}.jsonl`)],
      ...flags,
    );
  const members = names.map((name, i) => start(name, ports[i], '--seeds', seeds.join()));
  await Promise.all(members.map((member) => member.view(names)));
  for (const member of members) begin(member);
  const order = members[0]?.lines.filter(({ event }) => event === 'view').at(-1)?.['members'] as string[];
  const victim = members.find(({ name }) => name === order[0]) as MemberProcess;
  const survivors = members.filter((member) => member !== victim);
  const rest = survivors.map(({ name }) => name);
  await Promise.all(survivors.map((member) => member.run('set before kill')));
  victim.child.kill('SIGKILL');
  await Promise.all(survivors.map((member) => member.view(rest)));
  // it knows of the others by a file, which does not name them before it has started
  const file = path.join(folder, 'nodes');
  writeFileSync(file, '# nobody yet\n');
  const joiner = start('e', ports[4], '--seeds-file', file);
  await joiner.view(['e']);
  writeFileSync(file, seeds.join('\n'));
  const all = [...survivors, joiner];
  await Promise.all(all.map((member) => member.view([...rest, 'e'])));
  await joiner.line((line) => line.event === 'status' && line['status'] === 'active', 'active');
  begin(joiner);
  await joiner.run('set from joiner');
  await compare(t, all);
  for (const member of all) member.child.kill('SIGTERM');
  t.deepEqual(
    await Promise.all(all.map(({ exited }) => exited)),
    all.map(() => 0),
  );
  await checked(t, folder);
});

test.serial('tcp: connections that are reset and that fall silent lose and double nothing', async (t) => {
  t.timeout(90_000);
  const folder = folderOf(t);
  const domain = freshDomain();
  const proxies = await Promise.all(names.map(() => openProxy(t)));
  const seeds = proxies.map(({ address }) => address).join();
  const members = await Promise.all(
    names.map(async (name, i) => {
      const proxy = proxies[i];
      const port = await freePort();
      if (proxy === undefined) throw new Error('no proxy');
      proxy.target = `127.0.0.1:${port}`;
      const addresses = ['--listen', proxy.target, '--advertise', proxy.address, '--seeds', seeds];
      return startMember(
        t,
        name,
        domain,
        '--transport',
        'tcp',
        ...addresses,
        '--trace',
        path.join(folder, `${name}.jsonl`),
      );
    }),
  );
  await Promise.all(members.map((member) => member.view(names)));
  for (const member of members) begin(member);
  for (let round = 0; round < 12; round++) {
    await members[round % 4]?.run(`set round ${round}`);
    proxies[(round * 3) % 4]?.reset();
  }
  await compare(t, members);
  const views = members.map(({ lines }) => lines.filter(({ event }) => event === 'view').length);
  t.true(
    members.every(
      ({ lines }) => (lines.filter(({ event }) => event === 'view').at(-1)?.['members'] as string[]).length === 4,
    ),
    `nobody was excluded for a connection that was reset; views: ${views.join()}`,
  );
  // what falls silent between some of them is made anew, or they are excluded and come back
  for (const member of members) begin(member);
  const marks = members.map(({ lines }) => lines.length);
  const busiest = [...proxies].sort((one, other) => other.live - one.live)[0];
  t.true((busiest?.live ?? 0) > 0);
  busiest?.freeze();
  // who is not heard is excluded, and comes back over a connection that is made anew
  await Promise.all(members.map((member, i) => member.view(names, marks[i])));
  await compare(t, members);
  for (const member of members) member.child.kill('SIGTERM');
  t.deepEqual(await Promise.all(members.map(({ exited }) => exited)), [0, 0, 0, 0]);
  await checked(t, folder);
});

test.serial('tcp: a node that nobody can connect to is not excluded when its connections are reset', async (t) => {
  t.timeout(60_000);
  const domain = freshDomain();
  const proxies = await Promise.all(['a', 'b'].map(() => openProxy(t)));
  const seeds = proxies.map(({ address }) => address).join();
  const start = (name: string, listen: string, advertise: string) =>
    startMember(t, name, domain, '--transport', 'tcp', '--listen', listen, '--advertise', advertise, '--seeds', seeds);
  for (const proxy of proxies) proxy.target = `127.0.0.1:${await freePort()}`;
  const hidden = start('hidden', '127.0.0.1:0', `127.0.0.1:${await freePort()}`);
  await hidden.view(['hidden']);
  const others = proxies.map(({ target, address }, i) => start(['a', 'b'][i] ?? '', target, address));
  const members = [hidden, ...others];
  await Promise.all(members.map((member) => member.view(['a', 'b', 'hidden'])));
  const count = (): number[] => members.map(({ lines }) => lines.filter(({ event }) => event === 'view').length);
  const before = count();
  for (let round = 0; round < 6; round++) {
    for (const proxy of proxies) proxy.reset();
    await new Promise((resolve) => setTimeout(resolve, 400));
    await hidden.run(`set round ${round}`);
  }
  t.deepEqual(count(), before);
  for (const member of members) member.child.kill('SIGTERM');
  t.deepEqual(await Promise.all(members.map(({ exited }) => exited)), [0, 0, 0]);
});

test.serial('tcp: two domains of one name become one when they hear of each other', async (t) => {
  t.timeout(90_000);
  const folder = folderOf(t);
  const domain = freshDomain();
  const ports = await Promise.all(names.map(freePort));
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const sides = [
    ['a', 'b'],
    ['c', 'd'],
  ];
  const files = sides.map((side, i) => {
    const file = path.join(folder, `nodes-${i}`);
    writeFileSync(file, side.map((name) => addresses[names.indexOf(name)]).join('\n'));
    return file;
  });
  const members = names.map((name, i) =>
    startMember(
      t,
      name,
      domain,
      ...['--transport', 'tcp', '--listen', addresses[i] as string, '--seeds-file', files[i >> 1] as string],
      ...['--trace', path.join(folder, `${name}.jsonl`)],
    ),
  );
  await Promise.all(members.map((member, i) => member.view(sides[i >> 1] as string[])));
  for (const member of members) begin(member);
  await Promise.all(members.map((member, i) => member.run(`set side ${i >> 1}`)));
  for (const file of files) writeFileSync(file, addresses.join('\n'));
  await Promise.all(members.map((member) => member.view(names)));
  await compare(t, members);
  const kept = await Promise.all(members.map(async (member) => (await member.run('get side'))['value']));
  t.is(new Set(kept).size, 1, kept.join());
  for (const member of members) member.child.kill('SIGTERM');
  t.deepEqual(await Promise.all(members.map(({ exited }) => exited)), [0, 0, 0, 0]);
  await checked(t, folder);
});
