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
  /** How often it is done, in the test command and at length. */
  readonly times: { readonly short: number; readonly long: number };
  /** No survivor may be without deliveries for longer, in milliseconds. */
  readonly silenceMax: number;
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
