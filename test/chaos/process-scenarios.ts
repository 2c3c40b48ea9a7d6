/** What happens to processes: they die, stop, stall, leave, come back, or never get in. */
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { monotonic } from '../trials/stage.js';
import type { Scenario } from './scenario.js';

const without = (names: readonly string[], ...gone: readonly string[]) => names.filter((name) => !gone.includes(name));

/** The one whose turn it is, and the rest. */
const turn = (names: readonly string[], round: number): [string, string[]] => {
  const one = names[round % names.length] as string;
  return [one, without(names, one)];
};

const killed: Scenario = {
  name: 'kill',
  did: 'SIGKILL of one of five, each in turn; restarted',
  members: 5,
  onHosts: false,
  times: { short: 3, long: 60 },
  silenceMax: 3000,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    const at = monotonic();
    await ground.kill(victim);
    await ground.together(rest, at);
    end();
    ground.start(victim);
    await ground.together(names);
    ground.load(victim);
  },
};

const restarted: Scenario = {
  name: 'restart',
  did: 'SIGKILL of one of five, restarted at once under its name and address',
  members: 5,
  onHosts: false,
  times: { short: 2, long: 60 },
  silenceMax: 3000,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    const at = monotonic();
    await ground.kill(victim);
    ground.start(victim);
    await ground.together(names, at);
    end();
    ground.load(victim);
  },
};

const stopped: Scenario = {
  name: 'stopped',
  did: 'SIGSTOP of one of five until it is excluded and 1.5 s longer, then SIGCONT: it comes back by itself',
  members: 5,
  onHosts: false,
  times: { short: 1, long: 30 },
  silenceMax: 3000,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    const at = monotonic();
    ground.members.get(victim)?.child.kill('SIGSTOP');
    await ground.together(rest, at);
    await sleep(1500);
    ground.members.get(victim)?.child.kill('SIGCONT');
    await ground.together(names, at);
    end();
  },
};

const paused: Scenario = {
  name: 'paused',
  did: 'SIGSTOP of one of five for 0.4 s: nobody is excluded',
  members: 5,
  onHosts: false,
  times: { short: 2, long: 60 },
  silenceMax: 1500,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    ground.members.get(victim)?.child.kill('SIGSTOP');
    await sleep(400);
    ground.members.get(victim)?.child.kill('SIGCONT');
    await sleep(600);
    end();
    await unchanged(ground, names);
  },
};

const busy: Scenario = {
  name: 'busy',
  did: 'the event loop of one of five is held up for 0.5 s, as by a garbage collection: nobody is excluded',
  members: 5,
  onHosts: false,
  times: { short: 2, long: 60 },
  silenceMax: 1500,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    await ground.members.get(victim)?.run('burn 500');
    await sleep(600);
    end();
    await unchanged(ground, names);
  },
};

const terminated: Scenario = {
  name: 'terminated',
  did: 'SIGTERM of one of five, which leaves; started again',
  members: 5,
  onHosts: false,
  times: { short: 2, long: 60 },
  silenceMax: 1500,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    const at = monotonic();
    const member = ground.members.get(victim);
    member?.child.kill('SIGTERM');
    const code = await member?.exited;
    if (code !== 0) throw new Error(`${victim} ended with ${String(code)}`);
    await ground.together(rest, at);
    end();
    ground.start(victim);
    await ground.together(names);
    ground.load(victim);
  },
};

const neverIn: Scenario = {
  name: 'joiner-dies',
  did: 'a sixth is started and killed 50 to 700 ms later, wherever its join is then',
  members: 5,
  onHosts: false,
  times: { short: 4, long: 120 },
  silenceMax: 3000,
  async play({ ground, names }, round) {
    const end = ground.episode(names);
    ground.start('joiner');
    await sleep(50 + ((round * 137) % 650));
    const at = monotonic();
    await ground.kill('joiner');
    await ground.together(names, 0);
    // its ghost may only now be let in, and out again
    await sleep(100);
    await ground.together(names, 0);
    ground.members.delete('joiner');
    end();
    if (monotonic() - at > 20_000) throw new Error('the others waited for a ghost');
  },
};

const slow: Scenario = {
  name: 'slow',
  did: 'one of four takes 30 ms for each delivery, of which 160 a second come, for 4 s; then it catches up',
  members: 4,
  onHosts: false,
  times: { short: 1, long: 20 },
  silenceMax: 3000,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    await ground.members.get(victim)?.run('slow 30');
    await sleep(4000);
    await ground.members.get(victim)?.run('slow 0');
    end();
    await unchanged(ground, names);
  },
};

const crowd: Scenario = {
  name: 'forty',
  did: 'forty that were started before (twelve in the short form) join within a second, and the coordinator is killed; until all are in one view',
  members: 1,
  onHosts: false,
  times: { short: 1, long: 5 },
  silenceMax: 30_000,
  async play({ ground, names, isLong }, round) {
    const others = Array.from({ length: isLong ? 40 : 12 }, (_, index) => `n${index}`);
    const gate = path.join(ground.stage.folder, `gate-${round}`);
    const options = `NODE_OPTIONS=--import=${fileURLToPath(new URL('gate.js', import.meta.url))}`;
    for (const name of others) ground.start(name, ['env', options, `GATE=${gate}`]);
    const isLoaded = (file: string) => file.startsWith(`gate-${round}-`);
    while (readdirSync(ground.stage.folder).filter(isLoaded).length < others.length) await sleep(20);
    const from = monotonic();
    writeFileSync(gate, '');
    await sleep(1000);
    await ground.kill(names[0] as string);
    await ground.together(others);
    ground.took(monotonic() - from);
    ground.start(names[0] as string);
    await ground.together([...names, ...others]);
    for (const name of others) {
      ground.members.get(name)?.child.kill('SIGTERM');
      ground.members.delete(name);
    }
    await ground.together(names);
    ground.load(names[0] as string);
  },
};

/** Nobody has been excluded, and nobody is about to be. */
async function unchanged(ground: Parameters<Scenario['play']>[0]['ground'], names: readonly string[]): Promise<void> {
  const [first] = names.map((name) => ground.members.get(name));
  const views = first?.events.filter(({ event }) => event === 'view') ?? [];
  const excluded = views.filter(({ cause }) => String(cause).includes('failed') || String(cause).includes('excluded'));
  if (excluded.length > 0) throw new Error(`excluded without a reason: ${JSON.stringify(excluded)}`);
  await ground.together(names);
}

/** Scenarios on loopback. */
export const processScenarios: readonly Scenario[] = [
  killed,
  restarted,
  stopped,
  paused,
  busy,
  terminated,
  neverIn,
  slow,
  crowd,
];
