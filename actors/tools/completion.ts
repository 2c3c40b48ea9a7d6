/**
 * `nact-groups completion`: scripts that have a shell complete commands and options. They are made from the commands as they are
 * declared, so there is no second list to be kept.
 */
import type { Argument, Command, Option } from 'commander';

/** Shells for which there are scripts. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** A command, with what it takes. */
interface Entry {
  /** Its words after the program's: none for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly Flag[];
  /** Words that an argument may be; empty if any. */
  readonly words: readonly string[];
  readonly takesFiles: boolean;
}

interface Flag {
  readonly long: string;
  readonly description: string;
  readonly takesValue: boolean;
  readonly takesFile: boolean;
  readonly choices: readonly string[];
}

/** The script for a shell. */
export function completionScript(program: Command, shell: (typeof shells)[number]): string {
  const entries = entriesOf(program, []);
  const name = program.name();
  if (shell === 'bash') return bashScript(name, entries);
  return shell === 'zsh' ? zshScript(name, entries) : fishScript(name, entries);
}

function entriesOf(command: Command, path: readonly string[]): Entry[] {
  const { commands, options } = command;
  const named = commands.map((each) => ({ name: each.name(), description: each.description() }));
  const flags = options.flatMap(flagOf);
  // the program's own help is added by commander when it is asked for
  if (!flags.some(({ long }) => long === '--help'))
    flags.push({ ...noValue, long: '--help', description: 'shows help' });
  const args = command.registeredArguments;
  const entry: Entry = {
    path,
    description: command.description(),
    commands: named,
    options: flags,
    words: args.flatMap(({ argChoices }: Argument) => argChoices ?? []),
    takesFiles: args.some((argument) => /trace|file/i.test(argument.name())),
  };
  return [entry, ...commands.flatMap((each) => entriesOf(each, [...path, each.name()]))];
}

const noValue = { takesValue: false, takesFile: false, choices: [] } as const;

function flagOf(option: Option): Flag[] {
  if (!option.long) return [];
  const { long, description, flags, argChoices, required, optional } = option;
  return [
    {
      ...{ long, description, choices: argChoices ?? [] },
      takesValue: required || optional,
      takesFile: /<FILE/.test(flags),
    },
  ];
}

/** For single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bashScript(name: string, entries: readonly Entry[]): string {
  const cases = entries.map(({ path, commands, options, words, takesFiles }) => {
    const all = [...commands.map((each) => each.name), ...words, ...options.map(({ long }) => long)];
    const files = takesFiles ? ' files=yes' : '';
    return `    ${quoted(path.join(' '))}) words=${quoted(all.join(' '))}${files} ;;`;
  });
  const values = entries.flatMap(({ path, options }) =>
    options.flatMap(({ long, takesValue, takesFile, choices }) => {
      if (!takesValue) return [];
      const at = quoted([...path, long].join(' '));
      if (takesFile) return [`    ${at}) COMPREPLY=($(compgen -f -- "$current")); return ;;`];
      return [`    ${at}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$current")); return ;;`];
    }),
  );
  const paths = entries.map(({ path }) => path.join(' ')).filter((path) => path !== '');
  return `# bash completion for ${name}
_${identifier(name)}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' words='' files='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${path:+$path }\${COMP_WORDS[i]}" in
    ${paths.map(quoted).join('|')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "\${path:+$path }$previous" in
${values.join('\n')}
  esac
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ $files == yes ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _${identifier(name)} ${name}
`;
}

function identifier(name: string): string {
  return name.replace(/\W/g, '_');
}

function zshScript(name: string, entries: readonly Entry[]): string {
  return `#compdef ${name}
${entries.map((entry) => zshFunction(name, entry)).join('\n')}
_${identifier(name)} "$@"
`;
}

function zshName(name: string, path: readonly string[]): string {
  return ['', identifier(name), ...path.map(identifier)].join('_');
}

function zshFunction(name: string, { path, commands, options, words, takesFiles }: Entry): string {
  const lines = options.map(({ long, description, takesValue, takesFile, choices }) => {
    const told = `[${bracketed(description)}]`;
    const value = takesFile ? ':file:_files' : choices.length > 0 ? `:value:(${choices.join(' ')})` : ':value:';
    return quoted(`${long}${told}${takesValue ? value : ''}`);
  });
  if (words.length > 0) lines.push(quoted(`1:argument:(${words.join(' ')})`));
  else if (takesFiles) lines.push(quoted('*:file:_files'));
  if (commands.length === 0) return `${zshName(name, path)}() {\n  _arguments ${lines.join(' \\\n    ')}\n}`;
  const listed = commands.map((each) => quoted(`${each.name}:${bracketed(each.description)}`));
  const next = commands.map((each) => `    ${each.name}) ${zshName(name, [...path, each.name])} ;;`);
  return `${zshName(name, path)}() {
  local line state
  _arguments -C ${lines.join(' \\\n    ')} \\
    '1: :->command' '*:: :->rest'
  case $state in
  command) local -a commands=(${listed.join(' \\\n    ')}); _describe command commands ;;
  rest)
    case $line[1] in
${next.join('\n')}
    esac ;;
  esac
}`;
}

/** Within brackets, and before colons, of zsh's descriptions. */
function bracketed(text: string): string {
  return text.replace(/[[\]:\\]/g, (char) => `\\${char}`);
}

function fishScript(name: string, entries: readonly Entry[]): string {
  const lines = entries.flatMap((entry) => fishLines(name, entry));
  return `# fish completion for ${name}\ncomplete -c ${name} -f\n${lines.join('\n')}\n`;
}

function fishLines(name: string, { path, commands, options, words, takesFiles }: Entry): string[] {
  const last = path.at(-1);
  const names = commands.map((each) => each.name).join(' ');
  const seen = last === undefined ? [] : [`__fish_seen_subcommand_from ${last}`];
  const before = commands.length > 0 ? [`not __fish_seen_subcommand_from ${names}`] : [];
  const when = quoted([...seen, ...before].join('; and '));
  return [
    ...commands.map((each) => `complete -c ${name} -n ${when} -a ${each.name} -d ${quoted(each.description)}`),
    ...words.map((word) => `complete -c ${name} -n ${when} -a ${word}`),
    ...(takesFiles ? [`complete -c ${name} -n ${when} -F`] : []),
    ...options.map(({ long, description, takesValue, takesFile, choices }) => {
      const value = takesFile
        ? ' -r -F'
        : choices.length > 0
          ? ` -x -a ${quoted(choices.join(' '))}`
          : takesValue
            ? ' -x'
            : '';
      return `complete -c ${name} -n ${when} -l ${long.slice(2)}${value} -d ${quoted(description)}`;
    }),
  ];
}
