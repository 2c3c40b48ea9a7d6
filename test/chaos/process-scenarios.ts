/** What happens to processes: they die, stop, stall, leave, come back, or never get in. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../trials/member-process.js';
import { monotonic } from '../trials/stage.js';
import { control, whyNotControlled } from './cgroup.js';
import { startGated } from './gated.js';
import { turn, type Scenario } from './scenario.js';

const killed: Scenario = {
  name: 'kill',
  did: 'SIGKILL of one of five, each in turn; restarted',
  members: 5,
  onHosts: false,
  timesMin: 3,
  silenceMax: 300,
  viewMax: 200,
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    const at = monotonic();
    ground.missed(victim, rest, at);
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
  timesMin: 2,
  silenceMax: 600,
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
  timesMin: 1,
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

const frozen: Scenario = {
  ...stopped,
  name: 'frozen',
  did: 'one of five is frozen by its control group until it is excluded and 1.5 s longer, then thawed: it comes back by itself',
  timesMin: 1,
  whyNot: () => whyNotControlled('frozen'),
  async play({ ground, names }, round) {
    const [victim, rest] = turn(names, round);
    const freezer = control('frozen', ground.members.get(victim)?.child.pid ?? NaN);
    // what is frozen cannot even be killed
    ground.stage.defer(freezer.remove);
    const end = ground.episode(rest);
    const at = monotonic();
    freezer.set(true);
    try {
      await ground.together(rest, at);
      await sleep(1500);
    } finally {
      freezer.remove();
    }
    await ground.together(names, at);
    end();
  },
};

const throttled: Scenario = {
  name: 'throttled',
  did: 'one of five gets a twentieth of one processor from its control group, for 5 s (2 s in the short form)',
  members: 5,
  onHosts: false,
  timesMin: 1,
  silenceMax: 3000,
  whyNot: () => whyNotControlled('throttled'),
  async play({ ground, names, isLong }, round) {
    const [victim, rest] = turn(names, round);
    const share = control('throttled', ground.members.get(victim)?.child.pid ?? NaN);
    ground.stage.defer(share.remove);
    const end = ground.episode(rest);
    share.set(true);
    try {
      await sleep(isLong ? 5000 : 2000);
    } finally {
      share.remove();
    }
    await ground.together(names);
    end();
  },
};

const paused: Scenario = {
  name: 'paused',
  did: 'SIGSTOP of one of five for 0.4 s: nobody is excluded',
  members: 5,
  onHosts: false,
  timesMin: 1,
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
  timesMin: 1,
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
  timesMin: 1,
  silenceMax: 600,
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
  timesMin: 3,
  silenceMax: 600,
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
  timesMin: 1,
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

const behind: Scenario = {
  name: 'behind',
  did: 'as slow, where members that are behind for 1 s leave and come back with the state (limits.behindMax)',
  members: 4,
  onHosts: false,
  flags: () => ['--behind-max', '1000'],
  timesMin: 1,
  silenceMax: 3000,
  async play({ ground, names }, round) {
    // the oldest never leaves for being behind
    const view = ground.members.get(names[0] as string)?.events.findLast(({ event }) => event === 'view');
    const [oldest] = (view?.['members'] ?? []) as string[];
    const [victim] = turn(
      names.filter((name) => name !== oldest),
      round,
    );
    const rest = names.filter((name) => name !== victim);
    const member = ground.members.get(victim);
    const before = member?.events.length ?? 0;
    const end = ground.episode(rest);
    await member?.run('slow 100');
    // its backlog is to fill
    await ground.members.get(rest[0] as string)?.run('send 400 --size 60000');
    const isOut = ({ event, status }: Event) => event === 'status' && status !== 'active';
    await member?.event(isOut, 'word of being out', before);
    await member?.run('slow 0');
    await ground.together(names);
    end();
  },
};

const crowd: Scenario = {
  name: 'forty',
  did: 'forty that were started before (twelve in the short form) join within a second, and the coordinator is killed; until all are in one view',
  members: 1,
  onHosts: false,
  timesMin: 1,
  share: 2,
  silenceMax: 30_000,
  // the coordinator may be killed before anybody else is in
  foundingsMax: (times) => 1 + times,
  async play({ ground, names, isLong }) {
    const others = Array.from({ length: isLong ? 40 : 12 }, (_, index) => `n${index}`);
    const open = await startGated(ground, others);
    const from = monotonic();
    open();
    await sleep(1000);
    await ground.kill(names[0] as string);
    await ground.together(others);
    ground.took(from);
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
  await ground.together(names);
  for (const name of names) {
    const excluded = ground.members.get(name)?.events.filter(tellsOfExclusion) ?? [];
    if (excluded.length > 0) throw new Error(`excluded without a reason, says ${name}: ${JSON.stringify(excluded)}`);
  }
}

/** Whether it is a view without somebody who failed, or word of who says so that it is out itself. */
function tellsOfExclusion({ event, cause, status }: Event): boolean {
  if (event === 'view') return /failed|excluded/.test(String(cause));
  return event === 'status' && status === 'excluded';
}

/** Scenarios on loopback. */
export const processScenarios: readonly Scenario[] = [
  killed,
  restarted,
  stopped,
  frozen,
  paused,
  busy,
  throttled,
  terminated,
  neverIn,
  slow,
  behind,
  crowd,
];
