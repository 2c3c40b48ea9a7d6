/** A forwarded port that does to connections what networks do: delays, resets, cuts, and silence without an end. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { parseAddress } from '../../transport/addresses.js';

/** A proxy in front of one address. */
export interface Proxy {
  /** What to advertise or to name as a seed. */
  readonly address: string;
  /** Where to; may be set later than the proxy is opened. */
  target: string;
  /** Connections that are forwarded now. */
  readonly live: number;
  /** Resets all connections, at both ends. */
  reset(): void;
  /** Forwards nothing any more on the connections that there are, and closes none; new ones are as they should. */
  freeze(): void;
}

/** Opens a proxy; `delay` gives the milliseconds that each chunk waits. */
export async function openProxy(t: ExecutionContext, target = '', delay: () => number = () => 0): Promise<Proxy> {
  const pairs = new Set<{ near: Socket; far: Socket; frozen: boolean }>();
  const server = createServer({ noDelay: true }, (near) => {
    const { host, port } = parseAddress(proxy.target);
    const far = connect({ host, port, noDelay: true });
    const pair = { near, far, frozen: false };
    pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      // each waits for the one before it: order is kept
      let line = Promise.resolve();
      const later = (run: () => void): void => {
        line = line.then(async () => {
          const millis = delay();
          if (millis > 0) await new Promise((resolve) => setTimeout(resolve, millis));
          if (!pair.frozen) run();
        });
      };
      from.on('data', (chunk: Buffer) => later(() => to.write(chunk)));
      from.on('end', () => later(() => to.end()));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        if (!pair.frozen) later(() => to.destroy());
        pairs.delete(pair);
      });
    }
  });
  t.teardown(() => {
    server.close();
    for (const { near, far } of pairs) for (const each of [near, far]) each.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const proxy: Proxy = {
    address: `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`,
    target,
    get live() {
      return pairs.size;
    },
    reset() {
      for (const { near, far } of pairs) for (const each of [near, far]) each.resetAndDestroy();
    },
    freeze() {
      for (const pair of pairs) pair.frozen = true;
    },
  };
  return proxy;
}

/** A port that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  return bound !== null && typeof bound === 'object' ? bound.port : 0;
}
