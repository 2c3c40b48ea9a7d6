/**
 * What every measured process does, whatever it measures: takes the parent's commands, samples, answers.
 *
 * It ends with its parent, on any error, and after a time that no trial takes: none is left behind.
 */
import type { Tally } from './payload.js';
import { endTrial, isComplete } from './payload.js';
import { watchPauses } from './pauses.js';
import { assignmentOf, endWithParent } from './processes.js';
import type { Answer, Assignment, Command, Sample, Traffic } from './protocol.js';
import { sum } from './statistics.js';

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
  /** What this process has ever sent. */
  sent(): Traffic;
  /** CPU seconds ever used by other processes that work for this one alone, as a server does; left out if there are none. */
  otherCpuSeconds?(): number;
  /** Messages that have ever come, or, at a sender that does not hear itself, gone. */
  progress(): number;
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

/** What had been sent when the trial began. */
let sentBefore: Traffic;

async function obey(load: Load, command: Command): Promise<void> {
  switch (command.kind) {
    case 'run':
      sentBefore = load.sent();
      load.start(command.window);
      setTimeout(() => sample(load, command), command.warmUpMillis);
      return;
    case 'stop':
      answer({ kind: 'stopped', sent: await load.stop() });
      return;
    case 'drain': {
      await settled(load, command.sent);
      const tallied = endTrial(load.tally, command.sent);
      answer({ kind: 'drained', tallied, traffic: difference(load.sent(), sentBefore) });
      return;
    }
    case 'end':
      await load.close();
      // not cut off, so that a CPU profile is written
      process.exit(0);
  }
}

function difference(now: Traffic, before: Traffic): Traffic {
  return {
    datagrams: now.datagrams - before.datagrams,
    bytes: now.bytes - before.bytes,
    withoutData: now.withoutData - before.withoutData,
    acks: now.acks - before.acks,
    payloadBytes: now.payloadBytes - before.payloadBytes,
  };
}

function sample(load: Load, { measuredMillis, multicasts }: Extract<Command, { kind: 'run' }>): void {
  const { delivered } = load.tally;
  const before = delivered.slice();
  const sent = load.sent();
  const memoryBefore = process.memoryUsage.rss();
  const progress = load.progress();
  const endPauses = watchPauses();
  const otherCpu = load.otherCpuSeconds?.() ?? 0;
  const cpu = process.cpuUsage();
  const from = performance.now();
  const end = () => {
    const used = process.cpuUsage(cpu);
    const taken: Sample = {
      millis: performance.now() - from,
      delivered: Array.from(delivered, (count, sender) => count - (before[sender] as number)),
      cpuSeconds: (used.user + used.system) / 1e6 + (load.otherCpuSeconds?.() ?? 0) - otherCpu,
      traffic: difference(load.sent(), sent),
      pauses: endPauses(),
      memoryBefore,
      memory: process.memoryUsage.rss(),
    };
    answer({ kind: 'measured', sample: taken });
  };
  if (multicasts === null) {
    setTimeout(end, measuredMillis);
    return;
  }
  const timer = setInterval(() => {
    if (load.progress() - progress < multicasts) return;
    clearInterval(timer);
    end();
  }, pollMillis);
}

/** Resolves when all has arrived, or nothing has for a while. */
function settled(load: Load, sent: readonly number[]): Promise<void> {
  const { tally, quietMillis } = load;
  let last = -1;
  let since = performance.now();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      const total = sum(tally.delivered);
      if (total !== last) since = now;
      last = total;
      if (!isComplete(tally, sent) && now - since < quietMillis) return;
      clearInterval(timer);
      resolve();
    }, pollMillis);
  });
}
