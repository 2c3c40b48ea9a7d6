/**
 * The benchmarks' entry: picks the command and hands it the rest of the command line.
 *
 * Exit status: 0 if every figure is one, 1 if a measurement failed, 2 for a command line that makes no sense.
 */
import { UsageError } from './options.js';

/** A command's file. */
interface Module {
  /** Does what the rest of the command line asks for; resolves with the exit status. Rejects with {@link UsageError}. */
  run(args: readonly string[]): Promise<number>;
}

interface Entry {
  readonly what: string;
  /** Only what is asked for is loaded: a command may need what is not installed. */
  readonly load: () => Promise<Module>;
}

/** The commands, in the order in which they are listed. */
const commands: Readonly<Record<string, Entry>> = {
  rates: { what: 'multicasts a second, next to raw UDP multicast', load: () => import('./rates.js') },
  bars: { what: 'what the library is to reach, and whether it does', load: () => import('./bars/command.js') },
  latency: { what: 'from sending to the last function', load: () => import('./latency/command.js') },
  peers: { what: 'the same rates of other systems', load: () => import('./peers/command.js') },
  changes: { what: 'how long views take to change', load: () => import('./changes/command.js') },
  idle: { what: 'what nodes cost while nothing is sent', load: () => import('./idle/command.js') },
};

/** What is meant where no command is named. */
const defaultCommand = 'rates';

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { what }]) => `  ${name.padEnd(width)}  ${what}`);
  return [
    'npm run bench -- [command] [options]',
    '',
    ...lines,
    '',
    `Without a command it is ${defaultCommand}; --help after a command lists its options.`,
  ].join('\n');
}

async function main(args: readonly string[]): Promise<number> {
  const [first = '', ...rest] = args;
  if (first === '--help' || first === 'help') {
    console.log(help());
    return 0;
  }
  const isNamed = first !== '' && !first.startsWith('-');
  const name = isNamed ? first : defaultCommand;
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) throw new UsageError(`no command ${first}: give any of ${Object.keys(commands).join(', ')}`);
  const command = await entry.load();
  return command.run(isNamed ? rest : args);
}

// started by another process, this one does not outlive it
process.once('disconnect', () => process.exit(1));
process.channel?.unref();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
