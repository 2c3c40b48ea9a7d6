/** Where lines of the log come from, in fields. */
import { createRequire } from 'node:module';
import Stream from 'node:stream';
import test from 'ava';
import type * as nact from 'nact';
import { dispatch, spawn, start } from 'nact';
import winston from 'winston';
import { domain, groups, leaveDomain, logFormat, memory, memoryHub, spawnReplicated } from '../../actors/index.js';
import { inside } from '../../actors/nact-internals.js';
import { eventually, viewOf } from '../actors/systems.js';

// declared among nact's exports, and not exported
const { configureLogging, logNothing } = createRequire(import.meta.url)('nact/lib/monitoring/index.js') as typeof nact;

function remembering(format: winston.Logform.Format) {
  const lines: string[] = [];
  const stream = new Stream.Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return {
    lines,
    logger: winston.createLogger({ level: 'info', format, transports: [new winston.transports.Stream({ stream })] }),
  };
}

test("lines have domain and node, a member's its group and view, and any actor's go there too", async (t) => {
  const { lines, logger } = remembering(winston.format.json());
  const system = start(groups({ domain: 'd', name: 'a', transport: memory(memoryHub()), logger }));
  t.teardown(() => leaveDomain(system));
  const member = spawnReplicated(system, (n: number, _: string, ctx) => (ctx.log.info('applied'), n + 1), 'sum', {
    initialState: 0,
  });
  const { id: view } = await viewOf(member, 1);
  dispatch(member, 'x');
  const other = spawn(system, (_: undefined, text: string, ctx) => void ctx.log.info(text), 'other');
  dispatch(other, 'hello');
  const line = (message: string) =>
    lines.map((text) => JSON.parse(text) as Record<string, unknown>).find((each) => each['message'] === message);
  await eventually(() => line('applied') !== undefined && line('hello') !== undefined, 'both lines');
  const { self: node } = domain(system);
  const own = { level: 'info', domain: 'd', node };
  const path = (name: string) => String(inside(name === 'sum' ? member : other).path);
  t.deepEqual(line('applied'), { ...own, message: 'applied', actor: path('sum'), group: 'sum', view });
  t.deepEqual(line('hello'), { ...own, message: 'hello', actor: path('other') });
});

test('logging that a system has is left alone, and the format has the fields behind the message', async (t) => {
  const { lines, logger } = remembering(logFormat());
  const system = start(
    configureLogging(logNothing as never),
    groups({ domain: 'd', name: 'a', transport: memory(memoryHub()), logger }),
  );
  t.teardown(() => leaveDomain(system));
  const other = spawn(system, (_: undefined, text: string, ctx) => void ctx.log.info(text), 'other');
  dispatch(other, 'hello');
  await eventually(
    () => lines.some((line) => /^\S+ info .* domain=d node=a#\d+\s*$/.test(line)),
    () => lines.join(''),
  );
  t.false(lines.some((line) => line.includes('hello')));
});
