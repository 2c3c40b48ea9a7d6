/**
 * A process that floods a domain's multicast address with what is none of its traffic, so many datagrams a second, while it is told to:
 * noise, and what gets further than noise, made of the domain's own datagrams, which it has recorded.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { assignmentOf, serve } from './remote.js';

/** Where to. */
export interface FloodAssignment {
  readonly address: string;
  readonly port: number;
  /** Whether the domain has a key. */
  readonly hasKey: boolean;
}

/** Any size that goes without fragments, none among them. */
const datagramBytesMax = 1400;
/** Random bytes that are cut into datagrams: making them anew would cost more than sending them. */
const noiseBytes = 16 * 1024 * 1024;
const tickMillis = 2;

/** What is thrown, in turn: two in five are noise. */
const kinds = ['noise', 'posing', 'noise', 'replayed', 'cut'] as const;

/** Of a datagram in the clear what says that it is one of the domain: magic, version, hash of the name. */
const plainHeadBytes = 7;
/** The same under a key: all that precedes the tag, with the length at 6 and the counter at 32 (see transport/sealed-datagrams.ts). */
const sealedHeadBytes = 62;
const lengthAt = 6;
const counterAt = 32;
/** No counter of a trial is as high: what poses is in front of the window, so that its tag has to be looked at. */
const counterMin = 2 ** 40;

/** Datagrams that are recorded of each sort: small ones, to be sent again, and large ones, to be cut off. */
const recordedMin = 20;
const recordedMax = 250;
const recordMillisMax = 3000;

const { address, port, hasKey } = assignmentOf<FloodAssignment>();
const noise = randomBytes(noiseBytes);
const socket = createSocket('udp4');
await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
socket.setMulticastInterface('127.0.0.1');
const { port: ownPort } = socket.address();
/** The small ones, and all. */
let [small, recorded]: [Buffer[], Buffer[]] = [[], []];
let [sent, refused] = [0, 0];

function noiseOf(length: number): Buffer {
  const at = Math.floor(Math.random() * (noiseBytes - datagramBytesMax));
  return noise.subarray(at, at + length);
}

/** What is one of the domain's by its first bytes, and by nothing else. */
function posing(from: Buffer): Buffer {
  const head = from.subarray(0, hasKey ? sealedHeadBytes : plainHeadBytes);
  const all = Buffer.concat([head, noiseOf(1 + Math.floor(Math.random() * (datagramBytesMax - head.length)))]);
  if (hasKey) {
    all.writeUInt16BE(all.length, lengthAt);
    all.writeUIntBE(counterMin + randomInt(counterMin), counterAt, 6);
  }
  return all;
}

function make(kind: (typeof kinds)[number]): Buffer {
  if (kind === 'noise') return noiseOf(Math.floor(Math.random() * (datagramBytesMax + 1)));
  const some = kind === 'replayed' ? small : recorded;
  const from = some[Math.floor(Math.random() * some.length)] as Buffer;
  if (kind === 'replayed') return from;
  if (kind === 'posing') return posing(from);
  return from.subarray(0, 1 + Math.floor(Math.random() * (Math.min(from.length, datagramBytesMax) - 1)));
}

const served = {
  /** Listens until it has enough of the domain's datagrams. */
  async record(_: null): Promise<void> {
    const ear = createSocket({ type: 'udp4', reuseAddr: true });
    const heard: { readonly small: Buffer[]; readonly large: Buffer[] } = { small: [], large: [] };
    ear.on('message', (bytes, from) => {
      const sort = bytes.length <= datagramBytesMax ? heard.small : heard.large;
      if (from.port !== ownPort && sort.length < recordedMax) sort.push(bytes);
    });
    await new Promise<void>((resolve) => ear.bind(port, address, resolve));
    ear.addMembership(address, '127.0.0.1');
    const isEnough = () => heard.small.length >= recordedMin;
    const until = performance.now() + recordMillisMax;
    while (!isEnough() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise<void>((resolve) => ear.close(resolve));
    if (!isEnough())
      throw new Error(`${heard.small.length} small datagrams of the domain came by, ${heard.large.length} large`);
    small = heard.small;
    recorded = [...heard.small, ...heard.large];
  },
  /**
   * Throws `count` datagrams at this rate, to the domain or, `elsewhere`, to a port at which nobody listens. Resolves with how many the
   * system took, how many of these were copies of the domain's own, and how long that was.
   */
  async flood({
    count,
    perSecond,
    elsewhere,
  }: {
    readonly count: number;
    readonly perSecond: number;
    readonly elsewhere: boolean;
  }): Promise<{ readonly sent: number; readonly replayed: number; readonly millis: number }> {
    [sent, refused] = [0, 0];
    let [thrown, replayed] = [0, 0];
    const begun = performance.now();
    const throwOne = (): void => {
      const kind = kinds[thrown % kinds.length] as (typeof kinds)[number];
      socket.send(make(kind), elsewhere ? ownPort : port, address, (error) => {
        if (error) refused += 1;
        else sent += 1;
        if (!error && kind === 'replayed') replayed += 1;
      });
      thrown += 1;
    };
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const due = Math.min(count, Math.floor(((performance.now() - begun) / 1000) * perSecond));
        while (thrown < due) throwOne();
        if (sent + refused < count) return;
        clearInterval(timer);
        resolve();
      }, tickMillis);
    });
    return { sent, replayed, millis: performance.now() - begun };
  },
};

/** What this process serves. */
export type Flooder = typeof served;

serve(served);
