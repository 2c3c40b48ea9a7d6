/** The user's word on who may come in: asked about nodes, members of groups and requests, with what they say of themselves. */
import test from 'ava';
import { take } from 'rxjs';
import {
  domain,
  DomainRefused,
  groupRef,
  GroupRefused,
  InvalidOption,
  memoryHub,
  multicast,
  read,
  ready,
  RequestRefused,
  spawnReplicated,
  status,
  type AuthorizeRequest,
} from '../../actors/index.js';
import { claimsFrom, claimsOption } from '../../actors/claims.js';
import { hostOf } from '../../actors/host.js';
import { first, rememberingLogger, system, viewOf } from './systems.js';

const sum = (state: number, n: number) => state + n;

test('nodes, members of groups and requests are let in by what they claim, or refused with the reason', async (t) => {
  const hub = memoryHub();
  const { logger, lines } = rememberingLogger();
  const asked: AuthorizeRequest[] = [];
  const authorize = (request: AuthorizeRequest): boolean | string => {
    asked.push(request);
    const { role } = request.node.metadata;
    if (role === 'broken') throw new Error('oops');
    if (request.kind === 'join') return role !== undefined || 'say what you are';
    if (request.kind === 'group') return role === 'server' || 'servers only';
    return role === 'client';
  };
  const node = (name: string, role?: string) =>
    system(t, hub, name, { logger, authorize, ...(role === undefined ? {} : { metadata: { role } }) });
  const a = node('a', 'server');
  await ready(a);
  const g = spawnReplicated(a, sum, 'g', { initialState: 0 });
  await viewOf(g, 1);

  const [b, c, d] = [node('b', 'client'), node('c'), node('d', 'broken')];
  await ready(b);
  const refused = await t.throwsAsync(ready(c), { instanceOf: DomainRefused });
  t.regex(refused?.message ?? '', /say what you are/);
  const broken = await t.throwsAsync(ready(d), { instanceOf: DomainRefused });
  t.regex(broken?.message ?? '', /could not be decided/);
  t.true(lines.some((line) => /authorize threw for join of d: Error: oops/.test(line)));
  let found: unknown;
  domain(a)
    .views.pipe(take(1))
    .subscribe(({ nodes }) => (found = nodes.map(({ name, metadata }) => [name, metadata])));
  t.deepEqual(found, [
    ['a', { role: 'server' }],
    ['b', { role: 'client' }],
  ]);

  const wanting = spawnReplicated(b, sum, 'g', { initialState: 0 });
  await first(status(wanting), (value) => value === 'left');
  t.throws(() => multicast(wanting, 1), { instanceOf: GroupRefused, message: /servers only/ });
  await multicast(groupRef<number>(b, 'g'), 5).stable;
  t.is(await read(g, (state) => state), 5);

  // a server is no client
  const e = node('e', 'server');
  await ready(e);
  await t.throwsAsync(multicast(groupRef<number>(e, 'g'), 7).stable, {
    instanceOf: RequestRefused,
    message: /said no/,
  });
  t.is(await read(g, (state) => state), 5);
  t.deepEqual(new Set(asked.map(({ kind }) => kind)), new Set(['join', 'group', 'request']));
});

test('what a node says of its groups is known at its join, and holds it to them', async (t) => {
  const hub = memoryHub();
  const asked: AuthorizeRequest[] = [];
  const authorize = (request: AuthorizeRequest): boolean | string => {
    asked.push(request);
    return request.kind !== 'join' || request.node.groups?.includes('g') === true || 'only members of g';
  };
  const node = (name: string, groups?: readonly string[]) =>
    system(t, hub, name, { authorize, ...(groups === undefined ? {} : { groups }) });
  const a = node('a');
  await ready(a);
  await viewOf(spawnReplicated(a, sum, 'h', { initialState: 0 }), 1);
  const b = node('b', ['g']);
  await ready(b);
  await t.throwsAsync(ready(node('c', ['h'])), { instanceOf: DomainRefused, message: /only members of g/ });
  await t.throwsAsync(ready(node('d')), { instanceOf: DomainRefused, message: /only members of g/ });
  const claimed = (name: string) => asked.find(({ node }) => node.name === name)?.node.groups;
  t.deepEqual(['b', 'c', 'd'].map(claimed), [['g'], ['h'], undefined]);

  await viewOf(spawnReplicated(b, sum, 'g', { initialState: 0 }), 1);
  t.throws(() => spawnReplicated(b, sum, 'h', { initialState: 0 }), {
    instanceOf: InvalidOption,
    message: /enters only g: add 'h'/,
  });
  // one that does not hold itself to it is held by the others
  Object.assign(hostOf(b).options, { groups: undefined });
  const wanting = spawnReplicated(b, sum, 'h', { initialState: 0 });
  await first(status(wanting), (value) => value === 'left');
  t.throws(() => multicast(wanting, 1), { instanceOf: GroupRefused, message: /said that it enters only g/ });
  const group = asked.filter(({ kind, node: { name } }) => kind === 'group' && name === 'b');
  t.true(group.length > 0 && group.every((each) => 'group' in each && each.group === 'g'), 'the user is not asked');
  // what it asks of other groups is no entry
  await multicast(groupRef<number>(b, 'h'), 5).stable;
});

test('options that cannot be what was meant are refused', (t) => {
  const hub = memoryHub();
  for (const [options, words] of [
    [{ authorize: true }, /authorize must be a function, not true/],
    [{ metadata: 'x' }, /metadata must be an object of texts, not 'x'/],
    [{ metadata: { a: 1 } }, /metadata must be an object of texts, not \{ a: 1 \}/],
    [{ metadata: { a: 'x'.repeat(600) } }, /at most 512 bytes as JSON, not 608/],
    [{ groups: 'g' }, /groups must be a list of group names, not 'g'/],
    [{ groups: ['g', 1] }, /groups must be a list of group names, not \[ 'g', 1 \]/],
    [{ groups: ['x'.repeat(600)] }, /metadata and groups together must have at most 512 bytes as JSON, not 609/],
  ] as const) {
    t.throws(() => system(t, hub, 'x', options as never), { instanceOf: InvalidOption, message: words });
  }
});

test('claims that no node makes are none', (t) => {
  t.deepEqual(claimsFrom(''), { metadata: {}, groups: undefined });
  t.deepEqual(claimsFrom(claimsOption({ a: 'b' }, undefined)), { metadata: { a: 'b' }, groups: undefined });
  t.deepEqual(claimsFrom(claimsOption(undefined, [])), { metadata: {}, groups: [] });
  t.deepEqual(claimsFrom(claimsOption({ a: 'b' }, ['g', 'h'])), { metadata: { a: 'b' }, groups: ['g', 'h'] });
  for (const text of ['{', '5', 'null', '[]', '{"a":1}', '[{},[1]]', '[{},[""]]', '[{},["g"],1]', '[{"a":1},["g"]]'])
    t.is(claimsFrom(text), null, text);
});
