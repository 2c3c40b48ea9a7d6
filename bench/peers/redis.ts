/** Redis, through its own client for Node.js, which pipelines by itself what is asked for within one turn of the event loop. */
import type { Channel, Setting } from './channel.js';
import { loadClient } from './channel.js';

/** What is used of the client. */
interface Redis {
  createClient(options: { url: string }): Client;
  readonly RESP_TYPES: { readonly BLOB_STRING: number };
}

interface Client {
  connect(): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): void;
  publish(channel: string, message: Buffer): Promise<unknown>;
  subscribe(channel: string, listener: (message: Buffer) => void, asBuffer: true): Promise<unknown>;
  xAdd(stream: string, id: '*', fields: { d: Buffer }, options: Trim): Promise<unknown>;
  withTypeMapping(mapping: Record<number, unknown>): {
    xRead(from: { key: string; id: string }, options: { COUNT: number; BLOCK: number }): Promise<Entries | null>;
  };
}

interface Trim {
  readonly TRIM: { readonly strategy: 'MAXLEN'; readonly strategyModifier: '~'; readonly threshold: number };
}

type Entries = readonly [
  { readonly messages: readonly { readonly id: { toString(): string }; readonly message: { readonly d: Buffer } }[] },
];

const channel = 'bench';
/** Kept of the stream: more than is ever under way. */
const trim: Trim = { TRIM: { strategy: 'MAXLEN', strategyModifier: '~', threshold: 65_536 } };
const entriesMax = 1000;
const blockMillis = 1000;

async function connect({ modules, port, onError }: Setting): Promise<{ redis: Redis; client: Client }> {
  const redis = await loadClient<Redis>(modules, 'redis');
  const client = redis.createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', onError);
  await client.connect();
  return { redis, client };
}

/** `PUBLISH` and `SUBSCRIBE`; a subscriber has a connection of its own, as the client's documents ask for. */
export async function openPubSub(setting: Setting): Promise<Channel> {
  const { client } = await connect(setting);
  if (setting.receives) {
    const { client: subscriber } = await connect(setting);
    await subscriber.subscribe(channel, setting.onMessage, true);
  }
  return {
    description: `redis://127.0.0.1:${setting.port}, pub/sub`,
    publish: (message) => void client.publish(channel, message).catch(setting.onError),
  };
}

/** `XADD`, and `XREAD` from where the last one ended: each reader gets all. */
export async function openStreams(setting: Setting): Promise<Channel> {
  const { client } = await connect(setting);
  if (setting.receives) read(setting).catch(setting.onError);
  return {
    description: `redis://127.0.0.1:${setting.port}, streams`,
    publish: (message) => void client.xAdd(channel, '*', { d: message }, trim).catch(setting.onError),
  };
}

async function read(setting: Setting): Promise<void> {
  const { redis, client } = await connect(setting);
  const reader = client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer });
  for (let id = '0'; ;) {
    const entries = await reader.xRead({ key: channel, id }, { COUNT: entriesMax, BLOCK: blockMillis });
    for (const { id: last, message } of entries?.[0].messages ?? []) {
      setting.onMessage(message.d);
      id = last.toString();
    }
  }
}
