/** Completion scripts say what the command line takes, in the shells that are there to be asked. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { Argument, Command, Option } from 'commander';
import { completionScript, shells } from '../../actors/tools/completion.js';

/** A command line with a bit of everything. */
function program(): Command {
  const cli = new Command('tool').description('a tool');
  cli
    .command('member')
    .description("one member: it's [here]")
    .option('--domain <NAME>', 'the domain')
    .addOption(new Option('--transport <KIND>', 'how').choices(['udp', 'tcp']))
    .option('--json', 'for programs');
  cli.command('check').argument('<trace...>', 'traces').option('--trace <FILE>', 'a file');
  cli.command('say').addArgument(new Argument('<what>').choices(['yes', 'no']));
  const keys = cli.command('keys').description('keys');
  keys.command('list').option('--key-file <FILE>', 'the file');
  return cli;
}

function has(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined;
}

for (const shell of shells) if (!has(shell)) console.log(`${shell} is not here: its completion script is not tried`);

/** What bash offers for these words, the last of which is being written. */
function offered(script: string, ...words: string[]): string[] {
  const line = `${script}
COMP_WORDS=(${['tool', ...words].map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length}
_tool
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(`status ${String(status)}: ${stderr}`);
  return stdout.split('\n').filter((word) => word !== '');
}

(has('bash') ? test : test.skip)('bash: commands, options, their values, files', (t) => {
  const script = completionScript(program(), 'bash');
  t.deepEqual(offered(script, ''), ['member', 'check', 'say', 'keys', '--help']);
  t.deepEqual(offered(script, 'm'), ['member']);
  t.deepEqual(offered(script, 'member', '--'), ['--domain', '--transport', '--json', '--help']);
  t.deepEqual(offered(script, 'member', '--transport', ''), ['udp', 'tcp']);
  t.deepEqual(offered(script, 'member', '--domain', ''), []);
  t.deepEqual(offered(script, 'member', '--domain', 'd', '--j'), ['--json']);
  t.deepEqual(offered(script, 'say', 'y'), ['yes']);
  t.deepEqual(offered(script, 'keys', ''), ['list', '--help']);
  t.deepEqual(offered(script, 'keys', 'list', '--k'), ['--key-file']);
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'a.jsonl');
  writeFileSync(file, '');
  t.deepEqual(offered(script, 'check', path.join(folder, 'a')), [file]);
  t.deepEqual(offered(script, 'keys', 'list', '--key-file', path.join(folder, 'a')), [file]);
});

test('zsh and fish: what is declared is there, quoted as the shell wants it', (t) => {
  const zsh = completionScript(program(), 'zsh');
  t.regex(zsh, /^#compdef tool\n/);
  t.true(zsh.includes(`'member:one member\\: it'\\''s \\[here\\]'`));
  t.true(zsh.includes(`'--transport[how]:value:(udp tcp)'`));
  t.true(zsh.includes(`'--key-file[the file]:file:_files'`));
  const fish = completionScript(program(), 'fish');
  t.true(fish.includes(`-a member -d 'one member: it'\\''s [here]'`));
  t.true(fish.includes(`-l transport -x -a 'udp tcp' -d 'how'`));
  t.true(fish.includes(`-l key-file -r -F -d 'the file'`));
});

for (const shell of shells) {
  (has(shell) ? test : test.skip)(`${shell} takes its script`, (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'script');
    writeFileSync(file, completionScript(program(), shell));
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    t.is(status, 0, stderr);
  });
}
