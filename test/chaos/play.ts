/** Plays a scenario so many times, and says what came of it. */
import { loadavg } from 'node:os';
import type { Stage } from '../trials/stage.js';
import { openGround } from './ground.js';
import { openNetwork } from './hosts.js';
import type { Scenario } from './scenario.js';

/** A row of the table. */
export interface Row {
  readonly scenario: Scenario;
  readonly times: number;
  /** Of the silences, in milliseconds. */
  readonly median: number;
  readonly most: number;
  readonly violations: readonly string[];
  /** The most of one process, in bytes. */
  readonly memory: number;
  readonly deliveries: number;
  /** The machine's load average over the minute before. */
  readonly load: number;
}

/** Plays it on members and hosts of its own, at length or for a look, at most so many times. */
export async function play(stage: Stage, scenario: Scenario, isLong: boolean, timesMax = Infinity): Promise<Row> {
  const times = Math.min(timesMax, isLong ? scenario.times.long : scenario.times.short);
  const names = 'abcdefgh'.slice(0, scenario.members).split('');
  const network = scenario.onHosts ? openNetwork(stage, names) : null;
  const { over = 'udp' } = scenario;
  const ground = await openGround(stage, names, network ? { hosts: network.hosts, over } : {});
  for (let round = 0; round < times; round++) await scenario.play({ ground, names, network, isLong }, round);
  const { silences, violations, memory, deliveries } = await ground.conclude();
  const sorted = [...silences].sort((a, b) => a - b);
  const [median = NaN, most = NaN] = [sorted[sorted.length >> 1], sorted.at(-1)];
  // not a number is above every bar
  const late =
    most <= scenario.silenceMax ? [] : [`silent for ${most.toFixed(0)} ms, more than ${scenario.silenceMax}`];
  const load = loadavg()[0] ?? NaN;
  return { scenario, times, median, most, violations: [...violations, ...late], memory, deliveries, load };
}
