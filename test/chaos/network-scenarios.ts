/** What happens to networks: they part, lose, flap, and carry some traffic and not other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { split, traffic, type Host } from './hosts.js';
import type { Event, MemberProcess } from '../trials/member-process.js';
import { monotonic } from '../trials/stage.js';
import { hostsOf, type Scenario, type Stand } from './scenario.js';

/** Parts the hosts, waits until those outside the primary side know it, and mends the network. */
export async function part(
  stand: Stand,
  primary: readonly string[],
  ...others: readonly (readonly string[])[]
): Promise<void> {
  const { ground, network, names } = stand;
  const end = ground.episode(primary);
  const at = monotonic();
  network?.lose(split(...[primary, ...others].map((side) => hostsOf(stand, side))));
  await Promise.all([
    primary.length > 0 ? ground.together(primary, at) : undefined,
    ...others.map((side) => ground.cutOff(side, at)),
  ]);
  await sleep(500);
  end();
  network?.lose([]);
  await ground.together(names, at);
}

/** Parts the hosts into sides of which none may go on, waits until all know it, and mends the network. */
export async function partAll(stand: Stand, sides: readonly (readonly string[])[]): Promise<void> {
  const { ground, network, names, isLong } = stand;
  const at = monotonic();
  network?.lose(split(...sides.map((side) => hostsOf(stand, side))));
  await Promise.all(sides.map((side) => ground.cutOff(side, at)));
  await sleep(500);
  network?.lose([]);
  const healed = monotonic();
  await ground.together(names);
  ground.took(healed);
  if (!isLong) return;
  // who is heard too late is missed only now, and comes back
  await sleep(1500);
  await ground.together(names);
}

/** By age: who was there before whom is not who was named before whom. */
export function byAge({ ground, names }: Stand): string[] {
  const view = ground.members.get(names[0] as string)?.events.findLast(({ event }) => event === 'view');
  return [...(view?.['members'] as string[])];
}

const minority: Scenario = {
  name: 'partition-3-2',
  did: 'three hosts and two do not hear each other; the two wedge, and come back',
  members: 5,
  onHosts: true,
  timesMin: 1,
  silenceMax: 4000,
  async play(stand, round) {
    const { names } = stand;
    const start = round % names.length;
    const turned = [...names.slice(start), ...names.slice(0, start)];
    await part(stand, turned.slice(0, 3), turned.slice(3));
  },
};

const halves: Scenario = {
  name: 'partition-2-2',
  did: 'two hosts and two do not hear each other; those with the oldest go on',
  members: 4,
  onHosts: true,
  timesMin: 1,
  silenceMax: 4000,
  async play(stand, round) {
    const [oldest, ...rest] = byAge(stand) as [string, ...string[]];
    const friend = rest[round % rest.length] as string;
    await part(
      stand,
      [oldest, friend],
      rest.filter((name) => name !== friend),
    );
  },
};

const thirds: Scenario = {
  name: 'partition-2-2-1',
  did: 'two hosts, two and one do not hear each other; nobody goes on until they do',
  members: 5,
  onHosts: true,
  timesMin: 1,
  silenceMax: 6000,
  play: (stand) => partAll(stand, [stand.names.slice(0, 2), stand.names.slice(2, 4), stand.names.slice(4)]),
};

const isolated: Scenario = {
  name: 'isolated',
  did: 'each of five hosts in turn hears nobody, and nobody hears it',
  members: 5,
  onHosts: true,
  timesMin: 2,
  silenceMax: 4000,
  async play(stand, round) {
    const one = stand.names[round % stand.names.length] as string;
    await part(
      stand,
      stand.names.filter((name) => name !== one),
      [one],
    );
  },
};

const flapping: Scenario = {
  name: 'flapping',
  did: 'the link of one of five hosts goes down and up ten times, each for up to 0.6 s',
  members: 5,
  onHosts: true,
  timesMin: 1,
  silenceMax: 4000,
  async play(stand, round) {
    const { ground, network, names } = stand;
    const one = names[round % names.length] as string;
    const end = ground.episode(names.filter((name) => name !== one));
    const [host] = hostsOf(stand, [one]);
    for (let i = 0; i < 10 && host; i++) {
      network?.plug(host, false);
      await sleep(100 + (((round * 10 + i) * 77) % 500));
      network?.plug(host, true);
      await sleep(100 + (((round * 10 + i) * 53) % 500));
    }
    await ground.together(names);
    end();
  },
};

