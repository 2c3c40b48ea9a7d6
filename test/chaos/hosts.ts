/**
 * Hosts: network namespaces around a bridge, made and removed by whoever uses them. What goes wrong on the way between two of
 * them is done where a switch would do it, on the bridge, so that no host sees an error for what is lost.
 *
 * Needs Linux, root, `ip` (Debian: iproute2) and `nft` (nftables).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import type { Stage } from '../trials/stage.js';

/** One host. */
export interface Host {
  readonly name: string;
  /** Its addresses on the network of all hosts. */
  readonly address: string;
  readonly address6: string;
  /** What to put before a command so that it runs there. */
  readonly prefix: readonly string[];
  /** The bridge's port to it. */
  readonly port: string;
}

/** What the bridge loses. */
export interface Loss {
  /** Which of the traffic; nftables' words for a match, none: all. */
  readonly what: string;
  readonly from?: Host;
  readonly to?: Host;
}

/** Hosts that can hear each other, and a bridge that can be told to lose. */
export interface Network {
  readonly hosts: readonly Host[];
  /** From now on exactly this is lost. */
  lose(losses: readonly Loss[]): void;
  /** Takes a host's link down, or up again, as an unplugged cable does. */
  plug(host: Host, isIn: boolean): void;
  /** Has a host's own kernel refuse to send (EPERM), or no more. */
  forbid(host: Host, isForbidden: boolean): void;
  /** Takes a host's own interface down, and its routes with it (ENETUNREACH), or up again. */
  enable(host: Host, isUp: boolean): void;
  /** Deletes a host's own interface, or makes one anew with the same name and addresses: to its system it is another one. */
  equip(host: Host, hasInterface: boolean): void;
  /** Gives a host another address instead of its own, or its own again. */
  renumber(host: Host, hasOther: boolean): void;
  /** Has a host's connections reset, both ends of each as soon as they say something, and new ones refused; or no more. */
  reset(host: Host, isResetting: boolean): void;
  /** Lets a host's link carry so many bits a second each way, queued for up to half a second; null: as many as it can. */
  narrow(host: Host, bits: number | null): void;
}

/** Kinds of traffic that a path may carry or not. */
export const traffic = {
  multicast: 'ip protocol udp ip daddr 224.0.0.0/4',
  unicast: 'ip protocol udp ip daddr != 224.0.0.0/4',
  streams: 'ip protocol tcp',
  // what does not fit one packet, as a path with a broken path MTU loses it
  fragments: 'ip frag-off & 0x3fff != 0',
} as const;

