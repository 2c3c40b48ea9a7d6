/** A process that loads a module and replays messages through one of its exports: see replay.ts. Started by determinism.ts. */
import { holdClock, replay, type Reducer, type Replay } from './replay.js';

/** What it is told first. */
export interface Load {
  readonly module: string;
  readonly name: string;
  /** `Date.now()` while the module is loaded. */
  readonly clock: number;
}

let reducer: Promise<Reducer> | undefined;

process.on('message', (message: Load | Replay) => {
  if ('module' in message) {
    holdClock(message.clock);
    reducer = load(message);
  } else if (reducer) {
    void reducer
      .then((f) => replay(f, message))
      .then(
        (replayed) => process.send?.(replayed),
        (error: unknown) => process.send?.({ error: String(error) }),
      );
  }
});

async function load({ module, name }: Load): Promise<Reducer> {
  const loaded = (await import(module)) as Record<string, unknown>;
  const f = loaded[name];
  if (typeof f !== 'function') {
    throw new TypeError(`${module} exports no function '${name}'; it exports ${Object.keys(loaded).join(', ')}`);
  }
  return f as Reducer;
}
