/**
 * `nact-groups member`: one member of one group, driven by lines on standard input.
 *
 * Commands run beside each other. Under `--json` there is one object a line: what happens in the group, and a `done` for
 * each command.
 */
import { createInterface } from 'node:readline';
import { start } from 'nact';
import {
  domain,
  explain,
  groups,
  leave,
  leaveDomain,
  multicast,
  read,
  ready,
  spawnReplicated,
  status,
  views,
  type GroupRef,
  type Order,
} from '../index.js';
import {
  applyMessage,
  copyState,
  emptyState,
  stateDigest,
  type MemberMessage,
  type MemberState,
} from './member-state.js';
import { parseAsk, runAsk, type AskResult } from './member-ask.js';
import { nodeOptions, type NodeFlags } from './node-flags.js';
import { showTransfer } from './progress.js';
import { parseSend, runSend, type SendResult } from './member-send.js';

/** Options of the command. */
export interface MemberCommand extends NodeFlags {
  readonly group: string;
  readonly minimumNodes: number;
  readonly weight: number;
  readonly behindMax?: number;
  readonly trace?: string;
  readonly json?: boolean;
}

/** A graceful leave that takes longer will not come to an end, in milliseconds. */
const leaveMillisMax = 15_000;

interface Session {
  readonly options: MemberCommand;
  readonly system: ReturnType<typeof start>;
  ref: GroupRef<MemberMessage, MemberState>;
  /** Milliseconds that each delivery takes. */
  slow: number;
  /** Whether it was told to exit. */
  exiting: boolean;
  /** Ends running sends. */
  readonly stops: Set<() => void>;
  readonly running: Set<Promise<void>>;
  readonly print: (event: Readonly<Record<string, unknown>>) => void;
  readonly end: (code: number) => void;
}

/** Runs a member until it is told to exit; the exit status. */
export async function runMember(options: MemberCommand): Promise<number> {
  const print = options.json ? printJson : printText;
  const system = start(
    groups({
      ...nodeOptions(options),
      minimumNodes: options.minimumNodes,
      weights: options.weight,
      ...(options.behindMax === undefined ? {} : { limits: { behindMax: options.behindMax } }),
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    }),
  );
  let end!: (code: number) => void;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const session: Session = {
    options,
    system,
    ref: undefined as never,
    slow: 0,
    exiting: false,
    stops: new Set(),
    running: new Set(),
    print,
    end,
  };
  spawnMember(session);
  ready(system).then(
    () => print({ event: 'ready', node: domain(system).self }),
    (error: unknown) => {
      // told to exit before it was in its domain, or while it was cut off from it: that is no error
      if (session.exiting) return;
      process.stderr.write(`error: ${messageOf(error)}\n`);
      end(1);
    },
  );
  const lines = listen(session);
  const code = await ended;
  lines.close();
  // what is still running (a slow delivery, a send) must not keep the process
  setImmediate(() => process.exit(process.exitCode ?? code));
  return code;
}

/** Starts a member of the group. */
function spawnMember(session: Session): void {
  const { options, print } = session;
  session.ref = spawnReplicated(
    session.system,
    (state: MemberState, message: MemberMessage, ctx) => {
      if (!(message instanceof Uint8Array) && message.type === 'say') {
        print({ event: 'say', from: ctx.from.name, text: message.text });
      }
      if (!(message instanceof Uint8Array) && message.type === 'ask') ctx.reply(`${ctx.me.name}: ${message.text}`);
      const next = applyMessage(state, message, ctx.from.id, ctx.position);
      return session.slow === 0 ? next : new Promise((resolve) => setTimeout(resolve, session.slow, next));
    },
    options.group,
    {
      initialState: emptyState(),
      order: 'fifo',
      snapshot: copyState,
      // programs read what is printed, and are not shown how it goes
      ...(options.json ? {} : { onTransfer: (progress) => showTransfer(progress, domain(session.system).self) }),
    },
  );
  views(session.ref).subscribe((view) =>
    print({
      event: 'view',
      id: view.id,
      members: view.members.map(({ name }) => name),
      primary: view.primary,
      cause: view.cause,
    }),
  );
  status(session.ref).subscribe((value) => {
    const { why } = explain(session.ref);
    print({ event: 'status', status: value, why });
  });
}

