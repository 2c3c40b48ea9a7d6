import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What the pure core may not reach for: with any of these the same inputs would not always give the same outputs. */
const impureGlobals = [
  ['Date', 'time is an argument of each step'],
  ['performance', 'time is an argument of each step'],
  ['setTimeout', 'the core returns when it wants to be woken'],
  ['setInterval', 'the core returns when it wants to be woken'],
  ['setImmediate', 'the core returns when it wants to be woken'],
  ['queueMicrotask', 'the core is synchronous'],
  ['Promise', 'the core is synchronous'],
  ['process', 'the core has no environment'],
  ['console', 'the core reports through its effects'],
  ['globalThis', 'the core has no environment'],
  ['Intl', 'the result would depend on the locale of the machine'],
  ['WeakRef', 'the result would depend on the garbage collector'],
  ['FinalizationRegistry', 'the result would depend on the garbage collector'],
].map(([name, why]) => ({ name, message: `Not in lib: ${why}.` }));

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'docs/', 'node_modules/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'TSEnumDeclaration', message: 'Use a union of literals.' },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        // assertNever in a default is the house style: it also holds at run time
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: false },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNullish: false },
      ],
      // ava's implementations and actor functions may be async without awaiting
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Not in lib: use the seeded generator that is handed in.' },
        { property: 'localeCompare', message: 'Not in lib: the result would depend on the locale of the machine.' },
        { property: 'toLocaleString', message: 'Not in lib: the result would depend on the locale of the machine.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'TSEnumDeclaration', message: 'Use a union of literals.' },
        { selector: ':function[async=true]', message: 'Not in lib: the core is synchronous.' },
        { selector: 'AwaitExpression', message: 'Not in lib: the core is synchronous.' },
        { selector: 'ForOfStatement[await=true]', message: 'Not in lib: the core is synchronous.' },
        { selector: 'ImportExpression', message: 'Not in lib: the core is synchronous.' },
      ],
    },
  },
);
