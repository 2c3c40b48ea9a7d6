/**
 * What every measured process does, whatever it measures: takes the parent's commands, samples, answers.
 *
 * It ends with its parent, on any error, and after a time that no trial takes: none is left behind.
 */
import type { Tally } from './payload.js';
import { endTrial, isComplete } from './payload.js';
import { assignmentOf, endWithParent } from './processes.js';
import type { Answer, Assignment, Command, Sample } from './protocol.js';

/** A contender at work in this process. */
export interface Load {
  /** For the report: sockets, buffers. */
  readonly description: string;
  readonly tally: Tally;
  /** After so long without a delivery nothing more is expected. */
  readonly quietMillis: number;
  /** Resolves when this process sees all the others. */
  readonly full: Promise<void>;
  /** A trial begins; senders send as fast as they can. */
  start(window: number): void;
  /** No more is sent; returns the number of messages sent in this trial. */
  stop(): number | Promise<number>;
  /** Datagrams and their bytes that this process has ever sent. */
  sent(): { readonly datagrams: number; readonly bytes: number };
  close(): void | Promise<void>;
}

const pollMillis = 10;

function answer(message: Answer): void {
  process.send?.(message);
}

function fail(error: unknown): void {
  answer({ kind: 'failed', why: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

/** Opens the load for what this process was told, and serves the parent until the end. */
export async function serve(open: (assignment: Assignment) => Promise<Load>): Promise<void> {
  endWithParent();
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  try {
    const assignment = assignmentOf<Assignment>();
    const load = await open(assignment);
    process.on('message', (command: Command) => void obey(load, command).catch(fail));
    answer({ kind: 'ready', description: load.description });
    await load.full;
    answer({ kind: 'full' });
  } catch (error) {
    fail(error);
  }
}

async function obey(load: Load, command: Command): Promise<void> {
  switch (command.kind) {
    case 'run':
      load.start(command.window);
      setTimeout(() => sample(load, command.measuredMillis), command.warmUpMillis);
      return;
    case 'stop':
      answer({ kind: 'stopped', sent: await load.stop() });
      return;
    case 'drain':
      await settled(load, command.sent);
      answer({ kind: 'drained', tallied: endTrial(load.tally, command.sent) });
      return;
    case 'end':
      await load.close();
      // not cut off, so that a CPU profile is written
      process.exit(0);
  }
}

function sample(load: Load, millis: number): void {
  const { delivered } = load.tally;
  const before = delivered.slice();
  const sentBefore = load.sent();
  const cpu = process.cpuUsage();
  const from = performance.now();
  setTimeout(() => {
    const used = process.cpuUsage(cpu);
    const sent = load.sent();
    const taken: Sample = {
      millis: performance.now() - from,
      delivered: Array.from(delivered, (count, sender) => count - (before[sender] as number)),
      cpuSeconds: (used.user + used.system) / 1e6,
      datagrams: sent.datagrams - sentBefore.datagrams,
      bytesSent: sent.bytes - sentBefore.bytes,
      memory: process.memoryUsage.rss(),
    };
    answer({ kind: 'measured', sample: taken });
  }, millis);
}

/** Resolves when all has arrived, or nothing has for a while. */
function settled(load: Load, sent: readonly number[]): Promise<void> {
  const { tally, quietMillis } = load;
  let last = -1;
  let since = performance.now();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      const total = tally.delivered.reduce((sum, count) => sum + count, 0);
      if (total !== last) since = now;
      last = total;
      if (!isComplete(tally, sent) && now - since < quietMillis) return;
      clearInterval(timer);
      resolve();
    }, pollMillis);
  });
}
