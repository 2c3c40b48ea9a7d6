/** What happens to a mesh of TCP connections between hosts: connections that break, that break unnoticed, and that lead elsewhere. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from './hosts.js';
import { tcpPort } from './ground.js';
import { breakOne, networkScenarios } from './network-scenarios.js';
import { processScenarios } from './process-scenarios.js';
import { hostsOf, turn, type Scenario, type Stand } from './scenario.js';
import { startMember } from '../trials/member-process.js';
import { freshDomain, monotonic } from '../trials/stage.js';

/** The same as over UDP multicast. */
function overTcp(name: string, timesMin: number): Scenario {
  const scenario = [...processScenarios, ...networkScenarios].find((each) => each.name === name);
  if (!scenario) throw new Error(`there is no scenario '${name}'`);
  const did = `over TCP: ${scenario.did}`;
  return { ...scenario, name: `tcp-${name}`, did, onHosts: true, over: 'tcp', timesMin };
}

const halfOpen: Scenario = {
  name: 'tcp-half-open',
  did: 'over TCP: the link of one of four hosts goes down, nobody is told by FIN or RST, and is up again after it was excluded, or after its process was killed, before this is missed or after; it starts again',
  members: 4,
  onHosts: true,
  over: 'tcp',
  timesMin: 2,
  silenceMax: 4000,
  async play(stand, round) {
    const { ground, network, names } = stand;
    const plug = (host: Host, isBroken: boolean) => network?.plug(host, !isBroken);
    const kind = round % 3;
    if (kind === 0) return breakOne(stand, round, plug);
    const [one, rest] = turn(names, round);
    const [host] = hostsOf(stand, [one]) as [Host];
    const end = ground.episode(rest);
    const at = monotonic();
    plug(host, true);
    await ground.kill(one);
    if (kind === 1) await sleep(300);
    else await ground.together(rest, at);
    plug(host, false);
    ground.start(one);
    await ground.together(names);
    end();
    ground.load(one);
  },
};

const reset: Scenario = {
  name: 'tcp-reset',
  did: 'over TCP: all connections of one of four hosts are reset and refused for 50 to 300 ms, ten times',
  members: 4,
  onHosts: true,
  over: 'tcp',
  timesMin: 1,
  silenceMax: 4000,
  async play(stand, round) {
    const { ground, network, names } = stand;
    const [one, rest] = turn(names, round);
    const [host] = hostsOf(stand, [one]) as [Host];
    const end = ground.episode(rest);
    for (let i = 0; i < 10; i++) {
      network?.reset(host, true);
      await sleep(50 + (((round * 10 + i) * 77) % 250));
      network?.reset(host, false);
      await sleep(100 + (((round * 10 + i) * 53) % 500));
    }
    await ground.together(names);
    end();
  },
};

/** Hosts that are no members, and what answers there. */
const strangers = ['other', 'web', 'mute', 'empty'];
/** No host has it. */
const nowhere = `10.77.0.200:${tcpPort}`;

const led: Scenario = {
  name: 'tcp-seeds',
  did: 'over TCP: among the seeds are a node of another domain, a web server, a server that says nothing, a closed port, and no host at all; one of three is killed and restarted, and its log names each of them',
  members: 3,
  onHosts: true,
  over: 'tcp',
  moreHosts: strangers,
  seeds: [nowhere],
  timesMin: 1,
  silenceMax: 4000,
  async play(stand, round) {
    const { ground, names } = stand;
    if (round === 0) await startStrangers(stand);
    const [victim, rest] = turn(names, round);
    const end = ground.episode(rest);
    const at = monotonic();
    await ground.kill(victim);
    await ground.together(rest, at);
    end();
    ground.start(victim);
    await ground.together(names);
    ground.load(victim);
    const wanted = [...hostsOf(stand, strangers).map(({ address }) => `${address}:${tcpPort}`), nowhere];
    const isNamed = (seed: string) => logOf(stand, victim).includes(`seed ${seed}: `);
    for (const until = monotonic() + logMillis; !wanted.every(isNamed) && monotonic() < until;) await sleep(100);
    const unnamed = wanted.filter((seed) => !isNamed(seed));
    if (unnamed.length > 0) throw new Error(`the log of ${victim} does not name ${unnamed.join(', ')}`);
  },
};

/** Within this a log says what is wrong with each seed: it takes a while to see that nobody answers. */
const logMillis = 20_000;

async function startStrangers(stand: Stand): Promise<void> {
  const { stage } = stand.ground;
  const [other, web, mute] = hostsOf(stand, strangers) as [Host, Host, Host];
  const flags = ['--insecure', '--transport', 'tcp', '--listen', `${other.address}:${tcpPort}`];
  const member = startMember(stage, 'other', freshDomain(), flags, other.prefix);
  const serve = ({ name, prefix }: Host, program: string) => {
    const [command = '', ...args] = [...prefix, process.execPath, '-e', program];
    stage.start(name, command, args);
  };
  serve(web, `require('http').createServer((_, reply) => reply.end('hello')).listen(${tcpPort})`);
  serve(mute, `require('net').createServer((socket) => socket.on('error', () => {}).resume()).listen(${tcpPort})`);
  await member.event(({ event }) => event === 'ready', 'another domain');
}

/** What a member has logged in all its lives. */
function logOf({ ground: { stage } }: Stand, name: string): string {
  const files = readdirSync(stage.folder).filter((file) => file.startsWith(`${name}.`) && file.endsWith('.log'));
  return files.map((file) => readFileSync(path.join(stage.folder, file), 'utf8')).join('');
}

/** Scenarios of a mesh over TCP. */
export const tcpScenarios: readonly Scenario[] = [
  overTcp('kill', 2),
  overTcp('restart', 1),
  overTcp('partition-3-2', 1),
  overTcp('isolated', 1),
  overTcp('loss', 1),
  halfOpen,
  reset,
  led,
];
