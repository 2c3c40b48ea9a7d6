/** What happens to whole domains: all but one die, all start at once, two meet, and those who weigh too little are left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { split } from './hosts.js';
import { startGated } from './gated.js';
import { byAge, part, partAll } from './network-scenarios.js';
import { hostsOf, type Scenario } from './scenario.js';
import { monotonic } from '../trials/stage.js';

const lastOne: Scenario = {
  name: 'all-but-one',
  did: 'SIGKILL of all but one of four at once, or of two and then of the older of the rest: the last one goes on; all are restarted',
  members: 4,
  onHosts: false,
  timesMin: 2,
  silenceMax: 600,
  viewMax: 500,
  async play(stand, round) {
    const { ground, names } = stand;
    const ages = byAge(stand);
    const last = ages[round % 2 === 0 ? (round >> 1) % ages.length : 1 + ((round >> 1) % (ages.length - 1))] as string;
    const older = ages[0] as string;
    const [first, then] =
      round % 2 === 0
        ? [ages.filter((name) => name !== last), []]
        : [ages.filter((name) => name !== last && name !== older), [older]];
    const end = ground.episode([last]);
    for (const victims of [first, then]) {
      const at = monotonic();
      for (const victim of victims) ground.missed(victim, [last], at);
      await Promise.all(victims.map(ground.kill));
      if (victims === first) await ground.together([...then, last], at);
      else if (victims.length > 0) await ground.together([last], at);
    }
    end();
    const gone = [...first, ...then];
    for (const name of gone) ground.start(name);
    await ground.together(names);
    gone.forEach(ground.load);
  },
};

const founding: Scenario = {
  name: 'founding',
  did: 'six start at the same instant, where there is no domain: they found one; until all are in one view',
  members: 6,
  onHosts: false,
  timesMin: 1,
  silenceMax: 5000,
  foundingsMax: (times) => 1 + times,
  async play({ ground, names }) {
    await Promise.all(names.map(ground.kill));
    const open = await startGated(ground, names);
    const at = monotonic();
    open();
    await ground.together(names);
    ground.took(at);
    names.forEach(ground.load);
    await sleep(300);
  },
};

const meeting: Scenario = {
  name: 'meeting',
  did: 'two hosts and three found two domains of one name, then hear each other: the smaller dissolves into the other, which is not held up',
  members: 5,
  onHosts: true,
  timesMin: 1,
  silenceMax: 2000,
  foundingsMax: (times) => 1 + 2 * times,
  async play(stand, round) {
    const { ground, network, names } = stand;
    const start = round % names.length;
    const turned = [...names.slice(start), ...names.slice(0, start)];
    const sides = [turned.slice(0, 3), turned.slice(3)] as const;
    await Promise.all(names.map(ground.kill));
    network?.lose(split(...sides.map((side) => hostsOf(stand, side))));
    for (const name of names) ground.start(name);
    await Promise.all(sides.map((side) => ground.together(side)));
    names.forEach(ground.load);
    await sleep(500);
    const end = ground.episode(sides[0]);
    network?.lose([]);
    await ground.together(names);
    end();
    sides[1].forEach(ground.load);
    await sleep(300);
  },
};

const weights: Scenario = {
  name: 'weights',
  did: 'of five hosts three weigh 1 and two nothing, the minimum is 1.5: two servers and one other go on without the rest; a majority with one server does not',
  members: 5,
  onHosts: true,
  flags: (name) => ['--weight', name < 'd' ? '1' : '0', '--minimum-weight', '1.5'],
  timesMin: 2,
  silenceMax: 6000,
  async play(stand, round) {
    const servers = ['a', 'b', 'c'];
    const one = servers[(round >> 1) % servers.length] as string;
    const two = servers.filter((name) => name !== one);
    if (round % 2 === 0) return part(stand, [...two, 'd'], [one, 'e']);
    return partAll(stand, [two, [one, 'd', 'e']]);
  },
};

/** Scenarios of whole domains. */
export const domainScenarios: readonly Scenario[] = [lastOne, founding, meeting, weights];
