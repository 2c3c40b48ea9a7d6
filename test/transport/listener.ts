/** A transport's handlers that remember what they were told, and let a test wait for it. */
import type { Transport, TransportFactory, TransportHandlers } from '../../transport/transport.js';

/** Bytes and where they came from. */
export interface Heard {
  readonly bytes: Uint8Array;
  readonly from: string;
}

/** An open transport with everything that it has told. */
export interface Listener {
  readonly transport: Transport;
  readonly address: string;
  readonly datagrams: Heard[];
  readonly messages: Heard[];
  readonly downs: { readonly to: string; readonly why: string; readonly wasUp: boolean }[];
  readonly errors: Error[];
  /** Whether it was told that datagrams are too large, each time. */
  readonly refusals: true[];
  /** Resolves as soon as the condition holds; it is looked at after each thing that is told. */
  until(condition: () => boolean): Promise<void>;
}

/** Opens a transport, on a network that is trusted, and listens. `tap` sees each stream message instead of having it kept. */
export async function listen(
  open: TransportFactory,
  domain: string,
  tap?: (bytes: Uint8Array, from: string) => void,
): Promise<Listener> {
  let waiting: { condition: () => boolean; resolve: () => void }[] = [];
  const told = (): void => {
    waiting = waiting.filter(({ condition, resolve }) => {
      if (!condition()) return true;
      resolve();
      return false;
    });
  };
  const heard = {
    datagrams: [] as Heard[],
    messages: [] as Heard[],
    downs: [] as { to: string; why: string; wasUp: boolean }[],
    errors: [] as Error[],
    refusals: [] as true[],
  };
  const handlers: TransportHandlers = {
    datagram(bytes, from) {
      heard.datagrams.push({ bytes, from });
      told();
    },
    stream(bytes, from) {
      if (tap === undefined) heard.messages.push({ bytes, from });
      else tap(bytes, from);
      told();
    },
    streamDown(to, why, wasUp) {
      heard.downs.push({ to, why, wasUp });
      told();
    },
    error(error) {
      heard.errors.push(error);
      told();
    },
    tooLarge() {
      heard.refusals.push(true);
      told();
    },
    moved: () => {},
  };
  const transport = await open(domain, handlers, undefined, true);
  return {
    transport,
    address: transport.address,
    ...heard,
    until: (condition) =>
      new Promise((resolve) => {
        if (condition()) resolve();
        else waiting.push({ condition, resolve });
      }),
  };
}

/** Bytes that differ with the seed and from place to place. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = (seed + 1) * 2654435761;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

/** Whether two byte sequences are the same; unlike a deep comparison it is fast for megabytes. */
export function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

/** Text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes as text. */
export function textOf(heard: Heard | undefined): string {
  return heard === undefined ? '' : new TextDecoder().decode(heard.bytes);
}
