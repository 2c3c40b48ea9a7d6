/**
 * Faults of single packets: damaged on the way, cut short, come again much later or from elsewhere, held up on a link until
 * its queue runs over, or forged by somebody who is not in the domain.
 *
 * A forger knows what it has heard, and no more: what it says in a known node's name, and what a header says of a state, has
 * been said. Whoever makes up more than that is an enemy, and there are no keys against it yet.
 */
import { Reader, Writer } from '../../lib/wire/bytes.js';
import { Section, beginSection, endSection, readHeader, writeHeader } from '../../lib/wire/packet.js';
import { type Faults, ruleFor } from './fault-state.js';
import type { Packet } from '../../transport/simulation/network.js';
import { type Random, between, chance, fork, integer, pick } from '../../transport/simulation/random.js';
import { deliverHeld } from '../../transport/simulation/medium.js';
import { after } from './world.js';

/** Datagrams of the past that may come again. */
const recordedMax = 300;

const sectionKindMax = Math.max(...Object.values(Section)) + 1;

/** Keeps datagrams of all times and lives, for some to come again. */
export function startRecording(faults: Faults): void {
  const random = fork(faults.random);
  let heard = 0;
  faults.world.network.rules.add((packet) => {
    if (packet.kind === 'stream' || faults.healed) return undefined;
    heard += 1;
    if (faults.recorded.length < recordedMax) faults.recorded.push(packet);
    else if (chance(random, recordedMax / heard)) faults.recorded[integer(random, 0, recordedMax - 1)] = packet;
    return undefined;
  });
}

/** Brings a packet, from wherever it says. */
function bring(faults: Faults, packet: Packet, millis: number): void {
  after(faults.world, millis, () => {
    if (!faults.healed) deliverHeld(faults.world, packet);
  });
}

function someAddress({ random, world }: Faults): string {
  return pick(random, world.processes).address;
}

/** Flips bits in datagrams, or cuts them short, for a while: they are lost. */
export function damage(faults: Faults, kind: 'damaged' | 'truncated'): void {
  const random = fork(faults.random);
  const share = pick(faults.random, [0.05, 0.2, 0.5]);
  const flip = (sealed: Uint8Array): Uint8Array => {
    for (let i = integer(random, 1, 5); i > 0; i -= 1) {
      const at = integer(random, 0, sealed.length - 1);
      sealed[at] = (sealed[at] ?? 0) ^ (1 << integer(random, 0, 7));
    }
    return sealed;
  };
  const truncate = (sealed: Uint8Array): Uint8Array => sealed.subarray(0, integer(random, 0, sealed.length - 1));
  ruleFor(
    faults,
    (packet) => {
      if (packet.kind === 'stream' || !chance(random, share)) return undefined;
      return { kind: 'damage', damage: kind === 'damaged' ? flip : truncate };
    },
    between(faults.random, 50, 800),
  );
}

/** Packets of the past come again, those of earlier lives included, some of them to or from another address. */
export function replay(faults: Faults): boolean {
  const { random, recorded } = faults;
  if (recorded.length === 0) return false;
  for (let i = integer(random, 5, 60); i > 0; i -= 1) {
    const packet = pick(random, recorded);
    const from = chance(random, 0.2) ? someAddress(faults) : packet.from;
    const to = packet.kind === 'multicast' && chance(random, 0.5) ? someAddress(faults) : packet.to;
    bring(faults, { ...packet, from, to }, between(random, 0, 300));
  }
  return true;
}

function garbage(random: Random, bytesMax: number): Uint8Array {
  return Uint8Array.from({ length: integer(random, 0, bytesMax) }, () => integer(random, 0, 255));
}

/** Sections of kinds that there are, and of one that there is not, with any content, some longer than the packet. */
function writeGarbage(w: Writer, random: Random): void {
  for (let i = integer(random, 1, 4); i > 0; i -= 1) {
    const start = beginSection(w, integer(random, 0, sectionKindMax));
    w.raw(garbage(random, 80));
    endSection(w, start);
    if (chance(random, 0.2)) w.bytes[start - 2] = integer(random, 0, 255);
  }
}

/** A packet that nobody in the domain has sent. */
function forge(random: Random, { bytes }: Packet): Uint8Array {
  const r = new Reader(bytes);
  const header = readHeader(r);
  const draw = integer(random, 0, 3);
  if (draw === 0) return garbage(random, 300);
  const w = new Writer();
  // somebody unknown says what has been said, or somebody known says nonsense, or an honest packet has bytes behind it
  if (draw === 1) {
    writeHeader(w, { ...header, source: 1_000_000 + integer(random, 0, 99) });
    w.raw(bytes.subarray(r.at));
  } else if (draw === 2) {
    writeHeader(w, header);
    writeGarbage(w, random);
  } else {
    w.raw(bytes);
    w.raw(garbage(random, 20));
  }
  return w.take();
}

/** Somebody who is in no domain sends datagrams. */
export function forgery(faults: Faults): boolean {
  const { random, recorded } = faults;
  if (recorded.length === 0) return false;
  for (let i = integer(random, 5, 60); i > 0; i -= 1) {
    const model = pick(random, recorded);
    const from = chance(random, 0.5) ? 'addr-stranger' : someAddress(faults);
    const packet: Packet = { kind: 'unicast', from, to: someAddress(faults), bytes: forge(random, model) };
    bring(faults, packet, between(random, 0, 200));
  }
  return true;
}

/**
 * A link has little bandwidth, for all or for one: what is sent queues up, beyond the queue's length it is lost. Or nothing
 * gets through for a while, and then comes all at once.
 */
export function clog(faults: Faults): void {
  const { random, world } = faults;
  const { timeout } = faults.plan.world.node;
  const target = chance(random, 0.6) ? someAddress(faults) : null;
  const bytesPerMilli = pick(random, [5, 20, 100]);
  const queueMillis = pick(random, [0.3, 0.8, 2]) * timeout;
  const atOnce = chance(random, 0.4) ? world.now + between(random, 20, 1.5 * timeout) : null;
  const freeAt = new Map<string, number>();
  ruleFor(
    faults,
    ({ kind, from, to, bytes }) => {
      if (kind === 'stream' || from === to || (target !== null && target !== from && target !== to)) return undefined;
      if (atOnce !== null) return { kind: 'delay', millis: Math.max(0, atOnce - world.now) };
      const link = `${from}>${to}`;
      const at = Math.max(world.now, freeAt.get(link) ?? 0) + bytes.length / bytesPerMilli;
      if (at - world.now > queueMillis) return { kind: 'drop' };
      freeAt.set(link, at);
      return { kind: 'delay', millis: at - world.now };
    },
    atOnce === null ? between(random, 0.5, 4) * timeout : atOnce - world.now,
  );
}
