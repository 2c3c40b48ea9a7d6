/**
 * The import rules. lib is pure; transport is the only place that knows sockets; actors is the only place that knows
 * nact and RxJS; examples see what a user sees. Paths are those of the sources: `./x.js` resolves to `x.ts`.
 */

/** A package, wherever it was resolved to. */
const packages = (...names) => `^node_modules/(${names.map((name) => `@types/${name}|${name}`).join('|')})(/|$)`;

/** Only these may be imported from there. Node's own modules are told apart by their type, not by their path. */
const only = (name, from, paths, { builtins }) => ({
  name,
  severity: 'error',
  from,
  to: { pathNot: paths, ...(builtins ? { dependencyTypesNot: ['core'] } : {}) },
});

module.exports = {
  forbidden: [
    { ...only('lib-is-pure', { path: '^lib/' }, ['^lib/'], { builtins: false }), comment: 'lib imports only itself' },
    {
      ...only('transport', { path: '^transport/' }, ['^transport/', '^lib/'], { builtins: true }),
      comment: 'transport imports lib and node:* only',
    },
    {
      ...only(
        'actors',
        { path: '^actors/', pathNot: '^actors/(tools|inspector/page|telemetry)/' },
        ['^actors/', '^lib/', '^transport/', packages('nact', 'rxjs', 'winston', 'cbor-x')],
        { builtins: true },
      ),
      comment: 'actors imports lib, transport, nact, rxjs, winston, cbor-x and node:*',
    },
    {
      ...only(
        'telemetry',
        { path: '^actors/telemetry/' },
        ['^actors/', '^lib/', '^transport/', packages('nact', '@opentelemetry/api', 'prom-client')],
        { builtins: true },
      ),
      comment: 'telemetry may also use what it hands its figures to',
    },
    {
      name: 'prom-client-apart',
      comment: 'who uses one of OpenTelemetry and prom-client need not have the other',
      severity: 'error',
      from: { path: '^actors/telemetry/', pathNot: '^actors/telemetry/prometheus' },
      to: { path: '^node_modules/prom-client/' },
    },
    {
      name: 'nodes-do-not-use-telemetry',
      comment: 'who does not import telemetry pays nothing for it, and need not have what it takes',
      severity: 'error',
      from: { path: '^actors/', pathNot: '^actors/telemetry/' },
      to: { path: '^actors/telemetry/' },
    },
    {
      name: 'page',
      comment: 'what runs in the browser imports lib, its own files and types: there is no node there',
      severity: 'error',
      from: { path: '^actors/inspector/page/' },
      to: { pathNot: ['^actors/inspector/page/', '^lib/'], dependencyTypesNot: ['type-only'] },
    },
    {
      ...only(
        'actors-tools',
        { path: '^actors/tools/' },
        [
          '^actors/',
          '^lib/',
          '^transport/',
          packages('nact', 'rxjs', 'winston', 'cbor-x', 'commander', 'cli-progress'),
        ],
        { builtins: true },
      ),
      comment: 'the command line may also use commander and cli-progress',
    },
    {
      ...only(
        'examples',
        { path: '^examples/' },
        [
          '^examples/',
          '^(dist/)?actors/(telemetry/)?index\\.(js|d\\.ts|ts)$',
          packages('nact', 'rxjs', '@opentelemetry'),
        ],
        { builtins: true },
      ),
      comment: 'an example imports what a user would: nact-groups, nact, rxjs, OpenTelemetry and node:*',
    },
    {
      name: 'examples-by-name',
      comment: 'an example imports the package by its name, not by a path',
      severity: 'error',
      from: { path: '^examples/' },
      to: { path: '^(dist/)?actors/', dependencyTypes: ['local'] },
    },
    {
      name: 'actors-do-not-use-their-tools',
      comment: 'the command line is a user of the library, not a part of it',
      severity: 'error',
      from: { path: '^actors/', pathNot: '^actors/tools/' },
      to: { path: '^actors/tools/' },
    },
    {
      name: 'nodes-do-not-use-the-test-kit',
      comment: 'the test kit drives nodes, and no node needs it',
      severity: 'error',
      from: { path: '^actors/', pathNot: '^actors/testkit/' },
      to: { path: '^actors/testkit/' },
    },
    {
      name: 'nothing-imports-test',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^(dist/)?test/' },
    },
    {
      name: 'only-tests-import-bench',
      severity: 'error',
      from: { pathNot: '^(bench|test)/' },
      to: { path: '^(dist/)?bench/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-undeclared-packages',
      comment: 'what is imported is in package.json',
      severity: 'error',
      from: {},
      // an optional peer is in peerDependenciesMeta as well, which counts as unknown
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'no-development-packages-in-the-product',
      severity: 'error',
      from: { path: '^(lib|transport|actors)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: '(^|/)(node_modules|dist)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    detectJSDocImports: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'],
    },
  },
};
