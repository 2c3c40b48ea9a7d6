/** A process that sends random datagrams to a domain's multicast address, so many a second, while it is told to. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { assignmentOf, serve } from './remote.js';

/** Where to. */
export interface FloodAssignment {
  readonly address: string;
  readonly port: number;
}

/** Any size that goes without fragments, none among them. */
const datagramBytesMax = 1400;
/** Random bytes that are cut into datagrams: making them anew would cost more than sending them. */
const noiseBytes = 16 * 1024 * 1024;
const tickMillis = 2;

const { address, port } = assignmentOf<FloodAssignment>();
const noise = randomBytes(noiseBytes);
const socket = createSocket('udp4');
await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
socket.setMulticastInterface('127.0.0.1');
const { port: ownPort } = socket.address();
let sent = 0;
let refused = 0;

/** `elsewhere`: to a port at which nobody listens. */
function throwOne(elsewhere: boolean): void {
  const at = Math.floor(Math.random() * (noiseBytes - datagramBytesMax));
  const length = Math.floor(Math.random() * (datagramBytesMax + 1));
  socket.send(noise.subarray(at, at + length), elsewhere ? ownPort : port, address, (error) => {
    if (error) refused += 1;
    else sent += 1;
  });
}

const served = {
  /** Throws `count` datagrams at this rate, to the domain or where nobody is; resolves with how many the system took, and how long that was. */
  async flood({
    count,
    perSecond,
    elsewhere,
  }: {
    readonly count: number;
    readonly perSecond: number;
    readonly elsewhere: boolean;
  }): Promise<{ readonly sent: number; readonly refused: number; readonly millis: number }> {
    [sent, refused] = [0, 0];
    const begun = performance.now();
    let thrown = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const due = Math.min(count, Math.floor(((performance.now() - begun) / 1000) * perSecond));
        while (thrown < due) {
          throwOne(elsewhere);
          thrown += 1;
        }
        if (sent + refused < count) return;
        clearInterval(timer);
        resolve();
      }, tickMillis);
    });
    return { sent, refused, millis: performance.now() - begun };
  },
};

/** What this process serves. */
export type Flooder = typeof served;

serve(served);
