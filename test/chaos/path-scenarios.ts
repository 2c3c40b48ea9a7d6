/** What happens on the way between hosts that is no partition: delay, a narrow link, one direction that is gone for good. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from './hosts.js';
import { viewsOf } from './network-scenarios.js';
import { preloading } from './preload.js';
import { hostsOf, turn, type Scenario } from './scenario.js';

const jitter: Scenario = {
  name: 'jitter',
  did: 'all that is sent takes up to 100 ms, each datagram another time, and one packet in twenty is lost, for 6 s (2 s in the short form), in which the event loop of one of four is held up for 0.5 s: nobody is excluded',
  members: 4,
  onHosts: true,
  prefix: preloading('switch.js', { DELAY_MAX: '100' }),
  timesMin: 1,
  silenceMax: 3000,
  async play(stand, round) {
    const { ground, network, names, isLong } = stand;
    const [busy] = turn(names, round);
    const end = ground.episode(names);
    const before = viewsOf(stand);
    network?.lose([{ what: 'numgen random mod 100 < 5' }]);
    await sleep(isLong ? 2500 : 700);
    await ground.members.get(busy)?.run('burn 500');
    await sleep(isLong ? 3000 : 800);
    network?.lose([]);
    end();
    await ground.together(names);
    if (viewsOf(stand) !== before) throw new Error('somebody was excluded');
  },
};

const narrow: Scenario = {
  name: 'narrow',
  did: "one of four hosts' links carries 2 Mbit/s, while another sends 1 MB (0.4 MB in the short form) in multicasts of 40 KB: nobody is excluded",
  members: 4,
  onHosts: true,
  timesMin: 1,
  silenceMax: 6000,
  async play(stand, round) {
    const { ground, network, names, isLong } = stand;
    const [one, rest] = turn(names, round);
    const [host] = hostsOf(stand, [one]) as [Host];
    const end = ground.episode(rest);
    const before = viewsOf(stand);
    network?.narrow(host, 2e6);
    const sent = await ground.members.get(rest[0] as string)?.run(`send ${isLong ? 25 : 10} --size 40000`);
    network?.narrow(host, null);
    end();
    await ground.together(names);
    if (sent?.['ok'] !== true) throw new Error('what was sent did not become stable');
    if (viewsOf(stand) !== before) throw new Error('somebody was excluded');
  },
};

const oneWay: Scenario = {
  name: 'one-way',
  did: 'one of five hosts does not hear another, or neither hears the other, for good: within 8 s there is one primary view that lasts, for 4 s at least (2 s in the short form)',
  members: 5,
  onHosts: true,
  timesMin: 1,
  silenceMax: 4000,
  async play(stand, round) {
    const { ground, network, names, isLong } = stand;
    const [deaf, rest] = turn(names, round);
    const mute = rest[(round >> 1) % rest.length] as string;
    const [to, from] = hostsOf(stand, [deaf, mute]) as [Host, Host];
    const others = rest.filter((name) => name !== mute);
    const end = ground.episode(others);
    network?.lose([{ what: '', from, to }, ...(round % 2 === 0 ? [] : [{ what: '', from: to, to: from }])]);
    await sleep(isLong ? 8000 : 6000);
    const latest = () =>
      others.map((name) => {
        const view = ground.members.get(name)?.events.findLast(({ event }) => event === 'view');
        return JSON.stringify([view?.['id'], view?.['members']]);
      });
    const settled = latest();
    if (new Set(settled).size > 1) throw new Error(`not one view: ${settled.join(' ')}`);
    await sleep(isLong ? 4000 : 2000);
    end();
    const after = latest();
    if (after.join() !== settled.join()) throw new Error(`from ${settled.join(' ')} to ${after.join(' ')}`);
    network?.lose([]);
    await ground.together(names);
  },
};

/** Scenarios of ways between hosts. */
export const pathScenarios: readonly Scenario[] = [jitter, narrow, oneWay];