const lossy: Scenario = {
  name: 'loss',
  did: 'one packet in twenty is lost everywhere, for 5 s (3 s in the short form): nobody is excluded',
  members: 4,
  onHosts: true,
  timesMin: 1,
  silenceMax: 2000,
  async play(stand) {
    const { ground, network, names, isLong } = stand;
    const end = ground.episode(names);
    const before = viewsOf(stand);
    network?.lose([{ what: 'numgen random mod 100 < 5' }]);
    await sleep(isLong ? 5000 : 3000);
    network?.lose([]);
    end();
    await ground.together(names);
    if (viewsOf(stand) !== before) throw new Error('somebody was excluded');
  },
};

/** How many views the first has been in. */
export function viewsOf({ ground, names }: Stand): number {
  return ground.members.get(names[0] as string)?.events.filter(({ event }) => event === 'view').length ?? 0;
}

const { multicast, unicast, streams, fragments } = traffic;
/** What a path may eat: every combination of kinds of traffic, first those that leave the heartbeats alone. */
const combinations: readonly (readonly string[])[] = [
  [streams, fragments],
  [unicast, streams],
  [unicast, fragments],
  [unicast, streams, fragments],
  [streams],
  [fragments],
  [unicast],
  [multicast],
  [multicast, unicast],
  [multicast, streams],
  [multicast, fragments],
  [multicast, unicast, streams],
  [multicast, unicast, fragments],
  [multicast, streams, fragments],
  [''],
];

const eaten: Scenario = {
  name: 'eaten',
  did: 'the way from one host, to it, or both, carries no multicast, no unicast, no stream, nothing large, any combination of these, or nothing at all, until what was sent meanwhile is stable or that host is out, and another is killed and missed',
  members: 4,
  onHosts: true,
  timesMin: 10,
  share: 3,
  silenceMax: 6000,
  async play(stand, round) {
    const { ground, network, names } = stand;
    const which = round % combinations.length;
    // each combination in each direction at hosts of each age, the coordinator first
    const turn = which + Math.floor(round / combinations.length);
    const one = byAge(stand)[turn % names.length] as string;
    const [host] = hostsOf(stand, [one]);
    if (!host) return;
    const ways = [[{ from: host }], [{ to: host }], [{ from: host }, { to: host }]][turn % 3] ?? [];
    const what = combinations[which] ?? [];
    const rest = names.filter((name) => name !== one);
    const end = ground.episode(rest);
    const at = monotonic();
    network?.lose(what.flatMap((kind) => ways.map((way) => ({ what: kind, ...way }))));
    // while it lasts: what needs each kind of traffic is done, or that host is out
    await Promise.all([one, rest[0] as string].map((name) => sentOrOut(stand, name, one, at)));
    // where heartbeats are eaten it goes, sooner or later: with the next victim that may be too many at once
    if (what.includes(multicast) || what.includes('')) await ground.together(rest, at);
    end();
    const victim = rest[1] as string;
    const killedAt = monotonic();
    await ground.kill(victim);
    const [others, late] = [rest.filter((name) => name !== victim), (event: Event) => event.at >= killedAt];
    const isWithout = (event: Event) =>
      late(event) && event.event === 'view' && !(event['members'] as string[]).includes(victim);
    const told = others.map((name) =>
      (ground.members.get(name) as MemberProcess).event(isWithout, `view without ${victim}`),
    );
    await Promise.all(told);
    network?.lose([]);
    ground.start(victim);
    await ground.together(names);
    ground.load(victim);
  },
};

/** Resolves when what a member sends is stable or has failed, or another is out of its view, or it has wedged. */
async function sentOrOut({ ground }: Stand, name: string, suspect: string, at: number): Promise<void> {
  const member = ground.members.get(name) as MemberProcess;
  const from = member.events.length;
  // replies go over streams
  member.command('ask all still there?');
  member.command('send 3 --size 40000 --order total');
  // done with it, one way or the other: the loads go on
  const isSent = ({ event, command }: Event) => event === 'done' && command === 'send';
  const isOut = ({ event, members, status }: Event) =>
    (event === 'view' && !(members as string[]).includes(suspect)) || (name === suspect && status === 'wedged');
  await member.event((event) => event.at >= at && (isSent(event) || isOut(event)), `end of what ${name} sends`, from);
}

