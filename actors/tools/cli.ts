#!/usr/bin/env node
/**
 * The command line: `nact-groups demo | member | watch | bench | keys | check | completion`. Exit status 0 only on success: 1
 * if what was asked for failed, 2 if it was not understood.
 */
import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import { propertiesIn, wholeNumber } from './arguments.js';
import { runBench } from './bench.js';
import { runCheck } from './check.js';
import { completionScript, shells } from './completion.js';
import { runDemo } from './demo.js';
import { generateKey, installKey, listKeys, removeKey, useKey } from './keys.js';
import { runMember } from './member.js';
import { addMemberFlags, addNodeFlags } from './node-flags.js';
import { misplacedFlag } from './transport-flags.js';
import { runWatch } from './watch.js';

const misunderstood = 2;
const failed = 1;

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function program(done: (code: number) => void): Command {
  const cli = new Command('nact-groups')
    .description('Virtually synchronous process groups for nact.')
    .version(version())
    .showHelpAfterError('(--help shows what there is)');

  cli
    .command('demo')
    .description(
      'replicates a stream of events over several processes, kills the coordinator, adds a late joiner, compares',
    )
    .addOption(new Option('--nodes <N>', 'processes to start with').argParser(wholeNumber(3, 16)).default(4))
    .option(
      '--input <FILE.jsonl>',
      'events to replicate, one JSON value a line (default: the flights of vega-datasets)',
    )
    .addOption(
      new Option(
        '--events <N>',
        'events in the stream; the input is repeated as needed (default: 200000, or the input once)',
      ).argParser(wholeNumber(30, 10_000_000)),
    )
    .option('--json', 'one JSON object a line')
    .action(async (options: Parameters<typeof runDemo>[0]) => done((await runDemo(options)) ? 0 : failed));

  const member = cli
    .command('member')
    .description('one member to play with or to script; reads commands from standard input, one a line')
    .requiredOption('--domain <NAME>', 'the domain to join')
    .requiredOption('--group <NAME>', 'the group to join');
  addMemberFlags(addNodeFlags(member))
    .addOption(
      new Option(
        '--behind-max <MS>',
        'leave and come back with the state if for so long more than 16 MiB of deliveries (limits.backlogBytesMax) wait for this member; ' +
          'less never counts as being behind, and the oldest member never goes',
      ).argParser(wholeNumber(10, 3_600_000)),
    )
    .option('--trace <FILE>', 'write the protocol trace')
    .option('--json', 'one JSON object a line')
    .addHelpText('after', memberHelp)
    .action(async (options: Parameters<typeof runMember>[0], command: Command) => {
      const misplaced = misplacedFlag(options);
      if (misplaced !== null) command.error(`error: ${misplaced}`);
      done(await runMember(options));
    });

  const watch = cli
    .command('watch')
    .description('shows a domain as it is: nodes, groups, views, rates; on a terminal or in the browser')
    .argument('[trace...]', 'with --web: trace files to show instead of a domain')
    .option('--domain <NAME>', 'the domain to watch')
    .option('--web', 'serves a page for the browser, and prints where')
    .addOption(new Option('--port <N>', 'web: 0 takes one that is free').argParser(wholeNumber(0, 65_535)).default(0))
    .option('--host <ADDR>', 'web: the address to listen at; there is no password', '127.0.0.1');
  addNodeFlags(watch)
    .option('--json', 'one JSON object a line, for each change')
    .addHelpText('after', watchHelp)
    .action(async (traces: string[], options: Parameters<typeof runWatch>[1], command: Command) => {
      const misplaced = misplacedFlag(options);
      if (misplaced !== null) command.error(`error: ${misplaced}`);
      done(await runWatch(traces, options));
    });

  cli
    .command('bench')
    .description('the benchmarks, each beside its baseline in the same run; --help lists them')
    .argument('[command]', 'rates if there is none')
    .argument('[options...]', "the command's")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (_name: unknown, _rest: unknown, _options: unknown, command: Command) =>
      done((await runBench(command.args)) ?? failed),
    );

  const keys = cli
    .command('keys')
    .description('makes keys, and changes a file of keys, which running nodes read again')
    .addHelpText('after', keysHelp);
  const keysAsJson = () => new Option('--json', 'one JSON object a line');
  keys
    .command('generate')
    .description('prints a new key')
    .addOption(keysAsJson())
    .action(({ json = false }: AsJson) => done(generateKey(json)));
  const keyFile = () =>
    new Option('--key-file <FILE>', 'the keys, one a line, the first is used')
      .env('NACT_GROUPS_KEY_FILE')
      .makeOptionMandatory();
  keys
    .command('list')
    .description('prints the ids of the keys, the one that is used first')
    .addOption(keyFile())
    .addOption(keysAsJson())
    .action(async ({ keyFile: file, json = false }: KeyFile & AsJson) => done(await listKeys(file, json)));
  keys
    .command('install')
    .description('accepts one more key, read from standard input; makes the file if there is none')
    .addOption(keyFile())
    .addOption(keysAsJson())
    .action(async ({ keyFile: file, json = false }: KeyFile & AsJson) => done(await installKey(file, json)));
  keys
    .command('use <id>')
    .description('encrypts under this key from now on')
    .addOption(keyFile())
    .action(async (id: string, options: KeyFile) => done(await useKey(options.keyFile, id)));
  keys
    .command('remove <id>')
    .description('accepts nothing under this key any more')
    .addOption(keyFile())
    .action(async (id: string, options: KeyFile) => done(await removeKey(options.keyFile, id)));

  cli
    .command('check')
    .description('checks traces against every property of virtual synchrony')
    .argument('<trace...>', 'trace files of all nodes, those of the dead included')
    .option('--quiesced', 'the run ended healed and idle: check liveness too')
    .addOption(
      new Option(
        '--expect <NAMES>',
        'properties, VSYNC,TOTAL,...: violated if they were not put to the test',
      ).argParser(propertiesIn),
    )
    .option('--json', 'the report as one JSON object')
    .action((files: string[], options: Parameters<typeof runCheck>[1]) => done(runCheck(files, options)));

  cli
    .command('completion')
    .description('prints a script that has a shell complete commands and options')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText('after', completionHelp)
    .action((shell: (typeof shells)[number]) => {
      process.stdout.write(completionScript(cli, shell));
      done(0);
    });

  // subcommands get it too: errors are thrown, not exited on
  for (const command of [cli, ...cli.commands, ...keys.commands]) command.exitOverride();
  return cli;
}

