/**
 * Calls into a process of a trial: the process serves functions by name, the trial calls them with one argument and
 * waits, for a bounded time.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { within, type Stage } from './stage.js';

/** What a process serves. Arguments and results are plain values. */
export type Served = Readonly<Record<string, (argument: never) => unknown>>;

/** A process that serves. */
export interface Remote<S> {
  readonly name: string;
  readonly child: ChildProcess;
  /** Resolves with the exit status, or the signal's name. */
  readonly exited: Promise<number | string>;
  readonly call: <K extends keyof S & string>(
    method: K,
    argument: S[K] extends (argument: infer A) => unknown ? A : never,
    millisMax?: number,
  ) => Promise<S[K] extends (argument: never) => infer R ? Awaited<R> : never>;
}

interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly why: string };

/** Nothing that is called takes longer, unless said. */
const callMillisMax = 30_000;
/** Longer than any trial: no process outlives it. */
const lifeMillisMax = 15 * 60 * 1000;

/** Starts a process of a file beside this one, with what it is to be. */
export function startRemote<S>(stage: Stage, name: string, file: string, assignment: unknown): Remote<S> {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const child = stage.start(name, process.execPath, [script, JSON.stringify(assignment)], { ipc: true });
  const waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >();
  let calls = 0;
  child.on('message', (answer: Answer) => {
    const caller = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) caller?.resolve(answer.value);
    else caller?.reject(new Error(`${name}: ${answer.why}`));
  });
  const exited = once(child, 'exit').then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended with ${String(code ?? signal)}`));
    waiting.clear();
    return (code ?? signal) as number | string;
  });
  return {
    name,
    child,
    exited,
    call(method, argument, millisMax = callMillisMax) {
      const id = ++calls;
      const answer = new Promise<unknown>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.send({ id, method, argument } satisfies Call, (error) => error && reject(error));
      });
      return within(millisMax, `${name}: ${method}`, answer) as never;
    },
  };
}

/** In the process: what it was told to be. */
export function assignmentOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '') as T;
}

/** In the process: serves until the trial is over. */
export function serve(served: Served): void {
  setTimeout(() => process.exit(1), lifeMillisMax).unref();
  process.once('disconnect', () => process.exit(1));
  process.on('message', ({ id, method, argument }: Call) => {
    const send = (answer: Answer) => process.send?.(answer);
    const f = served[method] as ((argument: unknown) => unknown) | undefined;
    Promise.resolve()
      .then(() => {
        if (!f) throw new Error(`no '${method}' here`);
        return f(argument);
      })
      .then(
        (value) => send({ id, ok: true, value }),
        (error: unknown) => send({ id, ok: false, why: error instanceof Error ? error.message : String(error) }),
      );
  });
}
