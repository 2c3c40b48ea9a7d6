/**
 * What encryption costs beside the cipher itself: processor time to seal datagrams and to open them as three receivers do, next to
 * node:crypto on the same bytes with the same cipher, and nothing else: no header, no counter, no window. In one process and
 * without sockets, in turns of some milliseconds, so that what disturbs the machine disturbs both.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { domainKey, keyBytes, Keyring } from '../transport/keyring.js';
import { SealedDatagrams } from '../transport/sealed-datagrams.js';
import { median } from './statistics.js';

/** Receivers of each datagram, as in the other bars. */
const receivers = 3;
/** Datagrams of a turn. */
const batch = 60;
const turnsMin = 3;

interface Ways {
  readonly ours: () => void;
  readonly bare: () => void;
}

/** Processor time in microseconds. */
function cpuOf(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function bareWay(bytes: Uint8Array): () => void {
  const key = randomBytes(keyBytes);
  const nonce = Buffer.alloc(12);
  return () => {
    for (let i = 0; i < batch; i++) {
      nonce.writeUInt32BE(i, 8);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const encrypted = cipher.update(bytes);
      cipher.final();
      const tag = cipher.getAuthTag();
      for (let receiver = 0; receiver < receivers; receiver++) {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce);
        decipher.setAuthTag(tag);
        decipher.update(encrypted);
        decipher.final();
      }
    }
  };
}

/** Datagrams of one that all others believe; what a receiver opens is in one piece, as a socket gives it. */
function ourWay(bytes: Uint8Array): () => void {
  const keyring = new Keyring([domainKey(randomBytes(keyBytes))]);
  const all = Array.from({ length: receivers + 1 }, (_, i) => {
    const said: Buffer[] = [];
    const datagrams = new SealedDatagrams({
      keyring,
      domain: 'bench',
      own: { host: '127.0.0.1', port: i + 1, family: 4 },
      send: (pieces) => said.push(Buffer.concat(pieces)),
    });
    return { said, datagrams };
  });
  const [sender, ...others] = all as [(typeof all)[number], ...typeof all];
  sender.datagrams.greet();
  for (let left = true; left;) {
    left = false;
    for (const each of all) {
      for (const frame of each.said.splice(0)) {
        left = true;
        for (const other of all) if (other !== each) other.datagrams.open(frame);
      }
    }
  }
  const frame = Buffer.alloc(65_507);
  return () => {
    for (let i = 0; i < batch; i++) {
      let end = 0;
      for (const piece of sender.datagrams.sealMulticast(bytes)) {
        frame.set(piece, end);
        end += piece.length;
      }
      const received = frame.subarray(0, end);
      for (const { datagrams } of others) {
        if (datagrams.open(received).kind !== 'datagram') throw new Error('a datagram was not opened');
      }
    }
  };
}

/** Our processor time over that of node:crypto, for datagrams of so many bytes, once a round. */
export function measureEncryption(bytes: number, rounds: number, millis: number): number[] {
  const payload = randomBytes(bytes);
  const ways: Ways = { ours: ourWay(payload), bare: bareWay(payload) };
  // compiled before anything counts
  for (let i = 0; i < 20; i++) for (const way of [ways.ours, ways.bare]) way();
  return Array.from({ length: rounds }, () => ratioOf(ways, millis));
}

function ratioOf({ ours, bare }: Ways, millis: number): number {
  const found: number[] = [];
  const until = performance.now() + millis;
  while (performance.now() < until || found.length < turnsMin) {
    const under = cpuOf(bare);
    found.push(cpuOf(ours) / under);
  }
  return median(found);
}
