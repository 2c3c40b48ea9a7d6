/** One way in which things go wrong. */
import type { Ground, Way } from './ground.js';
import type { Host, Network } from './hosts.js';

/** A scenario is played on members `a`, `b`, … under load. */
export interface Scenario {
  readonly name: string;
  /** What is done, in words, for the table. */
  readonly did: string;
  /** How many members. */
  readonly members: number;
  /** Whether each has a host of its own; else they share this machine's loopback. */
  readonly onHosts: boolean;
  /** How hosts reach each other; UDP multicast over IPv4 if nothing is said. */
  readonly over?: Way;
  /** Hosts beside those of the members. */
  readonly moreHosts?: readonly string[];
  /** Over TCP: what members take for seeds beside all hosts. */
  readonly seeds?: readonly string[];
  /** Flags of a member's command. */
  readonly flags?: (name: string) => readonly string[];
  /** What is put before each member's command. */
  readonly prefix?: readonly string[];
  /** Why it cannot be played on this machine, beyond what hosts need; null if it can. */
  readonly whyNot?: () => string | null;
  /** How often it is done in the test command, and at length at least. */
  readonly timesMin: number;
  /** How many parts of the time it gets at length; default 1. */
  readonly share?: number;
  /** No survivor may be without deliveries for longer, in milliseconds. */
  readonly silenceMax: number;
  /**
   * Who was killed is missed in a view at all survivors in this time, in milliseconds. To this and to `silenceMax` is added how
   * long the machine kept one of them waiting meanwhile, as measured.
   */
  readonly viewMax?: number;
  /** No more domains are founded, if it is done so many times; default: one. */
  readonly foundingsMax?: (times: number) => number;
  /** Does it once, and leaves all members together again. */
  play(stand: Stand, round: number): Promise<void>;
}

/** What a scenario has in hand. */
export interface Stand {
  readonly ground: Ground;
  readonly names: readonly string[];
  /** Null on loopback. */
  readonly network: Network | null;
  /** Whether it is played at length, or in the test command. */
  readonly isLong: boolean;
}

/** The hosts of these members. */
export function hostsOf({ network }: Stand, names: readonly string[]): Host[] {
  if (!network) throw new Error('the scenario needs hosts');
  return names.map((name) => network.hosts.find((host) => host.name === name) as Host);
}

/** The one whose turn it is, and the rest. */
export function turn(names: readonly string[], round: number): [string, string[]] {
  const one = names[round % names.length] as string;
  return [one, names.filter((name) => name !== one)];
}
