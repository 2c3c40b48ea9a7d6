/**
 * The member's `send`: load at a rate, or as fast as flow control lets it in, with the count of what became stable.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GroupFull, multicast, type GroupRef, type Order, type Receipt } from '../index.js';
import type { MemberMessage } from './member-state.js';

/** What `send` was asked for. */
export interface Send {
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
  readonly order: Order;
  readonly uniform: boolean;
  /** A second; undefined: as fast as may be. */
  readonly rate: number | undefined;
}

/** What became of it. */
export interface SendResult {
  readonly ok: boolean;
  readonly sent: number;
  readonly stable: number;
  readonly failed: number;
  /** From the first to the last being stable, in milliseconds. */
  readonly ms: number;
}

/** Sent between two pauses when there is no rate. */
const burst = 64;
const sizeDefault = 100;

/** Reads `N [--size B] [--order O] [--uniform] [--rate R]`. Throws with what is wrong. */
export function parseSend(words: readonly string[]): Send {
  const usage = 'send N [--size B] [--order fifo|causal|total|barrier] [--uniform] [--rate R]';
  let count: number | undefined;
  let size = sizeDefault;
  let order: Order = 'fifo';
  let uniform = false;
  let rate: number | undefined;
  const numberOf = (word: string | undefined, what: string): number => {
    const value = Number(word);
    if (word === undefined || !Number.isFinite(value) || value < 0) throw new Error(`${what} needs a number: ${usage}`);
    return value;
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '--uniform') uniform = true;
    else if (word === '--size') size = numberOf(words[++i], word);
    else if (word === '--rate') rate = numberOf(words[++i], word);
    else if (word === '--order') {
      const value = words[++i];
      const known = (['fifo', 'causal', 'total', 'barrier'] as const).find((each) => each === value);
      if (known === undefined) throw new Error(`unknown order: ${usage}`);
      order = known;
    } else if (count === undefined && !word.startsWith('--')) count = numberOf(word, 'send');
    else throw new Error(`unexpected '${word}': ${usage}`);
  }
  if (count === undefined || rate === 0) throw new Error(usage);
  return { count, size, order, uniform, rate };
}

/** Sends; resolves when everything sent is stable or has failed. `stops` gets a function that ends it early. */
export async function runSend(
  ref: GroupRef<MemberMessage>,
  { count, size, order, uniform, rate }: Send,
  stops: Set<() => void>,
): Promise<SendResult> {
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  stops.add(stop);
  let sent = 0;
  let stable = 0;
  let failed = 0;
  let settled!: () => void;
  const over = new Promise<void>((resolve) => {
    settled = resolve;
  });
  let sending = true;
  const note = (ok: boolean) => {
    if (ok) stable += 1;
    else failed += 1;
    if (!sending && stable + failed === sent) settled();
  };
  const from = performance.now();
  let last: Receipt | undefined;
  let error: Error | undefined;
  try {
    while (sent < count && !stopped) {
      const due = rate === undefined ? sent + burst : Math.floor(((performance.now() - from) / 1000) * rate) + 1;
      try {
        for (; sent < Math.min(count, due); sent++) {
          last = multicast(ref, load(size, sent), { order, uniform });
          last.stable.then(
            () => note(true),
            () => note(false),
          );
        }
      } catch (failure) {
        if (!(failure instanceof GroupFull)) throw failure;
      }
      if (rate === undefined) await last?.accepted;
      else await sleep(Math.max(1, Math.min(20, 1000 / rate)));
    }
  } catch (failure) {
    error = failure instanceof Error ? failure : new Error(String(failure));
  }
  sending = false;
  stops.delete(stop);
  if (stable + failed < sent) await over;
  if (error !== undefined && sent === 0) throw error;
  const ms = Math.round(performance.now() - from);
  return { ok: failed === 0 && (sent === count || stopped), sent, stable, failed, ms };
}

/** A load of so many bytes that begins with its number. */
function load(size: number, number: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, rest = number; i < Math.min(8, size); i++, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}
