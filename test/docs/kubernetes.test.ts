/** The manifest of docs/kubernetes.md: its parts fit together, and it gives the program what that takes from its environment. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseAllDocuments } from 'yaml';

const root = new URL('../../../', import.meta.url);

interface Container {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: string } };
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector: { readonly app?: string; readonly matchLabels?: { readonly app: string } };
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort?: string }[];
    readonly serviceName: string;
    readonly podManagementPolicy: string;
    readonly template: {
      readonly metadata: { readonly labels: { readonly app: string } };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly initContainers: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const guide = readFileSync(new URL('docs/kubernetes.md', root), 'utf8');
const program = readFileSync(new URL('examples/cache-server.ts', root), 'utf8');
const documents = parseAllDocuments(/```yaml\n([^]*?)```/.exec(guide)?.[1] ?? '');
const resources = documents.map((document) => document.toJS() as Resource);
const find = (kind: string, name: string) => resources.find((r) => r.kind === kind && r.metadata.name === name);

test('the manifest is YAML, and its parts name each other', (t) => {
  t.deepEqual(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  );
  t.deepEqual(
    resources.map(({ kind }) => kind),
    ['Service', 'Service', 'PodDisruptionBudget', 'StatefulSet'],
  );
  const set = find('StatefulSet', 'cache')?.spec;
  const { labels } = set?.template.metadata ?? {};
  for (const { spec } of resources) t.is(spec.selector.app ?? spec.selector.matchLabels?.app, labels?.app);

  const nodes = find('Service', set?.serviceName ?? '')?.spec;
  t.is(nodes?.clusterIP, 'None');
  t.true(nodes?.publishNotReadyAddresses);
  const pod = set?.template.spec;
  const [cache] = pod?.containers ?? [];
  t.is(nodes?.ports[0]?.port, cache?.ports.find(({ name }) => name === 'nodes')?.containerPort ?? NaN);
  t.true(cache?.ports.some(({ name }) => name === find('Service', 'cache')?.spec.ports[0]?.targetPort));
  t.true(cache?.ports.some(({ name }) => name === cache.readinessProbe.httpGet.port));
  const volumes = pod?.volumes.map(({ name }) => name);
  for (const { volumeMounts } of [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]) {
    for (const { name } of volumeMounts) t.true(volumes?.includes(name));
  }
  // the first pod would not get ready alone, and the second would not be started
  t.is(set?.podManagementPolicy, 'Parallel');
});

test('the program gets from the manifest what it takes from its environment', (t) => {
  const pod = find('StatefulSet', 'cache')?.spec.template.spec;
  const [cache] = pod?.containers ?? [];
  const [key] = pod?.initContainers ?? [];
  const value = (name: string) => cache?.env.find((each) => each.name === name)?.value ?? '';
  for (const { name } of cache?.env ?? []) {
    t.true(name === 'NACT_GROUPS_KEY_FILE' || new RegExp(`[{ ]${name}[ ,=]`).test(program), name);
  }
  t.true(program.includes(`'${cache?.readinessProbe.httpGet.path.slice(1) ?? ''}'`));
  t.is(value('DNS'), 'cache-nodes.default.svc.cluster.local:7000');
  t.is(value('LISTEN'), '0.0.0.0:7000');
  t.is(Number(value('PORT')), cache?.ports.find(({ name }) => name === 'http')?.containerPort ?? NaN);
  t.is(value('NACT_GROUPS_KEY_FILE'), key?.command.at(-1) ?? 'none');
  t.is(path.dirname(value('NACT_GROUPS_KEY_FILE')), cache?.volumeMounts[0]?.mountPath ?? 'none');
  // what preStop waits, and what leaving may take
  t.true((pod?.terminationGracePeriodSeconds ?? 0) > 5 + 10);
});

test('a key as a Secret has it is refused, and taken once the init container has copied it', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'kubernetes-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [secret, copy] = ['secret', 'copy'].map((name) => path.join(directory, name)) as [string, string];
  const cli = fileURLToPath(new URL('dist/actors/tools/cli.js', root));
  writeFileSync(secret, execFileSync(process.execPath, [cli, 'keys', 'generate']));
  chmodSync(secret, 0o440);
  const list = (file: string) =>
    spawnSync(process.execPath, [cli, 'keys', 'list', '--key-file', file], { encoding: 'utf8' });
  t.regex(list(secret).stderr, /others than its owner may use it \(mode 0440\)/);

  const [key] = find('StatefulSet', 'cache')?.spec.template.spec.initContainers ?? [];
  const [command = '', ...args] = key?.command ?? [];
  execFileSync(command, [...args.slice(0, -2), secret, copy]);
  t.is(statSync(copy).mode & 0o777, 0o400);
  t.is(list(copy).status, 0);
});