interface KeyFile {
  readonly keyFile: string;
}

interface AsJson {
  readonly json?: boolean;
}

const keysHelp = `
A running domain changes its key in three steps, each at all nodes before the next:
  (umask 077; nact-groups keys generate > new)         then copy it to every machine, privately
  nact-groups keys install --key-file KEYS < new       prints the key's id
  nact-groups keys use ID --key-file KEYS
  nact-groups keys remove OLD-ID --key-file KEYS
Nodes look at their file once a second. A node that uses a key which another has not installed is not heard there.`;

const watchHelp = `
While it watches it is a node of the domain like others, without a weight: start it after them, and end it with q, control-C or
SIGTERM, so that it leaves. It has no members, so it sees what all can hear: what is sent, and what rows say is received.
Without a terminal it prints a line for each change. With --web nothing is served but to this machine, unless --host says so.`;

const completionHelp = `
  bash:  nact-groups completion bash > ~/.local/share/bash-completion/completions/nact-groups
  zsh:   nact-groups completion zsh > "\${fpath[1]}/_nact-groups"
  fish:  nact-groups completion fish > ~/.config/fish/completions/nact-groups.fish`;

const memberHelp = `
Commands on standard input, one a line:
  send N [--size B] [--order fifo|causal|total|barrier] [--uniform] [--rate R]   N multicasts of B bytes, R a second
  say TEXT                   a text to all
  ask all|majority|one|N TEXT   as many members reply, with their name and the text
  set KEY VALUE | get KEY    the group's key-value map
  digest                     of the map and of what came in total order
  leave | join               the group
  force NAME...              these nodes, all that can be heard, go on without the others: see docs/guarantees.md first
  slow MS                    takes so long for each delivery
  burn MS                    blocks the event loop
  stop                       ends running sends
  stat                       counters
  exit                       leaves and ends`;

let code = 0;
try {
  await program((result) => {
    code = result;
  }).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) code = error.exitCode === 0 ? 0 : misunderstood;
  else {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    code = failed;
  }
}
process.exitCode = code;
