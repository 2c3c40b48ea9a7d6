/**
 * Loaded before a member (`node --import`): a switch between its sockets and the network. Each datagram is held back for a time
 * of its own, so that they overtake each other, and what is written to a stream for one before it goes on in order.
 *
 * It is done in the sending process because the kernels here may lack what delays packets (`tc netem`).
 */
import { Socket as DatagramSocket } from 'node:dgram';
import { Socket } from 'node:net';

/** The longest that anything is held back, in milliseconds; the mean is half of it. */
const delayMax = Number(process.env['DELAY_MAX']);
if (!(delayMax > 0)) throw new Error('DELAY_MAX is to be a number of milliseconds');

const delay = () => Math.random() * delayMax;

type Done = (error: Error | null) => void;
type Bytes = Uint8Array | readonly Uint8Array[];

/** The one form of these calls that the transports use. */
interface Datagrams {
  send: (this: Datagrams, bytes: Bytes, port: number, host: string, done: Done) => void;
}
const datagrams = DatagramSocket.prototype as unknown as Datagrams;
const { send } = datagrams;
datagrams.send = function (bytes, port, host, done) {
  // its owner may use the buffer again
  const copy = Buffer.concat(bytes instanceof Uint8Array ? [bytes] : bytes);
  setImmediate(done, null);
  setTimeout(() => {
    try {
      send.call(this, copy, port, host, () => undefined);
    } catch {
      // it was closed meanwhile, as by a host that goes down with datagrams in its queue
    }
  }, delay());
};

interface Streams {
  readonly remoteFamily?: string;
  _write: (this: Streams, ...args: unknown[]) => void;
  _writev: (this: Streams, ...args: unknown[]) => void;
}
const streams = Socket.prototype as unknown as Streams;
for (const name of ['_write', '_writev'] as const) {
  const write = streams[name];
  streams[name] = function (...args) {
    // pipes have no other end
    if (this.remoteFamily === undefined) write.apply(this, args);
    else setTimeout(() => write.apply(this, args), delay());
  };
}
