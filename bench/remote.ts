/**
 * Calls into a process of a measurement: the process serves functions by name, the parent calls them with one argument
 * and waits, for a bounded time.
 */
import type { ChildProcess } from 'node:child_process';
import { MeasurementFailed } from './crew.js';
import { endWithParent, isLiving, startProcess } from './processes.js';

/** What a process serves. Arguments and results are what `postMessage` takes. */
export type Served = Readonly<Record<string, (argument: never) => unknown>>;

/** A process that serves. */
export interface Remote<S> {
  readonly child: ChildProcess;
  /** Rejects with {@link MeasurementFailed} if the function throws, the process ends, or `millisMax` has passed. */
  call<K extends keyof S & string>(
    method: K,
    argument: S[K] extends (argument: infer A) => unknown ? A : never,
    millisMax?: number,
  ): Promise<S[K] extends (argument: never) => infer R ? Awaited<R> : never>;
  /** Kills it; resolves when it is gone. */
  kill(): Promise<void>;
}

interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  /** `id` 0: what went wrong outside any call. */
  | { readonly id: number; readonly ok: false; readonly why: string };

/** Nothing that is called takes longer, unless said. */
const callMillisMax = 60_000;

/** Starts a process of the compiled file `url`, with what it is to be. */
export function startRemote<S>(
  name: string,
  url: URL,
  assignment: unknown,
  execArgv: readonly string[] = [],
): Remote<S> {
  const child = startProcess(url, assignment, execArgv);
  const waiting = new Map<number, (answer: Answer) => void>();
  let calls = 0;
  let failure: string | undefined;

  function fail(why: string): void {
    failure ??= why;
    for (const [id, answer] of waiting) answer({ id, ok: false, why: failure });
  }
  child.on('message', (answer: Answer) => {
    if (answer.id === 0 && !answer.ok) fail(answer.why);
    else waiting.get(answer.id)?.(answer);
  });
  child.once('error', ({ message }) => fail(message));
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      fail(`it ended with ${code ?? signal ?? 'nothing'}`);
      resolve();
    });
  });

  function call(method: string, argument: unknown, millisMax = callMillisMax): Promise<unknown> {
    const id = ++calls;
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer): void => {
        clearTimeout(timer);
        waiting.delete(id);
        if (answer.ok) resolve(answer.value);
        else reject(new MeasurementFailed(`${name}, ${method}: ${answer.why}`));
      };
      const refuse = (why: string): void => settle({ id, ok: false, why });
      const timer = setTimeout(refuse, millisMax, `no answer within ${millisMax} ms`);
      if (failure !== undefined) return refuse(failure);
      waiting.set(id, settle);
      child.send({ id, method, argument } satisfies Call, (error) => error && refuse(error.message));
    });
  }

  return {
    child,
    call: call as Remote<S>['call'],
    async kill() {
      if (isLiving(child)) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** In the process: serves until the parent is done with it. */
export function serve(served: Served): void {
  endWithParent();
  const send = (answer: Answer) => process.send?.(answer);
  const reasonOf = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error));
  const failed = (error: unknown) => void send({ id: 0, ok: false, why: reasonOf(error) });
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);
  process.on('message', ({ id, method, argument }: Call) => {
    const f = served[method] as (argument: unknown) => unknown;
    Promise.resolve()
      .then(() => f(argument))
      .then(
        (value) => send({ id, ok: true, value }),
        (error: unknown) => send({ id, ok: false, why: String(error) }),
      );
  });
}
