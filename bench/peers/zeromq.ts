/** ZeroMQ: each sender is a publisher that all receivers subscribe to. */
import type { Channel, Setting } from './channel.js';
import { loadClient } from './channel.js';

/** What is used of the client. */
interface ZeroMq {
  readonly Publisher: new (options: { sendHighWaterMark: number }) => {
    bind(address: string): Promise<void>;
    send(message: Buffer): Promise<void>;
  };
  readonly Subscriber: new (options: { receiveHighWaterMark: number }) => AsyncIterable<readonly [Buffer]> & {
    connect(address: string): void;
    subscribe(): void;
  };
}

/** No limit: what is under way is bounded by the benchmark's window, and with a limit it would lose what is above. */
const highWaterMark = 0;

/** Publisher and subscriber over TCP. */
export async function openZeroMq(setting: Setting): Promise<Channel> {
  const { modules, port, index, senders, receives, onError } = setting;
  const { Publisher, Subscriber } = await loadClient<ZeroMq>(modules, 'zeromq');
  const publisher = new Publisher({ sendHighWaterMark: highWaterMark });
  const addressOf = (sender: number) => `tcp://127.0.0.1:${port + sender}`;
  if (senders.includes(index)) await publisher.bind(addressOf(index));
  if (receives) {
    const subscriber = new Subscriber({ receiveHighWaterMark: highWaterMark });
    for (const sender of senders) subscriber.connect(addressOf(sender));
    subscriber.subscribe();
    receive(subscriber, setting).catch(onError);
  }
  return { description: addressOf(senders[0] ?? 0), publish: (message) => publisher.send(message) };
}

async function receive(messages: AsyncIterable<readonly [Buffer]>, { onMessage }: Setting): Promise<void> {
  for await (const [message] of messages) onMessage(message);
}