/** The system's own commands: a package of npm's may have a command of the same name in the path. */
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** Why there can be no hosts here; null if there can. */
export function whyNoHosts(): string | null {
  if (process.platform !== 'linux') return `network namespaces are Linux', and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const space = `ng${process.pid}-try`;
  try {
    execFileSync('ip', ['netns', 'add', space], { env, stdio: 'pipe' });
    execFileSync('ip', ['-n', space, 'link', 'add', 'br0', 'type', 'bridge'], { env, stdio: 'pipe' });
    const chain = 'chain forward { type filter hook forward priority 0; }';
    execFileSync('ip', ['netns', 'exec', space, 'nft', `add table bridge try { ${chain}; }`], { env, stdio: 'pipe' });
  } catch (error) {
    return `${(error as Error).message.trim()} (Debian: apt-get install iproute2 nftables)`;
  } finally {
    spawnSync('ip', ['netns', 'del', space], { env });
  }
  return null;
}

let networks = 0;

/** Makes hosts of these names; they are removed when the stage is cleared. */
export function openNetwork(stage: Stage, names: readonly string[]): Network {
  networks += 1;
  const tag = `ng${process.pid}x${networks}`;
  const bridge = `${tag}-net`;
  const made: string[] = [];
  stage.defer(() => {
    for (const name of made) ip(['netns', 'del', name]);
  });
  const make = (name: string) => {
    ip(['netns', 'add', name]);
    made.push(name);
    ip(['-n', name, 'link', 'set', 'lo', 'up']);
  };
  make(bridge);
  // nobody asks for memberships here: a bridge that snoops would forget them
  ip(['-n', bridge, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0']);
  ip(['-n', bridge, 'link', 'set', 'br0', 'up']);
  const equip = ({ port, address, address6, prefix }: Host) => {
    const space = prefix.at(-1) as string;
    ip(['link', 'add', 'eth0', 'netns', space, 'type', 'veth', 'peer', 'name', port, 'netns', bridge]);
    ip(['-n', bridge, 'link', 'set', port, 'master', 'br0', 'up']);
    ip(['-n', space, 'addr', 'add', `${address}/16`, 'dev', 'eth0']);
    ip(['-n', space, 'addr', 'add', `${address6}/64`, 'dev', 'eth0', 'nodad']);
    ip(['-n', space, 'link', 'set', 'eth0', 'up']);
  };
  const hosts = names.map((name, index): Host => {
    const space = `${tag}-${name}`;
    make(space);
    const prefix = ['ip', 'netns', 'exec', space];
    const host = { name, address: `10.77.0.${index + 1}`, address6: `fd77::${index + 1}`, port: `p${index}`, prefix };
    equip(host);
    return host;
  });
  let losing = false;
  return {
    hosts,
    lose(losses) {
      if (losing && count(bridge) === 0) throw new Error('the bridge was to lose packets, and lost none');
      // who has met a path that eats fragments sends none for a while
      losing = losses.some(({ what }) => what !== traffic.fragments);
      const rules = losses.map(({ what, from, to }) => {
        const ends = [...(from ? [`iifname "${from.port}"`] : []), ...(to ? [`oifname "${to.port}"`] : [])];
        return `${[...ends, what].join(' ')} counter drop`;
      });
      const chain = ['type filter hook forward priority 0; policy accept;', ...rules].join('\n');
      const table = `table bridge faults {\nchain forward {\n${chain}\n}\n}\n`;
      nft(['ip', 'netns', 'exec', bridge], `table bridge faults\ndelete table bridge faults\n${table}`);
    },
    forbid(host, isForbidden) {
      const chain = 'type filter hook output priority 0; policy accept;\noifname "eth0" drop\n';
      const table = isForbidden ? `table inet faults {\nchain output {\n${chain}}\n}\n` : '';
      nft(host.prefix, `table inet faults\ndelete table inet faults\n${table}`);
    },
    reset(host, isResetting) {
      // what is rejected is answered by a reset, which must get out itself
      const chain = (hook: string, device: string) =>
        `chain ${hook} {\ntype filter hook ${hook} priority 0; policy accept;\ntcp flags & rst == rst accept\n` +
        `${device} "eth0" ip protocol tcp reject with tcp reset\n}\n`;
      const table = `table inet resets {\n${chain('input', 'iifname')}${chain('output', 'oifname')}}\n`;
      nft(host.prefix, `table inet resets\ndelete table inet resets\n${isResetting ? table : ''}`);
    },
    narrow(host, bits) {
      const ends = [
        ['-n', host.prefix.at(-1) as string, 'eth0'],
        ['-n', bridge, host.port],
      ] as const;
      const shape = ['tbf', 'rate', `${bits ?? 0}bit`, 'burst', '16kb', 'latency', '500ms'];
      for (const [flag, space, device] of ends) {
        const action = [bits === null ? 'del' : 'replace', 'dev', device, 'root', ...(bits === null ? [] : shape)];
        execFileSync('tc', [flag, space, 'qdisc', ...action], { env, stdio: 'pipe' });
      }
    },
    enable: (host, isUp) => ip(['-n', host.prefix.at(-1) as string, 'link', 'set', 'eth0', isUp ? 'up' : 'down']),
    equip(host, hasInterface) {
      if (hasInterface) equip(host);
      else ip(['-n', host.prefix.at(-1) as string, 'link', 'del', 'eth0']);
    },
    renumber({ address, prefix }, hasOther) {
      const other = address.replace('.0.', '.1.');
      const change = (verb: string, which: string) =>
        ip(['-n', prefix.at(-1) as string, 'addr', verb, `${which}/16`, 'dev', 'eth0']);
      change('del', hasOther ? address : other);
      change('add', hasOther ? other : address);
    },
    plug: (host, isIn) => ip(['-n', bridge, 'link', 'set', host.port, isIn ? 'up' : 'down']),
  };
}

/** Packets that a bridge has lost since it was last told what to lose. */
function count(bridge: string): number {
  const args = ['netns', 'exec', bridge, 'nft', 'list', 'table', 'bridge', 'faults'];
  const rules = execFileSync('ip', args, { env, encoding: 'utf8' });
  return [...rules.matchAll(/packets (\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
}

/** Has nftables do what is written, all of it or nothing. */
function nft([command = '', ...args]: readonly string[], input: string): void {
  execFileSync(command, [...args, 'nft', '-f', '-'], { env, input });
}

function ip(args: readonly string[]): void {
  execFileSync('ip', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What is lost between hosts of different sides. */
export function split(...sides: readonly (readonly Host[])[]): Loss[] {
  return sides.flatMap((side) =>
    sides
      .filter((other) => other !== side)
      .flatMap((other) => side.flatMap((from) => other.map((to) => ({ what: '', from, to })))),
  );
}
