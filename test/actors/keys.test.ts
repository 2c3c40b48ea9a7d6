/** Where a node's keys come from, and what it says of those that it cannot take. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  domain,
  InvalidOption,
  memoryHub,
  multicast,
  read,
  ready,
  spawnReplicated,
  udpMulticast,
  views,
  type DomainKeys,
  type GroupRef,
} from '../../actors/index.js';
import { holdKeys, keySource, type KeySource } from '../../actors/keys.js';
import type { KeyOption } from '../../actors/types.js';
import { freshDomain, system, viewOf } from './systems.js';

const hex = '0123456789abcdef'.repeat(4);
const bytes = Buffer.from(hex, 'hex');
const other = 'f'.repeat(64);

async function namesOf(source: KeySource | undefined): Promise<string[]> {
  const held = await holdKeys(source as KeySource, () => {});
  held.close();
  return held.ring.keys.map(({ name }) => name);
}

function file(t: ExecutionContext, content: string | Uint8Array, mode = 0o600): string {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

test('a key is bytes, or text; from the option, the environment, a file, or a function', async (t) => {
  const [name] = await namesOf(keySource(bytes, {}));
  t.regex(name ?? '', /^[0-9a-f]{8}$/);
  const sources: [KeyOption | undefined, NodeJS.ProcessEnv][] = [
    [hex, {}],
    [hex.toUpperCase(), {}],
    [bytes.toString('base64'), {}],
    [bytes.toString('base64url'), {}],
    [[hex], {}],
    [() => bytes, {}],
    [() => Promise.resolve([hex]), {}],
    [{ file: file(t, bytes) }, {}],
    [{ file: file(t, `# the key of the shop\n\n  ${hex}  # since May\n`) }, {}],
    [undefined, { NACT_GROUPS_KEY: `${hex}\n` }],
    [undefined, { NACT_GROUPS_KEY_FILE: file(t, hex) }],
    [hex, { NACT_GROUPS_KEY: other }],
  ];
  for (const [option, environment] of sources) t.deepEqual(await namesOf(keySource(option, environment)), [name]);
  t.is(keySource(undefined, {}), undefined);
  const [used, accepted] = await namesOf(keySource([other, hex], {}));
  t.is(accepted, name);
  t.not(used, name);
});

for (const [what, option, environment, words] of [
  ['bytes', Buffer.alloc(16), {}, /key: a key of 16 bytes; give 32 bytes.*openssl rand -hex 32/],
  ['a password', 'correct horse', {}, /key: a text of 13 characters that is no key/],
  ['null', null, {}, /key: a null that is no key/],
  ['no keys', [], {}, /no key/],
  ['too many', Array.from({ length: 9 }, () => hex), {}, /9 keys; 8 at most/],
  ['a file without a name', { file: '' }, {}, /key\.file must be the name of a file/],
  ['two in the environment', undefined, { NACT_GROUPS_KEY: hex, NACT_GROUPS_KEY_FILE: 'x' }, /both set/],
  ['a bad one in the environment', undefined, { NACT_GROUPS_KEY: 'x' }, /NACT_GROUPS_KEY: a text of 1 characters/],
] as const) {
  test(`no key, and the remedy: ${what}`, (t) => {
    const error = t.throws(() => keySource(option as never, environment), {
      instanceOf: InvalidOption,
      message: words,
    });
    t.false(error?.message.includes('horse'), 'what may be a secret is not told');
  });
}

test('a file that others may read, or that holds no keys, is refused', async (t) => {
  for (const [path, words] of [
    [file(t, hex, 0o640), /mode 0640\): chmod 600/],
    [file(t, hex, 0o604), /mode 0604\): chmod 600/],
    [file(t, 'x'.repeat(20_000)), /20000 bytes/],
    [file(t, '# nothing\n'), /no key/],
    [file(t, `${hex}\nnonsense\n`), /a text of 8 characters/],
    [tmpdir(), /no file/],
    ['/nowhere/at/all', /cannot be read/],
  ] as const) {
    await t.throwsAsync(() => namesOf(keySource({ file: path }, {})), { instanceOf: InvalidOption, message: words });
  }
  const given = keySource(() => 'nonsense', {});
  await t.throwsAsync(() => namesOf(given), {
    instanceOf: InvalidOption,
    message: /the function in 'key' gave: a text/,
  });
});

test('a file is read again when it changes; a bad one changes nothing', async (t) => {
  const path = file(t, hex);
  const faults: string[] = [];
  let told = (): void => {};
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      told = resolve;
    });
  const held = await holdKeys({ kind: 'file', file: path }, (why) => {
    faults.push(why);
    told();
  });
  // the look at the file alone keeps no process alive
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => {
    clearInterval(alive);
    held.close();
  });
  held.ring.watch(() => told());
  const before = held.ring.used;
  let turn = next();
  writeFileSync(path, 'nonsense');
  await turn;
  t.regex(faults[0] ?? '', /no key.*the keys of before are kept/);
  t.is(held.ring.used, before);
  turn = next();
  writeFileSync(path, `${other}\n${hex}\n`);
  await turn;
  t.not(held.ring.used.id, before.id);
  t.is(held.ring.keys[1]?.id, before.id);
});

test('keys are installed, used and removed while a domain runs, and what cannot be is refused', async (t) => {
  const name = freshDomain();
  const at = (node: string) =>
    system(t, memoryHub(), node, { domain: name, transport: udpMulticast(), key: hex, quorum: 'majority' });
  const nodes = [at('a'), at('b')] as const;
  await Promise.all(nodes.map((node) => ready(node)));
  const groups = nodes.map((node) =>
    spawnReplicated(node, (sum: number, n: number) => sum + n, 'g', { initialState: 0 }),
  );
  const [a, b] = groups as [GroupRef<number, number>, GroupRef<number, number>];
  await Promise.all(groups.map((each) => viewOf(each, 2)));
  const seen: string[] = [];
  views(a).subscribe(({ id }) => seen.push(id));
  const all = nodes.map((node) => domain(node).keys);
  const [old] = all[0]?.ids as [string];
  let young = '';
  for (const step of [
    () => all.forEach((keys) => (young = keys.install(other))),
    () => all.forEach((keys) => keys.use(young)),
    () => all.forEach((keys) => keys.remove(old)),
  ]) {
    step();
    await Promise.all([multicast(a, 1).stable, multicast(b, 1).stable]);
  }
  t.is(await read(a, (sum) => sum), 6);
  t.is(seen.length, 1);
  const [keys] = all as [DomainKeys];
  t.deepEqual(keys.ids, [young]);
  for (const [run, words] of [
    [() => keys.remove(young), /is the one that is used/],
    [() => keys.remove(old), /no key [0-9a-f]{8} is installed; there are/],
    [() => keys.use(old), /no key/],
    [() => keys.install('nonsense'), /install: a text of 8 characters/],
    [() => Array.from({ length: 8 }, (_, i) => keys.install(Buffer.alloc(32, i))), /1 to 8 keys.*remove one first/],
  ] as const) {
    t.throws(run, { instanceOf: InvalidOption, message: words });
  }
  const open = system(t, memoryHub(), 'c');
  t.deepEqual(domain(open).keys.ids, []);
  t.throws(() => domain(open).keys.install(hex), { instanceOf: InvalidOption, message: /started without one/ });
});
