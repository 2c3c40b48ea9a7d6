/** Systems in one process for tests, on a network in memory. They leave when the test ends. */
import type { ExecutionContext } from 'ava';
import { start, type Ref } from 'nact';
import { filter, firstValueFrom, take, timeout, type Observable } from 'rxjs';
import winston, { type Logger } from 'winston';
import Stream from 'node:stream';
import {
  domain,
  groups,
  leaveDomain,
  memory,
  memoryHub,
  views,
  type GroupRef,
  type GroupsOptions,
  type MemoryHub,
  type View,
} from '../../actors/index.js';

/** Nothing in these tests takes longer, in milliseconds. */
export const patience = 15_000;

/** A logger that remembers its lines: `level message`. */
export function rememberingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const stream = new Stream.Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk).trim());
      done();
    },
  });
  const logger = winston.createLogger({
    level: 'debug',
    format: winston.format.printf(({ level, message }) => `${level} ${String(message)}`),
    transports: [new winston.transports.Stream({ stream })],
  });
  return { logger, lines };
}

let domains = 0;

/** A domain that no other test uses. */
export function freshDomain(): string {
  domains += 1;
  return `actors-${process.pid}-${domains}`;
}

/** A network of which nodes can be cut off: to the others they are as good as killed. */
export function cuttable(t: ExecutionContext): { readonly hub: MemoryHub; readonly cut: (node: Ref<never>) => void } {
  const off = new Set<string>();
  const hub = memoryHub(({ from, to }) => ({ kind: off.has(from) || off.has(to) ? 'drop' : 'pass' }));
  const cut = (node: Ref<never>) => {
    // so that it can leave
    t.teardown(() => off.clear());
    const { self, views: states } = domain(node);
    states.pipe(take(1)).subscribe(({ nodes }) => {
      for (const { id, address } of nodes) if (id === self) off.add(address);
    });
  };
  return { hub, cut };
}

/** A system on the hub. */
export function system(
  t: ExecutionContext,
  hub: MemoryHub,
  name: string,
  options: Partial<GroupsOptions> = {},
): Ref<unknown> {
  const ref = start(
    groups({
      domain: 'd',
      name,
      transport: memory(hub),
      logger: rememberingLogger().logger,
      detector: { heartbeat: 50, timeout: 400, discovery: 100 },
      ...options,
    }),
  );
  t.teardown(async () => {
    try {
      await leaveDomain(ref);
    } catch {
      // has left already
    }
  });
  return ref;
}

/** The first value that fits. */
export function first<T>(source: Observable<T>, fits: (value: T) => boolean): Promise<T> {
  return firstValueFrom(source.pipe(filter(fits), timeout(patience)));
}

/** The first view with so many members. */
export function viewOf(ref: GroupRef<never>, members: number): Promise<View> {
  return first(views(ref), (view) => view.members.length === members);
}

/** Resolves when the condition holds; if it never does, rejects with what was waited for, put into words only then. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string),
): Promise<void> {
  const until = performance.now() + patience;
  while (!(await holds())) {
    if (performance.now() > until) {
      throw new Error(`not within ${patience} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A list that grows by what it is sent. */
export const append = (state: readonly number[], message: number): readonly number[] => [...state, message];
