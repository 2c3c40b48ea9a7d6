#!/usr/bin/env node
/**
 * The command line: `nact-groups demo | member | bench | check`. Exit status 0 only on success: 1 if what was asked for failed, 2
 * if it was not understood.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { runBench } from './bench.js';
import { propertyNames, runCheck } from './check.js';
import { runDemo } from './demo.js';
import { generateKey, installKey, listKeys, removeKey, useKey } from './keys.js';
import { runMember } from './member.js';
import { misplacedFlag } from './transport-flags.js';

const misunderstood = 2;
const failed = 1;

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function propertiesIn(text: string): ReturnType<typeof propertyNames> {
  try {
    return propertyNames(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function endpoint(text: string): { address: string; port: number } {
  const found = /^(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([\da-f:]+)\]):(\d{1,5})$/i.exec(text);
  if (!found || Number(found[3]) > 65_535)
    throw new InvalidArgumentError('Must be an address and a port, ADDR:PORT, for IPv6 [ADDR]:PORT.');
  return { address: (found[1] ?? found[2]) as string, port: Number(found[3]) };
}

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

  cli
    .command('member')
    .description('one member to play with or to script; reads commands from standard input, one a line')
    .requiredOption('--domain <NAME>', 'the domain to join')
    .requiredOption('--group <NAME>', 'the group to join')
    .option('--name <NAME>', "this node's name (default: host name and process id)")
    .addOption(
      new Option('--transport <KIND>', 'how nodes reach each other: UDP multicast, or a mesh of TCP connections')
        .choices(['udp', 'tcp'])
        .default('udp'),
    )
    .option(
      '--key-file <FILE>',
      'the keys of the domain, one a line, the first is used (default: NACT_GROUPS_KEY_FILE)',
    )
    .option('--insecure', 'trust the network: needed for any interface but loopback if there is no key')
    .option('--interface <IP>', 'udp: network interface, by address or name (default: loopback)')
    .addOption(new Option('--multicast <ADDR:PORT>', "udp: default: from the domain's name").argParser(endpoint))
    .option('--listen <HOST:PORT>', 'tcp: what to bind to (default: a port of 127.0.0.1)')
    .option('--advertise <HOST:PORT>', 'tcp: where others reach this node (default: where it listens)')
    .addOption(
      new Option('--seeds <HOST:PORT,...>', 'tcp: nodes that may be running').argParser((text) => text.split(',')),
    )
    .option('--dns <NAME[:PORT]>', 'tcp: a name whose A and AAAA records, or without a port SRV records, are the nodes')
    .option('--seeds-file <FILE>', 'tcp: a file with a HOST:PORT a line, read again when it changes')
    .addOption(new Option('--minimum-nodes <N>', 'no group before so many').argParser(wholeNumber(1, 1024)).default(1))
    .addOption(
      new Option('--quorum <RULE>', 'who has to be left (default: verified-deaths on the loopback interface)').choices([
        'majority',
        'verified-deaths',
      ]),
    )
    .addOption(new Option('--weight <N>', "this node's weight").argParser(wholeNumber(0, 1_000_000)).default(1))
    .addOption(new Option('--minimum-weight <W>', 'of the domain').argParser(Number).default(0))
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
  keys
    .command('generate')
    .description('prints a new key')
    .action(() => done(generateKey()));
  const keyFile = () =>
    new Option('--key-file <FILE>', 'the keys, one a line, the first is used')
      .env('NACT_GROUPS_KEY_FILE')
      .makeOptionMandatory();
  keys
    .command('list')
    .description('prints the ids of the keys, the one that is used first')
    .addOption(keyFile())
    .action(async (options: KeyFile) => done(await listKeys(options.keyFile)));
  keys
    .command('install')
    .description('accepts one more key, read from standard input; makes the file if there is none')
    .addOption(keyFile())
    .action(async (options: KeyFile) => done(await installKey(options.keyFile)));
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

  // subcommands get it too: errors are thrown, not exited on
  for (const command of [cli, ...cli.commands, ...keys.commands]) command.exitOverride();
  return cli;
}

interface KeyFile {
  readonly keyFile: string;
}

const keysHelp = `
A running domain changes its key in three steps, each at all nodes before the next:
  (umask 077; nact-groups keys generate > new)         then copy it to every machine, privately
  nact-groups keys install --key-file KEYS < new       prints the key's id
  nact-groups keys use ID --key-file KEYS
  nact-groups keys remove OLD-ID --key-file KEYS
Nodes look at their file once a second. A node that uses a key which another has not installed is not heard there.`;

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
