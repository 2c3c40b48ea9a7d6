/** `nact-groups member` as a child process: commands in, events out. Killed when the test ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** The compiled command line. */
export const cli = fileURLToPath(new URL('../../actors/tools/cli.js', import.meta.url));

/** Nothing in these tests takes longer, in milliseconds. */
export const patience = 30_000;

/** One line of output. */
export type Line = Readonly<Record<string, unknown>> & { readonly event: string };

/** A running member. */
export interface MemberProcess {
  readonly name: string;
  readonly child: ChildProcess;
  /** All output so far. */
  readonly lines: Line[];
  readonly errors: string[];
  /** Sends a command. */
  command(line: string): void;
  /** Sends a command and waits for its `done`. Commands of one kind one after the other. */
  run(line: string): Promise<Line>;
  /** The first line from number `from` on that fits, waiting for it. */
  line(fits: (line: Line) => boolean, what: string, from?: number): Promise<Line>;
  /** Waits for a view of exactly these members. */
  view(members: readonly string[], from?: number): Promise<Line>;
  /** Resolves with the exit status, or the signal's name. */
  readonly exited: Promise<number | string>;
}

/** Starts a member of group `g`. */
export function startMember(t: ExecutionContext, name: string, domain: string, ...flags: string[]): MemberProcess {
  return startMemberOf(cli, t, name, domain, ...flags);
}

/** The same by another compiled command line. */
export function startMemberOf(
  program: string,
  t: ExecutionContext,
  name: string,
  domain: string,
  ...flags: string[]
): MemberProcess {
  const args = [program, 'member', '--domain', domain, '--group', 'g', '--name', name, '--json', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: Line[] = [];
  const errors: string[] = [];
  let wake: (() => void)[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line);
    const waiting = wake;
    wake = [];
    for (const go of waiting) go();
  });
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (text) => errors.push(text));
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const member: MemberProcess = {
    name,
    child,
    lines,
    errors,
    exited,
    command: (text) => void child.stdin?.write(`${text}\n`),
    run: (text) => {
      const from = lines.length;
      member.command(text);
      const command = text.split(' ')[0];
      return member.line((line) => line.event === 'done' && line['command'] === command, `done ${text}`, from);
    },
    line: async (fits, what, from = 0) => {
      const until = performance.now() + patience;
      for (let at = from; ;) {
        for (; at < lines.length; at++) if (fits(lines[at] as Line)) return lines[at] as Line;
        const left = until - performance.now();
        if (left <= 0)
          throw new Error(
            `${name}: no ${what} within ${patience} ms\n${lines
              .slice(-5)
              .map((line) => JSON.stringify(line))
              .join('\n')}\n${errors.join('\n')}`,
          );
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          new Promise<void>((resolve) => wake.push(resolve)),
          new Promise<void>((resolve) => (timer = setTimeout(resolve, left))),
        ]);
        clearTimeout(timer);
      }
    },
    view: (members, from) =>
      member.line(
        (line) =>
          line.event === 'view' && [...(line['members'] as string[])].sort().join() === [...members].sort().join(),
        `view of ${members.join(', ')}`,
        from,
      ),
  };
  return member;
}

/** Runs the command line to its end. */
export function runCli(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return feedCli('', ...args);
}

/** The same with something on its standard input. */
export async function feedCli(
  input: string,
  ...args: string[]
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code: code ?? signal ?? 'unknown', stdout, stderr };
}

let domains = 0;

/** A domain that no other test uses. */
export function freshDomain(): string {
  domains += 1;
  return `processes-${process.pid}-${domains}`;
}
