/** One node that asks a group, as a member, which replies with what it was sent, or from outside; a process of its own. */
import { start } from 'nact';
import { ask, domain, groupRef, groups, ready, spawnMember, views, type Context } from '../../actors/index.js';
import { assignmentOf, serve } from './remote.js';

/** What the process is to be. */
export interface AskAssignment {
  readonly domain: string;
  readonly name: string;
  /** Whether it has a member, or asks from outside. */
  readonly member: boolean;
}

/** For how long, how many at a time, with how many bytes, and how many members there are to reply. */
interface Asking {
  readonly millis: number;
  readonly atOnce: number;
  readonly bytes: number;
  readonly members: number;
}

/** What was measured; times in milliseconds, of every ask. */
export interface AskTimes {
  readonly times: readonly number[];
  readonly perSecond: number;
  /** Asks that not all members replied to. */
  readonly incomplete: number;
  /** Milliseconds of processor time of this process per ask. */
  readonly cpu: number;
  /** Packets that this process sent per ask. */
  readonly packets: number;
}

const assignment = assignmentOf<AskAssignment>();
const system = start({ name: assignment.name }, groups({ domain: assignment.domain, name: assignment.name }));
await ready(system);

const f = (state: number, message: Uint8Array, ctx: Context<Uint8Array, Uint8Array>) => {
  ctx.reply(message);
  return state + 1;
};
const ref = assignment.member
  ? spawnMember(system, f, 'asked', { initialState: 0 })
  : groupRef<Uint8Array, number, Uint8Array>(system, 'asked');

const served = {
  /** Resolves when the group has so many members. */
  together: (members: number) =>
    new Promise<void>((resolve) => {
      if (!assignment.member) resolve();
      else views(ref).subscribe((view) => view.members.length === members && resolve());
    }),
  /** Asks all for so long, so many at a time, with so many bytes. */
  async ask({ millis, atOnce, bytes, members }: Asking): Promise<AskTimes> {
    const message = new Uint8Array(bytes).fill(7);
    const times: number[] = [];
    let incomplete = 0;
    const until = performance.now() + millis;
    const packetsOut = () => domain(system).statistics()['packetsOut'] ?? NaN;
    const before = { at: performance.now(), cpu: process.cpuUsage(), packets: packetsOut() };
    async function caller(): Promise<void> {
      for (let now = performance.now(); now < until; now = performance.now()) {
        const { length } = await ask(ref, message, { replies: 'all' });
        if (length < members) incomplete += 1;
        times.push(performance.now() - now);
      }
    }
    await Promise.all(Array.from({ length: atOnce }, caller));
    const { user, system: kernel } = process.cpuUsage(before.cpu);
    return {
      times,
      incomplete,
      perSecond: (1000 * times.length) / (performance.now() - before.at),
      cpu: (user + kernel) / 1000 / times.length,
      packets: (packetsOut() - before.packets) / times.length,
    };
  },
};

/** What this process serves. */
export type AskNode = typeof served;

serve(served);
