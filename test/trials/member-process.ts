/** `nact-groups member` as a process of a trial: commands in, timed events out. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ChildProcess } from 'node:child_process';
import { cli, monotonic, type Stage } from './stage.js';

/** One line of output, and when it was read. */
export interface Event {
  readonly at: number;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A running member of group `g`. */
export interface MemberProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly startedAt: number;
  readonly events: Event[];
  /** Resolves with the exit status, or the signal's name. */
  readonly exited: Promise<number | string>;
  command(line: string): void;
  /** Sends a command and waits for its `done`. */
  run(line: string, millisMax?: number): Promise<Event>;
  /** The first event from number `from` on that fits. */
  event(fits: (event: Event) => boolean, what: string, from?: number, millisMax?: number): Promise<Event>;
}

/** Nothing that is waited for takes longer, unless said. */
const patienceMillis = 30_000;

/** Starts a member. What is put before its command says where it runs. */
export function startMember(
  stage: Stage,
  name: string,
  domain: string,
  flags: readonly string[] = [],
  prefix: readonly string[] = [],
): MemberProcess {
  const startedAt = monotonic();
  const member = [cli, 'member', '--domain', domain, '--group', 'g', '--name', name, '--json', ...flags];
  const [command = process.execPath, ...args] = [...prefix, process.execPath, ...member];
  const child = stage.start(name, command, args, { stdin: true, stdout: true });
  const events: Event[] = [];
  let over: string | undefined;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const each of waiting) each();
  };
  createInterface({ input: child.stdout as Readable }).on('line', (text) => {
    events.push({ ...(JSON.parse(text) as Event), at: monotonic() });
    look();
  });
  child.stdin?.on('error', () => undefined);
  const exited = once(child, 'exit').then(([code, signal]) => {
    over = String(code ?? signal);
    look();
    return (code ?? signal) as number | string;
  });
  const started: MemberProcess = {
    name,
    child,
    startedAt,
    events,
    exited,
    command: (line) => void child.stdin?.write(`${line}\n`),
    run(line, millisMax) {
      const from = events.length;
      const [command] = line.split(' ');
      started.command(line);
      const done = (event: Event) => event.event === 'done' && event['command'] === command;
      return started.event(done, `done of '${line}'`, from, millisMax);
    },
    event: (fits, what, from = 0, millisMax = patienceMillis) =>
      new Promise((resolve, reject) => {
        let at = from;
        const end = (settle: () => void) => {
          waiting.delete(check);
          clearTimeout(timer);
          settle();
        };
        const fail = (why: string) => {
          const last = events.slice(-4).map((event) => JSON.stringify(event));
          end(() => reject(new Error(`${name}: no ${what}: ${why}; last: ${last.join(' ')}`)));
        };
        const check = () => {
          for (; at < events.length; at++) {
            const event = events[at] as Event;
            if (fits(event)) return end(() => resolve(event));
          }
          if (over !== undefined) fail(`it ended with ${over}`);
        };
        const timer = setTimeout(() => fail(`not within ${millisMax} ms`), millisMax);
        waiting.add(check);
        check();
      }),
  };
  return started;
}

/** Whether an event is a view of exactly these members. */
export function isViewOf(names: readonly string[]): (event: Event) => boolean {
  const wanted = [...names].sort().join();
  return ({ event, members }) => event === 'view' && [...(members as string[])].sort().join() === wanted;
}

/** Whether an event says that the member has the state and takes part. */
export function isActive({ event, status }: Event): boolean {
  return event === 'status' && status === 'active';
}
