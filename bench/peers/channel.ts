/** What the benchmark sees of a peer's client, and what it gives to it. */
import { pathToFileURL } from 'node:url';
import { findClient } from './catalogue.js';

/** A client that is connected. */
export interface Channel {
  /** Versions, for the report. */
  readonly description: string;
  /** Hands a message to the client, which may keep it until all have it; a promise if the client wants to be waited for. */
  readonly publish: (message: Buffer) => void | Promise<void>;
}

/** What a client is opened with. */
export interface Setting {
  /** Where npm packages are looked for. */
  readonly modules: string;
  /** Of the server, or the first of as many as there are members. */
  readonly port: number;
  readonly index: number;
  /** Who sends. */
  readonly senders: readonly number[];
  /** Whether this process wants messages. */
  readonly receives: boolean;
  /** Gets them. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Something went wrong: the measurement fails. */
  readonly onError: (error: unknown) => void;
}

/** Loads a client's package, of which only `T` is used. It is not among this project's own: it is wherever the user has it. */
export async function loadClient<T>(modules: string, name: string): Promise<T> {
  const file = findClient(modules, name);
  if (file === undefined) throw new Error(`${name} is not installed in ${modules}`);
  const loaded = (await import(pathToFileURL(file).href)) as T & { readonly default?: T };
  return loaded.default ?? loaded;
}
