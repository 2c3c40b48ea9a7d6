/** Flags of the commands that run a node, and the options that they make. */
import { Option, type Command } from 'commander';
import type { GroupsOptions } from '../index.js';
import { endpoint, wholeNumber } from './arguments.js';
import { transportOf, type TransportFlags } from './transport-flags.js';

/** The flags, as commander names them. */
export interface NodeFlags extends TransportFlags {
  readonly domain: string;
  readonly name?: string;
  readonly keyFile?: string;
  readonly insecure?: boolean;
  readonly rekey?: boolean;
  readonly quorum?: 'majority' | 'verified-deaths';
  readonly minimumWeight: number;
}

/** Adds them to a command. */
export function addNodeFlags(command: Command): Command {
  return command
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
    .option('--rekey', 'draw a new group key whenever a node goes, so that it cannot read on; the same at all nodes')
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
    .addOption(
      new Option('--quorum <RULE>', 'who has to be left (default: verified-deaths on the loopback interface)').choices([
        'majority',
        'verified-deaths',
      ]),
    )
    .addOption(new Option('--minimum-weight <W>', 'of the domain').argParser(Number).default(0));
}

/** For members: what they say of themselves besides. */
export function addMemberFlags(command: Command): Command {
  return command
    .addOption(new Option('--minimum-nodes <N>', 'no group before so many').argParser(wholeNumber(1, 1024)).default(1))
    .addOption(new Option('--weight <N>', "this node's weight").argParser(wholeNumber(0, 1_000_000)).default(1));
}

/** What they say to `groups`. */
export function nodeOptions(flags: NodeFlags): GroupsOptions {
  return {
    domain: flags.domain,
    ...(flags.name === undefined ? {} : { name: flags.name }),
    transport: transportOf(flags),
    ...(flags.keyFile === undefined ? {} : { key: { file: flags.keyFile } }),
    insecure: flags.insecure ?? false,
    rekey: flags.rekey ?? false,
    ...(flags.quorum === undefined ? {} : { quorum: flags.quorum }),
    minimumWeight: flags.minimumWeight,
  };
}