/** Breaks one host until it is excluded and a little longer, mends it, and waits until it is back. */
export async function breakOne(
  stand: Stand,
  round: number,
  breakIt: (host: Host, isBroken: boolean) => void,
): Promise<void> {
  const { ground, names } = stand;
  const one = names[round % names.length] as string;
  const rest = names.filter((name) => name !== one);
  const [host] = hostsOf(stand, [one]) as [Host];
  const end = ground.episode(rest);
  const at = monotonic();
  breakIt(host, true);
  await ground.together(rest, at);
  await sleep(1500);
  breakIt(host, false);
  await ground.together(names, at);
  end();
}

const unplugged: Scenario = {
  name: 'unplugged',
  did: 'the link of one of four hosts is down until it is excluded and 1.5 s longer: it is a member of the multicast group again, and comes back',
  members: 4,
  onHosts: true,
  timesMin: 1,
  silenceMax: 4000,
  play: (stand, round) => breakOne(stand, round, (host, isBroken) => stand.network?.plug(host, !isBroken)),
};

const forced: Scenario = {
  name: 'forced',
  did: 'SIGKILL of three of five hosts at once: the rest wedge, and go on when they are told to; until they do',
  members: 5,
  onHosts: true,
  timesMin: 1,
  silenceMax: 5000,
  // an operator's order is one
  foundingsMax: (times) => 1 + times,
  async play({ ground, names }, round) {
    const start = round % names.length;
    const turned = [...names.slice(start), ...names.slice(0, start)];
    const [dead, rest] = [turned.slice(0, 3), turned.slice(3)];
    const at = monotonic();
    await Promise.all(dead.map(ground.kill));
    await ground.cutOff(rest, at);
    const told = monotonic();
    await ground.members.get(rest[0] as string)?.run(`force ${rest.join(' ')}`);
    await ground.together(rest, told);
    ground.took(told);
    dead.forEach((name) => ground.start(name));
    await ground.together(names);
    dead.forEach(ground.load);
  },
};

const refused: Scenario = {
  name: 'refused',
  did: 'the kernel of one of four hosts refuses to send (EPERM), or has no interface and no route (ENETUNREACH), until it is excluded and 1.5 s longer',
  members: 4,
  onHosts: true,
  timesMin: 2,
  silenceMax: 4000,
  play: (stand, round) =>
    breakOne(stand, round, (host, isBroken) => {
      if (round % 2 === 0) stand.network?.forbid(host, isBroken);
      else stand.network?.enable(host, !isBroken);
    }),
};

/** The interface of one of four hosts is another one, with the same name and addresses. */
const remade = (name: string, over: 'udp' | 'udp6'): Scenario => ({
  name,
  did: `${over === 'udp6' ? 'over IPv6, ' : ''}the interface of one of four hosts is deleted, for a moment or until it is excluded and 1.5 s longer, and made anew: it is a member of the multicast group again`,
  members: 4,
  onHosts: true,
  over,
  timesMin: 2,
  silenceMax: 4000,
  async play(stand, round) {
    const { ground, network, names } = stand;
    if (round % 2 === 1) return breakOne(stand, round, (host, isBroken) => network?.equip(host, !isBroken));
    const one = names[round % names.length] as string;
    const [host] = hostsOf(stand, [one]) as [Host];
    const end = ground.episode(names.filter((name) => name !== one));
    network?.equip(host, false);
    network?.equip(host, true);
    // by then it is back, or is out and comes back
    await sleep(3000);
    await ground.together(names);
    await ground.members.get(one)?.run('ask all still there?');
    end();
  },
});

const renumbered: Scenario = {
  name: 'renumbered',
  did: 'one of four hosts gets another address: its member begins a new life there',
  members: 4,
  onHosts: true,
  timesMin: 2,
  silenceMax: 4000,
  async play({ ground, network, names }, round) {
    const one = names[(round >> 1) % names.length] as string;
    const host = network?.hosts.find(({ name }) => name === one) as Host;
    const end = ground.episode(names.filter((name) => name !== one));
    const at = monotonic();
    network?.renumber(host, round % 2 === 0);
    await ground.together(names, at);
    end();
  },
};

/** Scenarios that need hosts. */
export const networkScenarios: readonly Scenario[] = [
  minority,
  halves,
  thirds,
  isolated,
  flapping,
  lossy,
  eaten,
  unplugged,
  refused,
  remade('remade', 'udp'),
  remade('remade-ipv6', 'udp6'),
  renumbered,
  forced,
];