/** Takes commands and signals. */
function listen(session: Session): ReturnType<typeof createInterface> {
  let seen = false;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    seen = true;
    if (line.trim() === '') return;
    const job = run(session, line.trim());
    session.running.add(job);
    void job.finally(() => session.running.delete(job));
  });
  // the end of a script is its exit; without any input (as of a service) there is none
  lines.on('close', () => {
    if (seen) void Promise.all(session.running).then(() => exit(session));
  });
  let signalled = false;
  const onSignal = () => {
    if (signalled) process.exit(130);
    signalled = true;
    void exit(session);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return lines;
}

async function exit(session: Session): Promise<void> {
  session.exiting = true;
  for (const stop of session.stops) stop();
  const timer = setTimeout(() => {
    process.stderr.write(`error: could not leave within ${leaveMillisMax / 1000} s\n`);
    session.end(1);
  }, leaveMillisMax);
  await leaveDomain(session.system);
  clearTimeout(timer);
  session.end(0);
}

async function run(session: Session, line: string): Promise<void> {
  const [command = '', ...words] = line.split(/\s+/);
  const rest = line.slice(command.length).trim();
  try {
    const result = await execute(session, command, words, rest);
    if (result) session.print({ event: 'done', command, ok: true, ...result });
  } catch (error) {
    session.print({ event: 'done', command, ok: false, error: messageOf(error) });
  }
}

type Result = Readonly<Record<string, unknown>> | SendResult | AskResult;

/** Carries out a command; what its `done` says. */
async function execute(session: Session, command: string, words: string[], rest: string): Promise<Result | undefined> {
  const { ref, system } = session;
  switch (command) {
    case 'send':
      return runSend(ref, parseSend(words), session.stops);
    case 'say':
      await multicast(ref, { type: 'say', text: rest }, total).stable;
      return {};
    case 'ask':
      return runAsk(ref, parseAsk(words, rest));
    case 'set': {
      const [key = ''] = words;
      if (words.length < 2) throw new Error('set KEY VALUE');
      await multicast(ref, { type: 'set', key, value: rest.slice(key.length).trim() }, total).stable;
      return { key };
    }
    case 'get':
      if (words.length !== 1) throw new Error('get KEY');
      return { key: words[0], value: (await read(ref, (state) => state.entries.get(words[0] as string))) ?? null };
    case 'digest':
      return read(ref, (state) => ({
        digest: stateDigest(state),
        position: state.position,
        keys: state.entries.size,
      }));
    case 'leave':
      await leave(ref);
      return {};
    case 'join':
      spawnMember(session);
      return {};
    case 'force':
      if (words.length === 0) throw new Error('force NAME...: those who go on, this one included');
      await domain(system).forceOn(words);
      return { nodes: words };
    case 'slow':
      session.slow = milliseconds(words);
      return {};
    case 'burn': {
      const until = performance.now() + milliseconds(words);
      while (performance.now() < until);
      return {};
    }
    case 'stop':
      for (const stop of session.stops) stop();
      return {};
    case 'stat': {
      // of the node, as in the trace's gauge; what is of this member alone has a place of its own
      const { waiting, queued, unstable, mailbox, ...standing } = explain(ref);
      const own = domain(system);
      return { ...standing, ...own.statistics(), keys: own.keys.ids, own: { queued, unstable, mailbox }, waiting };
    }
    case 'exit':
      session.print({ event: 'done', command, ok: true });
      await exit(session);
      return undefined;
    default:
      throw new Error(`unknown command '${command}'; --help lists them`);
  }
}

const total: { readonly order: Order } = { order: 'total' };

function milliseconds(words: readonly string[]): number {
  const value = Number(words[0]);
  if (words.length !== 1 || !Number.isFinite(value) || value < 0) throw new Error('a number of milliseconds is needed');
  return value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function printJson(event: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function printText(event: Readonly<Record<string, unknown>>): void {
  const { event: kind, ...fields } = event;
  const text = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  process.stdout.write(`${String(kind)} ${text}\n`);
}
