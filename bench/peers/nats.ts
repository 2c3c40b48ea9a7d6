/** NATS without JetStream, through its own client for Node.js, which packs what is published within one turn of the event loop. */
import type { Channel, Setting } from './channel.js';
import { loadClient } from './channel.js';

/** What is used of the client. */
interface Nats {
  readonly connect: (options: { servers: string }) => Promise<{
    publish(subject: string, message: Uint8Array): void;
    subscribe(subject: string, options: { callback(error: unknown, message: { data: Uint8Array }): void }): unknown;
    flush(): Promise<void>;
    closed(): Promise<unknown>;
  }>;
}

const subject = 'bench';

/** A subject that all publish to and subscribe. */
export async function openNats({ modules, port, receives, onMessage, onError }: Setting): Promise<Channel> {
  const { connect } = await loadClient<Nats>(modules, '@nats-io/transport-node');
  const servers = `127.0.0.1:${port}`;
  const connection = await connect({ servers });
  void connection.closed().then((error) => onError(error ?? new Error('the connection to nats-server has ended')));
  if (receives) {
    connection.subscribe(subject, {
      callback: (error, { data }) => {
        if (error) onError(error);
        else onMessage(data);
      },
    });
    await connection.flush();
  }
  return { description: `nats://${servers}`, publish: (message) => connection.publish(subject, message) };
}
